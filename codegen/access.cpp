// How lanes reach memory: vectors of neighbours, of neighbours in reverse, strided ones, and views with padding, of
// which what lies outside is 0 and never read.
#include <llvm/IR/Intrinsics.h>

#include "codegen/kernel_emitter.h"
#include "ir/op.h"

namespace descent::codegen {

using ir::Dimension;
using ir::Node;
using ir::Op;
using llvm::Value;

Value* KernelEmitter::lane_numbers(llvm::IntegerType* type) {
  llvm::SmallVector<llvm::Constant*> numbers;
  for (unsigned i = 0; i < width(); ++i) numbers.push_back(llvm::ConstantInt::get(type, i));
  return llvm::ConstantVector::get(numbers);
}

Value* KernelEmitter::both(Value* mask, Value* other) {
  return mask == nullptr ? other : other == nullptr ? mask : builder_.CreateAnd(mask, other);
}

Value* KernelEmitter::address(const passes::View& view) {
  return element(pointers_.at(plan_.stored.at(view.source)), size(view.offset));
}

Value* KernelEmitter::load_vector(Value* pointer, Value* stride, bool unit, Value* mask) {
  auto* type = lanes_.float_vector();
  Value* zero = llvm::Constant::getNullValue(type);
  if (unit) {
    if (mask == nullptr) return builder_.CreateAlignedLoad(type, pointer, llvm::Align(4));
    return builder_.CreateMaskedLoad(type, pointer, llvm::Align(4), mask, zero);
  }
  auto* known = llvm::dyn_cast<llvm::ConstantInt>(stride);
  if (mask == nullptr && known != nullptr && known->isMinusOne()) {
    Value* last = element(pointer, i64(1 - machine_.lanes));
    return builder_.CreateVectorReverse(builder_.CreateAlignedLoad(type, last, llvm::Align(4)));
  }
  Value* offsets = builder_.CreateMul(lane_numbers(builder_.getInt64Ty()), builder_.CreateVectorSplat(width(), stride));
  Value* pointers = builder_.CreateGEP(builder_.getFloatTy(), pointer, offsets);
  if (mask == nullptr)
    mask = llvm::Constant::getAllOnesValue(llvm::FixedVectorType::get(builder_.getInt1Ty(), width()));
  return builder_.CreateMaskedGather(type, pointers, llvm::Align(4), mask, zero);
}

void KernelEmitter::store_vector(Value* value, Value* pointer, Value* stride, bool unit, Value* mask) {
  if (unit) {
    if (mask == nullptr)
      builder_.CreateAlignedStore(value, pointer, llvm::Align(4));
    else
      builder_.CreateMaskedStore(value, pointer, llvm::Align(4), mask);
    return;
  }
  Value* offsets = builder_.CreateMul(lane_numbers(builder_.getInt64Ty()), builder_.CreateVectorSplat(width(), stride));
  Value* pointers = builder_.CreateGEP(builder_.getFloatTy(), pointer, offsets);
  if (mask == nullptr)
    mask = llvm::Constant::getAllOnesValue(llvm::FixedVectorType::get(builder_.getInt1Ty(), width()));
  builder_.CreateMaskedScatter(value, pointers, llvm::Align(4), mask);
}

/// In which lanes a bound of a padded view holds: a single truth value where it does not depend on the lane.
Value* KernelEmitter::inside(const passes::View::Bound& bound) {
  Value* first = add(size(bound.start), offset_of(bound.coefficients, *current_));
  Value* limit = size(bound.size);
  if (bound.coefficients.empty() || bound.coefficients.back() == Dimension(0)) {
    return builder_.CreateICmpULT(first, limit);
  }
  // Indices fit in 32 bits; as unsigned numbers the negative ones are beyond every size.
  auto* i32 = builder_.getInt32Ty();
  const auto repeated = [&](Value* v) { return builder_.CreateVectorSplat(width(), builder_.CreateTrunc(v, i32)); };
  Value* steps = builder_.CreateMul(lane_numbers(i32), repeated(size(bound.coefficients.back())));
  return builder_.CreateICmpULT(builder_.CreateAdd(repeated(first), steps), repeated(limit));
}

/// One number, read only where the condition (null: always) holds; else 0.
Value* KernelEmitter::load_number(Value* pointer, Value* condition) {
  if (condition == nullptr) return builder_.CreateLoad(builder_.getFloatTy(), pointer);
  auto* type = llvm::FixedVectorType::get(builder_.getFloatTy(), 1);
  Value* mask = builder_.CreateVectorSplat(1, condition);
  Value* one = builder_.CreateMaskedLoad(type, pointer, llvm::Align(4), mask, llvm::Constant::getNullValue(type));
  return builder_.CreateExtractElement(one, std::uint64_t{0});
}

Value* KernelEmitter::load_view(const Node* node) {
  const passes::View& view = views_.at(node);
  const auto repeated = [&](Value* v) { return builder_.CreateVectorSplat(width(), v); };
  Value *everywhere = nullptr, *lanes = nullptr;  // conditions: one for all lanes, one for each
  for (const passes::View::Bound& bound : view.bounds) {
    Value* holds = inside(bound);
    Value*& kind = holds->getType()->isVectorTy() ? lanes : everywhere;
    kind = both(kind, holds);
  }
  const bool is_number =
      view.source->op == Op::constant || view.source->op == Op::dimension || view.source->op == Op::counter;
  const bool same = view.strides.empty() || view.strides.back() == Dimension(0);
  Value* value = nullptr;
  if (is_number || (same && lanes == nullptr)) {
    Value* mask = both(lanes, everywhere == nullptr || !is_number ? nullptr : repeated(everywhere));
    if (is_number) {
      value = uniform(view.source);
      return mask == nullptr ? value
                             : builder_.CreateSelect(mask, value, llvm::Constant::getNullValue(value->getType()));
    }
    value = repeated(load_number(element(address(view), offset_of(view.strides, *current_)), everywhere));
  } else {
    Value* mask = both(both(mask_, lanes), everywhere == nullptr ? nullptr : repeated(everywhere));
    value = load_vector(element(address(view), offset_of(view.strides, *current_)), size(view.strides.back()),
                        view.strides.back().is_one(), mask);
  }
  if (node->type.dtype == ir::DType::boolean) value = builder_.CreateFCmpUNE(value, static_cast<Value*>(lanes_.f32(0)));
  return value;
}

}  // namespace descent::codegen
