#include "codegen/lanes.h"

#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/IntrinsicsX86.h>

namespace descent::codegen {

using ir::Instruction;
using llvm::Value;

ir::LaneHandle VectorEmitter::f32(float value) {
  return llvm::ConstantFP::get(vector(builder_.getFloatTy()), static_cast<double>(value));
}
ir::LaneHandle VectorEmitter::f64(double value) { return llvm::ConstantFP::get(vector(builder_.getDoubleTy()), value); }
ir::LaneHandle VectorEmitter::i32(std::int32_t value) {
  return llvm::ConstantInt::get(vector(builder_.getInt32Ty()),
                                static_cast<std::uint64_t>(static_cast<std::int64_t>(value)), true);
}
ir::LaneHandle VectorEmitter::i64(std::int64_t value) {
  return llvm::ConstantInt::get(vector(builder_.getInt64Ty()), static_cast<std::uint64_t>(value), true);
}

ir::LaneHandle VectorEmitter::emit(Instruction instruction, ir::LaneHandle first, ir::LaneHandle second,
                                   ir::LaneHandle third) {
  auto* a = static_cast<Value*>(first);
  auto* b = static_cast<Value*>(second);
  auto* c = static_cast<Value*>(third);
  llvm::IRBuilder<>& ir = builder_;
  const auto intrinsic = [&](llvm::Intrinsic::ID id, std::initializer_list<Value*> arguments) {
    return ir.CreateIntrinsic(id, {a->getType()}, llvm::SmallVector<Value*, 3>(arguments));
  };
  switch (instruction) {
    case Instruction::f_add:
      return ir.CreateFAdd(a, b);
    case Instruction::f_sub:
      return ir.CreateFSub(a, b);
    case Instruction::f_mul:
      return ir.CreateFMul(a, b);
    case Instruction::f_div:
      return divide(a, b);
    case Instruction::f_fma:
      return machine_.fuses ? intrinsic(llvm::Intrinsic::fma, {a, b, c}) : fuse(a, b, c);
    case Instruction::f_min:
      return ir.CreateSelect(ir.CreateFCmpOLT(a, b), a, b);
    case Instruction::f_max:
      return ir.CreateSelect(ir.CreateFCmpOGT(a, b), a, b);
    case Instruction::f_scale:
      return scale(a, b);
    case Instruction::f_sqrt:
      return intrinsic(llvm::Intrinsic::sqrt, {a});
    case Instruction::f_abs:
      return intrinsic(llvm::Intrinsic::fabs, {a});
    case Instruction::f_neg:
      return ir.CreateFNeg(a);
    case Instruction::f_copysign:
      return intrinsic(llvm::Intrinsic::copysign, {a, b});
    case Instruction::f_round:
      return machine_.rounds ? intrinsic(llvm::Intrinsic::roundeven, {a}) : round(a);
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
      return ir.CreateFPToSI(a, vector(ir.getInt32Ty()));
    case Instruction::i_to_f:
      return ir.CreateSIToFP(a, vector(ir.getFloatTy()));
    case Instruction::i_to_d:
      return ir.CreateSIToFP(a, vector(ir.getDoubleTy()));
    case Instruction::f_to_d:
      return ir.CreateFPExt(a, vector(ir.getDoubleTy()));
    case Instruction::d_to_f:
      return ir.CreateFPTrunc(a, vector(ir.getFloatTy()));
    case Instruction::i_widen:
      return ir.CreateSExt(a, vector(ir.getInt64Ty()));
    case Instruction::i_narrow:
      return ir.CreateTrunc(a, vector(ir.getInt32Ty()));
    case Instruction::f_bits:
      return ir.CreateBitCast(a,
                              vector(a->getType()->getScalarType()->isDoubleTy() ? ir.getInt64Ty() : ir.getInt32Ty()));
    case Instruction::i_as_f:
      return ir.CreateBitCast(
          a, vector(a->getType()->getScalarType()->isIntegerTy(64) ? ir.getDoubleTy() : ir.getFloatTy()));
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

/// LLVM takes lanes that are 0 in both operands for 0 in the quotient, and leaves out the choice of the lanes that
/// count behind it (SimplifyDemandedVectorElts). It knows such lanes where masked loads are made lane by lane, without
/// AVX.
llvm::Value* VectorEmitter::divide(llvm::Value* a, llvm::Value* b) {
  Value* quotient = builder_.CreateFDiv(a, b);
  if (machine_.fuses || !quotient->getType()->isVectorTy()) return quotient;
  return builder_.CreateIntrinsic(llvm::Intrinsic::arithmetic_fence, {quotient->getType()}, {quotient});
}

/// a * b + c as if rounded once, where the machine has no instruction for it and LLVM would call a function of the
/// mathematical library for every number. In float32 by float64, in which the product is exact; in float64 by the exact
/// error of the product (Veltkamp's and Dekker's) and of the sum (Knuth's).
llvm::Value* VectorEmitter::fuse(llvm::Value* a, llvm::Value* b, llvm::Value* c) {
  llvm::IRBuilder<>& ir = builder_;
  if (!a->getType()->getScalarType()->isDoubleTy()) {
    const auto wide = [&](Value* v) { return ir.CreateFPExt(v, vector(ir.getDoubleTy())); };
    return ir.CreateFPTrunc(ir.CreateFAdd(ir.CreateFMul(wide(a), wide(b)), wide(c)), a->getType());
  }
  const auto add = [&](Value* x, Value* y) { return ir.CreateFAdd(x, y); };
  const auto subtract = [&](Value* x, Value* y) { return ir.CreateFSub(x, y); };
  const auto multiply = [&](Value* x, Value* y) { return ir.CreateFMul(x, y); };
  const auto high_half = [&](Value* x) {
    Value* large = multiply(x, llvm::ConstantFP::get(x->getType(), 0x1p27 + 1));
    return subtract(large, subtract(large, x));
  };
  Value *a_high = high_half(a), *b_high = high_half(b);
  Value *a_low = subtract(a, a_high), *b_low = subtract(b, b_high);
  Value* product = multiply(a, b);
  Value* cross =
      subtract(subtract(subtract(product, multiply(a_high, b_high)), multiply(a_low, b_high)), multiply(a_high, b_low));
  Value* product_error = subtract(multiply(a_low, b_low), cross);
  Value* sum = add(product, c);
  Value* added = subtract(sum, product);
  Value* sum_error = add(subtract(product, subtract(sum, added)), subtract(c, added));
  Value* better = add(sum, add(product_error, sum_error));
  // Halves and errors of what is infinite, or nearly, are no numbers.
  return ir.CreateSelect(ir.CreateFCmpORD(better, better), better, sum);
}

/// To the nearest whole number, of two the even one: what adding and taking away 2^23 (2^52) leaves of a magnitude
/// below it; larger numbers are whole.
llvm::Value* VectorEmitter::round(llvm::Value* a) {
  llvm::IRBuilder<>& ir = builder_;
  const bool wide = a->getType()->getScalarType()->isDoubleTy();
  Value* large = llvm::ConstantFP::get(a->getType(), wide ? 0x1p52 : 0x1p23);
  Value* size = ir.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a);
  Value* rounded = ir.CreateFSub(ir.CreateFAdd(size, large), large);
  Value* with_sign = ir.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, rounded, a);
  return ir.CreateSelect(ir.CreateFCmpOLT(size, large), with_sign, a);
}

/// 512 bits at a time.
llvm::Value* VectorEmitter::scale(llvm::Value* a, llvm::Value* exponents) {
  llvm::IRBuilder<>& ir = builder_;
  const bool wide = a->getType()->getScalarType()->isDoubleTy();
  const unsigned lanes = wide ? 8 : 16;
  auto* mask = llvm::ConstantInt::getAllOnesValue(ir.getIntNTy(lanes));
  Value* result = nullptr;
  for (unsigned at = 0; at < width_; at += lanes) {
    const auto part = [&](Value* v) {
      return width_ == lanes ? v
                             : ir.CreateExtractVector(llvm::FixedVectorType::get(v->getType()->getScalarType(), lanes),
                                                      v, std::uint64_t{at});
    };
    Value* from = part(a);
    Value* scaled = ir.CreateIntrinsic(
        wide ? llvm::Intrinsic::x86_avx512_mask_scalef_pd_512 : llvm::Intrinsic::x86_avx512_mask_scalef_ps_512, {},
        {from, part(exponents), llvm::Constant::getNullValue(from->getType()), mask, ir.getInt32(4)});
    if (width_ == lanes) return scaled;
    if (result == nullptr) result = llvm::PoisonValue::get(a->getType());
    result = ir.CreateInsertVector(a->getType(), result, scaled, std::uint64_t{at});
  }
  return result;
}

}  // namespace descent::codegen
