#include <algorithm>
#include <catch2/catch.hpp>

#include "descent/error.h"
#include "ir/expr.h"
#include "ir/interpreter.h"
#include "ir/text.h"

using namespace descent::ir;
using descent::Error;

TEST_CASE("dimensions_are_equal_when_their_polynomials_are") {
  const Dimension n = Dimension::symbol("n"), d = Dimension::symbol("d");
  CHECK((n + 1) * 2 == n * 2 + 2);
  CHECK(n * d == d * n);
  CHECK_FALSE(n == d);
  CHECK(((n + n) - n * 2) == Dimension(0));
  CHECK((n * d * 2 + n - 3).to_string() == "2*d*n + n - 3");
  CHECK(Dimension::parse("2*d*n + n - 3") == n * d * 2 + n - 3);
  CHECK((n * 2 + 1).evaluate({{"n", 20}}) == 41);
  CHECK_THROWS_AS(Dimension::parse("2 n"), Error);
}

TEST_CASE("equal_expressions_are_one_node") {
  Graph graph;
  const Expr x(graph, graph.leaf(Op::input, "x", {Dimension(3)}));
  CHECK((exp(x) * 2.0).node == (exp(x) * 2.0).node);
  CHECK((exp(x) * 2.0).node != (exp(x) * 3.0).node);
  CHECK(graph.constant(0.0) != graph.constant(-0.0));
}

TEST_CASE("operands_of_unequal_shape_are_rejected") {
  Graph graph;
  const Expr x(graph, graph.leaf(Op::input, "x", {Dimension(3)}));
  const Expr y(graph, graph.leaf(Op::input, "y", {Dimension(4)}));
  CHECK_THROWS_WITH(x + y, "error: add takes operands of equal shape, not [3] and [4]");
}

TEST_CASE("the_text_form_reads_back_as_the_same_program") {
  const char* text =
      "program p\n"
      "input x : f32[n, 2]\n"
      "parameter w : f32[2, 3]\n"
      "\n"
      "function predict\n"
      "  %0 = input name=x : f32[n, 2]\n"
      "  %1 = parameter name=w : f32[2, 3]\n"
      "  %2 = constant value=0.1 : f32[n, 3]\n"
      "  %3 = dot_general %0, %1 lhs_contract=[1] rhs_contract=[0] : f32[n, 3]\n"
      "  %4 = compare_lt %2, %3 : bool[n, 3]\n"
      "  %5 = select %4, %3, %2 : f32[n, 3]\n"
      "  %6 = reduce_sum %5 axes=[1] : f32[n]\n"
      "  %7 = slice %3 starts=[0, 1] limits=[n - 1, 3] strides=[1, 2] : f32[n - 1, 1]\n"
      "  %8 = reverse %7 axes=[0] : f32[n - 1, 1]\n"
      "  %9 = pad %8 low=[1, 0] high=[0, 0] interior=[0, 1] : f32[n, 1]\n"
      "  %10 = concatenate %9, %3, %9 axes=[1] : f32[n, 5]\n"
      "  result y = %6\n"
      "  result z = %10\n";
  CHECK(print(parse(text)) == text);
  CHECK_THROWS_AS(parse("program p\nfunction f\n  %0 = nothing : f32[]\n"), Error);
  CHECK_THROWS_AS(parse("program p\nfunction f\n  %0 = input name=x : f32[]\n  result y = %0\n"), Error);
}

TEST_CASE("the_interpreter_contracts_and_reduces") {
  Graph graph;
  const Expr a(graph, graph.leaf(Op::input, "a", {Dimension(2), Dimension(3)}));
  const Expr b(graph, graph.leaf(Op::input, "b", {Dimension(3), Dimension(2)}));
  Attributes axes;
  axes.lhs_contract = {1};
  axes.rhs_contract = {0};
  Environment e;
  e.tensors["a"] = {{2, 3}, {1, 2, 3, 4, 5, 6}};
  e.tensors["b"] = {{3, 2}, {7, 8, 9, 10, 11, 12}};
  CHECK(interpret({dot_general(a, b, axes).node}, e)[0].values == std::vector<double>{58, 64, 139, 154});
  CHECK(interpret({reduce_sum(a, {0}).node}, e)[0].values == std::vector<double>{5, 7, 9});
  CHECK(interpret({reduce_max(a, {1}).node}, e)[0].values == std::vector<double>{3, 6});
  CHECK(interpret({transpose(a, {1, 0}).node}, e)[0].values == std::vector<double>{1, 4, 2, 5, 3, 6});
}

TEST_CASE("a_root_in_pieces_is_the_root_as_a_whole") {
  Graph graph;
  const Dimension rows = Dimension::symbol("rows");
  const Shape shape{rows, Dimension(3)};
  Attributes stream;
  stream.value = 7, stream.shape = shape;
  const Expr x(graph, graph.leaf(Op::input, "x", shape));
  const Expr uniform(graph, graph.make(Op::rng_uniform, {}, stream));
  const Expr place_by_place = exp(x) * (uniform * 2.0 - 1.0) + convert(iota(graph, shape, 0), DType::f32);
  const std::vector<Expr> roots{uniform, x, place_by_place, transpose(place_by_place, {1, 0})};
  for (const std::int64_t count : {0, 1, 341, 342, 1000}) {
    Environment e;
    e.seed = 5;
    e.dimensions["rows"] = count;
    e.counters["step"] = 3;
    e.tensors["x"].shape = {count, 3};
    for (std::int64_t i = 0; i < count * 3; ++i) e.tensors["x"].values.push_back(static_cast<double>(i % 11) / 4);
    for (const Expr& root : roots) {
      std::vector<double> values;
      interpret_in_pieces(root.node, e, [&](std::size_t first, std::span<const double> piece) {
        REQUIRE(first == values.size());
        values.insert(values.end(), piece.begin(), piece.end());
      });
      CHECK(values == interpret({root.node}, e)[0].values);
    }
  }
}

TEST_CASE("what_a_root_reaches_is_found_in_order_whether_it_is_little_or_much") {
  Graph graph;
  const Node* x = graph.leaf(Op::input, "x", {});
  std::vector<const Node*> sums{x};  // each reaches those before it, and a constant of its own
  std::vector<std::size_t> counts{1};
  for (int i = 1; i < 100; ++i) {
    sums.push_back(graph.make(Op::add, {sums.back(), graph.constant(i)}));
    counts.push_back(counts.back() + 2);
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const std::vector<const Node*> nodes = reachable({sums[i]});
    CHECK(nodes.size() == counts[i]);
    CHECK(std::is_sorted(nodes.begin(), nodes.end(), [](auto* a, auto* b) { return a->id < b->id; }));
    CHECK(nodes.back() == sums[i]);
    CHECK(reachable({sums[i], sums[i / 2], sums[i]}) == nodes);
  }
}
