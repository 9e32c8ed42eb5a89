// How rows are shared out to tiles, for every number of rows.
#include "passes/blocking.h"

#include <catch2/catch.hpp>

using descent::passes::row_tiles;

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
