// How good predicted probabilities are: the measures reported beside the loss.
#pragma once

#include <optional>
#include <span>

namespace descent::runtime {

/// What the values of a target stand for, row-major, rows x columns.
enum class TargetKind {
  labels,   ///< every element is 0 or 1: each column is a question of its own
  one_hot,  ///< several columns, of which every row has one 1 and else 0: a row is of one class
  numbers   ///< anything else: no classes
};
TargetKind kind_of_target(std::span<const float> targets, std::size_t columns);

/// The share, in [0, 1], of rows whose largest prediction (the first of equal ones) is in the column of the largest
/// target; a row with a NaN prediction is wrong. Throws descent::Error as `auc` does.
double row_accuracy(std::span<const float> predictions, std::span<const float> targets, std::size_t columns);

/// The share, in [0, 1], of elements for which `prediction >= 0.5` and `target >= 0.5` agree; a NaN prediction agrees
/// with neither. The spans have one length, not 0; throws descent::Error if not.
double accuracy(std::span<const float> predictions, std::span<const float> targets);

/// The area under the receiver operating characteristic: the probability that a random positive (target >= 0.5) is
/// predicted higher than a random negative, where equal predictions count one half. Computed from ranks, ties having
/// the mean of theirs: AUC = (R - P (P + 1) / 2) / (P N), with R the sum of the positives' ranks, P positives and N
/// negatives. Sources: Mann and Whitney, "On a test of whether one of two random variables is stochastically larger
/// than the other", 1947; Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology 143, 1982.
/// Both spans are row-major, rows x columns; the result is the mean over the columns that have both classes, and
/// nothing if none has, or if a prediction is NaN. Throws descent::Error if the lengths differ or are no multiple of
/// `columns`.
std::optional<double> auc(std::span<const float> predictions, std::span<const float> targets, std::size_t columns = 1);

/// The mean of (prediction - target)^2: 0 is perfect, 0.25 what a constant 0.5 gets. Source: Brier, "Verification of
/// forecasts expressed in terms of probability", Monthly Weather Review 78, 1950. The spans have one length, not 0;
/// throws descent::Error if not.
double brier_score(std::span<const float> predictions, std::span<const float> targets);

}  // namespace descent::runtime
