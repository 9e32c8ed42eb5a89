// Unbiased random permutations from the counter-based generator: what shuffling and splitting share.
//
// A draw below `bound` is Lemire's multiply-shift: the high word of word * bound, where the word is drawn again if the
// low word shows that it is one of the 2^32 mod bound words too many. Source: Lemire, "Fast random integer generation
// in an interval", ACM TOMACS 29, 2019. The permutation is Fisher and Yates' (Knuth, TAOCP vol. 2, algorithm P).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "ir/threefry.h"

namespace descent::runtime {

/// The words of one (seed, stream, step), in order: word i is half i % 2 of the block of counter (i / 2, step). The key
/// is the seed's low 32 bits and the stream. After 2^33 words they repeat.
class RandomWords {
 public:
  RandomWords(std::uint64_t seed, ir::Stream stream, std::uint32_t step)
      : seed_(static_cast<std::uint32_t>(seed)), stream_(static_cast<std::uint32_t>(stream)), step_(step) {}

  std::uint32_t next() {
    if (used_ == words_.size()) make();
    return words_[used_++];
  }

  /// A number in [0, bound), each equally likely; `bound` is at least 1.
  std::uint32_t below(std::uint32_t bound) {
    std::uint64_t product = std::uint64_t{next()} * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      const std::uint32_t surplus = (0u - bound) % bound;  // 2^32 mod bound
      while (static_cast<std::uint32_t>(product) < surplus) product = std::uint64_t{next()} * bound;
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

 private:
  /// Several blocks side by side, in vectors.
  void make() {
    constexpr std::uint32_t blocks = 16;
    std::array<std::array<std::uint32_t, blocks>, 2> halves;
    for (std::uint32_t i = 0; i < blocks; ++i) {
      const auto block = ir::threefry2x32(seed_, stream_, element_ + i, step_);
      halves[0][i] = block[0], halves[1][i] = block[1];
    }
    for (std::uint32_t i = 0; i < blocks; ++i) {
      words_[2 * i] = halves[0][i], words_[2 * i + 1] = halves[1][i];
    }
    element_ += blocks;
    used_ = 0;
  }

  std::uint32_t seed_, stream_, step_;
  std::uint32_t element_ = 0;
  std::array<std::uint32_t, 32> words_;
  std::size_t used_ = 32;
};

/// Puts the values into random order: for i from the last to the second, swaps value i with one of the values 0 ... i.
inline void permute(std::span<std::uint32_t> values, RandomWords& words) {
  for (std::size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[words.below(static_cast<std::uint32_t>(i))]);
  }
}

}  // namespace descent::runtime
