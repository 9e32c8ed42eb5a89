#include "runtime/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "descent/error.h"

namespace descent::runtime {

namespace {

void require_pairs(std::span<const float> predictions, std::span<const float> targets) {
  if (predictions.size() != targets.size()) {
    throw Error(fmt::format("{} predictions cannot be compared with {} targets", predictions.size(), targets.size()));
  }
  if (predictions.empty()) throw Error("there are no predictions to measure");
}

void require_rows(std::span<const float> predictions, std::span<const float> targets, std::size_t columns) {
  require_pairs(predictions, targets);
  if (columns == 0 || predictions.size() % columns != 0) {
    throw Error(fmt::format("{} predictions are no whole number of rows of {}", predictions.size(), columns));
  }
}

using Outcome = std::pair<float, bool>;  // prediction, whether the target is positive

/// Sorts the outcomes. Sums are of doubled ranks, which are integers even for ties: exact in any order.
std::optional<double> auc_of_column(std::vector<Outcome>& outcomes) {
  std::sort(outcomes.begin(), outcomes.end(), [](const Outcome& a, const Outcome& b) { return a.first < b.first; });
  std::uint64_t positives = 0, doubled_rank_sum = 0;
  for (std::size_t begin = 0, end = 0; begin < outcomes.size(); begin = end) {
    std::uint64_t tied_positives = 0;
    for (; end < outcomes.size() && outcomes[end].first == outcomes[begin].first; ++end) {
      tied_positives += outcomes[end].second;
    }
    // The tied ranks are begin + 1 ... end; twice their mean is begin + 1 + end.
    doubled_rank_sum += tied_positives * (begin + 1 + end);
    positives += tied_positives;
  }
  const std::uint64_t negatives = outcomes.size() - positives;
  if (positives == 0 || negatives == 0) return std::nullopt;
  const std::uint64_t doubled_wins = doubled_rank_sum - positives * (positives + 1);
  return static_cast<double>(doubled_wins) / (2.0 * static_cast<double>(positives) * static_cast<double>(negatives));
}

}  // namespace

TargetKind kind_of_target(std::span<const float> targets, std::size_t columns) {
  if (!std::all_of(targets.begin(), targets.end(), [](float t) { return t == 0 || t == 1; })) {
    return TargetKind::numbers;
  }
  bool one_each = columns > 1 && targets.size() % columns == 0;
  for (std::size_t row = 0; one_each && row < targets.size() / columns; ++row) {
    const auto elements = targets.subspan(row * columns, columns);
    one_each = std::count(elements.begin(), elements.end(), 1.0f) == 1;
  }
  return one_each ? TargetKind::one_hot : TargetKind::labels;
}

double row_accuracy(std::span<const float> predictions, std::span<const float> targets, std::size_t columns) {
  require_rows(predictions, targets, columns);
  const std::size_t rows = predictions.size() / columns;
  std::size_t right = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto predicted = predictions.subspan(row * columns, columns),
               target = targets.subspan(row * columns, columns);
    if (std::any_of(predicted.begin(), predicted.end(), [](float p) { return std::isnan(p); })) continue;
    right += std::max_element(predicted.begin(), predicted.end()) - predicted.begin() ==
             std::max_element(target.begin(), target.end()) - target.begin();
  }
  return static_cast<double>(right) / static_cast<double>(rows);
}

double accuracy(std::span<const float> predictions, std::span<const float> targets) {
  require_pairs(predictions, targets);
  std::size_t right = 0;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    right += targets[i] >= 0.5f ? predictions[i] >= 0.5f : predictions[i] < 0.5f;
  }
  return static_cast<double>(right) / static_cast<double>(predictions.size());
}

std::optional<double> auc(std::span<const float> predictions, std::span<const float> targets, std::size_t columns) {
  require_rows(predictions, targets, columns);
  if (std::any_of(predictions.begin(), predictions.end(), [](float p) { return std::isnan(p); })) return std::nullopt;
  std::vector<Outcome> outcomes(predictions.size() / columns);
  double sum = 0;
  std::size_t measured = 0;
  for (std::size_t column = 0; column < columns; ++column) {
    for (std::size_t row = 0; row < outcomes.size(); ++row) {
      const std::size_t i = row * columns + column;
      outcomes[row] = {predictions[i], targets[i] >= 0.5f};
    }
    if (const auto area = auc_of_column(outcomes)) sum += *area, ++measured;
  }
  if (measured == 0) return std::nullopt;
  return sum / static_cast<double>(measured);
}

double brier_score(std::span<const float> predictions, std::span<const float> targets) {
  require_pairs(predictions, targets);
  double sum = 0;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const double difference = static_cast<double>(predictions[i]) - static_cast<double>(targets[i]);
    sum += difference * difference;
  }
  return sum / static_cast<double>(predictions.size());
}

}  // namespace descent::runtime
