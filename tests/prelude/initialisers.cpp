// Initialisers give numbers of the mean, variance and bounds that their sources state.
//
// Tolerances are of statistics of N numbers: the mean of N numbers of variance v has a standard error of sqrt(v / N),
// the variance one of v * sqrt(2 / N) for normal numbers and less for those cut off. Five standard errors are left,
// which chance exceeds once in two million; the seed is fixed all the same. The bound is sharp to 1 %: of 20,000
// uniform numbers the largest misses it by more with a chance of 0.99^20000, below 1e-80.
#include <catch2/catch.hpp>
#include <cmath>

#include "frontend/frontend.h"
#include "tests/prelude/reference.h"
#include "tests/support/runner.h"

using namespace descent;

namespace {

std::vector<double> initial_values(const std::string& init, const std::string& shape, std::uint32_t seed) {
  const std::string text = "model initial { param w: " + shape + " = " + init + " output value = w }";
  const auto program = frontend::load_model(text, init).program;
  const auto runner = test::interpreted(*program);
  runner->seed = seed;
  runner->step = 0;
  return runner->run("initial")["w"];
}

}  // namespace

TEST_CASE("initialisers_have_the_moments_and_bounds_of_their_sources") {
  for (const auto& c : test::reference_cases("initialisers")) {
    INFO(c["name"].get<std::string>());
    const std::vector<double> values = initial_values(c["init"], c["shape"].dump(), 1);
    const double count = static_cast<double>(values.size()), variance = c["variance"];
    double sum = 0, largest = 0;
    for (const double v : values) {
      sum += v;
      largest = std::max(largest, std::fabs(v));
    }
    const double mean = sum / count;
    double squares = 0;
    for (const double v : values) squares += (v - mean) * (v - mean);
    CHECK(std::fabs(mean - c["mean"].get<double>()) <= 5 * std::sqrt(variance / count));
    CHECK(std::fabs(squares / count - variance) <= 5 * variance * std::sqrt(2 / count));
    if (c["bound"].is_null()) continue;
    const double bound = c["bound"];
    CHECK(largest <= bound);
    CHECK(largest >= 0.99 * bound);
  }
}

TEST_CASE("orthogonal_rows_or_columns_are_orthonormal") {
  // The iteration ends with steps that square the error: what is left is rounding, of sums of 30 products in float64.
  for (const auto& c : test::reference_cases("initialisers")) {
    if (!c.value("orthonormal", false)) continue;
    for (const std::uint32_t seed : {1U, 2U, 3U}) {
      INFO(c["name"].get<std::string>() << ", seed " << seed);
      const std::vector<double> w = initial_values(c["init"], c["shape"].dump(), seed);
      const auto columns = c["shape"].back().get<std::size_t>(), rows = w.size() / columns;
      const bool wide = columns > rows;
      const std::size_t vectors = wide ? rows : columns, length = wide ? columns : rows;
      double worst = 0;
      for (std::size_t a = 0; a < vectors; ++a) {
        for (std::size_t b = 0; b < vectors; ++b) {
          double product = a == b ? -1 : 0;
          for (std::size_t i = 0; i < length; ++i) {
            product += wide ? w[a * columns + i] * w[b * columns + i] : w[i * columns + a] * w[i * columns + b];
          }
          worst = std::max(worst, std::fabs(product));
        }
      }
      CHECK(worst < 1e-12);
    }
  }
}

TEST_CASE("initialisers_differ_between_parameters_and_between_seeds") {
  const std::string two = "model initial { param v: [50] = normal param w: [50] = normal output value = v + w }";
  const auto program = frontend::load_model(two, "two").program;
  const auto runner = test::interpreted(*program);
  runner->step = 0;
  const test::Values values = runner->run("initial");
  CHECK(values.at("v") != values.at("w"));
  CHECK(initial_values("normal", "[50]", 1) != initial_values("normal", "[50]", 2));
  CHECK(initial_values("normal", "[50]", 1) == initial_values("normal", "[50]", 1));
}
