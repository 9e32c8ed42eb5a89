// Derivatives against central differences in float64, of the interpreter's values.
//
// Tolerance: a central difference with step h = 1e-6 has an error of h^2 f''' / 6 + 2^-53 f / h: below 1e-9 for the
// values here; 1e-6 relative to 1 + |derivative| leaves room for steep functions.
#include <catch2/catch.hpp>
#include <cmath>

#include "frontend/frontend.h"
#include "ir/expr.h"
#include "ir/interpreter.h"
#include "ir/op.h"
#include "passes/passes.h"

using namespace descent;
using ir::Expr;

namespace {

constexpr double kStep = 1e-6, kTolerance = 1e-6;

double value(const ir::Node* node, const ir::Environment& e) { return ir::interpret({node}, e)[0].values[0]; }

/// The sum of all elements, with uneven weights, so that adjoints differ from element to element.
Expr weighted_sum(Expr y) {
  const Expr weighted = y * y + y * 0.7;
  std::vector<int> axes;
  for (std::size_t i = 0; i < y.shape().size(); ++i) axes.push_back(static_cast<int>(i));
  return ir::reduce_sum(weighted, axes);
}

/// Checks `derivative`, of the scalar `e` with respect to the tensor `name`, against differences.
void check_derivative(const ir::Node* e, const ir::Node* derivative, const std::string& name,
                      ir::Environment& environment) {
  const auto got = ir::interpret({derivative}, environment)[0].values;
  std::vector<double>& values = environment.tensors.at(name).values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double middle = values[i];
    values[i] = middle + kStep;
    const double above = value(e, environment);
    values[i] = middle - kStep;
    const double below = value(e, environment);
    values[i] = middle;
    const double expected = (above - below) / (2 * kStep);
    INFO("element " << i << " of " << name << ": " << got[i] << ", by differences " << expected);
    CHECK(std::fabs(got[i] - expected) <= kTolerance * (1 + std::fabs(expected)));
  }
}

/// Checks the first and second derivatives of y with respect to every tensor of the environment that holds numbers, as
/// they are and simplified.
void check(ir::Graph& graph, const ir::Node* y, ir::Environment environment) {
  const Expr loss = weighted_sum({graph, y});
  const auto tensors = environment.tensors;
  for (const auto& [name, tensor] : tensors) {
    if (name == "indices") continue;
    ir::Shape shape;
    for (std::int64_t n : tensor.shape) shape.emplace_back(n);
    const ir::Node* x = graph.leaf(ir::Op::input, name, shape);
    const ir::Node* first = passes::gradients(graph, loss.node, {x})[0];
    const Expr of_first = weighted_sum({graph, first});
    const ir::Node* second = passes::gradients(graph, of_first.node, {x})[0];
    const auto simplified = passes::simplify_nodes(graph, {first, second});
    for (const ir::Node* node : {first, simplified[0]}) check_derivative(loss.node, node, name, environment);
    for (const ir::Node* node : {second, simplified[1]}) check_derivative(of_first.node, node, name, environment);
  }
}

}  // namespace

TEST_CASE("every_elementwise_derivative_agrees_with_differences") {
  for (const ir::OpInfo& op : ir::all_ops()) {
    if (op.kind != ir::OpKind::elementwise) continue;
    if (op.signature != ir::Signature::arithmetic && op.signature != ir::Signature::real) continue;
    const std::string name = op.name;
    if (name == "stop_gradient") continue;  // its derivative is 0 by definition
    INFO(name);
    ir::Graph graph;
    const ir::Shape shape{ir::Dimension(4)};
    std::vector<const ir::Node*> operands;
    ir::Environment e;
    const std::vector<std::vector<double>> values = {{0.3, 1.7, 0.9, 2.6}, {1.1, 0.4, 2.3, 0.8}};
    for (int i = 0; i < op.arity; ++i) {
      const std::string input = i == 0 ? "a" : "b";
      operands.push_back(graph.leaf(ir::Op::input, input, shape));
      e.tensors[input] = {{4}, values[static_cast<std::size_t>(i)]};
    }
    check(graph, graph.make(*ir::find_op(name), operands), e);
  }
}

TEST_CASE("derivatives_of_conversions_between_real_numbers_are_those_of_what_is_converted") {
  ir::Graph graph;
  ir::Environment e;
  e.tensors["a"] = {{3}, {0.25, -1.5, 2}};
  const Expr a(graph, graph.leaf(ir::Op::input, "a", {ir::Dimension(3)}));
  check(graph, ir::convert(ir::convert(a, ir::DType::f64) * ir::convert(a, ir::DType::f64), ir::DType::f32).node, e);
  const Expr wide = ir::convert(a, ir::DType::f64);  // one alone: two turned signs cancel
  const Expr loss = ir::reduce_sum(wide * wide * wide, {0});
  check_derivative(loss.node, passes::gradients(graph, loss.node, {a.node})[0], "a", e);
  // No gradient flows through whole numbers and truth values.
  for (const ir::DType dtype : {ir::DType::i32, ir::DType::boolean}) {
    const Expr y = ir::reduce_sum(ir::convert(ir::convert(a, dtype), ir::DType::f32) * a, {0});
    const ir::Node* by_a = passes::gradients(graph, y.node, {a.node})[0];
    CHECK(ir::interpret({by_a}, e)[0].values ==
          ir::interpret({ir::convert(ir::convert(a, dtype), ir::DType::f32).node}, e)[0].values);
  }
}

TEST_CASE("structural_derivatives_agree_with_differences") {
  ir::Graph graph;
  const ir::Dimension two(2), three(3);
  const Expr a(graph, graph.leaf(ir::Op::input, "a", {two, three}));
  ir::Environment e;
  e.tensors["a"] = {{2, 3}, {0.5, -1.2, 0.3, 2.2, 0.7, -0.4}};
  SECTION("broadcast") { check(graph, ir::broadcast(a, {ir::Dimension(4), two, three}, {1, 2}).node, e); }
  SECTION("transpose") { check(graph, ir::transpose(a, {1, 0}).node, e); }
  SECTION("reshape") { check(graph, ir::reshape(a, {ir::Dimension(6)}).node, e); }
  SECTION("slice") { check(graph, ir::slice(a, {0, 1}, {2, 3}, {1, 1}).node, e); }
  SECTION("strided slice") { check(graph, ir::slice(a, {1, 0}, {2, 3}, {1, 2}).node, e); }
  SECTION("reverse") { check(graph, ir::reverse(a, {0, 1}).node, e); }
  SECTION("pad") { check(graph, ir::pad(a, {1, 0}, {0, 2}, {2, 1}).node, e); }
  SECTION("concatenate") { check(graph, ir::concatenate({a, exp(a), a * 2.0}, 1).node, e); }
  SECTION("windows") { check(graph, ir::windows(a, 1, 2).node, e); }
  SECTION("windows apart") { check(graph, ir::windows(ir::concatenate({a, a * a}, 1), 1, 2, 3, 2).node, e); }
  SECTION("windows of rows") { check(graph, ir::windows(ir::concatenate({a, a * a, exp(a)}, 0), 0, 3, 2, 1).node, e); }
  SECTION("windows side by side") {
    const Expr nine = ir::reshape(ir::concatenate({a, a * a, exp(a)}, 0), {ir::Dimension(18)});
    const auto columns = [&](std::int64_t count) { return ir::slice(nine, {0}, {count}, {1}); };
    for (const std::int64_t count : {6, 7, 8})
      check(graph, ir::windows(columns(count), 0, 2, 2).node, e);  // 0 or 1 left
    for (const std::int64_t count : {7, 8, 9, 10})
      check(graph, ir::windows(columns(count), 0, 2, 3).node, e);  // and apart
    check(graph, ir::windows(columns(17), 0, 3, 3).node, e);
  }
  SECTION("overlapping windows more than one apart") {
    const Expr many = ir::reshape(ir::concatenate({a, a * a, exp(a)}, 0), {ir::Dimension(18)});
    for (const std::int64_t count : {9, 10, 11, 12}) {
      const Expr columns = ir::slice(many, {0}, {count}, {1});
      for (const auto& [size, stride] : {std::pair{3, 2}, {4, 2}, {5, 2}, {4, 3}, {7, 3}}) {
        CAPTURE(count, size, stride);
        check(graph, ir::windows(columns, 0, size, stride).node, e);
      }
    }
  }
  SECTION("diagonal") { check(graph, ir::diagonal(ir::slice(a, {0, 0}, {2, 2}, {1, 1}), 0, 1).node, e); }
  SECTION("gather and scatter_add") {
    const Expr indices(graph, graph.leaf(ir::Op::input, "indices", {three}, ir::DType::i32));
    e.tensors["indices"] = {{3}, {1, 0, 5}};  // the last is taken as 1, or 2
    SECTION("rows") { check(graph, ir::gather(a, indices, 0).node, e); }
    SECTION("columns") { check(graph, ir::gather(a, indices, 1).node, e); }
    SECTION("adding columns") { check(graph, ir::scatter_add(indices, a, {two, ir::Dimension(4)}, 1).node, e); }
  }
  SECTION("min") { check(graph, ir::reduce_min(a, {1}).node, e); }
  SECTION("sum") { check(graph, ir::reduce_sum(a, {1}).node, e); }
  SECTION("max") { check(graph, ir::reduce_max(a, {0}).node, e); }
  SECTION("select") { check(graph, ir::select(a > 0.0, exp(a), a * 3.0).node, e); }
  SECTION("contraction") {
    const Expr b(graph, graph.leaf(ir::Op::input, "b", {three, two}));
    e.tensors["b"] = {{3, 2}, {0.1, 0.9, -0.7, 0.2, 1.3, -0.6}};
    ir::Attributes axes;
    axes.lhs_contract = {1};
    axes.rhs_contract = {0};
    check(graph, ir::dot_general(a, b, axes).node, e);
  }
  SECTION("contraction of other axes") {
    const Expr b(graph, graph.leaf(ir::Op::input, "b", {ir::Dimension(4), two}));
    e.tensors["b"] = {{4, 2}, {0.1, 0.9, -0.7, 0.2, 1.3, -0.6, 0.4, 0.8}};
    ir::Attributes axes;
    axes.lhs_contract = {0};
    axes.rhs_contract = {1};
    check(graph, ir::dot_general(a, b, axes).node, e);
  }
  SECTION("batched contraction") {
    const Expr p(graph, graph.leaf(ir::Op::input, "p", {two, three, two}));
    const Expr q(graph, graph.leaf(ir::Op::input, "q", {two, two, three}));
    ir::Environment f;
    f.tensors["p"] = {{2, 3, 2}, {.1, .2, .3, .4, .5, .6, .7, .8, .9, 1., 1.1, 1.2}};
    f.tensors["q"] = {{2, 2, 3}, {.3, -.2, .5, .4, -.5, .6, .7, .1, .9, -1., 1.1, .2}};
    ir::Attributes axes;
    axes.lhs_batch = {0};
    axes.rhs_batch = {0};
    axes.lhs_contract = {2};
    axes.rhs_contract = {1};
    check(graph, ir::dot_general(p, q, axes).node, f);
  }
}

TEST_CASE("bce_of_sigmoid_is_stable_by_general_rules") {
  for (double y : {0.0, 0.3, 1.0}) {
    for (double z : {-10000.0, -88.0, -1.0, 0.0, 0.5, 30.0, 10000.0}) {
      INFO("z = " << z << ", y = " << y);
      ir::Environment e;
      e.tensors["z"] = {{}, {z}};
      e.tensors["y"] = {{}, {y}};
      const auto evaluate = [&](const char* text) {
        const ir::Program p = passes::run_pipeline(frontend::load_expression(text, {{"z", z}, {"y", y}}));
        return value(p.function("predict").results[0].node, e);
      };
      const double expected = std::fmax(z, 0) - z * y + std::log1p(std::exp(-std::fabs(z)));
      CHECK(evaluate("bce(sigmoid(z), y)") == Approx(expected).epsilon(1e-12).margin(1e-300));
      const double sigmoid = z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z));
      CHECK(evaluate("grad(bce(sigmoid(z), y), z)") == Approx(sigmoid - y).epsilon(1e-12).margin(1e-300));
    }
  }
}

TEST_CASE("second_derivatives_are_expressions_too") {
  ir::Environment e;
  e.tensors["z"] = {{}, {0.5}};
  const ir::Program p = passes::run_pipeline(frontend::load_expression("grad(grad(z^3, z), z)", {{"z", 0.5}}));
  CHECK(value(p.function("predict").results[0].node, e) == Approx(3.0));
}
