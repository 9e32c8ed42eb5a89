// Sums over the batch and more in two stages.
#include <catch2/catch.hpp>

#include "ir/expr.h"
#include "passes/passes.h"

using namespace descent;
using ir::Dimension;
using ir::Op;

namespace {

using Axes = std::vector<int>;

/// The axes of the sums that a sum of `shape` over `axes` has become, the last one first.
std::vector<Axes> stages(const ir::Shape& shape, const Axes& axes) {
  ir::Program program;
  const ir::Node* x = program.graph->leaf(Op::input, "x", shape);
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

const Dimension n = Dimension::symbol("n");

}  // namespace

TEST_CASE("sums_over_the_batch_and_more_leave_the_batch_for_last") {
  CHECK(stages({n, 16, 64}, {0, 1}) == std::vector<Axes>{{0}, {1}});
  CHECK(stages({n, 14, 14, 32}, {0, 1, 2}) == std::vector<Axes>{{0}, {1, 2}});
  CHECK(stages({1, n, 16, 64}, {0, 1, 2}) == std::vector<Axes>{{0}, {0, 2}});
}

TEST_CASE("other_sums_have_one_stage") {
  CHECK(stages({n, 1024}, {0}) == std::vector<Axes>{{0}});                // the batch alone
  CHECK(stages({n, 16, 64}, {1, 2}) == std::vector<Axes>{{1, 2}});        // not the batch
  CHECK(stages({n, 16, 64}, {0, 1, 2}) == std::vector<Axes>{{0, 1, 2}});  // everything
  CHECK(stages({n, 2, 1024}, {0, 1}) == std::vector<Axes>{{0, 1}});       // few to each number
  CHECK(stages({32, 16, 64}, {0, 1}) == std::vector<Axes>{{0, 1}});       // no batch
}
