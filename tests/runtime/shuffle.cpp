#include "runtime/shuffle.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <numeric>
#include <set>

#include "runtime/permute.h"

using namespace descent::runtime;
using descent::ir::threefry2x32;

TEST_CASE("threefry_gives_the_vectors_of_the_random123_distribution") {
  using Block = std::array<std::uint32_t, 2>;
  CHECK(threefry2x32(0, 0, 0, 0) == Block{0x6b200159, 0x99ba4efe});
  CHECK(threefry2x32(~0u, ~0u, ~0u, ~0u) == Block{0x1cb996fc, 0xbb002be7});
  CHECK(threefry2x32(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3) == Block{0xc4923a9c, 0x483df7a0});
}

TEST_CASE("shuffled_rows_gives_known_orders") {
  using Rows = std::vector<std::uint32_t>;
  CHECK(shuffled_rows(8, 0, 0) == Rows{2, 7, 0, 6, 5, 3, 1, 4});
  CHECK(shuffled_rows(8, 7, 3) == Rows{1, 5, 7, 3, 6, 2, 0, 4});
  CHECK(shuffled_rows(8, (1ull << 32) + 7, 3) == shuffled_rows(8, 7, 3));  // the low 32 bits of the seed count
}

TEST_CASE("shuffled_rows_has_every_row_once_for_every_size") {
  for (const std::uint32_t rows : {0u, 1u, 2u, 3u, 100u, 569u, 10'000u}) {
    auto order = shuffled_rows(rows, 1, 2);
    std::sort(order.begin(), order.end());
    std::vector<std::uint32_t> all(rows);
    std::iota(all.begin(), all.end(), 0u);
    CHECK(order == all);
  }
}

TEST_CASE("shuffled_rows_differs_between_seeds_and_epochs_only") {
  std::set<std::vector<std::uint32_t>> orders;
  for (std::uint32_t seed = 0; seed < 10; ++seed) {
    for (std::uint32_t epoch = 0; epoch < 10; ++epoch) orders.insert(shuffled_rows(50, seed, epoch));
  }
  CHECK(orders.size() == 100);
  CHECK(shuffled_rows(50, 3, 4) == shuffled_rows(50, 3, 4));
}

TEST_CASE("every_permutation_of_four_rows_is_equally_likely") {
  std::map<std::vector<std::uint32_t>, int> counts;
  constexpr int epochs = 24'000;
  for (int epoch = 0; epoch < epochs; ++epoch) ++counts[shuffled_rows(4, 5, static_cast<std::uint32_t>(epoch))];
  REQUIRE(counts.size() == 24);
  double chi_squared = 0;
  for (const auto& [order, count] : counts) chi_squared += (count - 1000.0) * (count - 1000.0) / 1000.0;
  CHECK(chi_squared < 49.7);  // 23 degrees of freedom: exceeded by one seed in a thousand
}

TEST_CASE("below_draws_again_where_the_word_would_favour_some_numbers") {
  // With this bound a third of the words are surplus; what is left is even.
  RandomWords words(1, descent::ir::Stream::shuffle, 0);
  constexpr std::uint32_t bound = 0xC0000000u;
  int low = 0;
  for (int i = 0; i < 30'000; ++i) {
    const std::uint32_t value = words.below(bound);
    REQUIRE(value < bound);
    low += value < bound / 3;
  }
  CHECK(std::abs(low - 10'000) < 400);
}
