// Generated code against the float64 interpreter, on random graphs from a seeded generator.
//
// Tolerance: every op adds at most a few units in the last place (2^-24 relative) of its operands, sums those of their
// terms; operands are kept near 1 by the generator, so 2e-4 relative to 1 + |value| covers graphs of 25 ops with
// contractions of up to 40 terms, and is three orders below what a wrong operand or index gives.
#include <catch2/catch.hpp>
#include <cmath>

#include "ir/expr.h"
#include "ir/interpreter.h"
#include "ir/text.h"
#include "ir/threefry.h"
#include "passes/passes.h"
#include "tests/support/agreement.h"
#include "tests/support/doubles.h"

using namespace descent;
using ir::Dimension;
using ir::Expr;

namespace {

class Generator {
 public:
  Generator(std::uint32_t seed, std::int64_t row_count) : seed_(seed), row_count_(row_count) {}
  std::uint32_t below(std::uint32_t n) { return ir::threefry2x32(seed_, 0, count_++, 0)[0] % n; }
  double uniform() {
    return 2 * static_cast<double>(ir::uniform_from_bits(ir::threefry2x32(seed_, 1, count_++, 0)[0])) - 1;
  }

  ir::Program program() {
    ir::Program p;
    p.name = "random";
    ir::Graph& g = *p.graph;
    const Dimension n = Dimension::symbol("n");
    static const std::int64_t widths[] = {1, 2, 3, 5, 8, 13, 16, 17, 31, 33, 40};
    const auto width = [&] { return Dimension(widths[below(11)]); };
    const Dimension i = width(), j = width(), k = width();
    p.inputs = {{"x", {n, i}}, {"y", {n, i}}, {"rows", {n}, false, ir::DType::i32}};
    const Expr rows(g, g.leaf(ir::Op::input, "rows", {n}, ir::DType::i32));
    p.variables = {{"w", {i, j}}, {"v", {j, k}}, {"b", {j}}};
    std::vector<Expr> pool = {{g, g.leaf(ir::Op::input, "x", {n, i})}, {g, g.leaf(ir::Op::input, "y", {n, i})}};
    const Expr w(g, g.leaf(ir::Op::parameter, "w", {i, j})), v(g, g.leaf(ir::Op::parameter, "v", {j, k})),
        b(g, g.leaf(ir::Op::parameter, "b", {j}));
    const auto pick = [&](const ir::Shape& shape) {
      std::vector<Expr> fitting;
      for (const Expr& e : pool)
        if (e.shape() == shape) fitting.push_back(e);
      return fitting[below(static_cast<std::uint32_t>(fitting.size()))];
    };
    const auto grow = [&](int count, const ir::Shape& shape) {
      for (int step = 0; step < count; ++step) {
        const Expr a = pick(shape), c = pick(shape);
        switch (below(24)) {
          case 0:
            pool.push_back(a + c);
            break;
          case 1:
            pool.push_back(tanh(a) * c);
            break;
          case 2:
            pool.push_back(a - c * 0.5);
            break;
          case 3:
            pool.push_back(max(a, c));
            break;
          case 4:
            pool.push_back(logistic(a));
            break;
          case 5:
            pool.push_back(softplus(a) * 0.5);
            break;
          case 6:
            pool.push_back(exp(min(a, like(a, 1))));
            break;
          case 7:
            pool.push_back(log1p(abs(a)));
            break;
          case 8:
            pool.push_back(a / (c * c + 1.0));
            break;
          case 9:
            pool.push_back(select(like(a, 0.1) < a, c, a * 0.3));
            break;
          case 10:
            pool.push_back(sqrt(a * a + 0.5));
            break;
          case 12: {  // the columns after `cut` and those before it change places
            const Dimension cut(below(static_cast<std::uint32_t>(shape[1].constant())));
            const Expr before = ir::slice(a, {0, 0}, {shape[0], cut}, {1, 1});
            const Expr after = ir::slice(a, {0, cut}, shape, {1, 1});
            pool.push_back(ir::concatenate({after, before}, 1));
            break;
          }
          case 13:
            pool.push_back(c * 0.5 + ir::reverse(a, {static_cast<int>(below(2))}) * 0.5);
            break;
          case 14: {  // the rows move down by one
            if (row_count_ == 0) break;
            const Expr upper = ir::slice(a, {0, 0}, {shape[0] - 1, shape[1]}, {1, 1});
            pool.push_back(c - ir::pad(tanh(upper), {1, 0}, {0, 0}, {0, 0}));
            break;
          }
          case 15: {  // every other column, with zeros between
            const std::int64_t columns = shape[1].constant(), kept = (columns + 1) / 2;
            const Expr some = ir::slice(a, {0, 0}, shape, {1, 2});
            pool.push_back(ir::pad(some, {0, 0}, {0, columns - (2 * kept - 1)}, {0, 1}) - c * 0.5);
            break;
          }
          case 16:  // rows picked by an input, some of which are out of range
            pool.push_back(ir::gather(a, rows, 0) * 0.5);
            break;
          case 17:
            pool.push_back(c - ir::scatter_add(rows, tanh(a) * 0.1, shape, 0));
            break;
          case 18: {  // whole numbers
            const Expr whole = ir::convert(floor(pool[below(2)] * 8.0), ir::DType::i32);
            const Expr index = ir::iota(g, whole.shape(), static_cast<int>(below(2)));
            const Expr chosen = ir::select(index - whole * 2.0 < max(whole, index), whole, index * whole);
            const Expr sum = ir::reduce_sum(min(chosen, like(chosen, 3)), {1});
            const Expr small = ir::convert(sum, ir::DType::f32) * 0.01;
            pool.push_back(a + ir::broadcast(tanh(small), shape, {0}));
            break;
          }
          case 19: {  // sums of overlapping windows of rows, as many as there are rows
            const int size = static_cast<int>(1 + below(3)), dilation = static_cast<int>(1 + below(2));
            const Expr padded = ir::pad(a, {(size - 1) * dilation, 0}, {0, 0}, {0, 0});
            pool.push_back(ir::reduce_sum(ir::windows(padded, 0, size, 1, dilation) * 0.3, {1}));
            break;
          }
          case 20: {
            const Expr least = ir::reduce_min(a, {1}), largest = ir::reduce_max(c, {0});
            pool.push_back(a - ir::broadcast(least, shape, {0}) * 0.5 + ir::broadcast(largest, shape, {1}) * 0.25);
            break;
          }
          case 21:
            pool.push_back(erf(a) + remainder(abs(c), abs(a) + 4.0) * 0.5);
            break;
          case 23: {  // every row to mean 0 and variance 1
            const Dimension& columns = shape[1];
            const auto mean = [&](Expr e) {
              return ir::broadcast(ir::reduce_sum(e, {1}) / static_cast<double>(columns.constant()), shape, {0});
            };
            const Expr centred = a - mean(a);
            pool.push_back(centred / sqrt(mean(centred * centred) + 0.3));
            break;
          }
          case 11: {
            const Expr row = ir::reduce_sum(a * 0.2, {1});
            pool.push_back(c - tanh(ir::broadcast(row, shape, {0})));
            break;
          }
          case 22: {  // the sum of a row meets the elements it is made of
            const Expr e = exp(min(a, like(a, 1)));
            pool.push_back(e / ir::broadcast(ir::reduce_sum(e, {1}), shape, {0}));
            break;
          }
        }
      }
    };
    ir::Attributes axes;
    axes.lhs_contract = {1};
    axes.rhs_contract = {0};
    grow(3, {n, i});
    pool.push_back(tanh(ir::dot_general(pick({n, i}), w, axes) * 0.3 + ir::broadcast(b, {n, j}, {1})));
    grow(4, {n, j});
    pool.push_back(ir::dot_general(pick({n, j}), v, axes) * 0.3);
    grow(4, {n, k});
    const Expr out = pool.back();
    const Expr loss = ir::reduce_sum(tanh(out), {0, 1}) / Expr(g, g.dimension(n));
    ir::Function f{
        "predict", {{"out", out.node}, {"loss", loss.node}, {"columns", ir::reduce_sum(out * out, {0}).node}}, {}};
    const auto gradients = passes::gradients(g, loss.node, {w.node, v.node, b.node});
    f.updates = {{"w", (w - Expr(g, gradients[0]) * 0.1).node},
                 {"v", (v - Expr(g, gradients[1]) * 0.1).node},
                 {"b", (b - Expr(g, gradients[2]) * 0.1).node}};
    p.functions.push_back(f);
    return p;
  }

 private:
  std::uint32_t seed_, count_ = 0;
  std::int64_t row_count_;
};

/// Values for all that the program reads; some are 0, 1 or -1, so that there are ties.
ir::Environment environment(Generator& generator, const ir::Program& program, std::int64_t rows) {
  ir::Environment e;
  e.dimensions = {{"n", rows}};
  const auto add = [&](const std::string& name, const ir::Shape& shape) {
    ir::Tensor t{ir::evaluate(shape, e.dimensions), {}};
    const std::int64_t count = ir::element_count(shape, e.dimensions);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = static_cast<double>(generator.below(static_cast<std::uint32_t>(rows) + 2)) - 1;
      const double number = generator.below(8) == 0 ? static_cast<double>(generator.below(3)) - 1 : generator.uniform();
      t.values.push_back(name == "rows" ? row : static_cast<double>(static_cast<float>(number)));
    }
    e.tensors[name] = t;
  };
  for (const ir::Input& input : program.inputs) add(input.name, input.shape);
  for (const ir::Variable& v : program.variables) add(v.name, v.shape);
  return e;
}

constexpr double kTolerance = 2e-4, kToleranceOfDoubles = 4e-13;  // as many units in the last place

void compare(std::uint32_t seed, std::int64_t rows, bool in_doubles = false) {
  Generator generator(seed, rows);
  test::Case example{generator.program(), {}};
  example.environment = environment(generator, example.program, rows);
  if (in_doubles) example.program = test::in_doubles(example.program);
  const double tolerance = in_doubles ? kToleranceOfDoubles : kTolerance;
  std::string difference;
  try {
    difference = test::disagreement(example, tolerance);
  } catch (const std::exception& error) {
    difference = error.what();
  }
  if (difference.empty()) return;
  const test::Case smallest = test::shrunk(example, tolerance);
  FAIL("seed " << seed << ", n = " << rows << ": " << difference << "\nthe smallest program that differs:\n"
               << ir::print(smallest.program));
}

}  // namespace

TEST_CASE("generated_code_agrees_with_the_interpreter_on_200_random_graphs") {
  static const std::int64_t rows[] = {0, 1, 2, 7, 16, 33, 70};
  for (std::uint32_t seed = 1; seed <= 200; ++seed) compare(seed, rows[seed % 7]);
}

TEST_CASE("generated_code_in_float64_agrees_with_the_interpreter_on_60_random_graphs") {
  static const std::int64_t rows[] = {0, 1, 2, 7, 16, 33, 70};
  for (std::uint32_t seed = 201; seed <= 260; ++seed) compare(seed, rows[seed % 7], true);
}

TEST_CASE("what_random_graphs_print_reads_back_as_the_same_program") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    const std::string text = ir::print(Generator(seed, 7).program());
    CHECK(ir::print(ir::parse(text)) == text);
    const std::string in_doubles = ir::print(test::in_doubles(ir::parse(text)));
    CHECK(in_doubles.find("f32") == std::string::npos);
    CHECK(ir::print(ir::parse(in_doubles)) == in_doubles);
  }
}
