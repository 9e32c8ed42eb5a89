// How rows are shared out to tiles, for every number of rows, and which operands are packed.
#include "passes/blocking.h"

#include <catch2/catch.hpp>

using namespace descent::passes;
using descent::ir::Dimension;

namespace {

/// How the gradient of a matrix is cut: of rows and columns that are contiguous, summed over a batch.
Blocking gradient_of_weights(std::int64_t rows, std::int64_t columns) {
  const Machine machine{16, 4, 32, true, 48 << 10, 1 << 20};
  const Dimension batch = Dimension::symbol("n"), width(columns);
  ContractionAxes axes;
  axes.rows = {{Dimension(rows), Dimension(1), Dimension(0), width}};
  axes.columns = {{width, Dimension(0), Dimension(1), Dimension(1)}};
  axes.contracted = {{batch, Dimension(rows), width, Dimension(0)}};
  return choose_blocking(axes, machine);
}

}  // namespace

TEST_CASE("tiles of two heights cover all rows and make few twice") {
  for (std::int64_t high = 1; high <= 14; ++high) {
    for (std::int64_t low = (2 * high + 2) / 3; low <= high; ++low) {
      for (std::int64_t rows = 1; rows <= 300; ++rows) {
        INFO(rows << " rows, tiles of " << high << " and " << low);
        const auto tiles = row_tiles(rows, high, low);
        const std::int64_t made = tiles.high * high + tiles.low * low;
        CHECK(made >= rows);
        CHECK(tiles.high + tiles.low == (rows + high - 1) / high);
        // Where all tiles are low ones, there are too few rows to choose.
        if (tiles.high > 0) CHECK(made - rows < std::max<std::int64_t>(high - low, low == high ? high : 1));
        if (low == high) CHECK(tiles.low == 0);
      }
    }
  }
}

TEST_CASE("the second operand is packed where its rows lie pages apart or across lines") {
  for (const std::int64_t columns : {64, 192, 512, 768}) CHECK_FALSE(gradient_of_weights(512, columns).pack_rhs);
  for (const std::int64_t columns : {200, 1000, 1024, 4096}) CHECK(gradient_of_weights(512, columns).pack_rhs);
  CHECK_FALSE(gradient_of_weights(100, 200).pack_rhs);  // by few tiles
  CHECK_FALSE(gradient_of_weights(512, 512).pack_lhs);
  CHECK(gradient_of_weights(1024, 512).pack_lhs);
}

TEST_CASE("low tiles are made where they save a fiftieth of a product") {
  const auto has_low_tiles = [](std::int64_t rows) {
    const Blocking blocking = gradient_of_weights(rows, 512);
    REQUIRE(blocking.tile_rows == 6);
    return blocking.low_rows < blocking.tile_rows;
  };
  CHECK(has_low_tiles(128));
  CHECK_FALSE(has_low_tiles(256));
  CHECK_FALSE(has_low_tiles(512));
}
