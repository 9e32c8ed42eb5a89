// How lanes reach memory: vectors of neighbours, of neighbours in reverse, strided ones, and views with padding, of
// which what lies outside is 0 and never read.
#include <llvm/IR/Intrinsics.h>

#include <algorithm>
#include <bit>

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

Value* KernelEmitter::address(int buffer, const Dimension& offset) {
  const Pointer& base = pointers_.at(buffer);
  return element(base.address, size(offset - Dimension(base.element)), memory_type(buffer));
}

Value* KernelEmitter::address(const passes::View& view) { return address(plan_.stored.at(view.source), view.offset); }

Value* KernelEmitter::load_vector(Value* pointer, Value* stride, bool unit, Value* mask, llvm::Type* number) {
  auto* type = lanes_.vector(number);
  Value* zero = llvm::Constant::getNullValue(type);
  if (unit) {
    if (mask == nullptr) return builder_.CreateAlignedLoad(type, pointer, llvm::Align(4));
    return builder_.CreateMaskedLoad(type, pointer, llvm::Align(4), mask, zero);
  }
  auto* known = llvm::dyn_cast<llvm::ConstantInt>(stride);
  if (mask == nullptr && known != nullptr && known->isMinusOne()) {
    Value* last = element(pointer, i64(1 - std::int64_t{width()}), number);
    return builder_.CreateVectorReverse(builder_.CreateAlignedLoad(type, last, llvm::Align(4)));
  }
  return gather_lanes({pointer, nullptr}, stride, mask, number);
}

namespace {

/// How many lanes a mask takes, if it is known and takes the first ones; else 0.
unsigned known_lanes(Value* mask) {
  const auto* known = llvm::dyn_cast_or_null<llvm::Constant>(mask);
  if (known == nullptr) return 0;
  const unsigned width = llvm::cast<llvm::FixedVectorType>(mask->getType())->getNumElements();
  const auto takes = [&](unsigned lane) {
    const llvm::Constant* element = known->getAggregateElement(lane);
    return element != nullptr && element->isOneValue();
  };
  unsigned lanes = 0;
  while (lanes < width && takes(lanes)) ++lanes;
  for (unsigned lane = lanes; lane < width; ++lane) {
    if (takes(lane)) return 0;
  }
  return lanes;
}

}  // namespace

/// The first lanes, in pieces of 8, 4, 2 and 1.
void KernelEmitter::store_first(Value* value, Value* pointer, unsigned lanes) {
  llvm::Type* number = value->getType()->getScalarType();
  for (unsigned begin = 0; begin < lanes;) {
    const unsigned length = std::bit_floor(lanes - begin);
    Value* piece = length == 1 ? builder_.CreateExtractElement(value, std::uint64_t{begin})
                               : builder_.CreateExtractVector(llvm::FixedVectorType::get(number, length), value,
                                                              std::uint64_t{begin});
    builder_.CreateAlignedStore(piece, element(pointer, i64(begin), number), llvm::Align(4));
    begin += length;
  }
}

/// Under a mask the processor takes all of a vector for written. Where the next row begins there, and is read, it waits
/// until the store is done, some 20 cycles; and those without masks for vectors store number by number. So known lanes
/// are stored in pieces.
void KernelEmitter::store_vector(Value* value, Value* pointer, Value* stride, bool unit, Value* mask, bool read_again) {
  if (unit) {
    const bool has_masks = machine_.lanes * machine_.element >= 64;
    const unsigned known = stores_over_ || read_again || !has_masks ? known_lanes(mask) : 0;
    if (known > 0) return store_first(value, pointer, known);
    if (mask != nullptr && mostly_whole_) {
      // Many processors store under a mask number by number (AMD's up to Zen 3: 12 cycles and more).
      Value* all = builder_.CreateAndReduce(mask);
      branch(all, [&] { builder_.CreateAlignedStore(value, pointer, llvm::Align(4)); });
      branch(builder_.CreateNot(all), [&] { builder_.CreateMaskedStore(value, pointer, llvm::Align(4), mask); });
    } else if (mask == nullptr) {
      builder_.CreateAlignedStore(value, pointer, llvm::Align(4));
    } else {
      builder_.CreateMaskedStore(value, pointer, llvm::Align(4), mask);
    }
    return;
  }
  Value* offsets = builder_.CreateMul(lane_numbers(builder_.getInt64Ty()), builder_.CreateVectorSplat(width(), stride));
  Value* pointers = element(pointer, offsets, value->getType()->getScalarType());
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
Value* KernelEmitter::load_number(Value* pointer, Value* condition, llvm::Type* number) {
  if (condition == nullptr) return builder_.CreateLoad(number, pointer);
  auto* type = llvm::FixedVectorType::get(number, 1);
  Value* mask = builder_.CreateVectorSplat(1, condition);
  Value* one = builder_.CreateMaskedLoad(type, pointer, llvm::Align(4), mask, llvm::Constant::getNullValue(type));
  return builder_.CreateExtractElement(one, std::uint64_t{0});
}

/// Booleans are the floats 0 and 1 in memory; all others are themselves.
Value* KernelEmitter::from_memory(Value* loaded, ir::DType dtype) {
  return dtype == ir::DType::boolean ? builder_.CreateFCmpUNE(loaded, number(0, ir::DType::f32)) : loaded;
}

Value* KernelEmitter::to_memory(Value* value, ir::DType dtype) {
  return dtype == ir::DType::boolean ? builder_.CreateUIToFP(value, vector_type(ir::DType::f32)) : value;
}

/// What an indirection adds to the place: one number where it is the same in all lanes, else one for each.
Value* KernelEmitter::index_of(const Indirection& indirection, Value** in_range) {
  const auto varies = [](const auto& self, const passes::View& view) -> bool {
    const auto used = [](const std::vector<Dimension>& list) {
      return !list.empty() && !(list.back() == Dimension(0));
    };
    return used(view.strides) ||
           std::any_of(view.bounds.begin(), view.bounds.end(), [&](const auto& b) { return used(b.coefficients); }) ||
           std::any_of(view.indirections.begin(), view.indirections.end(),
                       [&](const Indirection& i) { return self(self, i.index); });
  };
  Value* index = load(indirection.index, ir::DType::i32);
  if (!varies(varies, indirection.index)) index = builder_.CreateExtractElement(index, std::uint64_t{0});
  const bool by_lane = index->getType()->isVectorTy();
  const auto same = [&](Value* v) { return by_lane ? builder_.CreateVectorSplat(width(), v) : v; };
  auto* wide = same(i64(0))->getType();
  index = builder_.CreateSExt(index, wide);
  Value* limit = size(indirection.limit);
  if (in_range != nullptr) {
    Value* holds = builder_.CreateICmpULT(index, same(limit));
    *in_range = both(*in_range, by_lane ? holds : builder_.CreateVectorSplat(width(), holds));
  } else {
    index = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, index, same(builder_.CreateSub(limit, i64(1))));
    index = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, index, llvm::Constant::getNullValue(wide));
  }
  return builder_.CreateMul(index, same(size(indirection.stride)));
}

KernelEmitter::Place KernelEmitter::place(int buffer, const passes::View& view, Value** in_range) {
  const Pointer& base = pointers_.at(buffer);
  const Offset begin = split_offset(view.strides, *current_);
  Value* first = begin.varying;
  Value* by_lane = nullptr;
  for (const Indirection& indirection : view.indirections) {
    Value* offset = index_of(indirection, in_range);
    if (!offset->getType()->isVectorTy())
      first = add(first, offset);
    else
      by_lane = by_lane == nullptr ? offset : builder_.CreateAdd(by_lane, offset);
  }
  llvm::Type* type = memory_type(buffer);
  Value* shared = element(element(base.address, first, type), begin.ahead, type);
  return {element(shared, size(view.offset - Dimension(base.element) + begin.fixed), type), by_lane};
}

void KernelEmitter::store(const passes::Store& target, const passes::View& to, Value* value) {
  value = to_memory(value, target.node->type.dtype);
  Value* in_range = nullptr;
  const Place at = place(target.buffer, to, &in_range);
  Value* mask = both(mask_, in_range);
  const Dimension stride = to.strides.empty() ? Dimension(1) : to.strides.back();
  if (at.offsets == nullptr) return store_vector(value, at.address, size(stride), stride.is_one(), mask);
  Value* steps =
      builder_.CreateMul(lane_numbers(builder_.getInt64Ty()), builder_.CreateVectorSplat(width(), size(stride)));
  Value* addresses = element(at.address, builder_.CreateAdd(at.offsets, steps), memory_type(target.buffer));
  if (mask == nullptr)
    mask = llvm::Constant::getAllOnesValue(llvm::FixedVectorType::get(builder_.getInt1Ty(), width()));
  builder_.CreateMaskedScatter(value, addresses, llvm::Align(4), mask);
}

/// Every lane from its own place.
Value* KernelEmitter::gather_lanes(const Place& from, Value* stride, Value* mask, llvm::Type* number) {
  auto* type = lanes_.vector(number);
  Value* steps = builder_.CreateMul(lane_numbers(builder_.getInt64Ty()), builder_.CreateVectorSplat(width(), stride));
  Value* offsets = from.offsets == nullptr ? steps : builder_.CreateAdd(from.offsets, steps);
  if (mask == nullptr)
    mask = llvm::Constant::getAllOnesValue(llvm::FixedVectorType::get(builder_.getInt1Ty(), width()));
  return builder_.CreateMaskedGather(type, element(from.address, offsets, number), llvm::Align(4), mask,
                                     llvm::Constant::getNullValue(type));
}

Value* KernelEmitter::load(const passes::View& view, ir::DType dtype) {
  const auto repeated = [&](Value* v) { return builder_.CreateVectorSplat(width(), v); };
  Value *everywhere = nullptr, *lanes = nullptr;  // conditions: one for all lanes, one for each
  for (const passes::View::Bound& bound : view.bounds) {
    if (std::find(known_bounds_.begin(), known_bounds_.end(), &bound) != known_bounds_.end()) continue;
    Value* holds = inside(bound);
    Value*& kind = holds->getType()->isVectorTy() ? lanes : everywhere;
    kind = both(kind, holds);
  }
  const Dimension stride = view.strides.empty() ? Dimension(0) : view.strides.back();
  if (passes::is_immediate(view.source)) {
    Value* value = nullptr;
    if (view.source->op == Op::iota) {
      Value* first =
          builder_.CreateTrunc(add(size(view.offset), offset_of(view.strides, *current_)), builder_.getInt32Ty());
      Value* step = builder_.CreateTrunc(size(stride), builder_.getInt32Ty());
      value =
          builder_.CreateAdd(repeated(first), builder_.CreateMul(lane_numbers(builder_.getInt32Ty()), repeated(step)));
    } else {
      value = uniform(view.source);
    }
    Value* mask = both(lanes, everywhere == nullptr ? nullptr : repeated(everywhere));
    return mask == nullptr ? value : builder_.CreateSelect(mask, value, llvm::Constant::getNullValue(value->getType()));
  }
  llvm::Type* type = memory_type(dtype);
  if (in_short_rows_ && !view.strides.empty()) {
    const Lie lie = lie_of(view.strides);
    if (lie == Lie::by_row || lie == Lie::in_row) return from_memory(load_short_rows(view, lie, type), dtype);
  }
  const Place from = place(plan_.stored.at(view.source), view);
  Value* loaded = nullptr;
  if (from.offsets == nullptr && stride == Dimension(0) && lanes == nullptr) {
    loaded = repeated(load_number(from.address, everywhere, type));
  } else {
    Value* mask = both(both(mask_, lanes), everywhere == nullptr ? nullptr : repeated(everywhere));
    loaded = from.offsets == nullptr && !(stride == Dimension(0))
                 ? load_vector(from.address, size(stride), stride.is_one(), mask, type)
                 : gather_lanes(from, size(stride), mask, type);
  }
  return from_memory(loaded, dtype);
}

}  // namespace descent::codegen
