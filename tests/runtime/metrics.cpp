#include "runtime/metrics.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "support.h"

using namespace descent::runtime;
using descent::test::error_of;

namespace {

using Values = std::vector<float>;

/// The definition: every pair of a positive and a negative.
double auc_by_pairs(const Values& p, const Values& y) {
  double wins = 0, pairs = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    for (std::size_t j = 0; j < p.size(); ++j) {
      if (y[i] < 0.5f || y[j] >= 0.5f) continue;
      pairs += 1;
      wins += p[i] > p[j] ? 1 : p[i] == p[j] ? 0.5 : 0;
    }
  }
  return wins / pairs;
}

}  // namespace

TEST_CASE("accuracy_is_the_share_on_the_right_side_of_one_half") {
  CHECK(accuracy(Values{0.9f, 0.1f, 0.5f, 0.49f}, Values{1, 0, 1, 1}) == 0.75);
  CHECK(accuracy(Values{NAN, NAN}, Values{0, 1}) == 0);
}

TEST_CASE("auc_equals_the_count_of_pairs_on_random_data_with_ties") {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    Values p, y;
    const int levels = 2 + static_cast<int>(random() % 40);
    for (int i = 0; i < 200; ++i) {
      y.push_back(random() % 3 == 0);
      p.push_back(static_cast<float>(random() % levels) / static_cast<float>(levels));
    }
    CHECK(auc(p, y).value() == Approx(auc_by_pairs(p, y)).epsilon(1e-14));
  }
}

TEST_CASE("auc_of_known_cases") {
  CHECK(auc(Values{0.1f, 0.4f, 0.35f, 0.8f}, Values{0, 0, 1, 1}) == 0.75);  // scikit-learn's documentation
  CHECK(auc(Values{0.1f, 0.2f, 0.8f, 0.9f}, Values{0, 0, 1, 1}) == 1);
  CHECK(auc(Values{0.9f, 0.8f, 0.2f, 0.1f}, Values{0, 0, 1, 1}) == 0);
  CHECK(auc(Values{0.5f, 0.5f, 0.5f}, Values{0, 1, 1}) == 0.5);
  const float inf = std::numeric_limits<float>::infinity();
  CHECK(auc(Values{-inf, inf}, Values{0, 1}) == 1);
}

TEST_CASE("auc_is_nothing_for_one_class_and_for_nan") {
  CHECK_FALSE(auc(Values{0.1f, 0.2f}, Values{1, 1}).has_value());
  CHECK_FALSE(auc(Values{0.1f, 0.2f}, Values{0, 0}).has_value());
  CHECK_FALSE(auc(Values{0.1f, NAN}, Values{0, 1}).has_value());
}

TEST_CASE("auc_of_several_columns_is_the_mean_over_those_with_both_classes") {
  // Column 0: perfect; column 1: reversed; column 2: one class.
  const Values p = {0.1f, 0.9f, 0.3f, 0.9f, 0.1f, 0.4f}, y = {0, 0, 1, 1, 1, 1};
  CHECK(auc(p, y, 3) == 0.5);
}

TEST_CASE("brier_score_is_the_mean_squared_difference") {
  CHECK(brier_score(Values{0.5f, 0.5f}, Values{0, 1}) == 0.25);
  CHECK(brier_score(Values{1, 0, 0.75f, 0}, Values{1, 0, 1, 1}) == Approx((0.0625 + 1) / 4));
}

TEST_CASE("metrics_say_what_does_not_fit") {
  CHECK(error_of([] { accuracy(Values{1}, Values{1, 0}); }) ==
        "error: 1 predictions cannot be compared with 2 targets");
  CHECK(error_of([] { brier_score(Values{}, Values{}); }) == "error: there are no predictions to measure");
  CHECK(error_of([] { auc(Values{1, 0, 1}, Values{1, 0, 1}, 2); }) ==
        "error: 3 predictions are no whole number of rows of 2");
}

TEST_CASE("kind_of_target_tells_labels_classes_and_numbers_apart") {
  CHECK(kind_of_target(std::vector<float>{0, 1, 1}, 1) == TargetKind::labels);
  CHECK(kind_of_target(std::vector<float>{0, 1, 1, 0, 0, 1}, 2) == TargetKind::one_hot);
  CHECK(kind_of_target(std::vector<float>{0, 1, 1, 1}, 2) == TargetKind::labels);
  CHECK(kind_of_target(std::vector<float>{0, 0, 1, 0}, 2) == TargetKind::labels);
  CHECK(kind_of_target(std::vector<float>{0, 0.5f}, 1) == TargetKind::numbers);
  CHECK(kind_of_target(std::vector<float>{0, 2}, 2) == TargetKind::numbers);
}

TEST_CASE("row_accuracy_counts_rows_whose_largest_element_is_right") {
  const std::vector<float> target{1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0};
  CHECK(row_accuracy(std::vector<float>{3, 1, 2, 0, -1, -2, 1, 1, 2, std::nanf(""), 0, 0}, target, 3) == 0.5);
  CHECK(row_accuracy(target, target, 3) == 1);
  CHECK(row_accuracy(std::vector<float>{1, 1, 0}, std::vector<float>{0, 1, 0}, 3) == 0);  // the first of equal ones
  CHECK_THROWS_WITH(row_accuracy(target, target, 5), "error: 12 predictions are no whole number of rows of 5");
}
