// Reductions, accumulated while a kernel's loops run.
#include <llvm/IR/Intrinsics.h>

#include <algorithm>
#include <limits>

#include "codegen/kernel_emitter.h"
#include "passes/facts.h"

namespace descent::codegen {

using ir::Dimension;
using ir::Node;
using ir::Op;

/// What a reduction starts from, in all lanes.
llvm::Value* KernelEmitter::identity(const Node* reduction) {
  const Op op = reduction->op;
  const bool sum = op != Op::reduce_max && op != Op::reduce_min;
  if (reduction->type.dtype == ir::DType::i32) {
    const std::int32_t limit =
        op == Op::reduce_max ? std::numeric_limits<std::int32_t>::min() : std::numeric_limits<std::int32_t>::max();
    return static_cast<Value*>(lanes_.i32(sum ? 0 : limit));
  }
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return number(sum ? 0.0 : op == Op::reduce_max ? -infinity : infinity, reduction->type.dtype);
}

llvm::Value* KernelEmitter::combine(const Node* reduction, Value* a, Value* b) {
  const Op op = reduction == nullptr ? Op::reduce_sum : reduction->op;
  if (reduction != nullptr && reduction->type.dtype == ir::DType::i32) {
    return op == Op::reduce_max   ? builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, a, b)
           : op == Op::reduce_min ? builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, a, b)
                                  : builder_.CreateAdd(a, b);
  }
  if (op != Op::reduce_max && op != Op::reduce_min) return builder_.CreateFAdd(a, b);
  llvm::FastMathFlags flags;
  flags.setNoSignedZeros();  // to tell -0 from 0 would take as long again
  return builder_.CreateBinaryIntrinsic(op == Op::reduce_max ? llvm::Intrinsic::maximum : llvm::Intrinsic::minimum, a,
                                        b, flags);
}

/// A tree of fixed order, so that the sum is the same everywhere.
llvm::Value* KernelEmitter::reduce_lanes(const Node* reduction, Value* vector) {
  for (unsigned half = width() / 2; half > 0; half /= 2) {
    llvm::SmallVector<int> low, high;
    for (unsigned i = 0; i < half; ++i) low.push_back(static_cast<int>(i)), high.push_back(static_cast<int>(i + half));
    vector = combine(reduction, builder_.CreateShuffleVector(vector, low), builder_.CreateShuffleVector(vector, high));
  }
  return builder_.CreateExtractElement(vector, std::uint64_t{0});
}

/// Whether the result is one number.
bool KernelEmitter::is_whole(const Accumulator& a) const {
  return a.place.indirections.empty() && std::all_of(a.place.strides.begin(), a.place.strides.end(),
                                                     [](const Dimension& d) { return d == Dimension(0); });
}

void KernelEmitter::begin_reductions() {
  for (Accumulator& a : accumulators_) {
    // Whole vectors of partial results stay in lanes; others are kept in the result itself.
    const auto& strides = a.place.strides;
    if (a.place.indirections.empty() && (strides.empty() || strides.back() == Dimension(0))) {
      a.vector = stack(vector_type(a.node->type.dtype), "partial");
      builder_.CreateStore(identity(a.node), a.vector);
    }
    if (a.logarithm != nullptr) {
      a.product = stack(vector_type(a.node->type.dtype), "product");
      builder_.CreateStore(identity(a.node), a.product);
    }
  }
  find_results_at_once();
  for (const Accumulator& a : accumulators_) {
    if (is_whole(a) || a.at_once) continue;
    Range range{i64(0), size(ir::element_count(a.node->shape()))};
    if (!partition_.empty()) {  // the outermost axis of the result
      const passes::Cut& cut = partition_[0];
      const Range axis = part(cut.axis, cut.size);
      Value* stride = size(merged_ * a.place.strides[cut.space_axis]);
      range = {multiply(axis.begin, stride), multiply(axis.end, stride)};
    }
    Value* first = builder_.CreateExtractElement(identity(a.node), std::uint64_t{0});
    llvm::Type* type = memory_type(a.node->type.dtype);
    Value* memory = element(address(a.buffer), range.begin, type);
    Value* count = builder_.CreateSub(range.end, range.begin);
    auto* known = llvm::dyn_cast<llvm::Constant>(first);
    if (known != nullptr && known->isNullValue()) {  // all bits 0
      Value* bytes = builder_.CreateMul(count, i64(ir::element_bytes(a.node->type.dtype)));
      builder_.CreateMemSet(memory, builder_.getInt8(0), bytes, llvm::Align(4));
      continue;
    }
    Value* whole = builder_.CreateAnd(count, i64(-machine_.lanes));
    loop(i64(0), whole, i64(machine_.lanes),
         [&](Value* i) { builder_.CreateAlignedStore(identity(a.node), element(memory, i, type), llvm::Align(4)); });
    loop(whole, count, i64(1), [&](Value* i) { builder_.CreateStore(first, element(memory, i, type)); });
  }
  begin_short_rows();
}

/// An element is complete when it is stored where the loops outside of those in which it is reduced all lead to other
/// elements. A contraction may come back to it with the next block of columns.
void KernelEmitter::find_results_at_once() {
  if (kernel_.contraction != nullptr) return;
  const auto leads_elsewhere = [](const Dimension& stride) { return !(stride == Dimension(0)); };
  const auto complete_inside = [&](const Accumulator& a, std::size_t depth) {
    const auto& strides = a.place.strides;
    return a.place.indirections.empty() &&
           std::all_of(strides.begin(), strides.begin() + static_cast<std::ptrdiff_t>(depth), leads_elsewhere);
  };
  if (is_short_rows()) {
    for (Accumulator& a : accumulators_) a.at_once = is_row(a) && complete_inside(a, depth_of_short_rows(a));
    for (const Held& h : choose_held_rows()) h.accumulator->at_once = complete_inside(*h.accumulator, h.depth);
    return;
  }
  for (Accumulator& a : accumulators_) a.at_once = is_row(a) && complete_inside(a, axes_.size() - 1);
  for (const Held& h : choose_held().held) h.accumulator->at_once = complete_inside(*h.accumulator, h.depth);
}

void KernelEmitter::end_reductions() {
  finish_short_rows();
  for (Accumulator& a : accumulators_) {
    if (!is_whole(a)) continue;
    if (a.logarithm != nullptr && !is_by_block())
      add_logarithms(a, builder_.CreateLoad(vector_type(a.node->type.dtype), a.product));
    Value* total = reduce_lanes(a.node, builder_.CreateLoad(vector_type(a.node->type.dtype), a.vector));
    builder_.CreateStore(total, address(a.buffer));
  }
}

/// Whether a reduction takes the innermost axis away but keeps another.
bool KernelEmitter::is_row(const Accumulator& a) const { return a.vector != nullptr && !is_whole(a); }

/// Whether a reduction keeps the innermost axis and none of the rows that are walked with it; of a contraction it may
/// keep what is outside of those.
bool KernelEmitter::is_column(const Accumulator& a) const {
  const auto& strides = a.place.strides;
  return a.place.indirections.empty() && !strides.empty() && strides.back().is_one() &&
         std::all_of(strides.begin() + outside_, strides.end() - 1,
                     [](const Dimension& d) { return d == Dimension(0); });
}

/// The lanes that a reduction takes in; null: all. Sums down columns are masked when they are complete (finish.cpp).
llvm::Value* KernelEmitter::counted(const Accumulator& a) {
  return both(both(mask_, counted_rows_), is_whole(a) ? counted_columns_ : nullptr);
}

/// The vectors of those that are made side by side, in their order.
void KernelEmitter::for_each_vector(Value* value, const std::function<void(Value*)>& body) {
  if (width() == machine_.lanes) return body(value);
  auto* type = llvm::FixedVectorType::get(value->getType()->getScalarType(), static_cast<unsigned>(machine_.lanes));
  for (std::uint64_t at = 0; at < width(); at += static_cast<std::uint64_t>(machine_.lanes)) {
    body(builder_.CreateExtractVector(type, value, at));
  }
}

void KernelEmitter::accumulate(Accumulator& a, Value* value) {
  if (a.logarithm != nullptr) accumulate_logarithm(a);
  const ir::DType dtype = a.node->type.dtype;
  if (a.vector != nullptr) {
    if (Value* lanes = counted(a); lanes != nullptr) value = builder_.CreateSelect(lanes, value, identity(a.node));
    for_each_vector(value, [&](Value* vector) {
      Value* sum = builder_.CreateLoad(vector->getType(), a.vector);
      builder_.CreateStore(combine(a.node, sum, vector), a.vector);
    });
    return;
  }
  const auto& strides = a.place.strides;
  if (in_short_rows_ && lie_of(strides) == Lie::by_row) {
    Value* lanes = counted(a);
    a.columns.push_back(lanes == nullptr ? value : builder_.CreateSelect(lanes, value, identity(a.node)));
    return;
  }
  llvm::Type* type = memory_type(dtype);
  const Place to = place(a.buffer, a.place);
  // Lanes that may meet at one element are added one by one.
  if (to.offsets != nullptr || strides.empty() || strides.back() == Dimension(0)) return accumulate_each(a, value);
  Value* stride = size(strides.back());
  const bool unit = strides.back().is_one();
  Value* old = load_vector(to.address, stride, unit, mask_, type);
  store_vector(combine(a.node, old, value), to.address, stride, unit, mask_, true);
}

/// What was held in registers, of a reduction that keeps the innermost axis.
void KernelEmitter::store_result(Accumulator& a, Value* value) {
  if (!a.at_once) return accumulate(a, value);
  const Dimension& stride = a.place.strides.back();
  store_vector(value, place(a.buffer, a.place).address, size(stride), stride.is_one(), mask_);
}

void KernelEmitter::accumulate_each(const Accumulator& a, Value* value) {
  llvm::Type* type = memory_type(a.node->type.dtype);
  const Place to = place(a.buffer, a.place);
  auto* offsets_type = llvm::FixedVectorType::get(builder_.getInt64Ty(), width());
  Value *values = stack(lanes_.vector(type), "values"), *offsets = stack(offsets_type, "offsets");
  builder_.CreateStore(value, values);
  Value* by_lane = to.offsets != nullptr ? to.offsets : llvm::Constant::getNullValue(offsets_type);
  const auto& strides = a.place.strides;
  if (!strides.empty()) {
    by_lane =
        builder_.CreateAdd(by_lane, builder_.CreateMul(lane_numbers(builder_.getInt64Ty()),
                                                       builder_.CreateVectorSplat(width(), size(strides.back()))));
  }
  builder_.CreateStore(by_lane, offsets);
  Value* count = i64(machine_.lanes);
  if (mask_ != nullptr) {  // the first lanes
    auto* wide = llvm::FixedVectorType::get(builder_.getInt64Ty(), width());
    count = builder_.CreateAddReduce(builder_.CreateZExt(mask_, wide));
  }
  loop(i64(0), count, i64(1), [&](Value* lane) {
    Value* offset =
        builder_.CreateLoad(builder_.getInt64Ty(), builder_.CreateGEP(builder_.getInt64Ty(), offsets, lane));
    Value* at = element(to.address, offset, type);
    Value* sum =
        builder_.CreateFAdd(builder_.CreateLoad(type, at), builder_.CreateLoad(type, element(values, lane, type)));
    builder_.CreateStore(sum, at);
  });
}

/// A summand log(1 + e) of the reduction to one number, with 0 <= e <= 1, that nothing else needs; null if there is
/// none.
const Node* KernelEmitter::find_logarithm(const Node* reduction) const {
  if (reduction->op != Op::reduce_sum || !is_real(reduction->type.dtype)) return nullptr;
  std::map<const Node*, int> uses;
  for (const passes::Store& s : kernel_.stores) ++uses[s.node];
  for (const auto& [node, buffer] : kernel_.reductions) ++uses[passes::reduced_value(node)];
  for (const auto& [node, value] : values_) {
    for (const Node* operand : node->operands) ++uses[operand];
  }
  passes::FactTable facts;
  for (const auto& [node, view] : views_) facts.assume(node, {});
  if (kernel_.contraction != nullptr) facts.assume(kernel_.contraction, {});
  const auto find = [&](auto&& self, const Node* node) -> const Node* {
    if (uses[node] != 1 || !values_.contains(node)) return nullptr;
    if (node->op == Op::log_plus_one) {
      const passes::Facts known = facts.of(node->operands[0]);
      return known.low >= 0 && known.high <= 1 ? node : nullptr;
    }
    if (node->op != Op::add) return nullptr;
    const Node* left = self(self, node->operands[0]);
    return left != nullptr ? left : self(self, node->operands[1]);
  };
  return find(find, passes::reduced_value(reduction));
}

/// (1 + p) (1 + e) = 1 + (p + e + p e): small numbers are summed as they would be without the logarithm, and large
/// products multiply to within a rounding each. Long before they overflow, their logarithm is taken.
void KernelEmitter::accumulate_logarithm(Accumulator& a) {
  Value* e = lane_value(a.logarithm->operands[0]);
  if (Value* lanes = counted(a); lanes != nullptr) {
    e = builder_.CreateSelect(lanes, e, llvm::Constant::getNullValue(e->getType()));
  }
  Value* product = nullptr;
  for_each_vector(e, [&](Value* factor) {
    auto* type = factor->getType();
    product = builder_.CreateLoad(type, a.product);
    product = builder_.CreateIntrinsic(llvm::Intrinsic::fmuladd, {type},
                                       {product, factor, builder_.CreateFAdd(product, factor)});
    builder_.CreateStore(product, a.product);
  });
  if (!is_by_block()) take_logarithms(a, product, nullptr);
}

/// Where the product has become large, or all of it is wanted.
void KernelEmitter::take_logarithms(Accumulator& a, Value* product, Value* all) {
  constexpr double large = 0x1p60;
  auto* type = product->getType();
  Value* limit = llvm::ConstantFP::get(type, large);
  Value* wanted = builder_.CreateOrReduce(builder_.CreateFCmpOGT(product, limit));
  branch(all == nullptr ? wanted : builder_.CreateOr(wanted, all), [&] {
    const unsigned lanes = width();
    lanes_.set_width(static_cast<unsigned>(machine_.lanes));
    add_logarithms(a, product);
    lanes_.set_width(lanes);
    builder_.CreateStore(llvm::Constant::getNullValue(type), a.product);
  });
}

/// After a block of so few rows that the products have not become too large on the way: there is code for it once.
void KernelEmitter::end_block(Value* is_last) {
  for (Accumulator& a : accumulators_) {
    if (a.logarithm == nullptr) continue;
    take_logarithms(a, builder_.CreateLoad(vector_type(a.node->type.dtype), a.product), is_last);
  }
}

void KernelEmitter::add_logarithms(Accumulator& a, Value* product) {
  auto* logarithm =
      static_cast<Value*>(ir::scalar::log1p(ir::Lane{&lanes_, product, kind_of(a.node->type.dtype)}).handle);
  Value* sum = builder_.CreateLoad(vector_type(a.node->type.dtype), a.vector);
  builder_.CreateStore(builder_.CreateFAdd(sum, logarithm), a.vector);
}

}  // namespace descent::codegen
