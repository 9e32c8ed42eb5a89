// The loops of a kernel over its space, or over the block that a contraction has just made.
#include <algorithm>

#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using ir::Dimension;

namespace {
constexpr int kLong = 50;  // instructions of a vector, from which on it is worth less to have code for whole vectors
}

KernelEmitter::Range KernelEmitter::part(passes::Cut::Axis axis, const Dimension& whole) {
  for (std::size_t cut = 0; cut < partition_.size(); ++cut) {
    if (partition_[cut].axis == axis) return {parts_[cut].begin, minimum(parts_[cut].end, size(whole))};
  }
  return {i64(0), size(whole)};
}

void KernelEmitter::emit_elementwise() {
  std::vector<Loop> loops;
  for (const Dimension& d : axes_) {
    loops.push_back(Loop{i64(0), size(d), d});
    loops.back().whole_vectors = d.is_constant() && d.constant() % machine_.lanes == 0;
  }
  if (!partition_.empty()) {
    const Range range = part(passes::Cut::Axis::first, partition_[0].size);
    Value* scale = size(merged_);
    loops[0].base = multiply(range.begin, scale);
    loops[0].count = multiply(builder_.CreateSub(range.end, range.begin), scale);
    loops[0].whole_vectors = merged_.is_constant() && merged_.constant() % machine_.lanes == 0;
  }
  if (is_short_rows()) return emit_short_rows(loops, 0);
  if (!emit_held(loops)) emit_part(loops, nullptr);
}

void KernelEmitter::emit_part(std::vector<Loop>& loops, Value* tile) {
  // Column by column, sums over the rows stay in registers. That is for reductions which take the rows away and keep
  // the columns, and for rows that are so short that a column of them is in few lines of the cache's sets; a reduction
  // along the innermost axis alone wants that axis inside, and so does memory.
  constexpr std::int64_t kShort = 256;
  const auto keeps_columns = [](const Accumulator& a) { return a.vector == nullptr; };
  const bool is_short = !loops.empty() && loops.back().size.is_constant() && loops.back().size.constant() <= kShort;
  const bool rows_inside =
      (tile != nullptr || outer_ != nullptr) && loops.size() > 1 && is_short &&
      std::any_of(accumulators_.begin(), accumulators_.end(), keeps_columns) &&
      std::none_of(accumulators_.begin(), accumulators_.end(), [&](const Accumulator& a) { return is_row(a); });
  if (rows_inside) return emit_columns(loops, tile);
  const auto nest = [&](auto&& self, std::size_t axis) -> void {
    if (axis + 1 >= loops.size()) return emit_inner(loops, tile);
    if (axis + 2 == loops.size()) return for_rows(loops, [&] { emit_inner(loops, tile); });
    loop(i64(0), loops[axis].count, i64(1), [&](Value* local) {
      loops[axis].index = add(loops[axis].base, local);
      self(self, axis + 1);
    });
  };
  nest(nest, 0);
}

/// How many vectors are computed side by side. Where one takes long, it is a chain of instructions that wait for each
/// other, and the next one's are too far behind for the processor to begin them: it would mostly wait.
unsigned KernelEmitter::side_by_side() const {
  if (instructions_ <= kLong || machine_.lanes == 1 || outer_ != nullptr) return 1;
  const auto is_plain = [](const passes::View& view) {
    const bool lies_so = view.strides.empty() || view.strides.back() == Dimension(0) || view.strides.back().is_one();
    return lies_so && view.bounds.empty() && view.indirections.empty();
  };
  const bool plain =
      std::all_of(views_.begin(), views_.end(), [&](const auto& entry) { return is_plain(entry.second); }) &&
      std::all_of(store_places_.begin(), store_places_.end(), is_plain) &&
      std::all_of(accumulators_.begin(), accumulators_.end(), [](const Accumulator& a) { return a.vector != nullptr; });
  return plain ? 2 : 1;
}

/// Where a vector takes long to compute, those that are not made side by side are all under a mask: code once instead
/// of twice counts more than the mask.
void KernelEmitter::for_vectors(Loop& inner, const std::function<void(Value*)>& body) {
  auto* constant = llvm::dyn_cast<llvm::ConstantInt>(inner.count);
  Value* begin = i64(0);
  if (const unsigned vectors = side_by_side(); vectors > 1) {
    const std::int64_t lanes = machine_.lanes * vectors;
    begin = builder_.CreateAnd(inner.count, i64(-lanes));
    lanes_.set_width(static_cast<unsigned>(lanes));
    loop(i64(0), begin, i64(lanes), [&](Value* local) {
      inner.index = add(inner.base, local);
      body(nullptr);
    });
    lanes_.set_width(static_cast<unsigned>(machine_.lanes));
  }
  if (constant == nullptr && !inner.whole_vectors && instructions_ > kLong) {
    loop(begin, inner.count, i64(machine_.lanes), [&](Value* local) {
      inner.index = add(inner.base, local);
      mostly_whole_ = true;
      body(lane_mask(builder_.CreateSub(inner.count, local)));
      mostly_whole_ = false;
    });
    return;
  }
  Value* whole = builder_.CreateAnd(inner.count, i64(-machine_.lanes));
  loop(begin, whole, i64(machine_.lanes), [&](Value* local) {
    inner.index = add(inner.base, local);
    body(nullptr);
  });
  if (inner.whole_vectors || (constant != nullptr && constant->getSExtValue() % machine_.lanes == 0)) return;
  const auto rest = [&] {
    inner.index = add(inner.base, whole);
    body(lane_mask(builder_.CreateSub(inner.count, whole)));
  };
  if (constant != nullptr) return rest();
  branch(builder_.CreateICmpSLT(whole, inner.count), rest);
}

/// One vector of columns after the other, down all rows of the block.
void KernelEmitter::emit_columns(std::vector<Loop>& loops, Value* tile) {
  std::vector<Accumulator*> columns;
  for (Accumulator& a : accumulators_) {
    if (is_column(a)) columns.push_back(&a);
  }
  for_vectors(loops.back(), [&](Value* mask) {
    for (Accumulator* a : columns) {
      a->vector = stack(vector_type(a->node->type.dtype), "column");
      builder_.CreateStore(identity(a->node), a->vector);
    }
    const auto nest = [&](auto&& self, std::size_t axis) -> void {
      if (axis + 1 >= loops.size()) return emit_vector(loops, tile_vector(loops, tile, mask), mask);
      loop(i64(0), loops[axis].count, i64(1), [&](Value* local) {
        loops[axis].index = add(loops[axis].base, local);
        self(self, axis + 1);
      });
    };
    nest(nest, 0);
    current_ = &loops;
    mask_ = mask;
    for (Accumulator* a : columns) {
      Value* sum = builder_.CreateLoad(vector_type(a->node->type.dtype), a->vector);
      a->vector = nullptr;
      accumulate(*a, sum);
    }
  });
}

/// The innermost axis: whole vectors, then what is left under a mask.
void KernelEmitter::emit_inner(std::vector<Loop>& loops, Value* tile) {
  if (loops.empty()) {  // a single number: one lane of a vector
    Value* mask = machine_.lanes == 1 ? nullptr : lane_mask(i64(1));
    emit_vector(loops, tile_vector(loops, tile, mask), mask);
    return;
  }
  Loop& inner = loops.back();
  for (Accumulator& a : accumulators_) {
    if (is_row(a)) builder_.CreateStore(identity(a.node), a.vector);
  }
  for_vectors(inner, [&](Value* mask) {
    if (tile != nullptr) fetch_next_row(loops);
    emit_vector(loops, tile_vector(loops, tile, mask), mask);
  });
  for (Accumulator& a : accumulators_) {
    if (!is_row(a)) continue;
    const ir::DType dtype = a.node->type.dtype;
    if (a.rows != nullptr) {
      Value* vector = builder_.CreateLoad(vector_type(dtype), a.vector);
      builder_.CreateStore(vector, element(a.rows, row_, vector_type(dtype)));
      continue;
    }
    end_row(a, loops);
  }
}

/// The partial results of a row, which come to one number.
void KernelEmitter::end_row(Accumulator& a, std::vector<Loop>& loops) {
  const ir::DType dtype = a.node->type.dtype;
  loops.back().index = i64(0);
  Value* at = element(address(a.buffer), offset_of(a.place.strides, loops), memory_type(dtype));
  Value* sum = reduce_lanes(a.node, builder_.CreateLoad(vector_type(dtype), a.vector));
  if (a.at_once) {
    builder_.CreateStore(sum, at);
    return;
  }
  Value* row = builder_.CreateVectorSplat(width(), sum);
  Value* old = builder_.CreateVectorSplat(width(), builder_.CreateLoad(memory_type(dtype), at));
  builder_.CreateStore(builder_.CreateExtractElement(combine(a.node, old, row), std::uint64_t{0}), at);
}

}  // namespace descent::codegen
