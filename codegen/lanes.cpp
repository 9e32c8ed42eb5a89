#include "codegen/lanes.h"

#include <llvm/IR/Intrinsics.h>

namespace descent::codegen {

using ir::Instruction;
using llvm::Value;

VectorEmitter::VectorEmitter(llvm::IRBuilder<>& builder, unsigned width)
    : builder_(builder),
      width_(width),
      float_vector_(llvm::FixedVectorType::get(builder.getFloatTy(), width)),
      int_vector_(llvm::FixedVectorType::get(builder.getInt32Ty(), width)) {}

ir::LaneHandle VectorEmitter::f32(float value) { return llvm::ConstantFP::get(float_vector_, value); }
ir::LaneHandle VectorEmitter::i32(std::int32_t value) {
  return llvm::ConstantInt::get(int_vector_, static_cast<std::uint64_t>(static_cast<std::int64_t>(value)), true);
}

ir::LaneHandle VectorEmitter::emit(Instruction instruction, ir::LaneHandle first, ir::LaneHandle second,
                                   ir::LaneHandle third) {
  auto* a = static_cast<Value*>(first);
  auto* b = static_cast<Value*>(second);
  auto* c = static_cast<Value*>(third);
  llvm::IRBuilder<>& ir = builder_;
  const auto intrinsic = [&](llvm::Intrinsic::ID id, std::initializer_list<Value*> arguments) {
    return ir.CreateIntrinsic(id, {float_vector_}, llvm::SmallVector<Value*, 3>(arguments));
  };
  switch (instruction) {
    case Instruction::f_add:
      return ir.CreateFAdd(a, b);
    case Instruction::f_sub:
      return ir.CreateFSub(a, b);
    case Instruction::f_mul:
      return ir.CreateFMul(a, b);
    case Instruction::f_div:
      return ir.CreateFDiv(a, b);
    case Instruction::f_fma:
      return intrinsic(llvm::Intrinsic::fma, {a, b, c});
    case Instruction::f_min:
      return ir.CreateSelect(ir.CreateFCmpOLT(a, b), a, b);
    case Instruction::f_max:
      return ir.CreateSelect(ir.CreateFCmpOGT(a, b), a, b);
    case Instruction::f_sqrt:
      return intrinsic(llvm::Intrinsic::sqrt, {a});
    case Instruction::f_abs:
      return intrinsic(llvm::Intrinsic::fabs, {a});
    case Instruction::f_neg:
      return ir.CreateFNeg(a);
    case Instruction::f_copysign:
      return intrinsic(llvm::Intrinsic::copysign, {a, b});
    case Instruction::f_round:
      return intrinsic(llvm::Intrinsic::roundeven, {a});
    case Instruction::f_lt:
      return ir.CreateFCmpOLT(a, b);
    case Instruction::f_le:
      return ir.CreateFCmpOLE(a, b);
    case Instruction::f_eq:
      return ir.CreateFCmpOEQ(a, b);
    case Instruction::f_ne:
      return ir.CreateFCmpUNE(a, b);
    case Instruction::f_select:
    case Instruction::i_select:
      return ir.CreateSelect(a, b, c);
    case Instruction::f_to_i:
      return ir.CreateFPToSI(a, int_vector_);
    case Instruction::i_to_f:
      return ir.CreateSIToFP(a, float_vector_);
    case Instruction::f_bits:
      return ir.CreateBitCast(a, int_vector_);
    case Instruction::i_as_f:
      return ir.CreateBitCast(a, float_vector_);
    case Instruction::i_add:
      return ir.CreateAdd(a, b);
    case Instruction::i_sub:
      return ir.CreateSub(a, b);
    case Instruction::i_mul:
      return ir.CreateMul(a, b);
    case Instruction::i_and:
    case Instruction::m_and:
      return ir.CreateAnd(a, b);
    case Instruction::i_or:
    case Instruction::m_or:
      return ir.CreateOr(a, b);
    case Instruction::i_xor:
      return ir.CreateXor(a, b);
    case Instruction::i_shl:
      return ir.CreateShl(a, b);
    case Instruction::i_lshr:
      return ir.CreateLShr(a, b);
    case Instruction::i_ashr:
      return ir.CreateAShr(a, b);
    case Instruction::i_eq:
      return ir.CreateICmpEQ(a, b);
    case Instruction::i_lt:
      return ir.CreateICmpSLT(a, b);
    case Instruction::i_le:
      return ir.CreateICmpSLE(a, b);
    case Instruction::m_not:
      return ir.CreateNot(a);
  }
  return nullptr;
}

}  // namespace descent::codegen
