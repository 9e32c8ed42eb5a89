// What the planner makes one kernel of, and that it computes what the graph says: rows in phases, sparse updates,
// convolutions. Tolerance: sums of at most some hundred float32 products near 1, each within 2^-24.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "codegen/kernel_set.h"
#include "ir/expr.h"
#include "ir/op.h"
#include "ir/text.h"
#include "passes/kernels.h"
#include "passes/passes.h"
#include "tests/support/example.h"

using namespace descent;
using ir::Dimension;
using ir::Expr;
using ir::Op;
using ir::Shape;
using test::Example;

namespace {

constexpr double kTolerance = 1e-5;

Expr softmax(Expr x) {
  const int last = static_cast<int>(x.shape().size()) - 1;
  std::vector<int> rows;
  for (int i = 0; i < last; ++i) rows.push_back(i);
  const Expr e = exp(x - ir::broadcast(ir::reduce_max(x, {last}), x.shape(), rows));
  return e / ir::broadcast(ir::reduce_sum(e, {last}), x.shape(), rows);
}

std::vector<Expr> gradients(Expr loss, const std::vector<Expr>& x) {
  std::vector<const ir::Node*> nodes;
  for (const Expr& e : x) nodes.push_back(e.node);
  std::vector<Expr> result;
  for (const ir::Node* node : passes::gradients(*loss.graph, loss.node, nodes)) result.emplace_back(*loss.graph, node);
  return result;
}

Expr sum_of_all(Expr x) {
  std::vector<int> axes;
  for (std::size_t i = 0; i < x.shape().size(); ++i) axes.push_back(static_cast<int>(i));
  return ir::reduce_sum(x, axes);
}

const Dimension n = Dimension::symbol("n");

}  // namespace

TEST_CASE("softmax_is_one_kernel") {
  for (std::int64_t width : {1, 3, 16, 37}) {
    Example example;
    const Expr x = example.input("x", {n, 2, width});
    example.function().results = {{"y", softmax(x * 3.0).node}};
    example.agrees(kTolerance);
    if (width > 1) {
      const auto plan = example.plan();
      REQUIRE(plan.kernels.size() == 1);
      CHECK(plan.kernels[0].phases.size() == 3);
      CHECK(plan.kernels[0].space == Shape{n, 2});
    }
  }
}

// Short rows are made as many at a time as a vector has lanes.
TEST_CASE("phases_of_rows_agree_for_any_number_of_rows") {
  for (std::int64_t rows : {1, 7, 8, 15, 16, 17, 40}) {
    for (std::int64_t width : {3, 10, 300}) {
      Example example(rows);
      const Expr x = example.input("x", {n, width});
      const Expr largest = ir::reduce_max(x, {1});
      const Expr logs = log(ir::reduce_sum(exp(x - ir::broadcast(largest, x.shape(), {0})), {1})) + largest;
      const Expr shares = exp(x - ir::broadcast(logs, x.shape(), {0}));
      example.function().results = {{"logs", logs.node}, {"shares", shares.node}, {"total", sum_of_all(logs).node}};
      example.agrees(kTolerance);
    }
  }
}

// The last steps of sums and extremes of rows are made for as many rows at a time as a vector has lanes.
TEST_CASE("sums_and_extremes_of_the_rows_of_a_product_agree_for_any_number_of_rows_and_columns") {
  for (std::int64_t rows : {1, 3, 7, 8, 15, 16, 17, 40}) {
    for (std::int64_t width : {3, 10, 64, 300}) {
      Example example(rows);
      const Expr x = example.input("x", {n, 2, 5}), w = example.parameter("w", {5, width});
      ir::Attributes axes;
      axes.lhs_contract = {2};
      axes.rhs_contract = {0};
      const Expr y = ir::dot_general(x, w, axes);
      example.function().results = {{"y", (y * 0.5).node},
                                    {"sums", ir::reduce_sum(y, {2}).node},
                                    {"squares", ir::reduce_sum(y * y, {1, 2}).node},
                                    {"largest", ir::reduce_max(y, {2}).node},
                                    {"least", ir::reduce_min(y - 1.0, {2}).node}};
      example.agrees(kTolerance);
    }
  }
}

// The columns of an image are walked inside of the places of a window, where sums for each place are kept.
TEST_CASE("sums_for_each_place_of_a_window_agree_in_any_order_of_the_axes") {
  for (const std::int64_t columns : {2, 20}) {
    for (const std::int64_t channels : {3, 16, 40, 300}) {
      INFO(columns << " columns, " << channels << " channels");
      Example example(2);
      const Shape shape{n, 4, 3, columns, 3, channels};
      const Expr x = example.input("x", shape), g = example.input("g", {n, 4, columns, channels});
      const Expr y = x * ir::broadcast(g, shape, {0, 1, 3, 5});
      example.function().results = {{"sums", ir::reduce_sum(y, {1, 3}).node},
                                    {"largest", ir::reduce_max(y * 2.0, {1, 3}).node},
                                    {"of_all", ir::reduce_sum(y * 3.0, {0, 1, 3}).node}};
      example.agrees(kTolerance);
    }
  }
}

// The second operand's panels are turned squares, of which lines or elements may be missing.
TEST_CASE("products_of_the_rows_of_small_matrices_agree_for_any_size") {
  const Shape sizes[] = {{8, 8}, {3, 5}, {16, 16}, {20, 16}, {16, 20}, {33, 7}, {40, 24}, {1, 9}, {9, 2}};
  for (const Shape& size : sizes) {
    Example example;
    const Dimension &length = size[0], &depth = size[1];
    const Expr q = example.input("q", {n, length, 2, depth}), k = example.input("k", {n, length, 2, depth});
    ir::Attributes axes;
    axes.lhs_batch = axes.rhs_batch = {0, 2};
    axes.lhs_contract = axes.rhs_contract = {3};
    const Expr scores = ir::dot_general(q, k, axes);
    example.function().results = {{"scores", scores.node}, {"shares", softmax(scores).node}};
    example.agrees(kTolerance);
  }
}

// The logistic function of x and of -x share an exponential: small values are as exact as large ones.
TEST_CASE("the_logistic_function_on_both_sides_of_zero") {
  Example example(101);
  const Expr x = example.input("x", {n});
  std::vector<double> values;
  for (int i = -50; i <= 50; ++i) values.push_back(static_cast<float>(1.7 * i));
  example.set("x", values);
  const Expr above = ir::logistic(x), below = ir::logistic(-x);
  // Logarithms show the relative error.
  example.function().results = {
      {"above", ir::log(above).node}, {"below", ir::log(below).node}, {"slope", (above * below).node}};
  example.agrees(kTolerance);
}

TEST_CASE("the_gradient_of_softmax_is_one_kernel_too") {
  Example example;
  const Expr x = example.input("x", {n, 19}), g = example.input("g", {n, 19});
  example.function().results = {{"dx", gradients(sum_of_all(softmax(x) * g), {x})[0].node}};
  example.agrees(kTolerance);
  CHECK(example.plan().kernels.size() == 1);
}

TEST_CASE("normalising_rows_is_one_kernel") {
  Example example;
  const Expr x = example.input("x", {n, 24}), scale = example.parameter("scale", {24});
  const auto mean = [&](Expr e) { return ir::broadcast(ir::reduce_sum(e, {1}) / 24.0, e.shape(), {0}); };
  const Expr centred = x - mean(x);
  const Expr y = centred / sqrt(mean(centred * centred) + 1e-3) * ir::broadcast(scale, x.shape(), {1});
  example.function().results = {{"y", y.node}};
  example.agrees(kTolerance);
  CHECK(example.plan().kernels.size() == 1);
}

// The reciprocal of such a sum is infinite. Sums of subnormal numbers are exact.
TEST_CASE("rows_are_divided_by_sums_that_are_subnormal") {
  for (const bool whole : {false, true}) {
    Example e;
    const Expr x = e.input("x", {11, 20});
    std::vector<double> values;
    for (int i = 0; i < 220; ++i) values.push_back(static_cast<float>((whole ? 1e-42 : 1e-41) * (1 + i % 7)));
    e.set("x", values);
    const Expr sums = whole ? ir::broadcast(ir::reduce_sum(x, {0, 1}), {11, 20}, {})
                            : ir::broadcast(ir::reduce_sum(x, {1}), {11, 20}, {0});
    e.function().results = {{"out", (x / sums).node}};
    e.agrees(kTolerance);
  }
}

TEST_CASE("a_kernel_that_reads_other_rows_is_no_phase") {
  Example example;
  const Expr x = example.input("x", {n, 5});
  const Expr shares = x / ir::broadcast(ir::reduce_sum(abs(x), {1}), x.shape(), {0});
  example.function().results = {{"y", (shares + ir::reverse(shares, {0}) * 0.5).node}};
  example.agrees(kTolerance);
}

TEST_CASE("updates_of_a_table_touch_the_rows_of_the_batch_alone") {
  const Dimension rows(5000), width(6);
  const auto build = [&](Example& example, bool lazy) {
    const Expr table = example.parameter("table", {rows, width}), moment = example.parameter("moment", {rows, width});
    const Expr ids = example.input("ids", {n, 2}, ir::DType::i32), y = example.input("y", {n, 2, width});
    std::vector<double> chosen;
    for (int i = 0; i < 22; ++i) chosen.push_back(i % 4 == 3 ? -5 : i % 7 == 0 ? 4999 : (i * 1237) % 6000);
    example.set("ids", chosen);
    const Expr difference = ir::gather(table, ids, 0) - y;
    const Expr loss = sum_of_all(difference * difference);
    const Expr g = gradients(loss, {table})[0];
    Expr next_moment = moment * 0.9 + g * 0.1, next_table = table - next_moment * 0.05;
    if (lazy) {
      const Expr seen = ir::broadcast(ir::reduce_max(abs(g), {1}), g.shape(), {0}) > 0.0;
      next_moment = ir::select(seen, next_moment, moment);
      next_table = ir::select(seen, next_table, table);
    }
    example.function().results = {{"loss", loss.node}};
    example.function().updates = {{"table", next_table.node}, {"moment", next_moment.node}};
  };
  const auto spaces_with_all_rows = [&](Example& example) {
    const auto plan = example.plan();
    return std::count_if(plan.kernels.begin(), plan.kernels.end(),
                         [&](const passes::Kernel& k) { return !k.space.empty() && k.space[0] == rows; });
  };
  SECTION("lazy moments: sparse") {
    Example example;
    build(example, true);
    example.agrees(kTolerance);
    CHECK(spaces_with_all_rows(example) == 0);
    // No gradient of the whole table either.
    for (const passes::Buffer& b : example.plan().buffers) {
      const bool table_sized = b.shape.size() == 2 && b.shape[0] == rows;
      CHECK((!table_sized || b.kind == passes::Buffer::Kind::variable));
    }
  }
  SECTION("moments that decay everywhere: dense") {
    Example example;
    build(example, false);
    example.agrees(kTolerance);
    CHECK(spaces_with_all_rows(example) > 0);
  }
  SECTION("sgd on a table that is read with two sets of indices") {
    Example example;
    const Expr table = example.parameter("table", {rows, width});
    const Expr a = example.input("a", {n}, ir::DType::i32), b = example.input("b", {n, 3}, ir::DType::i32);
    std::vector<double> first, second;
    for (int i = 0; i < 11; ++i) first.push_back((i * 977) % 5000);
    for (int i = 0; i < 33; ++i) second.push_back((i * 977) % 5000);
    example.set("a", first);
    example.set("b", second);
    const Expr loss = sum_of_all(tanh(ir::gather(table, a, 0))) + sum_of_all(exp(ir::gather(table, b, 0)));
    example.function().results = {{"loss", loss.node}};
    example.function().updates = {{"table", (table - gradients(loss, {table})[0] * 0.1).node}};
    example.agrees(kTolerance);
    CHECK(spaces_with_all_rows(example) == 0);
  }
}

TEST_CASE("the_work_of_a_kernel_that_reads_rows_by_indices_does_not_grow_with_the_table") {
  const auto bytes = [](std::int64_t rows) {
    Example example;
    const Expr table = example.parameter("table", {Dimension(rows), 3});
    const Expr ids = example.input("ids", {n}, ir::DType::i32);
    const Expr loss = sum_of_all(tanh(ir::gather(table, ids, 0)));
    example.function().results = {{"loss", loss.node}};
    example.function().updates = {{"table", (table - gradients(loss, {table})[0] * 0.1).node}};
    const passes::KernelPlan plan = example.plan();
    std::int64_t sum = 0;
    for (const passes::Kernel& kernel : plan.kernels) sum += passes::work_of(kernel, plan).bytes.evaluate({{"n", 64}});
    return sum;
  };
  CHECK(bytes(1000) > 2 * 64 * 3 * 4);  // the rows are read and written
  CHECK(bytes(1000) == bytes(100000));
}

namespace {

/// x: [n, h, w, c] with windows of k: [kh, kw, c, f].
Expr convolution(Expr x, Expr k, int stride) {
  const auto size = [&](std::size_t i) { return static_cast<int>(k.shape()[i].constant()); };
  const Expr windows = ir::windows(ir::windows(x, 1, size(0), stride), 3, size(1), stride);
  ir::Attributes axes;
  axes.lhs_contract = {2, 4, 5};
  axes.rhs_contract = {0, 1, 2};
  return ir::dot_general(windows, k, axes);
}

/// A convolution and its adjoints, which agree, after all passes.
ir::Program convolved(const Shape& image, const Shape& kernel, int stride) {
  Example example;
  const Expr x = example.parameter("x", image), k = example.parameter("k", kernel);
  const Expr y = convolution(x, k, stride);
  const auto adjoints = gradients(sum_of_all(y * y), {x, k});
  example.function().results = {{"y", y.node}, {"dx", adjoints[0].node}, {"dk", adjoints[1].node}};
  example.agrees(kTolerance);
  return passes::run_pipeline(example.program());
}

std::size_t count_op(const ir::Program& program, Op op) {
  std::size_t count = 0;
  for (const ir::Node* node : ir::reachable(program.functions[0].roots())) count += node->op == op ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a_convolution_and_its_gradients_are_three_contractions") {
  for (int stride : {1, 2}) {
    const ir::Program optimized = convolved({4, 9, 7, 3}, {3, 2, 3, 5}, stride);
    INFO(ir::print(optimized));
    CHECK(count_op(optimized, Op::dot_general) == 3);
    CHECK(count_op(optimized, Op::diagonal) == 0);  // no element for every element of every window
  }
}

TEST_CASE("the_adjoint_of_a_convolution_with_a_stride_multiplies_by_few_zeros") {
  struct Windows {
    std::int64_t height, width, rows, columns;
    int stride;
  };
  for (const auto& [height, width, rows, columns, stride] :
       {Windows{9, 7, 3, 2, 2}, {8, 9, 3, 3, 2}, {9, 8, 4, 3, 2}, {11, 10, 5, 4, 3}, {7, 7, 1, 3, 2}}) {
    CAPTURE(height, width, rows, columns, stride);
    const ir::Program optimized = convolved({4, height, width, 3}, {rows, columns, 3, 5}, stride);
    INFO(ir::print(optimized));
    CHECK(count_op(optimized, Op::dot_general) == 3);
    CHECK(count_op(optimized, Op::diagonal) == 0);
    for (const ir::Node* node : ir::reachable(optimized.functions[0].roots())) {
      // No zeros between the elements of what has as many places as windows.
      if (node->op == Op::dot_general)
        CHECK(ir::element_count(node->operands[0]->shape()).constant() <= 4 * 3 * rows * columns * height * width);
    }
  }
}

TEST_CASE("a_part_of_windows_over_padding_is_padded_as_far_as_it_reaches") {
  for (const int distance : {1, 2}) {
    for (const bool reversed : {false, true}) {
      Example example;
      const Expr x = example.input("x", {n, 13, 3}), w = example.parameter("w", {3, 3, 5});
      Expr windows = ir::windows(ir::pad(x, {0, 4, 0}, {0, 4, 0}, {0, 0, 0}), 1, 3, distance);
      if (reversed) windows = ir::reverse(windows, {1, 2});
      const Dimension count = windows.shape()[1];
      const Expr part = ir::slice(windows, {0, 2, 0, 0}, {n, count - 1, 3, 3}, {1, 1, 1, 1});
      ir::Attributes axes;
      axes.lhs_contract = {2, 3}, axes.rhs_contract = {0, 1};
      example.function().results = {{"y", ir::dot_general(part, w, axes).node}};
      example.agrees(kTolerance);
      const auto plan = example.plan();
      const Shape padded{n, distance == 1 ? 18 : 15, 3};
      CHECK(std::any_of(plan.buffers.begin(), plan.buffers.end(), [&](const auto& b) { return b.shape == padded; }));
    }
  }
}

TEST_CASE("the_adjoint_of_patches_is_the_patches_side_by_side") {
  for (const std::int64_t width : {6, 7}) {
    const ir::Program optimized = convolved({4, 8, width, 3}, {2, 2, 3, 5}, 2);
    INFO(ir::print(optimized));
    CHECK(count_op(optimized, Op::dot_general) == 3);
    CHECK(count_op(optimized, Op::windows) == (width == 6 ? 0 : 1));
    CHECK(count_op(optimized, Op::diagonal) == 0);
    CHECK(count_op(optimized, Op::pad) == (width == 6 ? 0 : 1));  // the column that is in no window
  }
}

TEST_CASE("pooling_is_a_reduction_over_windows") {
  struct Pooling {
    std::int64_t height, width;
    int size, stride;
  };
  for (const auto& [height, width, size, stride] :
       {Pooling{8, 8, 2, 2}, {9, 7, 2, 2}, {8, 10, 2, 3}, {9, 11, 2, 3}, {9, 9, 3, 2}, {7, 5, 1, 2}}) {
    CAPTURE(height, width, size, stride);
    Example example;
    const Expr x = example.input("x", {n, height, width, 3});
    const Expr windows = ir::windows(ir::windows(x, 1, size, stride), 3, size, stride);
    const Expr y = ir::reduce_max(windows, {2, 4});
    example.function().results = {{"y", y.node}, {"dx", gradients(sum_of_all(y * y), {x})[0].node}};
    example.agrees(kTolerance);
  }
}

// Sums and extremes that keep the innermost axis, of few vectors or many, over windows' axes or over all places.
TEST_CASE("reductions_of_all_but_the_channels_and_of_windows") {
  for (const std::int64_t channels : {2, 8, 16, 19, 40, 64, 150}) {
    CAPTURE(channels);
    Example example;
    const Expr x = example.input("x", {n, 4, 3, 5, 2, channels});
    const Expr h = x * x + x, largest = ir::reduce_max(h, {2, 4});
    const Expr shared = select(h == ir::broadcast(largest, h.shape(), {0, 1, 3, 5}), h, 0.0);
    example.function().results = {{"largest", largest.node},
                                  {"ties", ir::reduce_sum(shared, {2, 4}).node},
                                  {"channels", ir::reduce_sum(shared, {0, 1, 2, 3, 4}).node},
                                  {"stored", shared.node},
                                  {"least", ir::reduce_min(x * 3.0, {1, 2, 3, 4}).node},
                                  {"places", ir::reduce_sum(exp(x), {0, 4}).node},
                                  {"whole", ir::reduce_sum(exp(x), {0, 1, 2, 3, 4, 5}).node}};
    example.agrees(kTolerance);
  }
}

TEST_CASE("pooling_over_axes_of_unknown_size_shares_its_gradient_among_ties") {
  const Dimension rows = n * 2;
  for (const Shape& shape : {Shape{rows, 3}, {rows + 1, 3}, {rows, 9, 4}, {rows, 20}, {rows, 6, 80}}) {
    Example example;
    const Expr x = example.input("x", shape);
    std::vector<double> values = example.program_case.environment.tensors.at("x").values;
    for (double& value : values) value = std::round(2 * value);
    example.set("x", values);
    const Expr h = ir::max(x, ir::like(x, 0)), y = ir::reduce_max(ir::windows(h, 0, 2, 2), {1});
    example.function().results = {{"y", y.node}, {"dx", gradients(sum_of_all(y * y), {x})[0].node}};
    example.agrees(kTolerance);
  }
}

TEST_CASE("the_gradient_of_pooling_and_of_what_is_in_front_of_it_is_one_expression") {
  Example example;
  const Expr x = example.input("x", {n, 8, 8, 3}), b = example.parameter("b", {3});
  const Expr h = ir::max(x + ir::broadcast(b, x.shape(), {3}), ir::like(x, 0));
  const Expr y = ir::reduce_max(ir::windows(ir::windows(h, 1, 2, 2), 3, 2, 2), {2, 4});
  const auto adjoints = gradients(sum_of_all(y * y), {x, b});
  example.function().results = {{"y", y.node}, {"dx", adjoints[0].node}, {"db", adjoints[1].node}};
  example.agrees(kTolerance);
  const ir::Program optimized = passes::run_pipeline(example.program());
  INFO(ir::print(optimized));
  CHECK(count_op(optimized, Op::windows) + count_op(optimized, Op::diagonal) + count_op(optimized, Op::pad) == 0);
  // The derivative of relu is taken where the windows are, and so is its sum: dx is the same numbers, as an image.
  const ir::Node* dx = optimized.functions[0].results[1].node;
  CHECK(dx->op == Op::reshape);
  CHECK(dx->operands[0]->op == Op::select);
  CHECK(optimized.functions[0].results[2].node->operands[0] == dx->operands[0]);
}

// The largest of whole numbers starts from the least one, whose bits are those of the float -0.
TEST_CASE("extremes_of_negative_whole_numbers") {
  Example example;
  const Expr x = example.input("x", {2, 3}, ir::DType::i32);
  example.set("x", {-5, -1, 7, -2, -9, -4});
  example.function().results = {{"largest", convert(ir::reduce_max(x, {0}), ir::DType::f32).node},
                                {"least", convert(ir::reduce_min(x, {0}), ir::DType::f32).node}};
  example.agrees(kTolerance);
}

// Positions are made where they are needed, but for views that strides cannot say.
TEST_CASE("positions_reshaped_and_picked") {
  Example example;
  const Expr x = example.input("x", {n, 1});
  const Expr rows = ir::iota(example.graph, {3, 5}, 0), columns = ir::iota(example.graph, {3, 5}, 1);
  const auto real = [](Expr e) { return convert(e, ir::DType::f32).node; };
  example.function().results = {{"x", x.node},
                                {"reshaped", real(ir::reshape(rows, {5, 3}))},
                                {"other_axis", real(ir::gather(rows, columns, 1))},
                                {"own_axis", real(ir::gather(columns, columns, 1))},
                                {"first_axis", real(ir::gather(columns, columns, 0))}};
  example.agrees(kTolerance);
}

// A contraction's operand is in memory: the kernel that stores it is the one that makes it for all others.
TEST_CASE("random_numbers_that_a_contraction_reads_are_made_by_the_kernel_that_stores_them") {
  Example example;
  example.program_case.environment.counters = {{"step", 1}, {"epoch", 0}};
  const Expr w = example.input("w", {4, n});
  ir::Attributes stream;
  stream.value = 1, stream.shape = {n, 4};
  const Expr uniform(example.graph, example.graph.make(Op::rng_uniform, {}, stream));
  const Expr squares = uniform * uniform;
  ir::Attributes axes;
  axes.lhs_contract = {1}, axes.rhs_contract = {0};
  example.function().results = {{"sums", ir::reduce_sum(exp(squares), {1}).node},
                                {"products", ir::dot_general(squares, w, axes).node}};
  example.agrees(kTolerance);
}

TEST_CASE("kernels_of_other_slices_are_the_same_code") {
  // Where a kernel begins in what it reads and writes is an argument. Few calls are written out, many are a table.
  for (const std::int64_t steps : {3, 70}) {
    Example example;
    const Expr x = example.input("x", {n, 8 * steps + 16}), w = example.parameter("w", {8, 8});
    std::vector<Expr> parts;
    for (std::int64_t step = 1; step <= steps; ++step) {
      const auto slice = [&](std::int64_t begin) { return ir::slice(x, {0, begin}, {n, begin + 8}, {1, 1}); };
      ir::Attributes axes;
      axes.lhs_contract = {1}, axes.rhs_contract = {0};
      parts.push_back(tanh(ir::dot_general(slice(8 * step), w, axes) + slice(8 * step + 4)));
    }
    example.function().results = {{"y", ir::concatenate(parts, 1).node}};
    example.agrees(kTolerance);
    codegen::Plans plans;
    plans["predict"] = example.plan();
    const codegen::KernelSet set = codegen::collect_kernels(plans);
    CHECK(set.kernels.size() == 1);
    CHECK(set.calls.at("predict").size() == static_cast<std::size_t>(steps));
  }
}

TEST_CASE("the_cell_of_a_recurrent_network_is_not_computed_again_from_all_before_it") {
  std::vector<std::size_t> kernels;
  for (const std::int64_t steps : {5, 9}) {
    Example example;
    const Expr x = example.input("x", {n, 32 * steps}), w = example.parameter("w", {8, 32});
    Expr h = example.input("h", {n, 8}), c = example.input("c", {n, 8});
    for (std::int64_t step = 0; step < steps; ++step) {
      ir::Attributes axes;
      axes.lhs_contract = {1}, axes.rhs_contract = {0};
      const Expr gates = ir::dot_general(h, w, axes) + ir::slice(x, {0, 32 * step}, {n, 32 * step + 32}, {1, 1});
      const auto gate = [&](std::int64_t i) { return ir::slice(gates, {0, 8 * i}, {n, 8 * i + 8}, {1, 1}); };
      c = logistic(gate(0)) * c + logistic(gate(1)) * tanh(gate(2));
      h = logistic(gate(3)) * tanh(c);
    }
    example.function().results = {{"y", h.node}};
    example.agrees(kTolerance);
    codegen::Plans plans;
    plans["predict"] = example.plan();
    kernels.push_back(codegen::collect_kernels(plans).kernels.size());
  }
  CHECK(kernels[0] == kernels[1]);
}

TEST_CASE("the_gates_of_a_recurrent_cell_are_computed_once_and_by_one_kernel") {
  Example example;
  const Expr w = example.parameter("w", {8, 32}), x = example.input("x", {n, 32});
  Expr h = example.input("h", {n, 8}), c = example.input("c", {n, 8});
  constexpr int steps = 3;
  for (int step = 0; step < steps; ++step) {
    ir::Attributes axes;
    axes.lhs_contract = {1}, axes.rhs_contract = {0};
    const Expr gates = ir::dot_general(h, w, axes) + x;
    const auto gate = [&](std::int64_t i) { return ir::slice(gates, {0, 8 * i}, {n, 8 * i + 8}, {1, 1}); };
    c = logistic(gate(0)) * c + logistic(gate(1)) * tanh(gate(2));
    h = logistic(gate(3)) * tanh(c);
  }
  example.function().results = {{"dw", gradients(sum_of_all(h * h), {w})[0].node}};
  example.agrees(kTolerance);
  const auto plan = example.plan();
  int computed = 0, cells = 0;
  for (const passes::Kernel& kernel : plan.kernels) {
    std::set<const ir::Node*> seen;
    const auto count = [&](auto&& self, const ir::Node* node) -> void {
      if (!passes::computed_in(kernel, node, plan) || !seen.insert(node).second) return;
      computed += node->op == Op::tanh ? 1 : 0;
      for (const ir::Node* operand : node->operands) self(self, operand);
    };
    const int before = computed;
    for (const passes::Store& store : kernel.stores) count(count, store.node);
    cells += computed > before ? 1 : 0;
  }
  CHECK(computed == 2 * steps);
  CHECK(cells == steps);
}
