// Reductions that keep the innermost axis, in kernels without a contraction: the maximum of every window of an image,
// the sum over all its places for each channel. Kept in the result they would be loaded and stored for every vector,
// each waiting for what the one before has just stored, which takes longest where the vector is not whole. So they stay
// in registers while the loops run along which they reduce:
//
//   - where the innermost axis is a few vectors long, all of them do, and that axis is written out;
//   - where it is longer, but the loops inside are as short as those of a window, one vector after the other goes
//     through the window.
//
// Axes of windows are walked inside of those that the results keep, so that there is something to hold.
#include <algorithm>

#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using ir::Dimension;

namespace {

constexpr std::int64_t kShort = 16;    // elements of a window's axis
constexpr std::int64_t kWindow = 64;   // and of all its axes
constexpr std::int64_t kWritten = 96;  // instructions of a vector, times the vectors that are written out

bool is_short(const Dimension& size) { return size.is_constant() && size.constant() <= kShort; }

}  // namespace

/// Whether a reduction keeps the innermost axis, so that each lane of a vector goes to its neighbour's neighbour.
bool KernelEmitter::keeps_innermost(const Accumulator& a) const {
  const auto& strides = a.place.strides;
  return a.place.indirections.empty() && strides.size() > 1 && strides.back().is_one();
}

/// How many of the outer loops choose the element of the result: it can be held while the others run.
std::size_t KernelEmitter::depth_of(const Accumulator& a) const {
  std::size_t depth = axes_.size() - 1;
  while (depth > row_axes_ && a.place.strides[depth - 1] == Dimension(0)) --depth;
  return depth;
}

/// Moves the short axes along which all partial results are reduced inside of those that they keep; and the innermost
/// other one along which they are (the columns of an image) inside of short ones that they keep (the places of a
/// window): what is summed along it would otherwise go through memory for each of its elements.
void KernelEmitter::order_axes() {
  if (axes_.size() < row_axes_ + 3) return;
  std::vector<const Accumulator*> partial;
  for (const Accumulator& a : accumulators_) {
    if (is_whole(a) || is_column(a)) continue;
    if (!keeps_innermost(a)) return;
    partial.push_back(&a);
  }
  if (partial.empty()) return;
  const auto is_reduced = [&](std::size_t axis) {
    return std::all_of(partial.begin(), partial.end(),
                       [&](const Accumulator* a) { return a->place.strides[axis] == Dimension(0); });
  };
  const auto is_kept = [&](std::size_t axis) {
    return std::none_of(partial.begin(), partial.end(),
                        [&](const Accumulator* a) { return a->place.strides[axis] == Dimension(0); });
  };
  const auto is_window = [&](std::size_t axis) { return is_short(axes_[axis]) && is_reduced(axis); };
  std::vector<std::size_t> order;
  for (const bool windows : {false, true}) {
    for (std::size_t axis = row_axes_; axis + 1 < axes_.size(); ++axis) {
      if (is_window(axis) == windows) order.push_back(axis);
    }
  }
  std::size_t last = order.size() - 1;
  while (last > 0 && is_short(axes_[order[last]]) && is_kept(order[last])) --last;
  const bool few = axes_.back().is_constant() && (axes_.back().constant() + machine_.lanes - 1) / machine_.lanes *
                                                         static_cast<std::int64_t>(partial.size()) <=
                                                     machine_.registers / 2;
  if (last > 0 && few && is_reduced(order[last])) {
    const auto from = order.begin() + static_cast<std::ptrdiff_t>(last);
    std::rotate(from, from + 1, order.end());
  }
  for_each_strides([&](std::vector<Dimension>& list) {
    const std::vector<Dimension> old = list;
    for (std::size_t i = 0; i < order.size(); ++i) list[row_axes_ + i] = old[order[i]];
  });
  const std::vector<Dimension> old = axes_;
  for (std::size_t i = 0; i < order.size(); ++i) axes_[row_axes_ + i] = old[order[i]];
}

/// What is held in registers, in which loops; nothing where that does not pay.
KernelEmitter::Holding KernelEmitter::choose_held() {
  const std::size_t first = row_axes_;
  Holding result;
  if (kernel_.contraction != nullptr || axes_.size() < first + 2 || !axes_.back().is_constant() || sizes_ != nullptr)
    return result;
  const std::size_t innermost = axes_.size() - 1;
  std::vector<Held>& held = result.held;
  for (Accumulator& a : accumulators_) {
    if (is_row(a)) return {};
    if (keeps_innermost(a) && depth_of(a) < innermost) held.push_back({&a, depth_of(a), {}});
  }
  if (held.empty()) return result;
  const std::int64_t vectors = (axes_.back().constant() + machine_.lanes - 1) / machine_.lanes;
  if (vectors * static_cast<std::int64_t>(held.size()) <= machine_.registers / 2 &&
      (vectors == 1 || vectors * instructions_ <= kWritten)) {
    result.outside = first;
    result.vectors = vectors;
    return result;
  }
  // The loops inside of which one vector goes through all.
  std::size_t outside = innermost;
  std::int64_t window = 1;
  while (outside > first && is_short(axes_[outside - 1]) && window * axes_[outside - 1].constant() <= kWindow) {
    window *= axes_[--outside].constant();
  }
  std::erase_if(held, [&](const Held& h) { return h.depth < outside; });
  for (const Held& h : held) outside = std::max(outside, h.depth);
  std::erase_if(held, [&](const Held& h) { return h.depth < outside; });
  result.outside = outside;
  return result;
}

/// Writes the loops behind those of rows, with what can be held in registers; false where there is nothing.
bool KernelEmitter::emit_held(std::vector<Loop>& loops) {
  Holding holding = choose_held();
  if (holding.held.empty()) return false;
  if (holding.vectors > 0) {
    emit_held_loops(loops, holding.outside, holding.held, holding.vectors);
    return true;
  }
  const auto nest = [&](auto&& self, std::size_t axis) -> void {
    if (axis < holding.outside) {
      loop(i64(0), loops[axis].count, i64(1), [&](Value* local) {
        loops[axis].index = add(loops[axis].base, local);
        self(self, axis + 1);
      });
      return;
    }
    for_vectors(loops.back(), [&](Value* mask) {
      held_mask_ = mask;
      emit_held_loops(loops, holding.outside, holding.held, 0);
    });
  };
  nest(nest, row_axes_);
  return true;
}

/// The loops from `axis` on; inside of them so many vectors, 0: the one at hand.
void KernelEmitter::emit_held_loops(std::vector<Loop>& loops, std::size_t axis, std::vector<Held>& held,
                                    std::int64_t vectors) {
  Loop& inner = loops.back();
  const auto for_each_vector_of = [&](const std::function<void(std::size_t, Value*)>& body) {
    if (vectors == 0) return body(0, held_mask_);
    for (std::int64_t v = 0; v < vectors; ++v) {
      const std::int64_t left = inner.size.constant() - v * machine_.lanes;
      inner.index = add(inner.base, i64(v * machine_.lanes));
      body(static_cast<std::size_t>(v), left < machine_.lanes ? lane_mask(i64(left)) : nullptr);
    }
  };
  if (axis + 1 == loops.size()) {
    for_each_vector_of([&](std::size_t v, Value* mask) {
      for (Held& h : held) h.accumulator->vector = h.vectors[v];
      emit_vector(loops, nullptr, mask);
      for (Held& h : held) h.accumulator->vector = nullptr;
    });
    return;
  }
  for (Held& h : held) {
    if (h.depth != axis) continue;
    h.vectors.clear();
    for (std::int64_t v = 0; v < std::max<std::int64_t>(vectors, 1); ++v) {
      h.vectors.push_back(stack(vector_type(h.accumulator->node->type.dtype), "held"));
      builder_.CreateStore(identity(h.accumulator->node), h.vectors.back());
    }
  }
  loop(i64(0), loops[axis].count, i64(1), [&](Value* local) {
    loops[axis].index = add(loops[axis].base, local);
    emit_held_loops(loops, axis + 1, held, vectors);
  });
  for (Held& h : held) {
    if (h.depth != axis) continue;
    for_each_vector_of([&](std::size_t v, Value* mask) {
      current_ = &loops;
      mask_ = mask;
      Value* result = builder_.CreateLoad(vector_type(h.accumulator->node->type.dtype), h.vectors[v]);
      store_result(*h.accumulator, result);
    });
  }
}

}  // namespace descent::codegen
