#include "runtime/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace descent::runtime {

double accuracy(std::span<const float> predictions, std::span<const float> targets) {
  std::size_t right = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) right += (predictions[i] >= 0.5f) == (targets[i] >= 0.5f);
  return static_cast<double>(right) / static_cast<double>(targets.size());
}

double auc(std::span<const float> predictions, std::span<const float> targets) {
  std::vector<std::size_t> order(targets.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return predictions[a] < predictions[b]; });
  double rank_sum = 0, positives = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double tied = 0;
    for (; end < order.size() && predictions[order[end]] == predictions[order[begin]]; ++end) tied += targets[order[end]] >= 0.5f;
    if (end == begin) return std::nan("");  // a NaN among the predictions has no rank
    rank_sum += tied * (static_cast<double>(begin + end + 1) / 2);  // ranks from 1, averaged over ties
    positives += tied;
    begin = end;
  }
  const double negatives = static_cast<double>(targets.size()) - positives;
  if (positives == 0 || negatives == 0) return std::nan("");
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

double brier(std::span<const float> predictions, std::span<const float> targets) {
  double sum = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const double error = static_cast<double>(predictions[i]) - static_cast<double>(targets[i]);
    sum += error * error;
  }
  return sum / static_cast<double>(targets.size());
}

}  // namespace descent::runtime
