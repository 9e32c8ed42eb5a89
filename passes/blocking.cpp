#include "passes/blocking.h"

#include <algorithm>

namespace descent::passes {

using ir::Dimension;

namespace {

constexpr std::int64_t kUnknown = 128;  // assumed for a size that is known only at run time: a batch

std::int64_t estimate(const Dimension& size) { return size.is_constant() ? size.constant() : kUnknown; }
std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

/// Independent sums that keep the multiply-add units busy when a tile has only few of them.
std::int64_t splits_for(std::int64_t sums, std::int64_t vectors, const Machine& m) {
  const std::int64_t wanted = divide_up(m.multiply_adds * m.latency, sums);
  const std::int64_t fitting = std::max<std::int64_t>(1, (m.registers - vectors - 1) / sums);
  return std::min<std::int64_t>({wanted, fitting, 4});
}

/// Cycles that a tile takes for one contracted element: multiply-adds, loads, or waiting for sums.
double cycles(std::int64_t rows, std::int64_t vectors, const Machine& m) {
  const double sums = static_cast<double>(rows * vectors);
  const double splits = static_cast<double>(splits_for(rows * vectors, vectors, m));
  // With repeated numbers as memory operands every multiply-add of a row loads again.
  const double loads = static_cast<double>(m.memory_broadcast ? vectors + rows * vectors : vectors + rows);
  return std::max(
      {sums / m.multiply_adds, m.memory_broadcast ? loads / 2.0 / m.loads : loads / m.loads, m.latency / splits});
}

struct Tile {
  std::int64_t rows, vectors;
};

/// The tile with the fewest cycles for the whole matrix.
Tile choose_tile(const Dimension& rows, const Dimension& columns, const Machine& m) {
  Tile best{1, 1};
  double least = 0;
  const std::int64_t row_count = estimate(rows), vector_count = divide_up(estimate(columns), m.lanes);
  for (std::int64_t v = 1; v <= std::min<std::int64_t>(vector_count, 8); ++v) {
    for (std::int64_t r = 1; r <= std::min<std::int64_t>(row_count, 14); ++r) {
      if (r * v + v + (m.memory_broadcast ? 0 : 1) > m.registers) break;
      // Whole tiles, and single rows for what is left.
      const double rest = static_cast<double>(row_count % r) * cycles(1, v, m);
      const double column_tiles = static_cast<double>(divide_up(vector_count, v));
      const double overhead = 0.02 * static_cast<double>(r * v);  // larger tiles store more at their end
      const double total = column_tiles * (static_cast<double>(row_count / r) * (cycles(r, v, m) + overhead) + rest);
      if (least == 0 || total < least) best = {r, v}, least = total;
    }
  }
  return best;
}

}  // namespace

Blocking choose_blocking(const ContractionAxes& axes, const Machine& m) {
  Blocking blocking;
  const auto &row = axes.rows.back(), &column = axes.columns.back(), &k = axes.contracted.back();
  const bool one_column = column.size.is_one();
  if (one_column && !row.size.is_one()) {
    if (axes.contracted.size() == 1 && k.lhs.is_one()) {
      blocking.form = Blocking::Form::dots;
      blocking.block_rows = 64;
      return blocking;
    }
    if (row.lhs.is_one()) blocking.form = Blocking::Form::turned;
  }
  const bool turned = blocking.form == Blocking::Form::turned;
  const Dimension rows = turned ? column.size : row.size, columns = turned ? row.size : column.size;
  const Tile tile = choose_tile(rows, columns, m);
  blocking.tile_rows = tile.rows;
  blocking.tile_vectors = tile.vectors;
  blocking.splits = splits_for(tile.rows * tile.vectors, tile.vectors, m);
  blocking.row_splits = splits_for(tile.vectors, tile.vectors, m);

  const std::int64_t panel = tile.vectors * m.lanes, depth = estimate(k.size);
  const bool one_contracted = axes.contracted.size() == 1;
  const Dimension& b_column = turned ? row.lhs : column.rhs;
  if (!turned && one_contracted && !one_column) {
    const bool strided = !b_column.is_one() && !(b_column == Dimension(0));
    // A second operand that leaves the second-level cache between two rows of tiles is read panel by panel.
    const bool large = estimate(columns) * depth * 4 > m.level2 && estimate(rows) >= 64;
    blocking.pack_rhs = strided || large;
    // Rows of the first operand that fall onto the same lines of the cache push each other out.
    const std::int64_t row_stride = row.lhs.is_constant() ? row.lhs.constant() : 0;
    const std::int64_t k_stride = k.lhs.is_constant() ? k.lhs.constant() : 0;
    const bool far = (row_stride >= 1024 || k_stride >= 1024) && estimate(rows) * depth * 4 > m.level1;
    blocking.pack_lhs = axes.rows.size() == 1 && large && far && estimate(columns) >= 128;
    if (blocking.pack_lhs && blocking.pack_rhs) blocking.depth = 256;
  }

  // The block's scratch memory stays in the first-level cache beside the operands; a large product, whose first operand
  // is read again for every block, takes what the second level holds.
  const bool large = blocking.depth > 0;
  const std::int64_t scratch = (large ? m.level2 / 8 : m.level1 / 2) / 4;
  const std::int64_t widest = large ? 256 : 512;
  const std::int64_t blocks = divide_up(estimate(columns), widest);
  blocking.block_columns =
      columns.is_constant() ? round_up(divide_up(columns.constant(), blocks), panel) : round_up(256, panel);
  const std::int64_t fitting = std::max<std::int64_t>(1, scratch / blocking.block_columns / tile.rows) * tile.rows;
  blocking.block_rows = rows.is_constant() ? std::min(fitting, round_up(rows.constant(), tile.rows)) : fitting;
  return blocking;
}

Dimension packed_lhs_size(const ContractionAxes& axes, const Blocking& blocking) {
  if (!blocking.pack_lhs) return Dimension(0);
  return (axes.rows.back().size + Dimension(blocking.tile_rows)) * axes.contracted.back().size;
}

Dimension packed_rhs_size(const ContractionAxes& axes, const Blocking& blocking, const Machine& machine) {
  if (!blocking.pack_rhs) return Dimension(0);
  const Dimension& columns = axes.columns.back().size;
  const std::int64_t panel = blocking.panel(machine);
  const Dimension padded =
      columns.is_constant() ? Dimension(round_up(columns.constant(), panel)) : columns + Dimension(panel);
  return padded * axes.contracted.back().size;
}

}  // namespace descent::passes
