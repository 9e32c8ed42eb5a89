// How rows are shared out to tiles, for every number of rows.
#include "passes/blocking.h"

#include <catch2/catch.hpp>

using namespace descent::passes;
using descent::ir::Dimension;

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

TEST_CASE("rows that are one panel are not packed") {
  const Machine machine{16, 4, 32, true, 48 << 10, 1 << 20};
  const auto gradient_of_weights = [&](std::int64_t columns) {
    const Dimension batch = Dimension::symbol("n"), width(columns);
    ContractionAxes axes;
    axes.rows = {{Dimension(512), Dimension(1), Dimension(0), width}};
    axes.columns = {{width, Dimension(0), Dimension(1), Dimension(1)}};
    axes.contracted = {{batch, Dimension(512), width, Dimension(0)}};
    return choose_blocking(axes, machine);
  };
  const Blocking one = gradient_of_weights(64);
  REQUIRE(one.panel(machine) == 64);
  CHECK_FALSE(one.pack_rhs);
  CHECK(gradient_of_weights(192).pack_rhs);
}
