// The order in which an epoch visits the rows: a random permutation that depends on the seed and the epoch alone, so
// that any epoch can be run again, or training resumed at it, without the epochs before.
#pragma once

#include <cstdint>
#include <vector>

namespace descent::runtime {

/// The row indexes 0 ... rows - 1 in the order of the epoch. The words are those of Stream::shuffle at step `epoch`
/// (runtime/permute.h). The same arguments give the same order on every machine.
std::vector<std::uint32_t> shuffled_rows(std::uint32_t rows, std::uint64_t seed, std::uint32_t epoch);

}  // namespace descent::runtime
