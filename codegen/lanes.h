// ir/scalar.h in LLVM IR: every lane is a vector of the machine's width.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include "ir/scalar.h"

namespace descent::codegen {

class VectorEmitter : public ir::ScalarEmitter {
 public:
  VectorEmitter(llvm::IRBuilder<>& builder, unsigned width) : builder_(builder), width_(width) {}
  ir::LaneHandle emit(ir::Instruction instruction, ir::LaneHandle a, ir::LaneHandle b, ir::LaneHandle c) override;
  ir::LaneHandle f32(float value) override;
  ir::LaneHandle f64(double value) override;
  ir::LaneHandle i32(std::int32_t value) override;
  ir::LaneHandle i64(std::int64_t value) override;

  llvm::VectorType* vector(llvm::Type* element) const { return llvm::FixedVectorType::get(element, width_); }
  unsigned width() const { return width_; }

 private:
  llvm::IRBuilder<>& builder_;
  unsigned width_;
};

}  // namespace descent::codegen
