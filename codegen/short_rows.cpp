// Rows that are shorter than a vector: the pieces of a maxout, the classes of a softmax, the channels of a group. A
// vector for each of them would be mostly empty. So the last two axes are walked as one, several rows in a vector, also
// where not every tensor lies like that:
//
//   - what has one number for each row is loaded for as many rows as a vector has lanes, and its lanes are repeated;
//   - what is the same in all rows is loaded once, and repeated;
//   - sums and extremes of rows stay in the vectors in which the rows lie, while loops run along which they reduce too,
//     and are then brought together for all these rows (`end_short_rows`).
//
// The rows that are made at a time fill whole vectors: of 3 numbers 16 rows three vectors, of 4 numbers 4 rows one.
// Which number of which row a lane has is known in each of them.
#include <algorithm>
#include <numeric>

#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using ir::Dimension;

namespace {

constexpr std::int64_t kWritten = 192;  // instructions of a vector, times the vectors that are written out
constexpr int kTogether = 70;           // instructions that bring a vector of rows together

/// How many instructions bring the numbers of each row together, for as many rows as a vector has lanes.
int steps_of(std::int64_t length) {
  int steps = 0;
  std::int64_t vectors = length;
  for (std::int64_t factor = 2; vectors > 1; ++factor) {
    for (; vectors % factor == 0; vectors /= factor)
      steps += static_cast<int>(vectors / factor * (factor == 2 ? 3 : factor * factor - 1));
  }
  return steps;
}

}  // namespace

/// How a tensor lies along the last two axes.
KernelEmitter::Lie KernelEmitter::lie_of(const std::vector<Dimension>& strides) const {
  const Dimension &row = strides[strides.size() - 2], &number = strides.back();
  if (row == Dimension(0) && number == Dimension(0)) return Lie::same;
  if (number == Dimension(0)) return Lie::by_row;
  if (row == Dimension(0)) return Lie::in_row;
  return row == number * axes_.back() ? Lie::flat : Lie::other;
}

/// Decides whether several rows share a vector, `blocks` whether those of phases come in blocks.
void KernelEmitter::choose_short_rows() {
  const std::size_t axes = axes_.size();
  if (kernel_.contraction != nullptr || sizes_ != nullptr || machine_.lanes < 4 || axes < 2) return;
  if (!axes_.back().is_constant()) return;
  const std::int64_t length = axes_.back().constant(), lanes = machine_.lanes;
  if (length < 2 || length > lanes) return;
  const bool own = axes >= row_axes_ + 2, block = axes == row_axes_ + 1 && blocks_;
  if (!own && !block) return;
  const auto fits = [&](const passes::View& view) {
    bool all = true;
    const bool simple = view.bounds.empty() && view.indirections.empty() && !passes::is_immediate(view.source);
    auto copy = view;
    passes::for_each_axes(copy, [&](std::vector<Dimension>& strides) {
      if (strides.size() != axes) return;
      const Lie lie = lie_of(strides);
      all = all && (simple ? lie != Lie::other : lie == Lie::same);
    });
    return all;
  };
  if (!std::all_of(views_.begin(), views_.end(), [&](const auto& entry) { return fits(entry.second); })) return;
  const auto is_flat = [&](const passes::View& place) {
    return place.indirections.empty() && place.strides.size() == axes && lie_of(place.strides) == Lie::flat;
  };
  if (!std::all_of(store_places_.begin(), store_places_.end(), is_flat)) return;
  bool sums = false;
  for (const Accumulator& a : accumulators_) {
    const auto& strides = a.place.strides;
    if (!a.place.indirections.empty() || strides.size() != axes) return;
    const Lie lie = lie_of(strides);
    if (lie == Lie::other) return;
    // Sums of all rows are kept to the end.
    if (lie == Lie::in_row &&
        std::any_of(strides.begin(), strides.end() - 1, [](const Dimension& d) { return !(d == Dimension(0)); }))
      return;
    sums = sums || lie == Lie::by_row;
  }
  if (sums && steps_of(length) > kTogether) return;
  // Fuller vectors are no gain, but where sums of whole ones come together without going through memory.
  if (length == lanes ? !sums || length * instructions_ > kWritten : 4 * length > 3 * lanes) return;
  const std::int64_t least =
      std::gcd(length, lanes);  // vectors of the fewest rows that fill whole ones: length / least
  if (length / least * std::max(instructions_, 1) > kWritten) return;
  const bool many = sums && length * std::max(instructions_, 1) <= kWritten;
  short_rows_.together = many ? lanes : lanes / least;
  const Dimension& rows = axes_[axes - 2];
  if (rows.is_constant()) short_rows_.together = std::min(short_rows_.together, rows.constant());
  short_rows_.length = length;
}

/// Memory for what is summed over all rows, lane by lane.
void KernelEmitter::begin_short_rows() {
  if (!is_short_rows()) return;
  for (Accumulator& a : accumulators_) {
    const Lie lie = lie_of(a.place.strides);
    if (lie == Lie::by_row) a.vector = nullptr;
    if (lie != Lie::in_row) continue;
    auto* vector = vector_type(a.node->type.dtype);
    a.rows = stack(llvm::ArrayType::get(vector, static_cast<std::uint64_t>(short_rows_.length)), "lanes");
    for (std::int64_t v = 0; v < short_rows_.length; ++v)
      builder_.CreateStore(identity(a.node), element(a.rows, i64(v), vector));
  }
}

/// Those sums: of each lane that has this number of a row, in the order of the rows.
void KernelEmitter::finish_short_rows() {
  if (!is_short_rows()) return;
  for (Accumulator& a : accumulators_) {
    if (a.rows == nullptr) continue;
    llvm::Type* type = memory_type(a.node->type.dtype);
    Value* mask = lane_mask(i64(short_rows_.length));
    Value* at = address(a.buffer);
    const Dimension& stride = a.place.strides.back();
    Value* sum = load_vector(at, size(stride), stride.is_one(), mask, type);
    for (std::int64_t row = 0; row < machine_.lanes; ++row) {
      Value* numbers = load_vector(element(a.rows, i64(row * short_rows_.length), type), i64(1), true, mask, type);
      sum = combine(a.node, sum, numbers);
    }
    store_vector(sum, at, size(stride), stride.is_one(), mask);
  }
}

/// What one number of each row is, or the numbers of every row, in the lanes at hand.
llvm::Value* KernelEmitter::load_short_rows(const passes::View& view, Lie lie, llvm::Type* type) {
  const auto lanes = static_cast<int>(machine_.lanes), length = static_cast<int>(short_rows_.length);
  const int first = static_cast<int>(short_rows_.vector) * lanes;
  Loop& inner = current_->back();
  Value* index = inner.index;
  inner.index = i64(0);
  const Place from = place(plan_.stored.at(view.source), view);
  inner.index = index;
  const Dimension& stride = lie == Lie::by_row ? view.strides[view.strides.size() - 2] : view.strides.back();
  Value* mask = nullptr;
  if (lie == Lie::in_row)
    mask = lane_mask(i64(length));
  else if (short_rows_.left != nullptr || short_rows_.rows < lanes)
    mask = lane_mask(short_rows_.left != nullptr ? short_rows_.left : i64(short_rows_.rows));
  Value* numbers = load_vector(from.address, size(stride), stride.is_one(), mask, type);
  llvm::SmallVector<int> order;
  for (int lane = 0; lane < lanes; ++lane) {
    const int at = first + lane;
    order.push_back(lie == Lie::in_row ? at % length : std::min(at / length, lanes - 1));
  }
  return builder_.CreateShuffleVector(numbers, order);
}

/// Lane i of the result is the sum of the numbers of row i, of as many rows as a vector has lanes, or what else the
/// reduction makes of them: neighbours are added as long as their number is even, then all numbers of one place in
/// their rows are put together.
llvm::Value* KernelEmitter::end_short_rows(Values vectors, const ir::Node* reduction) {
  const auto lanes = static_cast<int>(machine_.lanes);
  auto length = static_cast<int>(short_rows_.length);
  vectors.resize(static_cast<std::size_t>(length), llvm::PoisonValue::get(vectors[0]->getType()));
  const int piece = lanes_of_piece();
  std::vector<std::vector<int>> places(vectors.size());  // of each lane, in the order of memory
  for (int v = 0; v < length; ++v) {
    for (int lane = 0; lane < lanes; ++lane) places[static_cast<std::size_t>(v)].push_back(v * lanes + lane);
  }
  for (int pairs = 1; length % 2 == 0; length /= 2, pairs *= 2) {
    const bool inside = pairs < piece;
    const int unit = inside ? 1 : piece, within = inside ? piece : lanes;
    for (int i = 0; i < length / 2; ++i) {
      const auto a = static_cast<std::size_t>(2 * i), b = a + 1, to = static_cast<std::size_t>(i);
      const auto [even, odd] = evens_and_odds(vectors[a], vectors[b], unit, within);
      vectors[to] = combine(reduction, even, odd);
      std::vector<int> order;
      for (int at = 0; at < lanes; at += within) {
        for (const std::size_t source : {a, b}) {
          for (int t = 0; t < within; t += 2 * unit) {
            for (int lane = 0; lane < unit; ++lane)
              order.push_back(places[source][static_cast<std::size_t>(at + t + lane)] / 2);
          }
        }
      }
      places[to] = std::move(order);
    }
    vectors.truncate(static_cast<std::size_t>(length / 2));
    places.resize(vectors.size());
  }
  // Number `number` of each row, out of all vectors.
  const auto column = [&](int number) {
    Value* numbers = nullptr;
    std::vector<int> taken(static_cast<std::size_t>(lanes), llvm::PoisonMaskElem);
    for (std::size_t v = 0; v < vectors.size(); ++v) {
      std::vector<int> order = taken;
      bool any = false;
      for (int lane = 0; lane < lanes; ++lane) {
        const int place = places[v][static_cast<std::size_t>(lane)];
        if (place % length != number) continue;
        const auto row = static_cast<std::size_t>(place / length);
        order[row] = numbers == nullptr ? lane : lanes + lane;
        taken[row] = static_cast<int>(row);
        any = true;
      }
      if (!any) continue;
      numbers = numbers == nullptr ? builder_.CreateShuffleVector(vectors[v], order)
                                   : builder_.CreateShuffleVector(numbers, vectors[v], order);
    }
    return numbers;
  };
  Value* result = column(0);
  for (int number = 1; number < length; ++number) result = combine(reduction, result, column(number));
  return result;
}

/// So many rows from `start` on, of which only `left` are there (null: all).
void KernelEmitter::emit_short_rows(std::vector<Loop>& loops, Value* start, std::int64_t rows, Value* left,
                                    const std::vector<Held>& held, std::int64_t first) {
  Loop &row = loops[loops.size() - 2], &inner = loops.back();
  const std::int64_t numbers = rows * short_rows_.length, lanes = machine_.lanes;
  short_rows_.rows = rows;
  short_rows_.left = left;
  row.index = add(row.base, start);
  std::vector<Accumulator*> sums;
  for (Accumulator& a : accumulators_) {
    const bool is_held = std::any_of(held.begin(), held.end(), [&](const Held& h) { return h.accumulator == &a; });
    if (!is_held && lie_of(a.place.strides) == Lie::by_row) sums.push_back(&a);
    a.columns.clear();
  }
  for (std::int64_t v = 0; v * lanes < numbers; ++v) {
    short_rows_.vector = v;
    inner.index = i64(v * lanes);
    Value* mask = numbers - v * lanes < lanes ? lane_mask(i64(numbers - v * lanes)) : nullptr;
    if (left != nullptr) mask = lane_mask(builder_.CreateSub(multiply(left, i64(short_rows_.length)), i64(v * lanes)));
    for (Accumulator& a : accumulators_) {
      if (a.rows != nullptr) a.vector = element(a.rows, i64(v), vector_type(a.node->type.dtype));
    }
    for (const Held& h : held) h.accumulator->vector = h.vectors[static_cast<std::size_t>(first + v)];
    in_short_rows_ = true;
    emit_vector(loops, nullptr, mask);
    in_short_rows_ = false;
    for (const Held& h : held) h.accumulator->vector = nullptr;
  }
  for (Accumulator* a : sums) add_short_rows(*a, {a->columns.begin(), a->columns.end()}, loops);
}

/// The numbers of the rows at hand, which lie in these vectors, into the result.
void KernelEmitter::add_short_rows(Accumulator& a, const Values& vectors, std::vector<Loop>& loops) {
  current_ = &loops;
  Value* mask = short_rows_.left != nullptr         ? lane_mask(short_rows_.left)
                : short_rows_.rows < machine_.lanes ? lane_mask(i64(short_rows_.rows))
                                                    : nullptr;
  store_rows(a, loops, end_short_rows(vectors, a.node), mask, true);
}

/// Inside of how many loops a sum that is not held in vectors of rows is stored.
std::size_t KernelEmitter::depth_of_short_rows(const Accumulator& a) const {
  const std::size_t axes = axes_.size();
  const bool block = axes < row_axes_ + 2;  // which is a part of the rows
  return block || lie_of(a.place.strides) != Lie::same ? axes - 1 : std::min(depth_of(a), axes - 2);
}

/// What is reduced along a loop around the rows, where all of it lies in few vectors.
std::vector<KernelEmitter::Held> KernelEmitter::choose_held_rows() {
  const std::size_t axis_of_rows = axes_.size() - 2;
  if (!axes_[axis_of_rows].is_constant()) return {};
  std::vector<Held> held;
  for (Accumulator& a : accumulators_) {
    const Lie lie = lie_of(a.place.strides);
    if (is_whole(a) || (lie != Lie::flat && lie != Lie::by_row)) continue;
    if (const std::size_t depth = depth_of(a); depth < axis_of_rows) held.push_back({&a, depth, {}});
  }
  const std::int64_t numbers = axes_[axis_of_rows].constant() * short_rows_.length;
  const std::int64_t vectors = (numbers + machine_.lanes - 1) / machine_.lanes;
  const bool few = vectors * static_cast<std::int64_t>(held.size()) <= machine_.registers / 2 &&
                   (vectors == 1 || vectors * std::max(instructions_, 1) <= kWritten);
  return few ? held : std::vector<Held>{};
}

/// The loops from `first` on. What is reduced along a loop, and lies in few vectors, stays in them while it runs.
void KernelEmitter::emit_short_rows(std::vector<Loop>& loops, std::size_t first) {
  const std::size_t axis_of_rows = loops.size() - 2;
  Loop& rows = loops[axis_of_rows];
  const std::int64_t length = short_rows_.length, lanes = machine_.lanes, together = short_rows_.together;
  auto* known = llvm::dyn_cast<llvm::ConstantInt>(rows.count);
  const std::int64_t count = known != nullptr ? known->getSExtValue() : 0;
  const std::int64_t vectors = (count * length + lanes - 1) / lanes;
  std::vector<Held> held = choose_held_rows(), numbers;  // in vectors of rows; one number
  for (Accumulator& a : accumulators_) {
    if (!is_whole(a) && lie_of(a.place.strides) == Lie::same)
      numbers.push_back({&a, std::max(first, std::min(depth_of(a), axis_of_rows)), {}});
  }
  const auto walk = [&] {
    if (!held.empty()) {
      for (std::int64_t start = 0; start < count; start += lanes)
        emit_short_rows(loops, i64(start), std::min(lanes, count - start), nullptr, held, start * length / lanes);
      return;
    }
    Value* whole = builder_.CreateSub(rows.count, builder_.CreateURem(rows.count, i64(together)));
    loop(i64(0), whole, i64(together),
         [&](Value* start) { emit_short_rows(loops, start, together, nullptr, held, 0); });
    if (known != nullptr) {
      if (count % together != 0) emit_short_rows(loops, whole, count % together, nullptr, held, 0);
      return;
    }
    branch(builder_.CreateICmpSLT(whole, rows.count),
           [&] { emit_short_rows(loops, whole, together, builder_.CreateSub(rows.count, whole), held, 0); });
  };
  const auto nest = [&](auto&& self, std::size_t axis) -> void {
    for (Held& h : held) {
      if (h.depth != axis) continue;
      for (std::int64_t v = 0; v < vectors; ++v) {
        h.vectors.push_back(stack(vector_type(h.accumulator->node->type.dtype), "held"));
        builder_.CreateStore(identity(h.accumulator->node), h.vectors.back());
      }
    }
    for (Held& h : numbers) {
      if (h.depth == axis) builder_.CreateStore(identity(h.accumulator->node), h.accumulator->vector);
    }
    if (axis == axis_of_rows) {
      walk();
    } else {
      loop(i64(0), loops[axis].count, i64(1), [&](Value* local) {
        loops[axis].index = add(loops[axis].base, local);
        self(self, axis + 1);
      });
    }
    for (Held& h : held) {
      if (h.depth == axis) end_held_rows(h, loops, count);
    }
    for (Held& h : numbers) {
      if (h.depth == axis) end_row(*h.accumulator, loops);
    }
  };
  nest(nest, first);
}

/// What was held of `count` rows, into the result.
void KernelEmitter::end_held_rows(Held& held, std::vector<Loop>& loops, std::int64_t count) {
  Accumulator& a = *held.accumulator;
  const std::int64_t length = short_rows_.length, lanes = machine_.lanes;
  auto* type = vector_type(a.node->type.dtype);
  Loop &row = loops[loops.size() - 2], &inner = loops.back();
  Values vectors;
  for (Value* place : held.vectors) vectors.push_back(builder_.CreateLoad(type, place));
  held.vectors.clear();
  current_ = &loops;
  if (lie_of(a.place.strides) == Lie::flat) {
    row.index = row.base;
    for (std::size_t v = 0; v < vectors.size(); ++v) {
      const std::int64_t left = count * length - static_cast<std::int64_t>(v) * lanes;
      inner.index = i64(static_cast<std::int64_t>(v) * lanes);
      mask_ = left < lanes ? lane_mask(i64(left)) : nullptr;
      store_result(a, vectors[v]);
    }
    return;
  }
  inner.index = i64(0);
  for (std::int64_t start = 0; start < count; start += lanes) {
    row.index = add(row.base, i64(start));
    short_rows_.rows = std::min(lanes, count - start);
    short_rows_.left = nullptr;
    const auto begin = vectors.begin() + start * length / lanes;
    const auto end =
        vectors.begin() + std::min(static_cast<std::int64_t>(vectors.size()), (start + lanes) * length / lanes);
    add_short_rows(a, Values(begin, end), loops);
  }
}

}  // namespace descent::codegen
