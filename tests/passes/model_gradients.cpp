// The gradients that a step uses, as the passes leave them, against central differences of the loss as it is written.
//
// Tolerance: as in derivatives.cpp; the losses are means over 13 rows, and no unit of a relu is within 1e-6 of its
// kink.
#include <catch2/catch.hpp>
#include <cmath>

#include "frontend/frontend.h"
#include "ir/expr.h"
#include "ir/interpreter.h"
#include "ir/threefry.h"
#include "passes/passes.h"
#include "tests/support/models.h"

using namespace descent;

namespace {

constexpr std::int64_t kRows = 13;
constexpr double kStep = 1e-6, kTolerance = 1e-6;

/// Inputs in (-1, 1), targets 0 and 1, variables in (-0.6, 0.6); deviations are positive.
ir::Environment environment_of(const ir::Program& program) {
  ir::Environment e;
  e.dimensions = {{"n", kRows}};
  e.counters = {{"step", 1}, {"epoch", 0}};
  e.seed = 3;
  std::uint32_t stream = 0;
  const auto fill = [&](const std::string& name, const ir::Shape& shape, auto value) {
    ir::Tensor t{ir::evaluate(shape, e.dimensions), {}};
    const auto count = static_cast<std::uint32_t>(ir::element_count(shape, e.dimensions));
    for (std::uint32_t i = 0; i < count; ++i) {
      t.values.push_back(
          value(2 * static_cast<double>(ir::uniform_from_bits(ir::threefry2x32(9, stream, i, 0)[0])) - 1));
    }
    e.tensors[name] = std::move(t);
    ++stream;
  };
  for (const ir::Input& input : program.inputs) {
    fill(input.name, input.shape, [&](double u) { return input.is_target ? (u > 0 ? 1.0 : 0.0) : u; });
  }
  for (const ir::Variable& v : program.variables) {
    const bool deviation = v.name.ends_with("deviation");
    fill(v.name, v.shape, [&](double u) { return deviation ? 1 + 0.5 * u : 0.6 * u; });
  }
  return e;
}

/// The loss of the step and its gradients with respect to all parameters, by name.
ir::Program with_gradients(const ir::Program& program) {
  ir::Graph& graph = *program.graph;
  const ir::Node* loss = nullptr;
  for (const ir::Binding& b : program.function("step").results) {
    if (b.name == "loss") loss = b.node;
  }
  ir::Program result = program;
  result.functions = {ir::Function{"gradients", {{"loss", loss}}, {}}};
  for (const ir::Variable& v : program.variables) {
    if (v.kind != ir::Variable::Kind::parameter) continue;
    const ir::Expr leaf(graph, graph.leaf(ir::Op::parameter, v.name, v.shape));
    result.functions[0].results.push_back({v.name, ir::gradient(ir::Expr(graph, loss), leaf).node});
  }
  return result;
}

void check_model(const std::string& text) {
  INFO(text);
  const frontend::Model model = frontend::load_model(text, "m.descent");
  const ir::Program program = with_gradients(*model.program);
  ir::Environment e = environment_of(program);
  const ir::Program optimized = passes::run_pipeline(program);
  const auto& results = optimized.functions[0].results;
  const auto got = ir::interpret(optimized.functions[0].roots(), e);
  // A loss that holds a gradient itself can only be interpreted once that has been replaced.
  const ir::Node* loss = passes::differentiate(program).functions[0].results[0].node;
  const auto loss_now = [&] { return ir::interpret({loss}, e)[0].values[0]; };
  CHECK(got[0].values[0] == Approx(loss_now()).epsilon(1e-12));
  for (std::size_t r = 1; r < results.size(); ++r) {
    std::vector<double>& values = e.tensors.at(results[r].name).values;
    // At most some ten elements of each: the same nodes compute them all.
    for (std::size_t i = 0; i < values.size(); i += 1 + values.size() / 10) {
      const double middle = values[i];
      values[i] = middle + kStep;
      const double above = loss_now();
      values[i] = middle - kStep;
      const double below = loss_now();
      values[i] = middle;
      const double expected = (above - below) / (2 * kStep);
      INFO(results[r].name << "[" << i << "]: " << got[r].values[i] << ", by differences " << expected);
      CHECK(std::fabs(got[r].values[i] - expected) <= kTolerance * (1 + std::fabs(expected)));
    }
  }
}

}  // namespace

TEST_CASE("the_gradients_of_ten_models_agree_with_differences_of_the_loss_as_written") {
  for (const char* body : test::model_bodies) check_model(test::model_text(body));
}
