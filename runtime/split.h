// Rows held out for validation: drawn at random, and in a stratified split class by class, so that both parts have the
// classes in the same shares.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "frontend/model.h"

namespace descent::runtime {

/// Row indexes of the two parts, each in ascending order; together every row once.
struct Split {
  std::vector<std::uint32_t> training;
  std::vector<std::uint32_t> held_out;
};

/// Holds out round(fraction * rows) rows, drawn by the spec's seed (Stream::split). Throws descent::Error at the spec's
/// location if a part would be empty.
Split split_rows(const frontend::SplitSpec& spec, std::uint32_t rows);

/// The stratified split. `classes` is row-major, rows x width: rows with equal values are of one class (width 1: the
/// label; more: a one-hot or a combination of labels). The number held out is that of the plain split, shared among the
/// classes by the largest remainder: floor(fraction * rows of the class), then one more for those with the largest
/// fractional part, ties to the class that comes first in the data. Throws descent::Error at the spec's location if a
/// part would be empty, or if a class has one row alone and cannot be in both parts.
Split split_rows_stratified(const frontend::SplitSpec& spec, std::span<const float> classes, std::uint32_t width = 1);

}  // namespace descent::runtime
