// The values of one vector of a kernel's space: computed, stored, accumulated.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "codegen/compile.h"
#include "codegen/kernel_emitter.h"
#include "ir/op.h"

namespace descent::codegen {

using ir::Dimension;
using ir::Node;
using ir::Op;

KernelEmitter::Offset KernelEmitter::split_offset(const std::vector<Dimension>& strides,
                                                  const std::vector<Loop>& loops) {
  Offset offset{i64(0), Dimension(0), i64(0)};
  for (std::size_t i = 0; i < loops.size(); ++i) {
    if (strides[i] == Dimension(0)) continue;
    offset.varying = add(offset.varying, multiply(loops[i].index, size(strides[i])));
    if (is_argument(strides[i].constant()))
      offset.ahead = add(offset.ahead, multiply(i64(loops[i].ahead), size(strides[i])));
    else
      offset.fixed = offset.fixed + strides[i] * Dimension(loops[i].ahead);
  }
  return offset;
}

llvm::Value* KernelEmitter::offset_of(const std::vector<Dimension>& strides, const std::vector<Loop>& loops) {
  const Offset offset = split_offset(strides, loops);
  return add(offset.varying, add(offset.ahead, size(offset.fixed)));
}

/// The numbers that do not change while the kernel runs.
llvm::Value* KernelEmitter::uniform(const Node* leaf) {
  const ir::DType dtype = leaf->type.dtype;
  if (leaf->op == Op::constant) {
    if (dtype == ir::DType::boolean) {
      return builder_.CreateVectorSplat(width(), builder_.getInt1(leaf->attributes.value != 0));
    }
    if (dtype == ir::DType::i32) {
      return static_cast<Value*>(lanes_.i32(static_cast<std::int32_t>(leaf->attributes.value)));
    }
    return number(leaf->attributes.value, dtype);
  }
  Value* value = nullptr;
  if (leaf->op == Op::counter && leaf->attributes.name == "epoch") {
    value = builder_.CreateFPCast(run_state(offsetof(RunState, epoch), builder_.getDoubleTy()), memory_type(dtype));
  } else {
    Value* whole = leaf->op == Op::dimension ? size(leaf->attributes.shape[0])
                                             : run_state(offsetof(RunState, step), builder_.getInt64Ty());
    value = builder_.CreateSIToFP(whole, memory_type(dtype));
  }
  return builder_.CreateVectorSplat(width(), value);
}

llvm::Value* KernelEmitter::run_state(std::size_t offset, llvm::Type* type) {
  return builder_.CreateLoad(type, builder_.CreateConstGEP1_64(builder_.getInt8Ty(), state_, offset));
}

namespace {

/// Whether the numbers that a view finds in memory depend on its strides alone.
bool is_strided(const passes::View& view) {
  return view.bounds.empty() && view.indirections.empty() && view.source->op != Op::iota;
}

}  // namespace

bool KernelEmitter::is_uniform(const Node* node) const {
  auto at = views_.find(node);
  if (at == views_.end() || !is_strided(at->second)) return false;
  const auto& strides = at->second.strides;
  return std::all_of(strides.begin(), strides.end(), [](const Dimension& d) { return d == Dimension(0); });
}

/// Whether all numbers of a row of several vectors meet the same stored number.
bool KernelEmitter::is_same_in_row(const Node* node) const {
  auto at = views_.find(node);
  if (at == views_.end() || axes_.empty() || !is_strided(at->second)) return false;
  const bool several = !axes_.back().is_constant() || axes_.back().constant() > machine_.lanes;
  return several && at->second.strides.back() == Dimension(0);
}

/// A quotient whose divisor does not change: its reciprocal leaves the loop, and the quotient is within 1.5 ULP (2
/// where the reciprocal is subnormal). The reciprocal of a subnormal divisor may be infinite: both sides are then
/// raised.
llvm::Value* KernelEmitter::by_reciprocal(const Node* quotient) {
  const Node* divisor = quotient->operands[1];
  const ir::DType dtype = quotient->type.dtype;
  Value *x = lane_value(quotient->operands[0]), *by = lane_value(divisor), *one = number(1, dtype);
  const Op source = views_.at(divisor).source->op;
  // 0 or no subnormal: of the smallest number the square root is 2^-75.
  const bool is_normal =
      source == Op::sqrt || source == Op::constant || source == Op::dimension || source == Op::counter;
  if (!is_normal) {
    const double least = dtype == ir::DType::f64 ? 0x1p-1022 : 0x1p-126;
    Value* size = builder_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, by);
    Value* raised =
        builder_.CreateSelect(builder_.CreateFCmpOLT(size, number(least, dtype)), number(0x1p64, dtype), one);
    x = builder_.CreateFMul(x, raised);
    by = builder_.CreateFMul(by, raised);
  }
  return builder_.CreateFMul(x, builder_.CreateFDiv(one, by));
}

/// x, where the node is the logistic function of x or -x, and the kernel computes both; else null.
const Node* KernelEmitter::both_sides(const Node* node) const {
  if (node->op != Op::logistic) return nullptr;
  const Node* argument = node->operands[0];
  if (both_sides_.contains(argument)) return argument;
  const bool mirrored = argument->op == Op::negate && both_sides_.contains(argument->operands[0]);
  return mirrored ? argument->operands[0] : nullptr;
}

/// With e = exp(-|x|): 1 / (1 + e) on the side of zero where x lies, e / (1 + e) on the other. Within 3 ULP.
llvm::Value* KernelEmitter::one_side(const Node* x, bool mirrored) {
  if (!sides_.contains(x)) {
    const ir::Lane lane{&lanes_, lane_value(x), kind_of(x->type.dtype)};
    const auto decay = decays_.find(x);
    Value* e = decay != decays_.end() ? lane_value(decay->second) : static_cast<Value*>(ir::scalar::decay(lane).handle);
    Value *one = number(1, x->type.dtype), *zero = number(0, x->type.dtype);
    Value* high = builder_.CreateFDiv(one, builder_.CreateFAdd(e, one));
    Value* low = builder_.CreateFMul(e, high);
    Value* negative = builder_.CreateFCmpOLT(lane_value(x), zero);
    sides_[x] = {builder_.CreateSelect(negative, low, high), builder_.CreateSelect(negative, high, low)};
  }
  return sides_.at(x)[mirrored ? 1 : 0];
}

llvm::Value* KernelEmitter::lane_value(const Node* node) {
  if (auto at = values_.find(node); at != values_.end()) return at->second;
  Value* value = nullptr;
  if (node == kernel_.contraction) {
    value = tile_value_;
  } else if (node->op == Op::rng_uniform) {
    llvm::SmallVector<llvm::Constant*> numbers;
    for (unsigned i = 0; i < width(); ++i) numbers.push_back(builder_.getInt32(i));
    const auto splat = [&](Value* v) {
      return ir::Lane{&lanes_, builder_.CreateVectorSplat(width(), v), ir::LaneKind::i32};
    };
    Value* first = builder_.CreateTrunc(offset_of(space_strides_, *current_), builder_.getInt32Ty());
    Value* index = builder_.CreateAdd(static_cast<Value*>(splat(first).handle), llvm::ConstantVector::get(numbers));
    Value* step =
        builder_.CreateTrunc(run_state(offsetof(RunState, step), builder_.getInt64Ty()), builder_.getInt32Ty());
    Value* seed = run_state(offsetof(RunState, seed), builder_.getInt32Ty());
    Value* stream = streams_.at(node->attributes.value);
    const ir::Lane uniform = ir::scalar::threefry_uniform(splat(seed), splat(stream),
                                                          ir::Lane{&lanes_, index, ir::LaneKind::i32}, splat(step));
    value = static_cast<Value*>(ir::scalar::convert(uniform, kind_of(node->type.dtype)).handle);
  } else if (views_.contains(node)) {
    value = load(views_.at(node), node->type.dtype);
  } else if (node->op == Op::divide && (is_uniform(node->operands[1]) || is_same_in_row(node->operands[1]))) {
    value = by_reciprocal(node);
  } else if (is_real(node->type.dtype) && (node->op == Op::maximum || node->op == Op::minimum) &&
             node->operands[1]->is_constant() && !std::isnan(node->operands[1]->attributes.value)) {
    // A number on the right is no NaN: one comparison, which a NaN on the left passes, chooses as the op does.
    auto *left = lane_value(node->operands[0]), *right = lane_value(node->operands[1]);
    Value* chosen = node->op == Op::maximum ? builder_.CreateFCmpUGT(left, right) : builder_.CreateFCmpULT(left, right);
    value = builder_.CreateSelect(chosen, left, right);
  } else if (const Node* x = magnitude_of_decay(node); x != nullptr) {
    const ir::Lane lane{&lanes_, lane_value(x), kind_of(node->type.dtype)};
    value = static_cast<Value*>(ir::scalar::decay(lane).handle);
  } else if (const Node* y = both_sides(node); y != nullptr) {
    value = one_side(y, node->operands[0] != y);
  } else if (node->op == Op::logistic && decays_.contains(node->operands[0])) {
    // 1 / (1 + e^-|x|), or e^-|x| times that; the exponential is there already. Within 2 ULP.
    auto* e = lane_value(decays_.at(node->operands[0]));
    Value *one = number(1, node->type.dtype), *zero = number(0, node->type.dtype);
    Value* negative = builder_.CreateFCmpOLT(lane_value(node->operands[0]), zero);
    value = builder_.CreateFDiv(builder_.CreateSelect(negative, e, one), builder_.CreateFAdd(e, one));
  } else {
    ir::Lane operands[3];
    for (std::size_t i = 0; i < node->operands.size(); ++i) {
      operands[i] = {&lanes_, lane_value(node->operands[i]), kind_of(node->operands[i]->type.dtype)};
    }
    // A product that is added is rounded once, with the sum; inside the functions of ir/scalar.h every rounding counts.
    llvm::IRBuilderBase::FastMathFlagGuard guard(builder_);
    llvm::FastMathFlags flags;
    flags.setAllowContract(node->op == Op::add || node->op == Op::subtract || node->op == Op::multiply);
    builder_.setFastMathFlags(flags);
    value = static_cast<Value*>(
        ir::info(node).code(operands[0], operands[1], operands[2], kind_of(node->type.dtype)).handle);
  }
  values_[node] = value;
  return value;
}

/// The contraction's values of the vector at hand; null where the kernel has no contraction.
llvm::Value* KernelEmitter::tile_vector(const std::vector<Loop>& loops, Value* tile, Value* mask) {
  if (outer_ != nullptr) return outer_vector(mask);
  if (tile == nullptr) return nullptr;
  Value* offset = i64(0);
  for (const Loop& l : loops) {
    if (l.tile_stride != nullptr) offset = add(offset, multiply(builder_.CreateSub(l.index, l.base), l.tile_stride));
  }
  // The tile is padded to whole vectors, so that loads beyond a row's end stay inside it.
  return builder_.CreateAlignedLoad(product_vector(), element(tile, offset), llvm::Align(4));
}

/// One vector of the innermost axis: computes, stores, accumulates.
void KernelEmitter::emit_vector(std::vector<Loop>& loops, Value* product, Value* mask) {
  values_.clear();
  sides_.clear();
  current_ = &loops;
  mask_ = mask;
  tile_value_ = product;
  for (const Accumulator& a : accumulators_) {
    if (a.logarithm != nullptr) values_[a.logarithm] = number(-0.0, a.node->type.dtype);
  }
  // Everything is computed before anything is stored: a variable may be read and written here.
  std::vector<Value*> stored, reduced;
  for (const passes::Store& s : kernel_.stores) stored.push_back(lane_value(s.node));
  for (Accumulator& a : accumulators_) reduced.push_back(lane_value(passes::reduced_value(a.node)));
  for (std::size_t i = 0; i < stored.size(); ++i) {
    store(kernel_.stores[i], store_places_[i], stored[i]);
  }
  for (std::size_t i = 0; i < reduced.size(); ++i) accumulate(accumulators_[i], reduced[i]);
  values_.clear();
  sides_.clear();
}

}  // namespace descent::codegen
