// Every entry of the prelude gives the values and the gradients that PyTorch gives; metrics and reductions those of
// scikit-learn and NumPy.
//
// Each case is run three times: by the float64 interpreter on the graph as it was written and on the graph after all
// passes, and by generated float32 code. Tolerances, relative to 1 + the largest reference value of the tensor:
//   interpreter  1e-10: both sides round sums of at most some hundred terms in float64, 2^-53 = 1.1e-16 each; exp, log,
//                and powers of differences, whose error is amplified by the condition of the case, use up the rest.
//   float32      the same reasoning with 2^-24 = 6e-8 gives 5e-6 for one pass; a case that needs more states it.
#include "tests/prelude/reference.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "frontend/frontend.h"
#include "ir/expr.h"
#include "passes/passes.h"
#include "tests/support/runner.h"

namespace descent::test {

using nlohmann::json;

namespace {

constexpr double kInterpreterTolerance = 1e-10, kCodeTolerance = 5e-6;

std::string folder() { return std::string(SOURCE_DIR) + "/tests/prelude/data"; }

const ir::Node* leaf(const ir::Program& program, const std::string& name) {
  if (const ir::Input* input = program.find_input(name)) {
    return program.graph->leaf(ir::Op::input, name, input->shape);
  }
  const ir::Variable* variable = program.find_variable(name);
  if (variable == nullptr) throw std::runtime_error("the model has no tensor " + name);
  const bool trained = variable->kind == ir::Variable::Kind::parameter;
  return program.graph->leaf(trained ? ir::Op::parameter : ir::Op::state, name, variable->shape);
}

/// The program of a case, with a function "gradients" of its loss with respect to the tensors that the case names.
ir::Program program_of(const json& c) {
  std::string text = "model reference {\n";
  for (const std::string line : c["model"]) text += "    " + line + "\n";
  text += "}\n";
  if (c.contains("train")) text += "train { " + c["train"].get<std::string>() + " }\n";
  ir::Program program = *frontend::load_model(text, c["name"]).program;
  if (!c.contains("gradients")) return program;
  const ir::Expr loss(*program.graph, program.function("step").results[0].node);
  ir::Function gradients{"gradients", {}, {}};
  for (const auto& [name, expected] : c["gradients"].items()) {
    gradients.results.push_back(
        {"gradient of " + name, ir::gradient(loss, ir::Expr(*program.graph, leaf(program, name))).node});
  }
  program.functions.push_back(gradients);
  return program;
}

void set_tensors(Runner& runner, const ir::Program& program, const json& tensors) {
  for (const auto& [name, values] : tensors.items()) {
    leaf(program, name);  // throws if there is no such tensor
    runner.tensors[name] = values.get<std::vector<double>>();
  }
}

void compare(const Values& got, const json& expected, double tolerance, const std::string& prefix = "") {
  for (const auto& [key, numbers] : expected.items()) {
    const std::string name = prefix + key;
    INFO("tensor " << name);
    const auto values = numbers.get<std::vector<double>>();
    REQUIRE(got.contains(name));
    REQUIRE(got.at(name).size() == values.size());
    double scale = 1;
    std::size_t worst = 0;
    const auto error = [&](std::size_t i) { return std::fabs(got.at(name)[i] - values[i]); };
    for (std::size_t i = 0; i < values.size(); ++i) {
      scale = std::max(scale, 1 + std::fabs(values[i]));
      if (!(error(i) <= error(worst))) worst = i;  // NaN is the worst
    }
    INFO("element " << worst << ": " << got.at(name)[worst] << ", expected " << values[worst]);
    CHECK(error(worst) <= tolerance * scale);
  }
}

constexpr const char* kFunctions[] = {"predict", "gradients", "step"};

/// What each function of the program must give, and then the steps in order.
void check(Runner& runner, const ir::Program& program, const json& c, double tolerance) {
  if (c.contains("rows")) runner.dimensions["n"] = c["rows"];
  // Tables are as the program computes them, and the optimizer's states begin as it says.
  const auto start = interpreted(program);
  start->dimensions = runner.dimensions;
  for (const auto& [name, values] : start->run("initial")) {
    const bool is_table = program.find_variable(name)->kind == ir::Variable::Kind::constant;
    if (is_table || c.contains("steps")) runner.tensors[name] = values;
  }
  if (c.contains("tensors")) set_tensors(runner, program, c["tensors"]);
  for (const char* function : kFunctions) {
    if (!c.contains(function)) continue;
    INFO("function " << function);
    compare(runner.run(function), c[function], tolerance, function == std::string("gradients") ? "gradient of " : "");
  }
  std::int64_t count = 0;
  for (const json& step : c.value("steps", json::array())) {
    if (step["function"] == "step") runner.step = ++count;
    runner.epoch = step.value("epoch", 0.0);
    if (step.contains("tensors")) set_tensors(runner, program, step["tensors"]);
    INFO("step " << count);
    compare(runner.run(step["function"]), step["expected"], tolerance);
  }
}

/// The functions that a case runs, which are all that has to be compiled.
std::vector<std::string> functions_of(const json& c) {
  std::vector<std::string> names;
  for (const char* function : kFunctions) {
    bool used = c.contains(function);
    for (const json& step : c.value("steps", json::array())) used = used || step["function"] == function;
    if (used) names.emplace_back(function);
  }
  return names;
}

void check_file(const std::string& file) {
  for (const json& c : reference_cases(file)) {
    INFO(c["name"].get<std::string>());
    const ir::Program program = program_of(c);
    const double interpreter_tolerance = c.value("interpreter_tolerance", kInterpreterTolerance);
    if (!c.value("overflows", false)) {
      INFO("interpreter, as written");
      const ir::Program differentiated = passes::differentiate(program);
      check(*interpreted(differentiated), differentiated, c, interpreter_tolerance);
    }
    const ir::Program optimized = passes::run_pipeline(program);
    {
      INFO("interpreter, after all passes");
      check(*interpreted(optimized), optimized, c, interpreter_tolerance);
    }
    INFO("generated code");
    check(*compiled(optimized, functions_of(c)), optimized, c, c.value("tolerance", kCodeTolerance));
  }
}

}  // namespace

json reference_cases(const std::string& name) {
  std::ifstream file(folder() + "/" + name + ".json");
  if (!file) throw std::runtime_error("there is no " + folder() + "/" + name + ".json");
  return json::parse(file);
}

std::vector<std::string> reference_files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) names.push_back(entry.path().stem());
  return names;
}

}  // namespace descent::test

using descent::test::check_file;

TEST_CASE("activations_agree_with_the_reference") { check_file("activations"); }
TEST_CASE("losses_agree_with_the_reference") { check_file("losses"); }
TEST_CASE("reductions_agree_with_the_reference") { check_file("reductions"); }
TEST_CASE("metrics_agree_with_the_reference") { check_file("metrics"); }
TEST_CASE("regularisers_agree_with_the_reference") { check_file("regularisers"); }
TEST_CASE("layers_agree_with_the_reference") { check_file("layers"); }
TEST_CASE("optimizers_agree_with_the_reference") { check_file("optimizers"); }
TEST_CASE("schedules_agree_with_the_reference") { check_file("schedules"); }
TEST_CASE("training_agrees_with_the_reference") { check_file("training"); }
TEST_CASE("operators_agree_with_the_reference") { check_file("operators"); }
