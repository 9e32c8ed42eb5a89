// Reductions that keep the innermost axis, in kernels without a contraction: the maximum of every window of an image,
// the sum over all its places for each channel. Kept in the result they would be loaded and stored for every vector,
// each waiting for what the one before has just stored, which takes longest where the vector is not whole. So they stay
// in registers while the loops run along which they reduce:
//
//   - where the innermost axis is a few vectors long, all of them do, and that axis is written out;
//   - where it is longer, but the loops inside are as short as those of a window, one vector after the other goes
//     through the window.
//
// Axes of windows are walked inside of those that the results keep, so that there is something to hold. Where they are
// short they are written out, and along the axis outside of them there is code of its own for where no window reaches
// into padding.
#include <algorithm>

#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using ir::Dimension;

namespace {

constexpr std::int64_t kShort = 16;    // elements of a window's axis
constexpr std::int64_t kWindow = 64;   // and of all its axes
constexpr std::int64_t kWritten = 96;  // instructions of a vector, times the vectors and places that are written out

bool is_short(const Dimension& size) { return size.is_constant() && size.constant() <= kShort; }

}  // namespace

/// Whether a reduction keeps the innermost axis, so that each lane of a vector goes to its neighbour's neighbour.
bool KernelEmitter::keeps_innermost(const Accumulator& a) const {
  const auto& strides = a.place.strides;
  return a.place.indirections.empty() && strides.size() > 1 && strides.back().is_one();
}

/// How many of the outer loops choose the element of the result: it can be held while the others run.
std::size_t KernelEmitter::depth_of(const Accumulator& a) const {
  std::size_t depth = axes_.size() - 1 - places_;
  while (depth > row_axes_ && a.place.strides[depth - 1] == Dimension(0)) --depth;
  return depth;
}

/// Moves the short axes along which all partial results are reduced inside of those that they keep; and the innermost
/// other one along which they are (the columns of an image) inside of short ones that they keep (the places of a
/// window): what is summed along it would otherwise go through memory for each of its elements. As many of the places
/// as there are registers for are written out inside of it, each with its own sums.
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
  if (last > 0 && axes_.back().is_constant() && is_reduced(order[last])) {
    const std::int64_t vectors = (axes_.back().constant() + machine_.lanes - 1) / machine_.lanes;
    const auto sums = vectors * static_cast<std::int64_t>(partial.size());
    // Of the places, those whose sums there are registers for stay inside of it.
    std::int64_t places = 1;
    while (last + places_ + 1 < order.size() && axes_.back().constant() >= machine_.lanes) {
      const std::int64_t more = places * axes_[order[order.size() - places_ - 1]].constant();
      if (more * sums > machine_.registers * 5 / 8 || more * vectors * instructions_ > kWritten) break;
      places = more;
      ++places_;
    }
    if (sums <= machine_.registers / 2) {
      const auto from = order.begin() + static_cast<std::ptrdiff_t>(last);
      std::rotate(from, from + 1, order.end() - static_cast<std::ptrdiff_t>(places_));
    }
  }
  for_each_strides([&](std::vector<Dimension>& list) {
    const std::vector<Dimension> old = list;
    for (std::size_t i = 0; i < order.size(); ++i) list[row_axes_ + i] = old[order[i]];
  });
  const std::vector<Dimension> old = axes_;
  for (std::size_t i = 0; i < order.size(); ++i) axes_[row_axes_ + i] = old[order[i]];
}

/// Whether the loop over an axis is written out, with all inside of it: each place of a window then knows its offsets,
/// and weights of it stay in registers from one window to the next.
bool KernelEmitter::is_written_out(std::size_t axis, std::int64_t vectors) const {
  std::int64_t times = vectors * instructions_;
  for (std::size_t inside = axis; inside + 1 < axes_.size(); ++inside) {
    if (!is_short(axes_[inside])) return false;
    times *= axes_[inside].constant();
  }
  return axis > 0 && times <= kWritten;
}

/// Where along an axis, inside of which loops are written out, no window reaches into the padding.
KernelEmitter::Interior KernelEmitter::interior_of(std::size_t axis, const std::vector<Loop>& loops) const {
  constexpr std::int64_t kLeast = 4;
  auto* count = llvm::dyn_cast<llvm::ConstantInt>(loops[axis].count);
  auto* base = llvm::dyn_cast<llvm::ConstantInt>(loops[axis].base);
  if (count == nullptr || base == nullptr || !base->isZero()) return {};
  Interior result{0, count->getSExtValue(), {}};
  for (const auto& [node, view] : views_) {
    for (const passes::View::Bound& bound : view.bounds) {
      const auto& steps = bound.coefficients;
      const auto depends = [&](std::size_t on) { return !(steps[on] == Dimension(0)); };
      bool known = bound.start.is_constant() && bound.size.is_constant() && depends(axis) && !depends(axes_.size() - 1);
      for (std::size_t i = 0; i < axes_.size(); ++i)
        known = known && steps[i].is_constant() && (i >= axis || !depends(i));
      if (!known) continue;
      // The least and the most that the axes inside add.
      std::int64_t least = bound.start.constant(), most = least;
      for (std::size_t i = axis + 1; i + 1 < axes_.size(); ++i) {
        const std::int64_t all = steps[i].constant() * (axes_[i].constant() - 1);
        (all < 0 ? least : most) += all;
      }
      const auto holds = [&](std::int64_t index) {
        const std::int64_t own = index * steps[axis].constant();
        return least + own >= 0 && most + own < bound.size.constant();
      };
      while (result.begin < result.end && !holds(result.begin)) ++result.begin;
      while (result.begin < result.end && !holds(result.end - 1)) --result.end;
      result.bounds.push_back(&bound);
    }
  }
  return result.end - result.begin >= kLeast ? result : Interior{};
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
    if (keeps_innermost(a) && depth_of(a) + places_ < innermost) held.push_back({&a, depth_of(a), {}});
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
    inner.index = inner.base;
    for (std::int64_t v = 0; v < vectors; ++v) {
      const std::int64_t left = inner.size.constant() - v * machine_.lanes;
      inner.ahead = v * machine_.lanes;
      body(static_cast<std::size_t>(v), left < machine_.lanes ? lane_mask(i64(left)) : nullptr);
    }
    inner.ahead = 0;
  };
  // Each place has vectors of its own.
  const auto for_each_place = [&](auto&& self, std::size_t at, std::size_t place, const auto& body) -> void {
    if (at + 1 == loops.size()) return body(place);
    loops[at].index = loops[at].base;
    for (std::int64_t i = 0; i < axes_[at].constant(); ++i) {
      loops[at].ahead = i;
      self(self, at + 1, place * static_cast<std::size_t>(axes_[at].constant()) + static_cast<std::size_t>(i), body);
    }
    loops[at].ahead = 0;
  };
  const std::int64_t written = std::max<std::int64_t>(vectors, 1);
  if (axis + 1 + places_ == loops.size()) {
    for_each_place(for_each_place, axis, 0, [&](std::size_t place) {
      for_each_vector_of([&](std::size_t v, Value* mask) {
        for (Held& h : held) h.accumulator->vector = h.vectors[place * static_cast<std::size_t>(written) + v];
        emit_vector(loops, nullptr, mask);
        for (Held& h : held) h.accumulator->vector = nullptr;
      });
    });
    return;
  }
  for (Held& h : held) {
    if (h.depth != axis) continue;
    h.vectors.clear();
    std::int64_t count = written;
    for (std::size_t at = loops.size() - 1 - places_; at + 1 < loops.size(); ++at) count *= axes_[at].constant();
    for (std::int64_t v = 0; v < count; ++v) {
      h.vectors.push_back(stack(vector_type(h.accumulator->node->type.dtype), "held"));
      builder_.CreateStore(identity(h.accumulator->node), h.vectors.back());
    }
  }
  const auto range = [&](Value* begin, Value* end) {
    loop(begin, end, i64(1), [&](Value* local) {
      loops[axis].index = add(loops[axis].base, local);
      emit_held_loops(loops, axis + 1, held, vectors);
    });
  };
  if (is_written_out(axis, written)) {
    loops[axis].index = loops[axis].base;
    for (std::int64_t i = 0; i < axes_[axis].constant(); ++i) {
      loops[axis].ahead = i;
      emit_held_loops(loops, axis + 1, held, vectors);
    }
    loops[axis].ahead = 0;
  } else if (const Interior interior = is_written_out(axis + 1, written) ? interior_of(axis, loops) : Interior{};
             !interior.bounds.empty()) {
    range(i64(0), i64(interior.begin));
    known_bounds_ = interior.bounds;
    range(i64(interior.begin), i64(interior.end));
    known_bounds_.clear();
    range(i64(interior.end), loops[axis].count);
  } else {
    range(i64(0), loops[axis].count);
  }
  for (Held& h : held) {
    if (h.depth != axis) continue;
    for_each_place(for_each_place, loops.size() - 1 - places_, 0, [&](std::size_t place) {
      for_each_vector_of([&](std::size_t v, Value* mask) {
        current_ = &loops;
        mask_ = mask;
        Value* held_vector = h.vectors[place * static_cast<std::size_t>(written) + v];
        store_result(*h.accumulator, builder_.CreateLoad(vector_type(h.accumulator->node->type.dtype), held_vector));
      });
    });
  }
}

}  // namespace descent::codegen
