// The train block's settings that say what a step changes: what ends up in the program. Wrong ones are in wrong/.
#include <algorithm>
#include <catch2/catch.hpp>

#include "descent/error.h"
#include "frontend/frontend.h"

using namespace descent;

namespace {

std::string with_train(const std::string& settings, const std::string& definitions = "") {
  return definitions +
         "model m {\n  input x: [n, 2]\n  target y: [n, 1]\n  output p = dense(x, 1)\n  loss = mse(p, y)\n}\ntrain {\n "
         " " +
         settings + "\n}\n";
}

}  // namespace

TEST_CASE("a_state_of_an_optimizer_may_have_its_own_shape") {
  const auto program = frontend::load_model(with_train("optimizer = nadam"), "m.descent").program;
  REQUIRE(program->find_variable("dense.0.w.product") != nullptr);
  CHECK(program->find_variable("dense.0.w.product")->shape.empty());
  CHECK(program->find_variable("dense.0.w.m")->shape == program->find_variable("dense.0.w")->shape);
}

TEST_CASE("prediction_reads_the_average_and_training_the_parameter") {
  const auto program = frontend::load_model(with_train("average = ema"), "m.descent").program;
  const auto reads = [&](const char* function) {
    std::vector<std::string> names;
    for (const ir::Binding& result : program->function(function).results) {
      for (const ir::Node* node : ir::reachable({result.node})) {
        if (node->op == ir::Op::parameter || node->op == ir::Op::state) names.push_back(node->attributes.name);
      }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  };
  const std::vector<std::string> parameters{"dense.0.b", "dense.0.w"};
  const std::vector<std::string> averages{"dense.0.b.average", "dense.0.w.average"};
  CHECK(reads("step") == parameters);
  CHECK(reads("evaluate") == averages);
  CHECK(reads("predict") == averages);
  CHECK(program->find_variable("dense.0.w.average")->saved_with_weights());
}
