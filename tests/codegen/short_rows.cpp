// Rows shorter than a vector, of which several share one: every way in which tensors may lie along them and sums keep
// them, for any number of rows and numbers. Tolerance: sums of at most some thousand float32 numbers near 1, in pieces.
#include <catch2/catch.hpp>
#include <cmath>

#include "ir/expr.h"
#include "passes/passes.h"
#include "tests/support/example.h"
#include "tests/support/runner.h"

using namespace descent;
using ir::Dimension;
using ir::Expr;
using ir::Op;
using ir::Shape;
using test::Example;

namespace {

const Dimension n = Dimension::symbol("n");

constexpr double kTolerance = 3e-5;

}  // namespace

TEST_CASE("rows_that_share_vectors_agree_in_every_way_they_may_lie_and_be_summed") {
  for (const std::int64_t length : {2, 3, 4, 5, 6, 8, 9, 12, 16}) {
    for (const std::int64_t rows : {3, 16, 21}) {
      INFO(rows << " rows of " << length);
      const Shape shape{n, rows, length};
      {
        Example example(5);
        const Expr x = example.input("x", shape), by_row = example.input("r", {n, rows}),
                   in_row = example.input("s", {length}), same = example.input("t", {n});
        const Expr y = x * ir::broadcast(by_row, shape, {0, 1}) + ir::broadcast(in_row, shape, {2}) -
                       ir::broadcast(same, shape, {0});
        example.result("y", y);
        example.result("columns", ir::reduce_sum(y, {0}));
        example.result("of_rows", ir::reduce_sum(y * y, {2}));
        example.result("all", ir::reduce_sum(y, {0, 1, 2}));
        example.agrees(kTolerance, test::processors());
      }
      for (const bool largest : {false, true}) {
        Example example(6);
        const Expr x = example.input("x", shape), by_row = example.input("r", {n, rows});
        const Expr y = x * ir::broadcast(by_row, shape, {0, 1});
        const auto reduce = [&](const std::vector<int>& axes) {
          return largest ? ir::reduce_max(y, axes) : ir::reduce_sum(y, axes);
        };
        example.result("of_rows", reduce({2}));
        example.result("of_all_rows", reduce({0, 2}));
        example.result("of_each", reduce({1, 2}));
        example.result("in_rows", reduce({0, 1}));
        example.agrees(kTolerance, test::processors());
      }
    }
  }
}

// Sums of many places for groups of channels, as normalisations of groups make them.
TEST_CASE("sums_of_short_rows_are_held_while_a_loop_runs_along_which_they_are_summed") {
  for (const std::int64_t groups : {2, 4, 8, 20}) {
    for (const std::int64_t length : {2, 3, 4, 7}) {
      INFO(groups << " groups of " << length);
      const Shape shape{n, 9, groups, length};
      Example example(3);
      const Expr x = example.input("x", shape), mean = example.input("m", {n, groups});
      const Expr y = x - ir::broadcast(mean, shape, {0, 2});
      example.result("y", y);
      example.result("squares", ir::reduce_sum(y * y, {1, 3}));
      example.result("largest", ir::reduce_max(y, {1, 3}));
      example.result("channels", ir::reduce_sum(y, {0, 1}));
      example.agrees(kTolerance, test::processors());
    }
  }
}

TEST_CASE("phases_of_short_rows_agree_for_any_number_of_rows") {
  for (const std::int64_t batch : {1, 7, 15, 16, 17, 40}) {
    for (const std::int64_t length : {2, 3, 5, 8, 10, 11}) {
      INFO(batch << " rows of " << length);
      Example example(batch);
      const Expr x = example.input("x", {n, length}), weight = example.input("w", {length});
      const Expr largest = ir::reduce_max(x, {1});
      const Expr e = exp(x - ir::broadcast(largest, x.shape(), {0}));
      const Expr shares = e / ir::broadcast(ir::reduce_sum(e, {1}), x.shape(), {0});
      example.result("shares", shares);
      example.result("weighted", ir::reduce_sum(shares * ir::broadcast(weight, x.shape(), {1}), {1}));
      example.result("columns", ir::reduce_sum(shares, {0}));
      example.agrees(kTolerance, test::processors());
    }
  }
}
