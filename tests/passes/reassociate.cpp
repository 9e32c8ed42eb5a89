// The order of products of matrices is chosen by cost; of a product that is cut, the operands are.
#include <catch2/catch.hpp>

#include "ir/expr.h"
#include "ir/formula.h"
#include "ir/interpreter.h"
#include "ir/threefry.h"
#include "passes/passes.h"

using namespace descent;
using ir::Dimension;
using ir::Expr;

namespace {

Expr product(Expr a, Expr b, std::vector<int> lhs, std::vector<int> rhs) {
  ir::Attributes axes;
  axes.lhs_contract = std::move(lhs), axes.rhs_contract = std::move(rhs);
  return ir::dot_general(a, b, axes);
}
Expr operator%(Expr a, Expr b) { return product(a, b, {static_cast<int>(a.shape().size()) - 1}, {0}); }

struct Tensors {
  ir::Graph graph;
  ir::Environment environment;
  Expr tensor(const std::string& name, const ir::Shape& shape) {
    ir::Tensor t{ir::evaluate(shape, environment.dimensions), {}};
    for (std::int64_t i = 0; i < ir::element_count(shape, environment.dimensions); ++i) {
      const auto bits = ir::threefry2x32(static_cast<std::uint32_t>(name[0]), 0, static_cast<std::uint32_t>(i), 0);
      t.values.push_back(static_cast<double>(ir::uniform_from_bits(bits[0])) - 0.5);
    }
    environment.tensors[name] = t;
    return {graph, graph.leaf(ir::Op::input, name, shape)};
  }
  /// The simplified form, which has the same values.
  std::string simplified(Expr e) {
    const ir::Node* simple = passes::simplify_nodes(graph, {e.node})[0];
    const auto values = ir::interpret({e.node, simple}, environment);
    REQUIRE(values[0].values.size() == values[1].values.size());
    for (std::size_t i = 0; i < values[0].values.size(); ++i)
      CHECK(values[0].values[i] == Approx(values[1].values[i]).margin(1e-13));
    return ir::formula(simple);
  }
};

}  // namespace

TEST_CASE("a_product_with_a_vector_comes_first") {
  Tensors t;
  const Expr a = t.tensor("a", {8, 9}), b = t.tensor("b", {9, 7}), v = t.tensor("v", {7}), u = t.tensor("u", {8});
  CHECK(t.simplified((a % b) % v) == "a @ (b @ v)");
  CHECK(t.simplified(u % (a % b)) == "(u @ a) @ b");
  CHECK(t.simplified(product(a % b, u, {0}, {0})) == "b' @ (a' @ u)");
}

TEST_CASE("products_of_matrices_are_taken_in_the_cheaper_order") {
  Tensors t;
  t.environment.dimensions = {{"n", 3}};
  const Dimension n = Dimension::symbol("n");
  const Expr x = t.tensor("x", {n, 4}), w = t.tensor("w", {4, 5}), u = t.tensor("u", {5, 2});
  const Expr wide = t.tensor("m", {4, 400}), narrow = t.tensor("k", {400, 4});
  CHECK(t.simplified((x % w) % u) == "x @ (w @ u)");  // 40 + 8 n multiplications, not 30 n
  CHECK(t.simplified((x % wide) % narrow) == "x @ (m @ k)");
  CHECK(t.simplified(x % (wide % narrow)) == "x @ (m @ k)");
  const Expr row = t.tensor("r", {1, 4});
  CHECK(t.simplified(row % (wide % narrow)) == "(r @ m) @ k");
}

TEST_CASE("products_of_tensors_and_of_transposed_matrices_are_reordered_too") {
  Tensors t;
  const Expr a = t.tensor("a", {3, 8, 9}), b = t.tensor("b", {9, 5, 7}), c = t.tensor("c", {7, 2});
  t.simplified(product(a % b, c, {3}, {0}));                    // sums over an axis of the second operand
  t.simplified(product(product(b, a, {0}, {2}), c, {1}, {0}));  // of the first one, of which an axis is left
  const Expr d = t.tensor("d", {9, 8}), e = t.tensor("e", {9, 7}), f = t.tensor("f", {8, 2}), g = t.tensor("g", {7, 2});
  CHECK(t.simplified(product(product(d, e, {0}, {0}), f, {0}, {0})) == "e' @ (d @ f)");
  CHECK(t.simplified(product(f, product(d, e, {0}, {0}), {0}, {0})) == "(f' @ d') @ e");
  CHECK(t.simplified(product(g, product(d, e, {0}, {0}), {0}, {1})) == "(g' @ e') @ d");
}

TEST_CASE("a_product_that_is_used_elsewhere_stays") {
  Tensors t;
  const Expr a = t.tensor("a", {8, 9}), b = t.tensor("b", {9, 7}), v = t.tensor("v", {7, 1});
  const Expr p = a % b;
  CHECK(t.simplified(ir::reduce_sum(p % v, {0, 1}) + ir::reduce_sum(exp(p), {0, 1})).find("(a @ b) @ v") !=
        std::string::npos);
}

TEST_CASE("a_slice_of_a_product_is_the_product_of_slices") {
  Tensors t;
  const Expr a = t.tensor("a", {8, 9}), b = t.tensor("b", {9, 7});
  const auto cut = [](Expr e, ir::Shape starts, ir::Shape limits, std::vector<int> strides) {
    return ir::slice(e, std::move(starts), std::move(limits), std::move(strides));
  };
  CHECK(t.simplified(cut(a % b, {2, 1}, {8, 6}, {3, 2})).find(" @ ") != std::string::npos);
  // With axes that belong to both operands, and contracted ones in front.
  const Expr c = t.tensor("c", {4, 3, 5, 6}), d = t.tensor("d", {3, 4, 2});
  ir::Attributes axes;
  axes.lhs_batch = {1}, axes.rhs_batch = {0}, axes.lhs_contract = {0}, axes.rhs_contract = {1};
  const Expr whole = ir::dot_general(c, d, axes);  // [3, 5, 6, 2]
  t.simplified(cut(whole, {1, 0, 2, 1}, {3, 4, 6, 2}, {1, 1, 2, 1}));
  const ir::Node* simple =
      passes::simplify_nodes(t.graph, {cut(whole, {1, 0, 2, 1}, {3, 4, 6, 2}, {1, 1, 2, 1}).node})[0];
  CHECK(simple->op == ir::Op::dot_general);
  // Used as a whole too, it is computed once.
  const Expr p = a % b;
  const Expr both = ir::reduce_sum(cut(p, {2, 1}, {8, 6}, {1, 1}), {0, 1}) + ir::reduce_sum(exp(p), {0, 1});
  CHECK(t.simplified(both).find("(a @ b)[") != std::string::npos);
}
