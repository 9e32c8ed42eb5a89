// Sums over the batch and more in two stages.
#include <catch2/catch.hpp>

#include "ir/expr.h"
#include "passes/passes.h"

using namespace descent;
using ir::Dimension;
using ir::Op;

namespace {

using Axes = std::vector<int>;

const Dimension n = Dimension::symbol("n");

/// The axes of the sums that a sum of `shape` over `axes` has become, the last one first: of an input, or of the
/// squares of a product.
std::vector<Axes> stages(const ir::Shape& shape, const Axes& axes, bool of_product = false) {
  ir::Program program;
  ir::Graph& graph = *program.graph;
  const ir::Node* x = graph.leaf(Op::input, "x", shape);
  if (of_product) {
    const ir::Expr a(graph, graph.leaf(Op::input, "a", {n, shape[0]})),
        b(graph, graph.leaf(Op::input, "b", {n, shape[1]}));
    ir::Attributes contracted;
    contracted.lhs_contract = contracted.rhs_contract = {0};
    const ir::Expr product = ir::dot_general(a, b, contracted);
    x = (product * product).node;
  }
  ir::Attributes attributes;
  attributes.axes = axes;
  ir::Function f;
  f.results.push_back({"sum", program.graph->make(Op::reduce_sum, {x}, attributes)});
  program.functions.push_back(f);
  const ir::Program made = passes::staged_sums(program);
  std::vector<Axes> found;
  for (const ir::Node* node = made.functions[0].roots()[0]; node->op == Op::reduce_sum; node = node->operands[0])
    found.push_back(node->attributes.axes);
  return found;
}

}  // namespace

TEST_CASE("sums_over_the_batch_and_more_leave_the_batch_for_last") {
  CHECK(stages({n, 16, 64}, {0, 1}) == std::vector<Axes>{{0}, {1}});
  CHECK(stages({n, 14, 14, 32}, {0, 1, 2}) == std::vector<Axes>{{0}, {1, 2}});
  CHECK(stages({1, n, 16, 64}, {0, 1, 2}) == std::vector<Axes>{{0}, {0, 2}});
}

TEST_CASE("sums_of_all_that_is_made_of_a_product_begin_with_its_rows") {
  CHECK(stages({64, 32}, {0, 1}, true) == std::vector<Axes>{{0}, {1}});
  CHECK(stages({64, 32}, {0, 1}) == std::vector<Axes>{{0, 1}});       // no product
  CHECK(stages({64, 1}, {0, 1}, true) == std::vector<Axes>{{0, 1}});  // one column
  CHECK(stages({4, 32}, {0, 1}, true) == std::vector<Axes>{{0, 1}});  // few rows
}

TEST_CASE("other_sums_have_one_stage") {
  CHECK(stages({n, 1024}, {0}) == std::vector<Axes>{{0}});                // the batch alone
  CHECK(stages({n, 16, 64}, {1, 2}) == std::vector<Axes>{{1, 2}});        // not the batch
  CHECK(stages({n, 16, 64}, {0, 1, 2}) == std::vector<Axes>{{0, 1, 2}});  // everything
  CHECK(stages({n, 2, 1024}, {0, 1}) == std::vector<Axes>{{0, 1}});       // few to each number
  CHECK(stages({32, 16, 64}, {0, 1}) == std::vector<Axes>{{0, 1}});       // no batch
}
