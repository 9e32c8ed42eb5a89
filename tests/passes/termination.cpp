// Rewriting ends. Every op is given two functions of its operands' measures, both growing with every operand, so that
// replacing a part by one that measures less makes the whole measure less; natural numbers cannot fall without end.
// Each row's replacement must measure less than its pattern, by the first measure or, that being equal, the second.
//   size   weighted number of ops: laws that save work
//   depth  how far inside signs and fractions stand: the normal form
// The few rows that make an expression larger are named here with the reason why they apply only once.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "ir/op.h"
#include "ir/threefry.h"
#include "passes/passes.h"
#include "passes/rules.h"

using namespace descent;
using ir::Op;
using passes::Pattern;

namespace {

struct Measure {
  double size, depth;
};

class Measures {
 public:
  Measures(std::uint32_t seed, bool lowering) : seed_(seed), lowering_(lowering) {}

  /// `folds`: in a replacement, what is known is a constant.
  Measure of(const Pattern& p, bool folds) {
    switch (p.kind) {
      case Pattern::Kind::number:
      case Pattern::Kind::constant:
      case Pattern::Kind::coefficient:
        return {1, 2};
      case Pattern::Kind::letter:
        return letter(p.letter);
      case Pattern::Kind::spread: {
        const Measure x = of(*p.operands[0], folds);
        return {x.size + 1, x.depth};
      }
      case Pattern::Kind::op:
        break;
    }
    std::vector<Measure> x;
    bool constant = true;
    for (const auto& operand : p.operands) {
      x.push_back(of(*operand, folds));
      constant = constant && x.back().size == 1;
    }
    if (folds && constant && ir::info(p.op).kind == ir::OpKind::elementwise) return {1, 2};
    return {size(p.op, x), depth(p.op, x)};
  }

 private:
  Measure letter(char name) {
    auto [at, fresh] = letters_.try_emplace(name);
    if (fresh) {
      const auto bits = ir::threefry2x32(seed_, static_cast<std::uint32_t>(name), 0, 0);
      at->second = {5.0 + bits[0] % 50, 2.0 + bits[1] % 50};
    }
    return at->second;
  }

  double size(Op op, const std::vector<Measure>& x) const {
    double sum = 0;
    for (const Measure& m : x) sum += m.size;
    switch (op) {
      case Op::negate:
      case Op::stop_gradient:
        return 1 + sum;
      case Op::add:
      case Op::subtract:
      case Op::abs:
      case Op::sign:
      case Op::compare_lt:
      case Op::compare_le:
      case Op::compare_eq:
        return 2 + sum;
      case Op::maximum:
      case Op::minimum:
      case Op::select:
        return 3 + sum;
      case Op::reduce_sum:
      case Op::reduce_max:
        return 4 + sum;
      case Op::multiply:
        return 5 + sum;
      case Op::divide:
        return 8 + sum;
      case Op::sqrt:
        return 16 + sum;
      case Op::exponential_minus_one:
        return 19 + 2 * sum;
      case Op::log_plus_one:
        return 19 + sum;
      case Op::exponential:
        return 20 + 2 * sum;
      case Op::softplus:
        return lowering_ ? 60 + 4 * sum : 25 + sum;
      case Op::logistic:
      case Op::tanh:
        return 25 + sum;
      case Op::power:
        return 60 + 4 * sum;
      default:
        return 20 + sum;
    }
  }

  static double depth(Op op, const std::vector<Measure>& x) {
    switch (op) {
      case Op::negate:
        return x[0].depth + 1;
      case Op::add:
        return x[0].depth + x[1].depth;
      case Op::subtract:
        return 2 * x[0].depth + x[1].depth;
      case Op::multiply:
        return x[0].depth * x[1].depth;
      case Op::divide:
        return x[0].depth * x[1].depth + 1;
      case Op::select:
        return x[0].depth + x[1].depth + x[2].depth;
      case Op::reduce_sum:
        return x[0].depth * x[0].depth;
      default: {
        double sum = 0;
        for (const Measure& m : x) sum += 2 * m.depth;
        return sum;
      }
    }
  }

  std::uint32_t seed_;
  bool lowering_;
  std::map<char, Measure> letters_;
};

/// Rows that may make an expression larger, by their patterns.
const std::set<std::string>& rows_that_apply_once() {
  static const std::set<std::string> rows = {
      "a * log(a)",                                                   // the logarithm is then of a choice, not of a
      "a * (log(a) - b)",                                             // the same
      "(1 + a) * log_plus_one(a)",                                    // the same, of a choice
      "(1 + a) * (log_plus_one(a) - b)",                              // the same
      "log(exponential(a) + exponential(b) + exponential(c))",        // an exponential less stands in the sum
      "log(1 + reduce_sum(exponential(a)))",                          // the logarithm is then of the exponentials alone
      "log(reduce_sum(exponential(a)) * b)",                          // the same
      "log(reduce_sum(exponential(a)) / b)",                          // the same
      "log(spread(reduce_sum(exponential(a))) * b)",                  // the same
      "log(reduce_sum(exponential(a)))",                              // the exponent is then at most 0: not unbounded
      "reduce_sum(exponential(a) * b) / reduce_sum(exponential(a))",  // the same
      "b / reduce_sum(exponential(a))",                               // the same
      "b / spread(reduce_sum(exponential(a)))",                       // the same
      "log(reduce_sum(exponential(a) * b))",                          // the same
      "log(reduce_sum(exponential(a) * b) * c)",                      // the logarithm is then of the sum alone
      "log(reduce_sum(exponential(a) * b) / c)",                      // the same
      "b / (exponential(a) + exponential(-a))",                       // no sum of exponentials is left
      // The exponent is then bounded without being a distance from the largest.
      "log(reduce_sum(exponential(a - spread(stop_gradient(reduce_max(a)))) * b))",
      "log(reduce_sum(exponential(a - spread(stop_gradient(reduce_max(a)))) * b) * c)",
      "log(reduce_sum(exponential(a - spread(stop_gradient(reduce_max(a)))) * b) / c)",
      // The logarithm is then of one less a choice.
      "log_plus_one(-(exponential(a - spread(stop_gradient(reduce_max(a)))) / "
      "spread(reduce_sum(exponential(a - spread(stop_gradient(reduce_max(a))))))))",
      "exponential(a) / spread(reduce_sum(exponential(a)))",        // the same
      "reduce_sum(a * a) / b - reduce_sum(a) * reduce_sum(a) / c",  // no difference of sums is left
      "log_plus_one(b) - minimum(x, 0) + a * x",                    // the difference no longer begins with log_plus_one
      "spread(reduce_max(a) + b) - a",                              // the maximum no longer stands in a sum
      "a - b - spread(reduce_max(a))",                              // the maximum no longer is the last term
      "a - spread(reduce_max(a) + b)",                              // the maximum no longer stands in a sum
      "sqrt(1 + a) + -1",                                           // no difference is left
      "a * (sqrt(x / b) + k)",                                      // no product of a sum is left
      "1 + erf(a)",                                                 // no erf is left
      "1 - erf(a)",                                                 // the same
  };
  return rows;
}

void check(const std::vector<passes::Rule>& rules, bool lowering) {
  for (const passes::Rule& rule : rules) {
    const std::string pattern = to_string(*rule.pattern.pattern);
    INFO(pattern << " -> " << to_string(*rule.replacement.pattern));
    if (rows_that_apply_once().contains(pattern)) continue;
    for (std::uint32_t seed = 1; seed <= 50; ++seed) {
      Measures measures(seed, lowering);
      const Measure before = measures.of(*rule.pattern.pattern, false),
                    after = measures.of(*rule.replacement.pattern, true);
      INFO("size " << before.size << " to " << after.size << ", depth " << before.depth << " to " << after.depth);
      const bool smaller = after.size < before.size || (after.size == before.size && after.depth < before.depth);
      CHECK(smaller);
      if (!smaller) break;
    }
  }
}

}  // namespace

TEST_CASE("every_rule_makes_an_expression_measure_less") {
  check(passes::normal_form_rules(), false);
  check(passes::stability_rules(), false);
  check(passes::algebra_rules(), false);
  check(passes::function_rules(), false);
  check(passes::normal_form_rules(), true);
  check(passes::algebra_rules(), true);
  check(passes::function_rules(), true);
  check(passes::lowering_rules(), true);
}

TEST_CASE("a_shifted_sum_of_exponentials_is_not_shifted_again") {
  ir::Graph graph;
  const ir::Expr x(graph, graph.leaf(Op::input, "x", {ir::Dimension(3), ir::Dimension(4)}));
  const ir::Expr y(graph, graph.leaf(Op::input, "y", {ir::Dimension(3), ir::Dimension(4)}));
  for (const ir::Expr& exponent : {x, -x, x + y, x - y, -x - y, x * y, -(x * y), 2.0 * x - 1.0, -(x - y) * 3.0}) {
    bool exhausted = false;
    const ir::Node* once = passes::simplify_nodes(graph, {log(ir::reduce_sum(exp(exponent), {1})).node}, &exhausted)[0];
    CHECK_FALSE(exhausted);
    CHECK(passes::simplify_nodes(graph, {once})[0] == once);
  }
}

TEST_CASE("a_network_of_1000_layers_is_simplified_in_linear_work") {
  // By counting nodes, not time: each layer may add only so many nodes to the graph, whatever its depth.
  const auto nodes_of = [](int layers) {
    ir::Graph graph;
    const ir::Shape shape{ir::Dimension::symbol("n"), ir::Dimension(8)};
    ir::Attributes axes;
    axes.lhs_contract = {1}, axes.rhs_contract = {0};
    ir::Expr h(graph, graph.leaf(Op::input, "x", shape));
    std::vector<const ir::Node*> weights;
    for (int i = 0; i < layers; ++i) {
      const ir::Expr w(graph, graph.leaf(Op::parameter, "w" + std::to_string(i), {ir::Dimension(8), ir::Dimension(8)}));
      weights.push_back(w.node);
      h = h + 1.0 / (1.0 + exp(-ir::dot_general(h, w, axes)));
    }
    const ir::Expr loss = ir::reduce_sum(h * h, {0, 1});
    bool exhausted = false;
    const ir::Node* simple = passes::simplify_nodes(graph, {loss.node}, &exhausted)[0];
    CHECK_FALSE(exhausted);
    const auto gradients = passes::simplify_nodes(graph, passes::gradients(graph, simple, weights), &exhausted);
    CHECK_FALSE(exhausted);
    return std::pair(graph.size(), ir::reachable(gradients).size());
  };
  const auto [made_100, kept_100] = nodes_of(100);
  const auto [made_1000, kept_1000] = nodes_of(1000);
  CHECK(made_1000 < 10.5 * static_cast<double>(made_100));
  CHECK(kept_1000 < 10.5 * static_cast<double>(kept_100));
}
