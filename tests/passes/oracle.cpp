// Every pass keeps the meaning: on random graphs, the float64 interpreter gives the same before and after. 1,000 graphs
// here; more by DESCENT_GRAPHS=20000 (./dev oracle), from the seed DESCENT_SEED on. A graph that fails is shrunk and
// printed.
//
// Tolerance: 1e-12 relative to the largest value on the way, and 20 times what the value moves by when every value on
// the way is moved by 1e-13 of itself: a sum that cancels is not known better than its terms. Only finite values are
// compared: rules are right over the real numbers (docs/numerics.md). Derivatives against central differences: see
// there.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <unordered_map>

#include "ir/expr.h"
#include "ir/op.h"
#include "ir/threefry.h"
#include "passes/passes.h"
#include "tests/support/random_graph.h"

using namespace descent;
using ir::Expr;
using ir::Node;

namespace {

std::uint32_t setting(const char* name, std::uint32_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)) : fallback;
}

/// The same graph with every value on the way moved by 1e-13 of itself, up or down: what it gives differs from the
/// exact value about as much as rounding, amplified by cancellation and steep functions, can do.
const Node* with_noise(ir::Graph& graph, const Node* root, std::uint32_t seed) {
  std::unordered_map<const Node*, const Node*> rebuilt;
  for (const Node* node : ir::reachable({root})) {
    std::vector<const Node*> operands;
    for (const Node* operand : node->operands) operands.push_back(rebuilt.at(operand));
    const Node* same = operands == node->operands ? node : graph.make(node->op, std::move(operands), node->attributes);
    rebuilt[node] = same;
    if (node->type.dtype != ir::DType::f32 || node->is_constant()) continue;
    const double sign = (ir::threefry2x32(seed, 5, node->id, 0)[0] & 1) != 0 ? 1 : -1;
    rebuilt[node] = (Expr(graph, same) * (1 + sign * 1e-13)).node;
  }
  return rebuilt.at(root);
}

/// The largest magnitude; infinity where there is a NaN.
double largest_on_the_way(const Node* root, const ir::Environment& e) {
  double largest = 1;
  for (const ir::Tensor& t : ir::interpret(ir::reachable({root}), e)) {
    for (double v : t.values) {
      largest = std::isnan(v) ? std::numeric_limits<double>::infinity() : std::max(largest, std::fabs(v));
    }
  }
  return largest;
}

/// Whether `after` means something else than `before`.
bool differ(ir::Graph& graph, const Node* before, const Node* after, const ir::Environment& e) {
  const double scale = largest_on_the_way(before, e);
  if (scale > 1e8) return false;  // not finite, or too far out for a bound that means anything
  std::vector<const Node*> nodes{before, after};
  for (std::uint32_t draw = 0; draw < 12; ++draw) nodes.push_back(with_noise(graph, before, draw));
  const auto values = ir::interpret(nodes, e);
  for (std::size_t i = 0; i < values[0].values.size(); ++i) {
    const double a = values[0].values[i], b = values[1].values[i];
    double noise = 0;
    for (std::size_t draw = 2; draw < values.size(); ++draw) {
      const double change = std::fabs(values[draw].values[i] - a);
      noise = std::isnan(change) ? std::numeric_limits<double>::infinity() : std::max(noise, change);
    }
    if (!(std::fabs(a - b) <= 1e-12 * scale + 20 * noise)) return true;
  }
  return false;
}

const Node* simplified(ir::Graph& graph, const Node* node) { return passes::simplify_nodes(graph, {node})[0]; }
const Node* lowered(ir::Graph& graph, const Node* node) {
  return passes::lower_nodes(graph, {simplified(graph, node)})[0];
}

Expr total(Expr e) {
  std::vector<int> axes;
  for (std::size_t i = 0; i < e.shape().size(); ++i) axes.push_back(static_cast<int>(i));
  return ir::reduce_sum(e, axes);
}

}  // namespace

TEST_CASE("oracle_every_pass_keeps_the_meaning_of_random_graphs") {
  const std::uint32_t first = setting("DESCENT_SEED", 1), count = setting("DESCENT_GRAPHS", 1000);
  for (std::uint32_t seed = first; seed < first + count; ++seed) {
    const test::RandomGraph g = test::random_graph(seed);
    ir::Graph& graph = *g.program.graph;
    for (const ir::Binding& result : g.program.functions[0].results) {
      for (auto* pass : {simplified, lowered}) {
        const auto fails = [&](ir::Graph& in, const Node* root, const ir::Environment& e) {
          return differ(in, root, pass(in, root), e);
        };
        if (!fails(graph, result.node, g.environment)) continue;
        FAIL("seed " << seed << (pass == lowered ? ", lowered" : ", simplified") << "; smallest part that fails:\n"
                     << test::shrink(graph, result.node, g.environment, fails));
      }
    }
    for (const ir::Binding& result : g.program.functions[0].results) {
      const auto goes_on = [](ir::Graph& in, const Node* root, const ir::Environment&) {
        bool exhausted = false;
        passes::simplify_nodes(in, {root}, &exhausted);
        return exhausted;
      };
      if (!goes_on(graph, result.node, g.environment)) continue;
      FAIL("seed " << seed << "; simplification does not end; smallest part:\n"
                   << test::shrink(graph, result.node, g.environment, goes_on));
    }
  }
}

TEST_CASE("oracle_derivatives_of_random_graphs_agree_with_differences") {
  // Of a sum of tanh, so that values stay near 1; in the direction of all inputs at once. The step is 1e-5, the error
  // of a central difference below 1e-9 f''' + 1e-11 f; where differences with the steps h and h / 2 disagree by more
  // than 1e-6, the function has a kink or is too steep there, and nothing can be said.
  const std::uint32_t first = setting("DESCENT_SEED", 1), count = setting("DESCENT_GRAPHS", 1000) / 4;
  std::uint32_t compared = 0;
  for (std::uint32_t seed = first; seed < first + count; ++seed) {
    test::RandomGraph g = test::random_graph(seed);
    double place = 1;
    for (auto& [name, tensor] : g.environment.tensors) {  // away from ties and kinks at 0 and 1
      for (double& v : tensor.values) v += 0.01 * std::sin(place++);
    }
    ir::Graph& graph = *g.program.graph;
    const Node* root = g.program.functions[0].results[0].node;
    const auto nodes = ir::reachable({root});
    // What is held has no derivative, by definition.
    if (std::any_of(nodes.begin(), nodes.end(), [](const Node* n) { return n->op == ir::Op::stop_gradient; })) continue;
    const Expr loss = total(tanh(Expr(graph, root)));
    const auto along = [&](double t) {
      ir::Environment e = g.environment;
      double direction = 0.3;
      for (auto& [name, tensor] : e.tensors) {
        for (double& v : tensor.values) v += t * (direction = -direction * 0.9);
      }
      return e;
    };
    const auto slope = [&](const Node* f, double h) {
      const double above = ir::interpret({f}, along(h))[0].values[0],
                   below = ir::interpret({f}, along(-h))[0].values[0];
      return (above - below) / (2 * h);
    };
    // First derivatives in the direction, and the second: of the first.
    const Node* f = loss.node;
    for (int order = 1; order <= 2; ++order) {
      const auto gradients = passes::gradients(graph, f, g.inputs);
      const auto simple = passes::simplify_nodes(graph, gradients);
      const double expected = slope(f, 1e-5), nearer = slope(f, 5e-6);
      std::vector<double> unsimplified_and_not;
      for (const auto& adjoints : {gradients, simple}) {
        const auto values = ir::interpret(adjoints, g.environment);
        double sum = 0, direction = 0.3;
        // The direction runs over the tensors in the order of their names.
        std::map<std::string, const ir::Tensor*> by_name;
        for (std::size_t i = 0; i < g.inputs.size(); ++i) by_name[g.inputs[i]->attributes.name] = &values[i];
        for (const auto& [name, tensor] : by_name) {
          for (double v : tensor->values) sum += v * (direction = -direction * 0.9);
        }
        unsimplified_and_not.push_back(sum);
      }
      if (!std::isfinite(expected) || std::fabs(expected - nearer) > 1e-6 * (1 + std::fabs(expected))) break;
      const double here = ir::interpret({f}, g.environment)[0].values[0];
      const double ahead = (ir::interpret({f}, along(1e-6))[0].values[0] - here) / 1e-6;
      if (std::fabs(ahead - expected) > 1e-5 * (1 + std::fabs(expected))) break;  // a kink: another slope on each side
      INFO("seed " << seed << ", order " << order << ": by differences " << expected << ", derived "
                   << unsimplified_and_not[0] << ", simplified " << unsimplified_and_not[1]);
      if (!std::isfinite(unsimplified_and_not[0])) break;  // 0 * inf on the way, which rules may mend
      CHECK(std::fabs(unsimplified_and_not[0] - expected) <= 1e-5 * (1 + std::fabs(expected)));
      CHECK(std::fabs(unsimplified_and_not[1] - expected) <= 1e-5 * (1 + std::fabs(expected)));
      ++compared;
      // The derivative in a direction as a function, to be differentiated again: weights that do not depend on x.
      Expr next(graph, graph.constant(0));
      for (const Node* adjoint : simple) next = next + total(tanh(Expr(graph, adjoint)) * 0.5);
      f = next.node;
    }
  }
  CHECK(compared > count / 4);
}
