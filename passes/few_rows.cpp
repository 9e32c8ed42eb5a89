// Few rows: a batch of one, or of seven, where the code must serve any number.
//
// The tiles that suit many rows are high, and would be made for a part of their rows only. Lower ones are chosen here,
// by what they take on the average of all numbers of rows below; a number is made of high and low ones. What few rows
// take is often less the multiply-adds than reading the second operand: each tile reads it once.
#include <algorithm>

#include "passes/blocking.h"
#include "passes/estimate.h"
#include "passes/tile_cycles.h"

namespace descent::passes {

using ir::Dimension;

namespace {

struct Product {
  std::int64_t vectors, depth;  // of columns
  bool is_held;                 // the second operand by the first-level cache
  bool is_aligned;              // its rows begin where lines of the cache do
};

/// Cycles of all tiles side by side. What the first-level cache does not hold comes at two for each line (measured on
/// Zen 5).
double cycles(std::int64_t rows, std::int64_t vectors, const Product& product, const Machine& m) {
  const double lines = static_cast<double>(vectors * m.lanes * m.element) / 64 + (product.is_aligned ? 0 : 1);
  const double fetched = product.is_held ? 0 : 2 * lines * static_cast<double>(product.depth);
  return static_cast<double>(divide_up(product.vectors, vectors)) *
         std::max(tile_cycles(rows, vectors, product.depth, m), fetched);
}

/// Tiles can read the second operand as it lies.
bool reads_rows(const ContractionAxes& axes) {
  const Dimension& step = axes.columns.back().rhs;
  return step.is_one() || step == Dimension(0);
}

/// Or the second operand's columns are contiguous: tiles are of dot products, as many as lanes.
bool has_dots(const ContractionAxes& axes, const Machine& m) {
  const auto &column = axes.columns.back(), &k = axes.contracted.back();
  return axes.contracted.size() == 1 && k.rhs.is_one() && k.lhs.is_one() && column.size.is_constant() &&
         column.size.constant() >= m.lanes;
}

/// How many rows are no longer few. Of up to four whole tiles without lower ones too many rows are made for nothing. To
/// pack takes longer than some uses save, where a panel stays in the second-level cache while the rows go by, or comes
/// from beyond in whole lines (halves that push each other out come twice): measured on Zen 5, packing does not pay
/// before some 64 rows, and on Zen 3 with weights of 10 MB from some 20 on. Those lie on more pages than that processor
/// knows the addresses of.
std::int64_t few_rows(const Blocking& blocking, const Product& product, const ContractionAxes& axes, const Machine& m) {
  const std::int64_t stride = estimate(axes.contracted.back().rhs);
  const bool is_kept = stays_in(m.level2, product.depth, stride, blocking.panel(m), m);
  if (!reads_rows(axes) || !(is_kept || m.lanes * m.element >= 64)) return blocking.tile_rows;
  const std::int64_t two = 2 * blocking.tile_rows;
  if (!blocking.pack_rhs) return blocking.low_rows == blocking.tile_rows ? 2 * two : blocking.tile_rows;
  constexpr std::int64_t bytes = 1024 * std::int64_t{4096};  // of pages
  return std::max<std::int64_t>(two, product.depth * stride * m.element <= bytes ? 64 : is_kept ? 20 : two);
}

/// The tiles with the fewest cycles for each row, on the average of all numbers of rows. A kind of tile counts `worth`
/// cycles for each: what saves less is not worth the time to compile it.
void choose_tiles(FewRows& few, const Product& product, const Machine& m) {
  constexpr double worth = 250;
  const double single = cycles(1, few.row_vectors, product, m);
  double least = single * static_cast<double>(few.below - 2);
  for (std::int64_t rows = 2; rows <= std::min<std::int64_t>(few.below, 8) && fits_registers(rows, 1, m); ++rows) {
    FewRows now = few;
    double high = 0;
    for (std::int64_t v = 1; v <= std::min<std::int64_t>(product.vectors, 8) && fits_registers(rows, v, m); ++v) {
      const double taken = cycles(rows, v, product, m);
      if (high == 0 || taken < high) high = taken, now.tile_vectors = v;
    }
    now.tile_rows = rows;
    now.splits = splits_for(rows * now.tile_vectors, now.tile_vectors, m);
    for (const std::int64_t lower : {rows, (2 * rows + 2) / 3, (rows + 1) / 2}) {
      // Each element is the same sum in either tile.
      if (splits_for(lower * now.tile_vectors, now.tile_vectors, m) != now.splits) continue;
      now.low_rows = lower;
      now.tiles_from = now.below;
      const double low = lower == rows ? high : cycles(lower, now.tile_vectors, product, m);
      const double kinds = lower == rows ? worth : 2 * worth;
      double total = 0;
      for (std::int64_t r = now.below - 1; r > 1; --r) {
        const auto count = static_cast<double>(r);
        const double in_tiles = row_tiles(r, now.tile_rows, now.low_rows).cycles(high, low);
        if (now.tiles_from == r + 1 && in_tiles < count * single) now.tiles_from = r;
        total += (kinds + (now.tiles_from <= r ? in_tiles : count * single)) / count;
      }
      if (total < least) least = total, few = now;
    }
  }
}

Product product_of(const ContractionAxes& axes, const Machine& m) {
  const std::int64_t columns = estimate(axes.columns.back().size);
  Product product{divide_up(columns, m.lanes), 1, true, true};
  for (const auto& axis : axes.contracted) product.depth *= std::max<std::int64_t>(1, estimate(axis.size));
  product.is_aligned = estimate(axes.contracted.back().rhs) * m.element % 64 == 0;
  product.is_held = product.depth * columns * m.element <= m.level1 * 3 / 4;
  return product;
}

}  // namespace

double estimated_cycles(const FewRows& few, const ContractionAxes& axes, const Machine& m) {
  const Product product = product_of(axes, m);
  const double high = cycles(few.tile_rows, few.tile_vectors, product, m),
               low = cycles(few.low_rows, few.tile_vectors, product, m);
  double sum = 0;
  for (std::int64_t r = few.tiles_from; r < few.below; ++r)
    sum += row_tiles(r, few.tile_rows, few.low_rows).cycles(high, low) / static_cast<double>(r);
  return sum / static_cast<double>(std::max<std::int64_t>(1, few.below - few.tiles_from));
}

void choose_few_rows(Blocking& blocking, const ContractionAxes& axes, const Machine& m) {
  FewRows& few = blocking.few;
  const auto &row = axes.rows.back(), &column = axes.columns.back();
  const bool one_matrix = axes.rows.size() == 1 && axes.columns.size() == 1;
  if (blocking.form != Blocking::Form::tiles || row.size.is_constant() || blocking.tile_rows == 1 ||
      (blocking.packs_before() && !one_matrix)) {
    return;
  }
  const Product product = product_of(axes, m);

  // Single rows take as many vectors as make a good piece of memory of each row of the second operand.
  few.row_vectors = std::min<std::int64_t>(8, product.vectors);
  few.row_splits = splits_for(few.row_vectors, few.row_vectors, m);
  few.below = few_rows(blocking, product, axes, m);
  few.tiles_from = few.below;
  if (reads_rows(axes)) {
    choose_tiles(few, product, m);
    // A single row by a tile for several: where reading the second operand is what takes time, it takes hardly longer,
    // and is no code of its own.
    const double single = cycles(1, few.row_vectors, product, m);
    if (few.tiles_from < few.below && cycles(few.low_rows, few.tile_vectors, product, m) <= 1.25 * single)
      few.tiles_from = 1;
  } else if (has_dots(axes, m) && !product.is_held && few.below > 2) {
    // Each tile is few columns for more rows where reading them takes the time; single rows are made by such a tile
    // too.
    const bool is_kept = product.depth * estimate(column.size) * m.element <= m.level2;
    few.tile_rows = few.low_rows = m.lanes >= 16 && !is_kept ? 4 : 2;
    few.tiles_from = 1;
  }
  if (few.tiles_from == few.below) few.tiles_from = few.below = blocking.tile_rows;

  // The block of all these rows, beside one tile more, is on the stack.
  constexpr std::int64_t most = 128 << 10;  // bytes
  const std::int64_t panel = few.tile_vectors * m.lanes;
  const std::int64_t held = most / m.element / (few.below + few.tile_rows) / panel * panel;
  few.block_columns = std::max(panel, std::min(divide_up(estimate(column.size), panel) * panel, held));
}

}  // namespace descent::passes
