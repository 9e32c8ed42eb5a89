#include "runtime/shuffle.h"

#include <numeric>

#include "runtime/permute.h"

namespace descent::runtime {

std::vector<std::uint32_t> shuffled_rows(std::uint32_t rows, std::uint64_t seed, std::uint32_t epoch) {
  std::vector<std::uint32_t> order(rows);
  shuffle_rows(order, seed, epoch);
  return order;
}

void shuffle_rows(std::span<std::uint32_t> rows, std::uint64_t seed, std::uint32_t epoch) {
  std::iota(rows.begin(), rows.end(), 0u);
  RandomWords words(seed, ir::Stream::shuffle, epoch);
  permute(rows, words);
}

}  // namespace descent::runtime
