// ir/scalar.h in LLVM IR: every lane is a vector of the machine's width.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include "ir/scalar.h"
#include "passes/machine.h"

namespace descent::codegen {

class VectorEmitter : public ir::ScalarEmitter {
 public:
  VectorEmitter(llvm::IRBuilder<>& builder, unsigned width, const passes::Machine& machine)
      : builder_(builder), width_(width), machine_(machine) {}
  /// Vectors of 512 bits.
  bool scales(ir::LaneKind kind) const override {
    return machine_.scales && width_ % (kind == ir::LaneKind::f64 ? 8 : 16) == 0;
  }
  ir::LaneHandle emit(ir::Instruction instruction, ir::LaneHandle a, ir::LaneHandle b, ir::LaneHandle c) override;
  ir::LaneHandle f32(float value) override;
  ir::LaneHandle f64(double value) override;
  ir::LaneHandle i32(std::int32_t value) override;
  ir::LaneHandle i64(std::int64_t value) override;

  llvm::VectorType* vector(llvm::Type* element) const { return llvm::FixedVectorType::get(element, width_); }
  unsigned width() const { return width_; }
  void set_width(unsigned width) { width_ = width; }

 private:
  llvm::Value* scale(llvm::Value* a, llvm::Value* exponents);
  llvm::Value* divide(llvm::Value* a, llvm::Value* b);
  llvm::Value* fuse(llvm::Value* a, llvm::Value* b, llvm::Value* c);
  llvm::Value* round(llvm::Value* a);

  llvm::IRBuilder<>& builder_;
  unsigned width_;
  passes::Machine machine_;
};

}  // namespace descent::codegen
