// Sums and extremes of rows, for as many rows at a time as a vector has lanes. A row leaves a vector of partial
// results; to bring that down to one number takes a chain of four steps that wait for each other, as long as a row of
// some hundred numbers takes. The vectors of so many rows are kept, and brought together into one vector of results by
// pairs (KernelEmitter::add_lanes): fewer steps, none of which has to wait.
#include "codegen/kernel_emitter.h"

namespace descent::codegen {

using ir::Dimension;

/// Memory for the vectors of the reductions that take the innermost axis away and keep the one around it. Longer rows,
/// and those that a product of many elements makes, take much longer than their last steps, which are then not worth
/// the code.
bool KernelEmitter::begin_row_sums(const std::vector<Loop>& loops) {
  constexpr std::int64_t kLong = 512;
  if (machine_.lanes == 1 || loops.size() < 2) return false;
  const Dimension &row = loops.back().size, &rows = loops[loops.size() - 2].size;
  if (!row.is_constant() || row.constant() > kLong || (rows.is_constant() && rows.constant() < machine_.lanes / 4))
    return false;
  if (kernel_.contraction != nullptr) {
    constexpr std::int64_t kMany = 600;  // multiply-adds of vectors for a row
    const Dimension depth = passes::whole_depth(passes::contraction_axes(kernel_.contraction, plan_).contracted);
    if (!depth.is_constant() || depth.constant() * row.constant() > kMany * machine_.lanes) return false;
  }
  bool any = false;
  for (Accumulator& a : accumulators_) {
    if (!is_row(a) || a.place.strides[loops.size() - 2] == Dimension(0)) continue;
    auto* type = llvm::ArrayType::get(vector_type(a.node->type.dtype), static_cast<std::uint64_t>(machine_.lanes));
    a.rows = stack(type, "rows");
    any = true;
  }
  return any;
}

/// The loop over the last axis but one; `body` walks along the innermost.
void KernelEmitter::for_rows(std::vector<Loop>& loops, const std::function<void()>& body) {
  const std::size_t axis = loops.size() - 2;
  const auto walk = [&](Value* begin, Value* count) {
    loop(i64(0), count, i64(1), [&](Value* local) {
      loops[axis].index = add(loops[axis].base, add(begin, local));
      row_ = local;
      body();
    });
  };
  if (!begin_row_sums(loops)) return walk(i64(0), loops[axis].count);
  const std::int64_t lanes = machine_.lanes;
  loop(i64(0), loops[axis].count, i64(lanes), [&](Value* begin) {
    Value* count = minimum(i64(lanes), builder_.CreateSub(loops[axis].count, begin));
    walk(begin, count);
    loops[axis].index = add(loops[axis].base, begin);
    loops.back().index = i64(0);
    for (Accumulator& a : accumulators_) {
      if (a.rows != nullptr) end_rows(a, loops, count);
    }
  });
  for (Accumulator& a : accumulators_) a.rows = nullptr;
}

/// The results of `count` rows. The vectors of the others are not looked at: lanes that do not count.
void KernelEmitter::end_rows(const Accumulator& a, const std::vector<Loop>& loops, Value* count) {
  auto* type = vector_type(a.node->type.dtype);
  Values vectors;
  for (std::int64_t row = 0; row < machine_.lanes; ++row)
    vectors.push_back(builder_.CreateLoad(type, element(a.rows, i64(row), type)));
  auto* known = llvm::dyn_cast<llvm::ConstantInt>(count);
  Value* mask = known != nullptr && known->getSExtValue() == machine_.lanes ? nullptr : lane_mask(count);
  store_rows(a, loops, add_lanes(vectors, a.node), mask, false);
}

/// What the numbers of several rows come to, a lane for each of the rows from that of `loops` on.
void KernelEmitter::store_rows(const Accumulator& a, const std::vector<Loop>& loops, Value* results, Value* mask,
                               bool read_again) {
  llvm::Type* type = memory_type(a.node->type.dtype);
  const Dimension& stride = a.place.strides[loops.size() - 2];
  Value* at = element(address(a.buffer), offset_of(a.place.strides, loops), type);
  if (!a.at_once) results = combine(a.node, load_vector(at, size(stride), stride.is_one(), mask, type), results);
  store_vector(results, at, size(stride), stride.is_one(), mask, read_again);
}

}  // namespace descent::codegen
