// How a matrix product is cut into pieces that fit the registers and the caches.
//
//   out[row, column] = sum over k of lhs[row, k] * rhs[k, column]
//
// The result is made in blocks of at most `block_rows` x `block_columns`, kept in a scratch memory that fits a cache
// until the rest of the kernel has used it. A block is made in tiles of `tile_rows` rows by `tile_vectors` vectors of
// columns, whose sums stay in registers while `depth` elements of the contracted axis are walked. Where the operands do
// not lie as the tile reads them, they are packed first: the second into panels of [k, columns of a tile], the first
// into panels of [k, rows of a tile] (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication",
// 2008).
#pragma once

#include "ir/dimension.h"
#include "passes/machine.h"

namespace descent::passes {

/// One operand pair of a contraction, as matrices with strides.
struct ContractionAxes {
  struct Axis {
    ir::Dimension size, lhs, rhs, out;
    friend bool operator==(const Axis&, const Axis&) = default;
  };
  std::vector<Axis> batch, rows, columns, contracted;
  friend bool operator==(const ContractionAxes&, const ContractionAxes&) = default;
};

/// How rows are made where their number is known at run time only, and happens to be small: the product of a batch of
/// one, of seven. Their tiles read the operands as they lie, and the rest of the kernel runs over the block.
struct FewRows {
  std::int64_t below = 1;       ///< fewer rows than so; 1: there is no such code
  std::int64_t tiles_from = 1;  ///< and fewer than so one by one; 1: none are
  std::int64_t tile_rows = 1, low_rows = 1, tile_vectors = 1, splits = 1;
  std::int64_t row_vectors = 1, row_splits = 1;  ///< of a single row
  std::int64_t block_columns = 1;
  friend bool operator==(const FewRows&, const FewRows&) = default;
};

struct Blocking {
  enum class Form {
    tiles,  ///< lanes along the columns
    dots,   ///< one column: lanes along the contracted axis, which is contiguous in the first operand
    turned  ///< one column, contiguous rows: the operands exchanged, so that the rows are lanes
  } form = Form::tiles;
  bool outer = false;  ///< one contracted element: each number is a product, and no tile is made
  std::int64_t tile_rows = 1, tile_vectors = 1;
  std::int64_t low_rows = 1;  ///< of the low tiles (RowTiles); or as many as all have
  std::int64_t splits = 1;    ///< independent sums for each element
  std::int64_t block_rows = 1, block_columns = 1;
  std::int64_t depth = 0;  ///< 0: the whole contracted axis at once
  bool pack_lhs = false, pack_rhs = false;
  bool slabs = false;  ///< the second operand is packed a block's columns at a time, not all before
  /// Of several axes of rows all go by before the next block's columns are made, not for each all columns.
  bool columns_outside = false;
  FewRows few;
  /// Whether anything, and the second operand, is packed whole before the loops over further axes of rows and columns.
  bool packs_before() const { return pack_lhs || packs_rhs_before(); }
  bool packs_rhs_before() const { return pack_rhs && !slabs; }
  std::int64_t panel(const Machine& machine) const { return tile_vectors * machine.lanes; }
  friend bool operator==(const Blocking&, const Blocking&) = default;
};

/// How rows are shared out to tiles of two heights: no more tiles than high ones alone would be, of which so many are
/// low that fewer rows than the heights differ by are made twice.
struct RowTiles {
  std::int64_t high, low;  ///< tiles; the high ones come first
  /// Of all, from those of one.
  double cycles(double of_high, double of_low) const {
    return static_cast<double>(high) * of_high + static_cast<double>(low) * of_low;
  }
};
RowTiles row_tiles(std::int64_t rows, std::int64_t high, std::int64_t low);

/// `machine`: as it is for the product's numbers (for_elements). `by_columns`: threads can share nothing but the
/// columns, for which there should be several panels.
Blocking choose_blocking(const ContractionAxes& axes, const Machine& machine, bool by_columns = false);

/// About how many cycles the product takes when it is cut so; of an unknown number of rows, for each row.
double estimated_cycles(const Blocking& blocking, const ContractionAxes& axes, const Machine& machine);
/// The same of few rows, on the average.
double estimated_cycles(const FewRows& few, const ContractionAxes& axes, const Machine& machine);

/// Completes `blocking`, in which all but `few` is chosen.
void choose_few_rows(Blocking& blocking, const ContractionAxes& axes, const Machine& machine);

/// Whether a product takes some microseconds: of that many multiply-adds.
bool is_large(const ContractionAxes& axes);

/// Contracted elements of each element of the result: the product of the contracted axes.
ir::Dimension whole_depth(const std::vector<ContractionAxes::Axis>& contracted);

/// Numbers that the packed operands take together, the first operand's first.
ir::Dimension packed_lhs_size(const ContractionAxes& axes, const Blocking& blocking);
ir::Dimension packed_rhs_size(const ContractionAxes& axes, const Blocking& blocking, const Machine& machine);

}  // namespace descent::passes
