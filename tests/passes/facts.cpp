// What the fact table knows of ops that make, move and pick whole numbers.
#include "passes/facts.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "ir/expr.h"
#include "passes/passes.h"

using namespace descent;
using ir::Expr;

namespace {

void check(Expr e, double low, double high, bool whole) {
  passes::FactTable table;
  const passes::Facts& f = table.of(e.node);
  CHECK(f.low == low);
  CHECK(f.high == high);
  CHECK(f.whole == whole);
}

const double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("positions_lie_below_the_size_of_their_axis") {
  ir::Graph graph;
  const ir::Dimension n = ir::Dimension::symbol("n");
  check(ir::iota(graph, {n, ir::Dimension(4)}, 1), 0, 3, true);
  check(ir::iota(graph, {n, ir::Dimension(4)}, 0), 0, infinity, true);
  check(ir::convert(ir::iota(graph, {ir::Dimension(4)}, 0), ir::DType::f32), 0, 3, true);
}

TEST_CASE("a_converted_condition_is_0_or_1_and_a_converted_number_keeps_its_range") {
  ir::Graph graph;
  const Expr x(graph, graph.leaf(ir::Op::input, "x", {ir::Dimension(3)}));
  check(ir::convert(x > 0.0, ir::DType::f32), 0, 1, true);
  check(ir::convert(x, ir::DType::i32), -2147483648.0, 2147483647, true);
  check(ir::convert(ir::like(x, 3e9), ir::DType::i32), 2147483647, 2147483647, true);
  check(ir::convert(sqrt(x) + 1.0, ir::DType::i32), 0, 2147483647, true);  // 0 of NaN
  check(ir::convert(sin(x) * 2.5, ir::DType::i32), -2, 2, true);
  check(ir::floor(sin(x) * 2.5), -3, 2, true);
  check(ir::round(sin(x) * 2.5), -2, 2, true);
}

TEST_CASE("whole_numbers_reach_ends_that_their_argument_does_not") {
  ir::Graph graph;
  const Expr x(graph, graph.leaf(ir::Op::input, "x", {ir::Dimension(3)}));
  const passes::Facts closed{0, 1, false, false, true, passes::Defined::finite};
  passes::FactTable table;
  CHECK(table.of(ir::floor(logistic(x)).node) == closed);
  CHECK(table.of(ir::round(logistic(x)).node) == closed);
  CHECK(table.of(ir::convert(logistic(x), ir::DType::i32).node) == closed);
  CHECK(passes::simplify_nodes(graph, {sign(ir::floor(logistic(x))).node})[0]->op == ir::Op::sign);  // 0, not 1
}

TEST_CASE("moved_elements_keep_their_range_and_padding_adds_0") {
  ir::Graph graph;
  const Expr x(graph, graph.leaf(ir::Op::input, "x", {ir::Dimension(6)}));
  const Expr positive = exp(x * x);  // from 1
  check(ir::windows(positive, 0, 3), 1, infinity, false);
  check(ir::slice(positive, {ir::Dimension(1)}, {ir::Dimension(3)}, {1}), 1, infinity, false);
  check(ir::pad(positive, {ir::Dimension(1)}, {ir::Dimension(0)}, {0}), 0, infinity, false);
  check(ir::concatenate({positive, sin(x)}, 0), -1, infinity, false);
  check(ir::reduce_min(positive, {0}), 1, infinity, false);
}

TEST_CASE("a_power_of_0_is_0") {
  ir::Graph graph;
  const Expr x(graph, graph.leaf(ir::Op::input, "x", {ir::Dimension(3)}));
  passes::FactTable table;
  CHECK_FALSE(table.of(pow(ir::like(x, 0), exp(x)).node).positive());
  CHECK_FALSE(table.of(pow(max(ir::convert(x < 0.0, ir::DType::f32), ir::like(x, 0)), exp(x)).node).positive());
}

TEST_CASE("ends_are_rounded_as_the_operation_itself_rounds") {
  ir::Graph graph;
  const Expr x(graph, graph.leaf(ir::Op::input, "x", {ir::Dimension(3)}));
  const Expr odd = ir::like(x, 49);  // 49 * (1 / 49) is 1 - 2^-53
  REQUIRE(49 * (1.0 / 49) < 1);
  check(ir::floor(odd / max(min(odd, ir::like(x, 49)), ir::like(x, 49))), 1, 1, true);
  const Expr three = max(min(x, ir::like(x, 3)), ir::like(x, 3));
  REQUIRE(std::exp(3 * std::log(5.0)) != 125);
  check(ir::floor(pow(ir::like(x, 5), three)), 125, 125, true);
  const Expr above = max(x, ir::like(x, 2));
  check(ir::like(x, 6) / above, 0, 3, false);
  check(above / ir::like(x, -2), -infinity, -1, false);
  check(pow(above, ir::like(x, -1)), 0, 0.5, false);
  check(pow(-(ir::like(x, -3) * logistic(x)), ir::like(x, -3)), std::pow(3, -3), infinity, false);  // of 0, not -0
}

TEST_CASE("facts_know_what_can_be_nan_and_what_infinite") {
  ir::Graph graph;
  const Expr x(graph, graph.leaf(ir::Op::input, "x", {ir::Dimension(3)}));
  const auto of = [](Expr e) { return passes::FactTable().of(e.node).defined; };
  using passes::Defined;
  CHECK(of(exp(x)) == Defined::finite);
  CHECK(of(logistic(x) * x) == Defined::finite);
  CHECK(of(sqrt(x)) == Defined::anything);
  CHECK(of(sqrt(abs(x))) == Defined::finite);
  CHECK(of(pow(x, 0.5)) == Defined::anything);
  CHECK(of(pow(x, 3)) == Defined::finite);
  CHECK(of(pow(x, -3)) == Defined::number);
  CHECK(of(log(x)) == Defined::anything);
  CHECK(of(log(abs(x))) == Defined::number);
  CHECK(of(log(exp(x) + 1.0)) == Defined::finite);
  CHECK(of(log1p(max(x, ir::like(x, -1)))) == Defined::number);
  CHECK(of(x / x) == Defined::anything);
  CHECK(of(1.0 / x) == Defined::number);
  CHECK(of(1.0 / (abs(x) + 1.0)) == Defined::finite);
  CHECK(of(1.0 / x - 1.0 / x * 2.0) == Defined::anything);
  CHECK(of(log(abs(x)) + log(abs(x) + 1.0)) == Defined::number);
  CHECK(of(log(abs(x)) * x) == Defined::anything);
  CHECK(of(exp(log(abs(x)))) == Defined::number);
  CHECK(of(sin(1.0 / x)) == Defined::anything);
  CHECK(of(tanh(1.0 / x)) == Defined::finite);
  CHECK(of(ir::reduce_sum(log(min(abs(x), ir::like(x, 1))), {0})) == Defined::number);
  CHECK(of(ir::reduce_sum(1.0 / x, {0})) == Defined::anything);
  CHECK(of(ir::convert(sqrt(x) < 1.0, ir::DType::f32)) == Defined::finite);
  CHECK(of(ir::remainder(x, x)) == Defined::anything);
}

TEST_CASE("comparisons_of_what_can_be_nan_are_not_folded") {
  ir::Graph graph;
  const Expr x(graph, graph.leaf(ir::Op::input, "x", {ir::Dimension(3)}));
  const auto simple = [&](Expr e) { return passes::simplify_nodes(graph, {e.node})[0]; };
  CHECK(simple(ir::like(x, -3) <= pow(x, 0.5))->op == ir::Op::compare_le);
  CHECK(simple(ir::like(x, -3) <= pow(abs(x), 0.5))->is_constant(1));
  CHECK(simple(sqrt(x) < -1.0)->is_constant(0));  // false for NaN too
  CHECK(simple(sign(1.0 + sqrt(x)))->op == ir::Op::sign);
  CHECK(simple(max(exp(x), -sqrt(x)))->op != ir::Op::exponential);
  CHECK(simple(max(exp(x), -sqrt(abs(x))))->op == ir::Op::exponential);
}
