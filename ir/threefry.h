// Threefry-2x32 with 20 rounds: the counter-based random generator of Descent.
//
// A counter-based generator is a pure function of (key, counter): there is no state to carry, so that any element of
// any tensor can be made at any time, on any thread, with the same result. Descent uses it for initial weights,
// dropout, shuffling and splitting. Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011.
#pragma once

#include <array>
#include <cstdint>

namespace descent::ir {

/// How the key and the counter are used throughout Descent.
///   key     = (seed, stream)     seed: the user's; stream: which random tensor (or shuffling, splitting) it is
///   counter = (element, step)    element: row-major index; step: the training step, epoch or 0
constexpr std::array<std::uint32_t, 2> threefry2x32(std::uint32_t key0, std::uint32_t key1, std::uint32_t counter0,
                                                    std::uint32_t counter1) {
  constexpr std::uint32_t rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  const std::uint32_t keys[3] = {key0, key1, 0x1BD11BDAu ^ key0 ^ key1};
  std::uint32_t x0 = counter0 + keys[0], x1 = counter1 + keys[1];
#pragma GCC unroll 20
  for (std::uint32_t round = 0; round < 20; ++round) {
    const std::uint32_t rotation = rotations[round % 8];
    x0 += x1;
    x1 = (x1 << rotation) | (x1 >> (32 - rotation));
    x1 ^= x0;
    if (round % 4 == 3) {
      const std::uint32_t injection = round / 4 + 1;
      x0 += keys[injection % 3];
      x1 += keys[(injection + 1) % 3] + injection;
    }
  }
  return {x0, x1};
}

/// A float in [0, 1) from the high 24 bits of a word: every value is a multiple of 2^-24.
constexpr float uniform_from_bits(std::uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

/// Streams that are not a tensor's; tensors count theirs from 0.
enum class Stream : std::uint32_t { shuffle = 0x80000000u, split = 0x80000001u, bench_data = 0x80000002u };

}  // namespace descent::ir
