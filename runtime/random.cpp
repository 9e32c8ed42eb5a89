#include "runtime/random.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "ir/threefry.h"

namespace descent::runtime {

namespace {

__extension__ using Wide = unsigned __int128;


/// A number in [0, bound) without bias: the 64 bits of a draw scaled down (Lemire, 2019); the bias of at most bound / 2^64
/// is below what any number of draws could show.
std::uint32_t below(std::uint32_t bound, std::uint64_t seed, ir::Stream stream, std::uint32_t index, std::uint32_t epoch) {
  const auto bits = ir::threefry2x32(static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(stream), index, epoch);
  const std::uint64_t word = (std::uint64_t{bits[0]} << 32) | bits[1];
  return static_cast<std::uint32_t>((static_cast<Wide>(word) * bound) >> 64);
}

void shuffle(std::vector<std::uint32_t>& rows, std::uint64_t seed, ir::Stream stream, std::uint32_t epoch) {
  for (std::size_t i = rows.size(); i > 1; --i) {
    std::swap(rows[i - 1], rows[below(static_cast<std::uint32_t>(i), seed, stream, static_cast<std::uint32_t>(i), epoch)]);
  }
}

}  // namespace

std::vector<std::uint32_t> shuffled_rows(std::uint64_t seed, std::uint32_t epoch, std::size_t rows) {
  std::vector<std::uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0u);
  shuffle(order, seed, ir::Stream::shuffle, epoch);
  return order;
}

Split split_rows(std::size_t rows, double fraction, std::span<const float> classes, std::uint64_t seed) {
  std::map<float, std::vector<std::uint32_t>> groups;
  for (std::size_t i = 0; i < rows; ++i) groups[classes.empty() ? 0.0f : classes[i]].push_back(static_cast<std::uint32_t>(i));
  Split split;
  std::uint32_t number = 0;
  for (auto& [value, group] : groups) {
    shuffle(group, seed, ir::Stream::split, number++);
    const auto held = static_cast<std::ptrdiff_t>(std::llround(fraction * static_cast<double>(group.size())));
    split.validation.insert(split.validation.end(), group.begin(), group.begin() + held);
    split.training.insert(split.training.end(), group.begin() + held, group.end());
  }
  std::sort(split.training.begin(), split.training.end());
  std::sort(split.validation.begin(), split.validation.end());
  return split;
}

}  // namespace descent::runtime
