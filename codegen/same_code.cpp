#include "codegen/same_code.h"

#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/STLExtras.h>
#include <llvm/IR/Instructions.h>

namespace descent::codegen {

namespace {

/// What the first function has and the second one has in its place.
class Comparison {
 public:
  bool run(const llvm::Function& a, const llvm::Function& b) {
    if (a.getFunctionType() != b.getFunctionType() || a.size() != b.size()) return false;
    for (const auto& [x, y] : llvm::zip(a.args(), b.args())) places_[&x] = &y;
    for (const auto& [x, y] : llvm::zip(a, b)) {
      if (x.size() != y.size()) return false;
      places_[&x] = &y;
      for (const auto& [i, j] : llvm::zip(x, y)) places_[&i] = &j;
    }
    for (const auto& [x, y] : llvm::zip(a, b)) {
      for (const auto& [i, j] : llvm::zip(x, y)) {
        if (!same(i, j)) return false;
      }
    }
    return true;
  }

 private:
  bool same(const llvm::Instruction& i, const llvm::Instruction& j) const {
    if (!i.isSameOperationAs(&j) || !i.hasSameSubclassOptionalData(&j)) return false;
    for (const auto& [x, y] : llvm::zip(i.operands(), j.operands())) {
      if (!same(x.get(), y.get())) return false;
    }
    const auto *phi = llvm::dyn_cast<llvm::PHINode>(&i), *other = llvm::dyn_cast<llvm::PHINode>(&j);
    if (phi == nullptr) return true;
    for (const auto& [x, y] : llvm::zip(phi->blocks(), other->blocks())) {
      if (!same(x, y)) return false;
    }
    return true;
  }

  /// Constants and other functions are those of the module, each once.
  bool same(const llvm::Value* x, const llvm::Value* y) const {
    const auto at = places_.find(x);
    return at == places_.end() ? x == y : at->second == y;
  }

  llvm::DenseMap<const llvm::Value*, const llvm::Value*> places_;
};

}  // namespace

bool same_code(const llvm::Function& a, const llvm::Function& b) { return Comparison().run(a, b); }

}  // namespace descent::codegen
