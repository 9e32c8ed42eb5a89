// What is computed of each element of overlapping windows, and its adjoint, a sum over the windows that an element is
// in: of products with weights, of extremes, means and distances. Tolerance: sums of at most some hundred float32
// numbers near 1.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "ir/expr.h"
#include "ir/text.h"
#include "passes/kernels.h"
#include "passes/passes.h"
#include "tests/support/agreement.h"
#include "tests/support/runner.h"

using namespace descent;
using ir::Dimension;
using ir::Expr;
using ir::Op;
using ir::Shape;

namespace {

const Dimension n = Dimension::symbol("n");

struct Windows {
  std::int64_t height, width, channels;
  int rows, columns, stride, padding;
};

const std::vector<Windows> kCases = {{6, 5, 3, 3, 3, 1, 0},   {6, 5, 16, 3, 2, 1, 1},  {9, 8, 20, 3, 3, 2, 1},
                                     {8, 9, 32, 3, 3, 2, 0},  {7, 7, 5, 2, 4, 1, 2},   {11, 10, 4, 5, 4, 3, 1},
                                     {8, 8, 16, 3, 1, 2, 0},  {7, 6, 64, 1, 2, 3, 0},  {9, 10, 7, 4, 3, 2, 2},
                                     {5, 18, 16, 3, 3, 1, 1}, {4, 21, 48, 3, 3, 1, 2}, {9, 19, 16, 3, 5, 2, 1}};

/// The results of one number for each window and channel, made of [n, h, rows, w, columns, channels], and gradients.
struct Example {
  test::Case test;
  passes::KernelPlan plan;
  ir::Program optimized;

  using Function = std::function<Expr(Expr windows, Expr weights)>;
  Example(const Windows& c, const Function& function) {
    ir::Graph& graph = *test.program.graph;
    test.program.name = "example";
    test.environment.dimensions = {{"n", 3}};
    const auto parameter = [&](const std::string& name, const Shape& shape, double scale) {
      ir::Tensor t{ir::evaluate(shape, test.environment.dimensions), {}};
      for (std::int64_t i = 0; i < ir::element_count(shape, test.environment.dimensions); ++i)
        t.values.push_back(static_cast<float>(scale * std::sin(0.7 * static_cast<double>(i))));
      test.environment.tensors[name] = t;
      test.program.variables.push_back({name, shape});
      return Expr(graph, graph.leaf(Op::parameter, name, shape));
    };
    const Shape image{3, c.height, c.width, c.channels};
    const Expr x = parameter("x", image, 1), w = parameter("w", {c.rows, c.columns, c.channels}, 0.6);
    const Shape by{0, c.padding, c.padding, 0};
    const Expr around = ir::pad(x, by, by, {0, 0, 0, 0});
    const Expr windows = ir::windows(ir::windows(around, 1, c.rows, c.stride), 3, c.columns, c.stride);
    const Expr y = function(windows, ir::broadcast(w, windows.shape(), {2, 4, 5}));
    const Expr loss = ir::reduce_sum(y * y, {0, 1, 2, 3});
    const auto adjoints = passes::gradients(graph, loss.node, {x.node, w.node});
    test.program.functions.push_back({"predict", {{"y", y.node}, {"dx", adjoints[0]}, {"dw", adjoints[1]}}, {}});
    INFO(ir::print(test.program));
    for (const std::string& processor : test::processors()) {
      INFO("for " << processor);
      CHECK(test::disagreement(test, 1e-5, test::machine_of(processor)) == "");
    }
    optimized = passes::run_pipeline(test.program);
    plan = passes::plan_kernels(optimized, optimized.functions[0]);
  }

  std::size_t count(Op op) const {
    const auto nodes = ir::reachable(optimized.functions[0].roots());
    return static_cast<std::size_t>(
        std::count_if(nodes.begin(), nodes.end(), [&](auto* node) { return node->op == op; }));
  }
  /// The most elements that are stored of something, for every element of the image.
  double most_stored(const Windows& c) const {
    double most = 0;
    for (const auto& buffer : plan.buffers) {
      if (ir::element_count(buffer.shape).is_constant())
        most = std::max(most, static_cast<double>(ir::element_count(buffer.shape).constant()));
    }
    const auto side = [&](std::int64_t size) { return static_cast<double>(size + 2 * c.padding + c.stride); };
    return most / (3 * side(c.height) * side(c.width) * static_cast<double>(c.channels));
  }
};

}  // namespace

TEST_CASE("adjoints_of_products_of_windows_are_sums_of_products_of_windows") {
  for (const Windows& c : kCases) {
    CAPTURE(c.height, c.width, c.channels, c.rows, c.columns, c.stride, c.padding);
    const Example example(c, [](Expr x, Expr w) { return ir::reduce_sum(x * w, {2, 4}); });
    CHECK(example.count(Op::diagonal) == 0);
    CHECK(example.most_stored(c) <= 1);  // no element for every element of every window
  }
}

TEST_CASE("adjoints_of_means_of_windows_are_means_of_windows") {
  for (const Windows& c : kCases) {
    CAPTURE(c.height, c.width, c.channels, c.rows, c.columns, c.stride, c.padding);
    const Example example(c, [](Expr x, Expr) { return ir::reduce_sum(x, {2, 4}) * 0.1; });
    CHECK(example.count(Op::diagonal) == 0);
    CHECK(example.most_stored(c) <= 1);
  }
}

TEST_CASE("what_is_computed_of_windows_is_seen_through_views_of_the_image") {
  for (const Windows& c : kCases) {
    CAPTURE(c.height, c.width, c.channels, c.rows, c.columns, c.stride, c.padding);
    const Example largest(c, [](Expr x, Expr) { return ir::reduce_max(x, {2, 4}); });
    CHECK(largest.most_stored(c) <= 1);
    const Example scaled(c, [](Expr x, Expr w) { return ir::reduce_max(x * w, {2, 4}); });
    const Example distance(c, [](Expr x, Expr w) { return ir::reduce_sum((x - w) * (x - w), {2, 4}) * 0.3; });
    const Example positive(c, [](Expr x, Expr w) { return ir::reduce_sum(max(x + w, ir::like(x, 0)), {2, 4}); });
    CHECK(positive.most_stored(c) <= 1);
  }
}

TEST_CASE("functions_of_windows_that_take_long_or_are_not_finite_everywhere_are_not_computed_again") {
  for (const Windows& c : kCases) {
    CAPTURE(c.height, c.width, c.channels, c.rows, c.columns, c.stride, c.padding);
    const Example quotient(c, [](Expr x, Expr w) { return ir::reduce_sum(w / (x * x + 1.0), {2, 4}); });
    const Example exponential(c, [](Expr x, Expr w) { return ir::reduce_sum(exp(x * w), {2, 4}) * 0.2; });
  }
}
