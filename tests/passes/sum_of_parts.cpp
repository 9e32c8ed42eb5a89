// Adjoints of slices that lie beside each other are put together, not added. The values are the same to the last bit:
// what is left out are zeros that were added.
#include "passes/sum_of_parts.h"

#include <catch2/catch.hpp>

#include "ir/interpreter.h"
#include "passes/passes.h"

using namespace descent;
using ir::Dimension;
using ir::Expr;
using ir::Op;

namespace {

struct Example {
  ir::Graph graph;
  ir::Environment environment;

  Expr tensor(const std::string& name, const ir::Shape& shape) {
    ir::Tensor t{ir::evaluate(shape, environment.dimensions), {}};
    const auto count = static_cast<std::size_t>(ir::element_count(shape, environment.dimensions));
    for (std::size_t i = 0; i < count; ++i) t.values.push_back(static_cast<double>(name[0]) + static_cast<double>(i));
    environment.tensors[name] = t;
    return {graph, graph.leaf(Op::input, name, shape)};
  }
  /// `x` in the columns from `begin` of a matrix with `columns`.
  static Expr columns(Expr x, std::int64_t begin, std::int64_t columns) {
    return ir::pad(x, {0, begin}, {0, Dimension(columns - begin) - x.shape()[1]}, {0, 0});
  }
  const ir::Node* simplified(Expr e) {
    const ir::Node* simple = passes::simplify_nodes(graph, {e.node})[0];
    const auto values = ir::interpret({e.node, simple}, environment);
    CHECK(values[0].values == values[1].values);
    return simple;
  }
};

const Dimension n = Dimension::symbol("n");

}  // namespace

TEST_CASE("a_sum_of_parts_beside_each_other_is_a_concatenation") {
  Example x;
  x.environment.dimensions = {{"n", 3}};
  const Expr a = x.tensor("a", {n, 2}), b = x.tensor("b", {n, 3}), c = x.tensor("c", {n, 1});
  const Expr p = x.columns(a, 0, 6), q = x.columns(b, 2, 6), r = x.columns(c, 5, 6);
  for (const Expr& sum : {p + q + r, r + p + q, q + (r + p)}) {
    const ir::Node* whole = x.simplified(sum);
    REQUIRE(whole->op == Op::concatenate);
    CHECK(whole->operands == std::vector<const ir::Node*>{a.node, b.node, c.node});
  }
}

TEST_CASE("parts_of_some_axes_stay_padded_at_the_ends") {
  Example x;
  x.environment.dimensions = {{"n", 3}};
  const Expr a = x.tensor("a", {n, 2}), b = x.tensor("b", {n, 3}), other = x.tensor("o", {n, 9});
  const ir::Node* sum = x.simplified(x.columns(b, 4, 9) + other + x.columns(a, 2, 9));
  REQUIRE(sum->op == Op::add);
  const bool first = sum->operands[0]->op == Op::pad;
  const ir::Node* pad = sum->operands[first ? 0 : 1];
  REQUIRE(pad->op == Op::pad);
  CHECK(pad->operands[0]->op == Op::concatenate);
  CHECK(sum->operands[first ? 1 : 0] == other.node);
}

TEST_CASE("parts_that_overlap_or_leave_a_gap_are_added") {
  Example x;
  x.environment.dimensions = {{"n", 3}};
  const Expr a = x.tensor("a", {n, 3}), b = x.tensor("b", {n, 3});
  CHECK(x.simplified(x.columns(a, 0, 6) + x.columns(b, 2, 6))->op == Op::add);
  CHECK(x.simplified(x.columns(a, 0, 7) + x.columns(b, 4, 7))->op == Op::add);
}

TEST_CASE("the_adjoint_of_what_is_read_slice_by_slice_is_a_concatenation") {
  Example x;
  x.environment.dimensions = {{"n", 3}};
  const Expr a = x.tensor("a", {n, 4});
  Expr loss(x.graph, x.graph.constant(0, ir::Shape{}));
  for (const std::int64_t step : {1, 0, 3, 2}) {
    const Expr slice = ir::slice(a, {0, step}, {n, step + 1}, {1, 1});
    loss = loss + ir::reduce_sum(exp(slice) * static_cast<double>(step + 1), {0, 1});
  }
  CHECK(x.simplified({x.graph, passes::gradients(x.graph, loss.node, {a.node})[0]})->op == Op::concatenate);
}
