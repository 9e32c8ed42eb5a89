#include "runtime/shuffle.h"

#include <numeric>

#include "runtime/permute.h"

namespace descent::runtime {

std::vector<std::uint32_t> shuffled_rows(std::uint32_t rows, std::uint64_t seed, std::uint32_t epoch) {
  std::vector<std::uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0u);
  RandomWords words(seed, ir::Stream::shuffle, epoch);
  permute(order, words);
  return order;
}

}  // namespace descent::runtime
