// Differentiation beyond the single op: with respect to what is computed, of any order, forward, and at ties.
#include <catch2/catch.hpp>
#include <cmath>

#include "frontend/frontend.h"
#include "ir/expr.h"
#include "ir/interpreter.h"
#include "passes/passes.h"
#include "tests/support/runner.h"

using namespace descent;
using ir::Expr;
using ir::Op;

namespace {

/// The outputs of a model over x: [n, 3] and y: [n, 1] after all passes, in float64.
test::Values outputs(const std::string& statements) {
  const std::string source = "model m {\n    input x: [n, 3]\n    input y: [n, 1]\n" + statements + "}\n";
  const ir::Program program = passes::run_pipeline(*frontend::load_model(source, "m.descent").program);
  const auto runner = test::interpreted(program);
  runner->dimensions = {{"n", 2}};
  runner->tensors = {{"x", {0.5, -1.2, 0.3, 2.2, 0.7, -0.4}}, {"y", {1, 0}}};
  return runner->run("predict");
}

void check_equal(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).epsilon(1e-11).margin(1e-12));
}

}  // namespace

TEST_CASE("gradients_are_taken_with_respect_to_what_rules_would_dissolve") {
  // bce(sigmoid(z), y) has no sigmoid once it is simplified; its derivative with respect to the probability is
  // (p - y) / (p (1 - p) n) all the same.
  const auto got = outputs(
      "    let z = sum(x, 1, keep = true)\n    let p = sigmoid(z)\n    output by_p = grad(bce(p, y), p)\n"
      "    output by_z = grad(bce(p, y), z)\n    output by_x = grad(bce(p, y), x)\n"
      "    output expected = (p - y) / (p * (1 - p)) / count(y)\n");
  check_equal(got.at("by_p"), got.at("expected"));
  for (std::size_t i = 0; i < 6; ++i) CHECK(got.at("by_x")[i] == Approx(got.at("by_z")[i / 3]));
}

TEST_CASE("one_expression_has_gradients_with_respect_to_inner_and_outer_nodes") {
  const auto got = outputs(
      "    let h = x * x\n    let f = sum(exp(h) + x)\n    output by_h = grad(f, h)\n    output by_x = grad(f, x)\n"
      "    output expected = exp(x * x) * 2 * x + 1\n    output inner = exp(x * x)\n");
  check_equal(got.at("by_h"), got.at("inner"));
  check_equal(got.at("by_x"), got.at("expected"));
}

TEST_CASE("forward_mode_is_the_product_of_the_jacobian_and_a_direction") {
  const auto got = outputs(
      "    let v = cos(x)\n    output d = jvp(x * exp(x), x, v)\n    output expected = (1 + x) * exp(x) * v\n"
      "    output row = jvp(sum(x^3, 1), x, v)\n    output expected_row = sum(3 * x^2 * v, 1)\n"
      "    output softmax_d = jvp(softmax(x), x, v)\n"
      "    output expected_softmax = softmax(x) * (v - sum(softmax(x) * v, 1, keep = true))\n"
      "    output linear = jvp(2 * x + 1, x, v)\n    output expected_linear = 2 * v\n");
  check_equal(got.at("d"), got.at("expected"));
  check_equal(got.at("row"), got.at("expected_row"));
  check_equal(got.at("softmax_d"), got.at("expected_softmax"));
  check_equal(got.at("linear"), got.at("expected_linear"));
}

TEST_CASE("products_of_the_hessian_and_a_direction_agree_in_both_modes") {
  const auto got = outputs(
      "    let v = stop_gradient(cos(x))\n    let f = sum(exp(sin(x)) * x) + sum(x)^2\n    output forward = "
      "jvp(grad(f, x), x, v)\n"
      "    output backward = grad(sum(grad(f, x) * v), x)\n    output helper = hvp(f, x, v)\n");
  check_equal(got.at("forward"), got.at("backward"));
  check_equal(got.at("helper"), got.at("backward"));
}

TEST_CASE("what_a_gradient_is_taken_of_stays_in_the_gradients_inside_of_it") {
  // The direction of jvp's inner product holds a gradient, which is simplified once it is there: by the rule of the
  // root.
  const auto got = outputs(
      "    let r = sqrt(sum(x^2, 1) + 1)\n    let v = stop_gradient(cos(x))\n    output forward = jvp(grad(sum(r), x), "
      "x, v)\n"
      "    let s = reshape(r, [count(y), 1])\n"
      "    output expected = v / s - sum(v * x, 1, keep = true) / s^3 * x\n    output backward = hvp(sum(r), x, v)\n");
  check_equal(got.at("forward"), got.at("expected"));
  check_equal(got.at("backward"), got.at("expected"));
}

TEST_CASE("derivatives_of_any_order_are_expressions") {
  const auto got = outputs(
      "    let a = sum(grad(sum(sin(x) * exp(x)), x))\n    let b = sum(grad(a, x))\n    let c = sum(grad(b, x))\n"
      "    output fourth = grad(c, x)\n    output expected = -4 * exp(x) * sin(x)\n"
      "    output fifth = grad(sum(grad(c, x)), x)\n    output expected_fifth = -4 * exp(x) * (sin(x) + cos(x))\n");
  check_equal(got.at("fourth"), got.at("expected"));
  check_equal(got.at("fifth"), got.at("expected_fifth"));
}

TEST_CASE("derivatives_of_a_reciprocal_of_cosh_are_right_at_0_too") {
  // It is computed from the magnitude of its argument, whose kink none of the derivatives may see.
  const auto got = outputs(
      "    let at = 0 * x\n    let a = sum(grad(sum(2 / (exp(at) + exp(-at)) + 0 * x), at))\n"
      "    output first = grad(sum(2 / (exp(at) + exp(-at))), at)\n"
      "    output second = grad(sum(grad(sum(2 / (exp(at) + exp(-at))), at)), at)\n"
      "    output sech = grad(sum(grad(sum(2 / (exp(x) + exp(-x))), x)), x)\n"
      "    let s = 2 / (exp(x) + exp(-x))\n    output expected = s * (2 * tanh(x)^2 - 1)\n");
  check_equal(got.at("first"), std::vector<double>(6, 0.0));
  check_equal(got.at("second"), std::vector<double>(6, -1.0));
  check_equal(got.at("sech"), got.at("expected"));
}

TEST_CASE("derivatives_at_ties_and_kinks_are_as_documented") {
  ir::Graph graph;
  const ir::Shape shape{ir::Dimension(3)};
  const Expr a(graph, graph.leaf(Op::input, "a", shape)), b(graph, graph.leaf(Op::input, "b", shape));
  ir::Environment e;
  e.tensors["a"] = {{3}, {0, 0, 0}};
  e.tensors["b"] = {{3}, {0, 0, 0}};
  const auto at = [&](Expr y, Expr x) {
    const ir::Node* raw = passes::gradients(graph, ir::reduce_sum(y, {0}).node, {x.node})[0];
    const auto values = ir::interpret({raw, passes::simplify_nodes(graph, {raw})[0]}, e);
    CHECK(values[0].values == values[1].values);
    return values[0].values[0];
  };
  CHECK(at(max(a, b), a) == 0);  // a tie goes to the second operand
  CHECK(at(max(a, b), b) == 1);
  CHECK(at(min(a, b), a) == 0);
  CHECK(at(min(a, b), b) == 1);
  CHECK(at(max(a, ir::like(a, 0)), a) == 0);  // relu at 0
  CHECK(at(abs(a), a) == 0);
  CHECK(at(sqrt(a), a) == 0);
  CHECK(at(sqrt(a * a), a) == 0);
  CHECK(at(pow(a, 0.3), a) == 0);
  CHECK(at(pow(abs(a * a * a), 1 / 3.0), a) == 0);
  CHECK(at(pow(a, ir::like(a, 1)), a) == 1);
  CHECK(at(pow(a, exp(a) - 0.5), a) == 0);
  CHECK(at(ir::broadcast(ir::reduce_max(a, {0}), shape, {}), a) == 1);  // three thirds: shared in equal parts
}

TEST_CASE("a_gradient_of_a_gradient_grows_linearly_with_depth") {
  const auto nodes_of = [](int layers, int order) {
    ir::Graph graph;
    const ir::Shape shape{ir::Dimension::symbol("n"), ir::Dimension(8)};
    const Expr x(graph, graph.leaf(Op::input, "x", shape));
    ir::Attributes axes;
    axes.lhs_contract = {1}, axes.rhs_contract = {0};
    Expr h = x;
    for (int i = 0; i < layers; ++i) {
      const ir::Shape square{ir::Dimension(8), ir::Dimension(8)};
      h = tanh(ir::dot_general(h, Expr(graph, graph.leaf(Op::parameter, "w" + std::to_string(i), square)), axes));
    }
    const ir::Node* f = ir::reduce_sum(h, {0, 1}).node;
    for (int i = 0; i < order; ++i) {
      const ir::Node* g = passes::simplify_nodes(graph, passes::gradients(graph, f, {x.node}))[0];
      f = ir::reduce_sum(Expr(graph, g) * Expr(graph, g), {0, 1}).node;
    }
    return static_cast<double>(ir::reachable({f}).size());
  };
  for (int order : {1, 2, 3}) {
    INFO("order " << order << ": " << nodes_of(10, order) << ", " << nodes_of(20, order) << ", "
                  << nodes_of(40, order));
    CHECK(nodes_of(40, order) - nodes_of(20, order) < 2.1 * (nodes_of(20, order) - nodes_of(10, order)));
  }
  // One derivative more costs a constant factor.
  CHECK(nodes_of(40, 2) < 4 * nodes_of(40, 1));
  CHECK(nodes_of(40, 3) < 4 * nodes_of(40, 2));
}

TEST_CASE("gradients_of_gradients_grow_linearly") {
  // The nodes of the penalty's gradient, of a network of tanh with residual connections; twice the layers, at most
  // twice the nodes and what does not depend on depth. The second derivative is at most so many times larger than the
  // first.
  const auto nodes_of = [](int layers) {
    ir::Graph graph;
    const ir::Shape shape{ir::Dimension::symbol("n"), ir::Dimension(8)};
    ir::Attributes axes;
    axes.lhs_contract = {1}, axes.rhs_contract = {0};
    const Expr x(graph, graph.leaf(Op::input, "x", shape));
    Expr h = x;
    std::vector<const ir::Node*> weights;
    for (int i = 0; i < layers; ++i) {
      const Expr w(graph, graph.leaf(Op::parameter, "w" + std::to_string(i), {ir::Dimension(8), ir::Dimension(8)}));
      weights.push_back(w.node);
      h = h + tanh(ir::dot_general(h, w, axes));
    }
    const auto simple = [&](std::vector<const ir::Node*> nodes) { return passes::simplify_nodes(graph, nodes); };
    const ir::Node* f = simple({ir::reduce_sum(h * h, {0, 1}).node})[0];
    const Expr slope(graph, simple(passes::gradients(graph, f, {x.node}))[0]);
    const Expr penalty = ir::reduce_sum(slope * slope, {0, 1});
    const auto second = simple(passes::gradients(graph, penalty.node, weights));
    return std::pair(ir::reachable({slope.node}).size(), ir::reachable(second).size());
  };
  const auto [first_10, second_10] = nodes_of(10);
  const auto [first_20, second_20] = nodes_of(20);
  const auto [first_40, second_40] = nodes_of(40);
  CHECK(first_40 - first_20 == 2 * (first_20 - first_10));
  CHECK(second_40 - second_20 == 2 * (second_20 - second_10));
  CHECK(second_40 < 4 * first_40);
}
