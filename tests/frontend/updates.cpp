// The train block's settings that say what a step changes: exact messages, and what ends up in the program.
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

std::string mistakes(const std::string& settings, const std::string& definitions = "") {
  try {
    frontend::load_model(with_train(settings, definitions), "m.descent");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("an_unknown_optimizer_suggests_the_nearest") {
  CHECK(mistakes("optimizer = adamm(lr = 0.1)") ==
        "m.descent:8:15: error: there is no optimizer 'adamm'\n"
        "  8 |   optimizer = adamm(lr = 0.1)\n"
        "    |               ^^^^^^^^^^^^^^^\n"
        "    = help: did you mean 'adam'?");
}

TEST_CASE("gradients_must_be_as_many_as_parameters") {
  CHECK(mistakes("gradients = sum(gradients)") ==
        "m.descent:8:15: error: expected a gradient for each parameter, found f32[]\n"
        "  8 |   gradients = sum(gradients)\n"
        "    |               ^^^^^^^^^^^^^^\n"
        "    = help: write a function of the list, such as clip_by_norm(gradients, 1)");
}

TEST_CASE("an_average_is_a_function") {
  CHECK(mistakes("average = emo(decay = 0.9)") ==
        "m.descent:8:13: error: there is no function 'emo'\n"
        "  8 |   average = emo(decay = 0.9)\n"
        "    |             ^^^^^^^^^^^^^^^^\n"
        "    = help: did you mean 'ema'?");
  CHECK(mistakes("average = ema(0.9, weight = 2)") ==
        "m.descent:8:22: error: 'ema' has no argument 'weight'\n"
        "  8 |   average = ema(0.9, weight = 2)\n"
        "    |                      ^^^^^^^^^^");
}

TEST_CASE("an_optimizer_updates_its_own_states_only") {
  CHECK(mistakes("optimizer = mine", "optimizer mine(w, g) { v <- g }\n") ==
        "m.descent:1:24: error: 'v' is no state of 'mine'\n"
        "  1 | optimizer mine(w, g) { v <- g }\n"
        "    |                        ^\n"
        "    = help: declare it: state v = zeros");
}

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
