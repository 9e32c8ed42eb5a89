// Measures of how well probabilities predict targets of 0 and 1.
#pragma once

#include <span>

namespace descent::runtime {

double accuracy(std::span<const float> predictions, std::span<const float> targets);  ///< share on the right side of 0.5
/// The probability that a positive is ranked above a negative, ties counted half: the Mann-Whitney statistic (1947).
/// NaN where there is only one class.
double auc(std::span<const float> predictions, std::span<const float> targets);
double brier(std::span<const float> predictions, std::span<const float> targets);  ///< mean squared error (Brier, 1950)

}  // namespace descent::runtime
