#include "passes/blocking.h"

#include <algorithm>
#include <bit>

#include "passes/estimate.h"
#include "passes/tile_cycles.h"

namespace descent::passes {

using ir::Dimension;

namespace {

constexpr std::int64_t kDepth = 256;  // contracted elements of a pass, where the axis is cut

std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

struct Tile {
  std::int64_t rows, vectors;
};

/// Rows of the low tiles. They keep the units busy only if they have enough sums without adding any up separately, and
/// are worth the time to compile them only where they save some microseconds.
std::int64_t low_rows(const Tile& tile, bool is_large, const Machine& m) {
  const std::int64_t low = (2 * tile.rows + 2) / 3;
  return is_large && splits_for(low * tile.vectors, tile.vectors, m) == 1 ? low : tile.rows;
}

/// Cycles of a column of tiles for so many rows.
double column_cycles(std::int64_t rows, const Tile& tile, std::int64_t low, std::int64_t depth, const Machine& m) {
  const double lower = low < tile.rows ? tile_cycles(low, tile.vectors, depth, m) : 0;
  return row_tiles(rows, tile.rows, low).cycles(tile_cycles(tile.rows, tile.vectors, depth, m), lower);
}

/// Whether low tiles save a fiftieth of a product: of 128 rows three in a hundred, of 784 less than one.
bool saves_rows(const Dimension& rows, std::int64_t high, std::int64_t low) {
  if (!rows.is_constant()) return true;
  const RowTiles tiles = row_tiles(rows.constant(), high, low);
  return 50 * tiles.low * (high - low) >= rows.constant();
}

/// Cycles for the whole matrix. Of an unknown number of rows, a batch: on the average of the sizes that people choose.
double matrix_cycles(const Dimension& rows, const Dimension& columns, const Tile& tile, std::int64_t low,
                     std::int64_t depth, const Machine& m) {
  const auto column_tiles = static_cast<double>(divide_up(divide_up(estimate(columns), m.lanes), tile.vectors));
  if (rows.is_constant()) return column_tiles * column_cycles(rows.constant(), tile, low, depth, m);
  double column = 0;
  for (const std::int64_t batch : {32, 64, 100, 128, 256})
    column += column_cycles(batch, tile, low, depth, m) / static_cast<double>(batch);
  return column_tiles * column;
}

/// The tile with the fewest cycles for the whole matrix, of at most so many vectors.
Tile choose_tile(const Dimension& rows, const Dimension& columns, std::int64_t depth, bool is_large,
                 std::int64_t widest, const Machine& m) {
  Tile best{1, 1};
  double least = 0;
  const std::int64_t row_count = estimate(rows);
  for (std::int64_t v = 1; v <= std::min<std::int64_t>(widest, 8); ++v) {
    for (std::int64_t r = 1; r <= std::min<std::int64_t>(row_count, 16); ++r) {
      if (!fits_registers(r, v, m)) break;
      const double total = matrix_cycles(rows, columns, {r, v}, low_rows({r, v}, is_large, m), depth, m);
      if (least == 0 || total < least) best = {r, v}, least = total;
    }
  }
  return best;
}

/// The tile for an unknown number of rows. That is a batch, mostly a multiple of 32: none of them are made twice where
/// the tile's rows are a power of two. Sums that are only just enough would wait for each other now and then.
Tile for_batches(const Tile& tile, const Machine& m) {
  const auto rows = static_cast<std::uint64_t>(tile.rows);
  const auto above = static_cast<std::int64_t>(std::bit_ceil(rows)),
             below = static_cast<std::int64_t>(std::bit_floor(rows));
  if (above <= 16 && fits_registers(above, tile.vectors, m)) return {above, tile.vectors};
  if (2 * below * tile.vectors >= 3 * m.multiply_adds * m.latency) return {below, tile.vectors};
  return tile;
}

/// Whether such rows stay in the first-level cache, on no more pages than the processor keeps addresses of.
bool stays_in_cache(std::int64_t rows, std::int64_t stride, std::int64_t length, const Machine& m) {
  const std::int64_t page = 4096 / m.element, pages = 48;
  return stays_in(m.level1, rows, stride, length, m) && rows * stride <= page * pages;
}

/// Whether a panel of the second operand is read as fast where it lies as packed, by all tiles of rows one after the
/// other. The second-level cache is near enough: its lines come while the tile's multiply-adds are made, and even where
/// it keeps a third of the panel, reading the rest again takes no longer than packing does. But of rows that lie a page
/// and more apart each needs another address, and none is fetched ahead. (Measured on Zen 5: 128 rows of [784, 256]
/// take 6 % less time than packed, 32 rows of [256, 256] 12 %; of [384, 1024] 9 % more.)
///
/// `tiles`: how often it is read. Of rows that are no whole lines, vectors lie across two: 24 times and more that costs
/// what packing does, or a tenth of a product of few steps.
bool reads_well(std::int64_t rows, std::int64_t stride, std::int64_t length, std::int64_t tiles, const Machine& m) {
  if (stride * m.element % 64 != 0 && tiles >= 24) return false;
  return stride < 4096 / m.element ? stays_in(4 * m.level2, rows, stride, length, m)
                                   : stays_in_cache(rows, stride, length, m);
}

/// The same of the first operand where its rows are contiguous, so that each step reads another line.
bool reads_well_down(std::int64_t rows, std::int64_t stride, std::int64_t length, const Machine& m) {
  return stride < 4096 / m.element && stays_in(m.level2, rows, stride, length, m);
}

/// Numbers that an operand has, from the first to the last that its axes reach.
double extent(const std::vector<ContractionAxes::Axis>& free, const std::vector<ContractionAxes::Axis>& contracted,
              Dimension ContractionAxes::Axis::* stride) {
  double last = 0;
  for (const auto* axes : {&free, &contracted}) {
    for (const auto& axis : *axes) last += (estimated_length(axis.size) - 1) * estimated_length(axis.*stride);
  }
  return last + 1;
}

/// Whether it costs less to read the first operand again for every block of columns than the second for every row of an
/// image: where the second-level cache does not hold the second.
bool reads_less_by_columns(const ContractionAxes& axes, std::int64_t blocks, const Machine& m) {
  double outer_rows = 1;
  for (std::size_t i = 0; i + 1 < axes.rows.size(); ++i) outer_rows *= estimated_length(axes.rows[i].size);
  const double second = extent(axes.columns, axes.contracted, &ContractionAxes::Axis::rhs);
  return second * static_cast<double>(m.element) > static_cast<double>(m.level2) * 3 / 4 &&
         outer_rows * second >
             static_cast<double>(blocks) * extent(axes.rows, axes.contracted, &ContractionAxes::Axis::lhs);
}

std::int64_t estimated_depth(const ContractionAxes& axes) {
  std::int64_t depth = 1;
  for (const auto& axis : axes.contracted) depth *= std::max<std::int64_t>(1, estimate(axis.size));
  return depth;
}

}  // namespace

RowTiles row_tiles(std::int64_t rows, std::int64_t high, std::int64_t low) {
  const std::int64_t tiles = divide_up(rows, high);
  const std::int64_t lower = low < high ? std::min(tiles, (tiles * high - rows) / (high - low)) : 0;
  return {tiles - lower, lower};
}

Blocking choose_blocking(const ContractionAxes& axes, const Machine& m, bool by_columns) {
  Blocking blocking;
  const auto &row = axes.rows.back(), &column = axes.columns.back(), &k = axes.contracted.back();
  const bool one_column = column.size.is_one();
  if (one_column && !row.size.is_one()) {
    if (axes.contracted.size() == 1 && k.lhs.is_one()) {
      blocking.form = Blocking::Form::dots;
      blocking.block_rows = 64;
      return blocking;
    }
    // Rows, not columns, are what the rest of the kernel walks along.
    blocking.form = Blocking::Form::turned;
  }
  if (whole_depth(axes.contracted).is_one()) {
    blocking.outer = true;
    return blocking;
  }
  const bool turned = blocking.form == Blocking::Form::turned;
  const Dimension rows = turned ? column.size : row.size, columns = turned ? row.size : column.size;
  const std::int64_t depth = estimated_depth(axes);
  // Where a batch is contracted, it may be larger than the one that is assumed.
  const std::int64_t steps = whole_depth(axes.contracted).is_constant() ? depth : std::max(depth, kDepth);
  const bool large = is_large(axes);
  const std::int64_t vectors = divide_up(estimate(columns), m.lanes);
  std::int64_t most_vectors = by_columns ? divide_up(vectors, 2) : vectors;
  // Several contracted axes are not cut: a panel of weights should stay in the second-level cache.
  if (axes.contracted.size() > 1 && whole_depth(axes.contracted).is_constant())
    most_vectors = std::clamp<std::int64_t>(2 * m.level2 / 3 / m.element / steps / m.lanes, 1, most_vectors);
  Tile tile = choose_tile(rows, columns, depth, large, most_vectors, m);
  if (!rows.is_constant()) tile = for_batches(tile, m);
  const bool fits_batches = !rows.is_constant() && std::has_single_bit(static_cast<std::uint64_t>(tile.rows));
  blocking.tile_rows = tile.rows;
  const std::int64_t low = low_rows(tile, large, m);
  blocking.low_rows = fits_batches || !saves_rows(rows, tile.rows, low) ? tile.rows : low;
  blocking.tile_vectors = tile.vectors;
  blocking.splits = splits_for(tile.rows * tile.vectors, tile.vectors, m);

  const std::int64_t panel = tile.vectors * m.lanes;
  const bool strided = !column.rhs.is_one() && !(column.rhs == Dimension(0));
  if (!turned && axes.contracted.size() > 1 && !one_column) {
    blocking.pack_rhs = strided;
    blocking.slabs = strided && axes.rows.size() == 1;
    if (!blocking.slabs && axes.columns.size() > 1) blocking.pack_rhs = false;
  }
  if (!turned && axes.contracted.size() == 1 && !one_column) {
    constexpr std::int64_t enough = 32;  // uses of each packed number that pay for packing it
    blocking.pack_rhs =
        strided || (!(column.rhs == Dimension(0)) && estimate(rows) >= enough &&
                    !reads_well(steps, estimate(k.rhs), panel, divide_up(estimate(rows), tile.rows), m));
    const bool down = row.lhs.is_one();  // the rows are contiguous
    const bool as_it_lies =
        down ? reads_well_down(steps, estimate(k.lhs), tile.rows, m)
             : k.lhs.is_one() && stays_in_cache(tile.rows, estimate(row.lhs), std::min(steps, kDepth), m);
    blocking.pack_lhs = axes.rows.size() == 1 && estimate(columns) >= 4 * enough && tile.rows > 1 && !as_it_lies;
    // A panel of the second operand that would fill more than half of the second-level cache is cut. (With 1 MB of it
    // and 4,096 elements, products of 1,024 rows are a tenth faster uncut, of 4,096 rows 3 % slower.)
    if (depth > m.level2 / 2 / m.element / panel && estimate(rows) >= enough && axes.rows.size() == 1 &&
        axes.columns.size() == 1) {
      blocking.pack_lhs = blocking.pack_rhs = true;
      blocking.depth = kDepth;
    }
    blocking.slabs = blocking.pack_rhs && blocking.depth == 0 && axes.rows.size() == 1;
    // Panels are packed before the loops over further axes of columns, which would find those of the first.
    if (!blocking.slabs && axes.columns.size() > 1) blocking.pack_rhs = false;
  }

  // The second operand's columns of a block stay in the second-level cache while all rows go by; the block itself stays
  // in the first level beside a panel. Where the contracted axis is cut, both the first operand's part of a pass and
  // the block are read again for every panel, from the second level.
  const bool cut = blocking.depth > 0;
  constexpr std::int64_t most = 128 << 10;  // bytes: it is on the stack of whoever steps
  const std::int64_t scratch = std::min(most, cut ? m.level2 / 4 : m.level1 / 2) / m.element;
  const std::int64_t held = cut ? 256 : std::clamp<std::int64_t>(m.level2 / 2 / m.element / steps, panel, 1024);
  const std::int64_t widest = std::max(panel, held / panel * panel);
  const std::int64_t blocks = divide_up(estimate(columns), widest);
  blocking.block_columns = columns.is_constant() ? round_up(divide_up(columns.constant(), blocks), panel) : widest;
  blocking.columns_outside = !turned && axes.rows.size() > 1 && axes.columns.size() == 1 && rows.is_constant() &&
                             reads_less_by_columns(axes, blocks, m);
  if (blocking.columns_outside) blocking.slabs = blocking.pack_rhs;
  blocking.block_rows = std::max<std::int64_t>(cut ? 1 : 2, scratch / blocking.block_columns / tile.rows) * tile.rows;
  if (!cut && axes.rows.size() == 1) {
    // The rest of the kernel for one block is made beside the products of the next.
    constexpr std::int64_t enough = 16;
    blocking.block_rows = std::min(blocking.block_rows, round_up(enough, tile.rows));
  }
  if (rows.is_constant()) {
    blocking.block_rows = std::min(blocking.block_rows, round_up(rows.constant(), tile.rows));
  }
  choose_few_rows(blocking, axes, m);
  return blocking;
}

double estimated_cycles(const Blocking& blocking, const ContractionAxes& axes, const Machine& m) {
  return matrix_cycles(axes.rows.back().size, axes.columns.back().size, {blocking.tile_rows, blocking.tile_vectors},
                       blocking.low_rows, estimated_depth(axes), m);
}

bool is_large(const ContractionAxes& axes) {
  constexpr std::int64_t large = 400'000;  // multiply-adds
  return estimate(axes.rows.back().size) * estimate(axes.columns.back().size) * estimated_depth(axes) >= large;
}

Dimension whole_depth(const std::vector<ContractionAxes::Axis>& contracted) {
  Dimension depth = 1;
  for (const auto& axis : contracted) depth = depth * axis.size;
  return depth;
}

Dimension packed_lhs_size(const ContractionAxes& axes, const Blocking& blocking) {
  if (!blocking.pack_lhs) return Dimension(0);
  return (axes.rows.back().size + Dimension(blocking.tile_rows)) * axes.contracted.back().size;
}

Dimension packed_rhs_size(const ContractionAxes& axes, const Blocking& blocking, const Machine& machine) {
  if (!blocking.pack_rhs) return Dimension(0);
  const Dimension& columns = axes.columns.back().size;
  const std::int64_t panel = blocking.panel(machine);
  if (blocking.slabs) return Dimension(blocking.block_columns) * whole_depth(axes.contracted);
  const Dimension padded =
      columns.is_constant() ? Dimension(round_up(columns.constant(), panel)) : columns + Dimension(panel);
  return padded * whole_depth(axes.contracted);
}

}  // namespace descent::passes
