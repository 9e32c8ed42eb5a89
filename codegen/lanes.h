// ir/scalar.h in LLVM IR: every lane is a vector of the machine's width.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include "ir/scalar.h"

namespace descent::codegen {

class VectorEmitter : public ir::ScalarEmitter {
 public:
  VectorEmitter(llvm::IRBuilder<>& builder, unsigned width);
  ir::LaneHandle emit(ir::Instruction instruction, ir::LaneHandle a, ir::LaneHandle b, ir::LaneHandle c) override;
  ir::LaneHandle f32(float value) override;
  ir::LaneHandle i32(std::int32_t value) override;

  llvm::VectorType* float_vector() const { return float_vector_; }
  llvm::VectorType* int_vector() const { return int_vector_; }
  unsigned width() const { return width_; }

 private:
  llvm::IRBuilder<>& builder_;
  unsigned width_;
  llvm::VectorType* float_vector_;
  llvm::VectorType* int_vector_;
};

}  // namespace descent::codegen
