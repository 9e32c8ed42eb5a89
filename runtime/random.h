// Shuffling and splitting of rows, by the counter-based generator of ir/threefry.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace descent::runtime {

/// The order of the rows in an epoch: a permutation of 0 .. rows-1 (Fisher and Yates), key (seed, shuffle), counter (i, epoch).
std::vector<std::uint32_t> shuffled_rows(std::uint64_t seed, std::uint32_t epoch, std::size_t rows);

struct Split { std::vector<std::uint32_t> training, validation; };
/// Holds out `fraction` of the rows of every class; `classes` may be empty: then of all rows. Both parts are sorted.
Split split_rows(std::size_t rows, double fraction, std::span<const float> classes, std::uint64_t seed);

}  // namespace descent::runtime
