// ir/scalar.h in LLVM IR: every lane is a vector of the machine's width.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include "ir/scalar.h"

namespace descent::codegen {

class VectorEmitter : public ir::ScalarEmitter {
 public:
  /// `scales`: the machine multiplies vectors of 512 bits by powers of two in one instruction.
  VectorEmitter(llvm::IRBuilder<>& builder, unsigned width, bool scales)
      : builder_(builder), width_(width), scales_(scales) {}
  bool scales(ir::LaneKind kind) const override {
    return scales_ && width_ % (kind == ir::LaneKind::f64 ? 8 : 16) == 0;
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

  llvm::IRBuilder<>& builder_;
  unsigned width_;
  bool scales_;
};

}  // namespace descent::codegen
