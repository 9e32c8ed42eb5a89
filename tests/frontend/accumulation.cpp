// accumulate = k: k steps of a share of the rows each change the parameters as one step of all rows does.
//
// Tolerance: the loss is a mean, so that the gradients are the same but for the order of a sum of 12 products in
// float64.
#include <algorithm>
#include <catch2/catch.hpp>

#include "descent/error.h"
#include "frontend/frontend.h"
#include "passes/passes.h"
#include "tests/support/runner.h"

using namespace descent;

namespace {

ir::Program program(const std::string& train) {
  return passes::differentiate(*frontend::load_model("model m {\n  input x: [n, 2]\n  target y: [n, 1]\n"
                                                     "  param w: [2, 1] = zeros\n  output p = tanh(x @ w)\n"
                                                     "  loss = mse(p, y)\n}\ntrain {\n  " +
                                                         train + "\n}\n",
                                                     "m.descent")
                                    .program);
}

const std::vector<double> x = {0.5, -1.25, 2, 0.75, -0.5, 1.5, 1, 1, -2, 0.25, 0.125, -1};
const std::vector<double> y = {1, -0.5, 0.25, 2, -1, 0.5};

/// w after each of `rounds` passes over the six rows in steps of `rows`, the last of which has what is left.
std::vector<std::vector<double>> trained(const std::string& train, std::int64_t rows, int rounds) {
  const ir::Program p = program(train);
  const auto runner = test::interpreted(p);
  runner->dimensions["n"] = rows;
  runner->tensors = runner->run("initial");
  runner->tensors["w"] = {0.3, -0.7};
  std::vector<std::vector<double>> result;
  std::int64_t step = 0;
  for (int round = 0; round < rounds; ++round) {
    for (std::int64_t begin = 0, end = 0; begin < 6; begin = end) {
      end = std::min<std::int64_t>(begin + rows, 6);
      runner->dimensions["n"] = end - begin;
      runner->tensors["x"] = {x.begin() + 2 * begin, x.begin() + 2 * end};
      runner->tensors["y"] = {y.begin() + begin, y.begin() + end};
      runner->step = ++step;
      runner->run("step");
    }
    result.push_back(runner->tensors["w"]);
  }
  return result;
}

}  // namespace

TEST_CASE("steps_that_accumulate_are_one_step_of_all_their_rows") {
  for (const std::string optimizer : {"sgd(lr = 0.5)", "adam(lr = 0.1)", "nadam(lr = 0.1)"}) {
    for (const std::string rest : {"", " gradients = clip_by_norm(gradients, 0.25)", " average = ema(decay = 0.5)"}) {
      INFO(optimizer << rest);
      const std::string train = "optimizer = " + optimizer + rest;
      const auto whole = trained(train, 6, 5);
      // Three shares of two rows; two of four and two.
      for (const auto& shares : {trained(train + " accumulate = 3", 2, 5), trained(train + " accumulate = 2", 4, 5)}) {
        for (std::size_t round = 0; round < whole.size(); ++round) {
          for (std::size_t i = 0; i < 2; ++i) CHECK(shares[round][i] == Approx(whole[round][i]).epsilon(1e-12));
        }
      }
    }
  }
}

TEST_CASE("parameters_stay_until_enough_steps_have_been_gathered") {
  const auto w = trained("optimizer = sgd(lr = 0.5) accumulate = 3", 6, 3);  // the whole data in each step
  CHECK(w[0] == std::vector<double>{0.3, -0.7});
  CHECK(w[1] == w[0]);
  CHECK(w[2] != w[0]);
}

TEST_CASE("accumulate_is_a_whole_number_from_1") {
  std::string message;
  try {
    program("accumulate = 0");
  } catch (const Error& error) {
    message = error.what();
  }
  CHECK(message ==
        "m.descent:9:16: error: expected a whole number from 1\n"
        "  9 |   accumulate = 0\n"
        "    |                ^");
}
