// What the fact table knows of ops that make, move and pick whole numbers.
#include "passes/facts.h"

#include <catch2/catch.hpp>

#include "ir/expr.h"

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
  check(ir::number(x > 0.0), 0, 1, true);
  check(ir::convert(x, ir::DType::i32), -infinity, infinity, true);
  check(ir::convert(sin(x) * 2.5, ir::DType::i32), -2, 2, true);
  check(ir::floor(sin(x) * 2.5), -3, 2, true);
  check(ir::round(sin(x) * 2.5), -2, 2, true);
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
