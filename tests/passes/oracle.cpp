// Every pass keeps the meaning: on random graphs, the float64 interpreter gives the same before and after. 1,000 graphs
// here; more by DESCENT_GRAPHS=20000 (./dev oracle), from the seed DESCENT_SEED on. A graph that fails is shrunk and
// printed. Generated code: tests/codegen/oracle.cpp.
//
// Tolerance: that of tests/support/rounding.h with 1e-13: 1e-12 of the largest value on the way, and what cancellation
// and steep functions make of it. Derivatives against central differences: see there.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>

#include "ir/expr.h"
#include "ir/op.h"
#include "ir/text.h"
#include "passes/passes.h"
#include "tests/support/random_graph.h"
#include "tests/support/rounding.h"
#include "tests/support/saved_graphs.h"

using namespace descent;
using ir::Expr;
using ir::Node;

namespace {

/// Whether `after` means something else than `before`.
bool differ(ir::Graph& graph, const Node* before, const Node* after, const ir::Environment& e) {
  const auto expected = test::expected(graph, before, e, {1e-13, 12});
  return expected && !test::out_of_bounds(*expected, ir::interpret({after}, e)[0].values).empty();
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
  const std::uint32_t first = test::setting("DESCENT_SEED", 1), count = test::setting("DESCENT_GRAPHS", 1000);
  WARN("seeds " << first << " to " << first + count - 1);
  std::uint32_t compared = 0;
  for (std::uint32_t seed = first; seed < first + count; ++seed) {
    const test::RandomGraph g = test::random_graph(seed);
    ir::Graph& graph = *g.program.graph;
    for (const ir::Binding& result : g.program.functions[0].results) {
      if (test::expected(graph, result.node, g.environment, {1e-13, 0})) ++compared;
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
  CHECK(compared > 2 * count);  // of 3 results each
}

TEST_CASE("graphs_that_once_showed_a_mistake_keep_their_meaning") {
  for (const test::SavedGraph& saved : test::saved_graphs()) {
    INFO(saved.name);
    ir::Graph& graph = *saved.graph.program.graph;
    for (const ir::Binding& result : saved.graph.program.functions[0].results) {
      for (auto* pass : {simplified, lowered}) {
        CHECK_FALSE(differ(graph, result.node, pass(graph, result.node), saved.graph.environment));
      }
    }
  }
}

TEST_CASE("oracle_random_graphs_have_every_op") {
  std::map<ir::Op, int> uses;
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    const test::RandomGraph g = test::random_graph(seed);
    for (const Node* node : ir::reachable(g.program.functions[0].roots())) ++uses[node->op];
  }
  for (const ir::OpInfo& op : ir::all_ops()) {
    const ir::Op which = *ir::find_op(op.name);
    INFO(op.name);
    // Variables are leaves like inputs; gradients are replaced by passes/differentiate, scatters made by
    // passes/sparse_updates.
    const bool of_passes = which == ir::Op::gradient || which == ir::Op::scatter;
    if (which != ir::Op::parameter && which != ir::Op::state && !of_passes) CHECK(uses[which] >= 5);
  }
}

namespace {

/// The derivatives of a scalar in one direction of all its inputs at once, against central differences. The step is
/// 1e-5, the error of a central difference below 1e-9 of the third derivative and 1e-11 of the value; where differences
/// with the steps h and h / 2 disagree by more than 1e-6, or those ahead and around, the function has a kink or is too
/// steep, and nothing can be said.
class DirectionalDerivatives {
 public:
  DirectionalDerivatives(ir::Graph& graph, const Node* root, const ir::Environment& environment)
      : graph_(graph), environment_(environment) {
    for (const Node* node : ir::reachable({root})) {
      if (node->op == ir::Op::input && node->type.dtype == ir::DType::f32) inputs_.push_back(node);
    }
    double place = 1;
    for (const Node* input : inputs_) {  // away from ties and kinks at 0 and 1
      for (double& v : environment_.tensors.at(input->attributes.name).values) v += 0.01 * std::sin(place++);
    }
  }

  /// What is wrong with the first or second derivative, as a text; empty if nothing is.
  std::string mistake(const Node* f) {
    for (int order = 1; order <= 2; ++order) {
      const auto derived = passes::gradients(graph_, f, inputs_);
      const auto simple = passes::simplify_nodes(graph_, derived);
      const double by_rule = in_direction(derived), simplified = in_direction(simple);
      const double expected = slope(f, 1e-5), nearer = slope(f, 5e-6), slack = 1 + std::fabs(expected);
      const double here = value(f, 0), ahead = (value(f, 1e-6) - here) / 1e-6;
      const bool smooth = std::fabs(expected - nearer) <= 1e-6 * slack && std::fabs(ahead - expected) <= 1e-5 * slack;
      if (!smooth || test::largest_on_the_way(derived, environment_) > test::kLargest) return "";
      const auto near = [&](double got, double bound) { return std::fabs(got - expected) <= bound; };
      if (!near(by_rule, 1e-5 * slack) ||
          (!near(simplified, 1e-5 * slack) && !near(simplified, 1e-5 * slack + doubt(derived)))) {
        std::ostringstream text;
        text << "order " << order << ": by differences " << expected << ", derived " << by_rule << ", simplified "
             << simplified;
        return text.str();
      }
      ++compared;
      // The derivative as a function to be differentiated again.
      Expr next(graph_, graph_.constant(0));
      for (const Node* adjoint : simple) next = next + total(tanh(Expr(graph_, adjoint)) * 0.5);
      f = next.node;
    }
    return "";
  }

  int compared = 0;  ///< derivatives of which something could be said

 private:
  template <typename Use>
  static void along_direction(std::vector<double>& values, double& direction, Use use) {
    for (double& v : values) use(v, direction = -direction * 0.9);
  }
  double value(const Node* f, double t) {
    ir::Environment e = environment_;
    double direction = 0.3;
    for (const Node* input : inputs_) {
      along_direction(e.tensors.at(input->attributes.name).values, direction, [&](double& v, double d) { v += t * d; });
    }
    return ir::interpret({f}, e)[0].values[0];
  }
  double slope(const Node* f, double h) { return (value(f, h) - value(f, -h)) / (2 * h); }
  double in_direction(const std::vector<const Node*>& adjoints) {
    double sum = 0, direction = 0.3;
    for (ir::Tensor& t : ir::interpret(adjoints, environment_)) {
      along_direction(t.values, direction, [&](double v, double d) { sum += v * d; });
    }
    return sum;
  }

  /// How far rounding can move the derivative: without bound where it decides a comparison. (The sign of 1 - tanh(40)
  /// is 0 with every digit that a float64 has, and that of the logistic function which it is made into is 1.)
  double doubt(const std::vector<const Node*>& adjoints) {
    double sum = 0, direction = 0.3;
    for (const Node* adjoint : adjoints) {
      auto expected = test::expected(graph_, adjoint, environment_, {1e-13, 12});
      if (!expected) return std::numeric_limits<double>::infinity();
      along_direction(expected->bounds, direction, [&](double bound, double d) { sum += bound * std::fabs(d); });
    }
    return sum;
  }

  ir::Graph& graph_;
  ir::Environment environment_;
  std::vector<const Node*> inputs_;
};

/// Of the sum of tanh, so that values stay near 1.
std::string mistaken_derivative(ir::Graph& graph, const Node* root, const ir::Environment& e, int* compared = nullptr) {
  const auto nodes = ir::reachable({root});
  // What is held has no derivative, by definition.
  if (std::any_of(nodes.begin(), nodes.end(), [](const Node* n) { return n->op == ir::Op::stop_gradient; })) return "";
  DirectionalDerivatives derivatives(graph, root, e);
  const std::string mistake = derivatives.mistake(total(tanh(Expr(graph, root))).node);
  if (compared != nullptr) *compared += derivatives.compared;
  return mistake;
}

}  // namespace

TEST_CASE("oracle_derivatives_of_random_graphs_agree_with_differences") {
  const std::uint32_t first = test::setting("DESCENT_SEED", 1), count = test::setting("DESCENT_GRAPHS", 1000);
  int compared = 0;
  for (std::uint32_t seed = first; seed < first + count; ++seed) {
    const test::RandomGraph g = test::random_graph(seed);
    const Node* root = g.program.functions[0].results[0].node;
    const std::string mistake = mistaken_derivative(*g.program.graph, root, g.environment, &compared);
    if (mistake.empty()) continue;
    const auto fails = [](ir::Graph& in, const Node* part, const ir::Environment& e) {
      return !mistaken_derivative(in, part, e).empty();
    };
    FAIL("seed " << seed << ", " << mistake << "; smallest part that fails:\n"
                 << test::shrink(*g.program.graph, root, g.environment, fails));
  }
  CHECK(compared > static_cast<int>(count / 2));
}

TEST_CASE("derivatives_of_graphs_that_once_showed_a_mistake_agree_with_differences") {
  for (const test::SavedGraph& saved : test::saved_graphs()) {
    INFO(saved.name);
    const ir::Program& program = saved.graph.program;
    for (const ir::Binding& result : program.functions[0].results) {
      CHECK(mistaken_derivative(*program.graph, result.node, saved.graph.environment) == "");
    }
  }
}

TEST_CASE("what_is_printed_of_a_failing_graph_is_read_back") {
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    const test::RandomGraph g = test::random_graph(seed),
                            again = test::parse_graph(test::print(g.program, g.environment));
    CHECK(ir::print(again.program) == ir::print(g.program));
    const auto before = ir::interpret(g.program.functions[0].roots(), g.environment),
               after = ir::interpret(again.program.functions[0].roots(), again.environment);
    for (std::size_t r = 0; r < before.size(); ++r) {
      for (std::size_t i = 0; i < before[r].values.size(); ++i) {
        const double expected = before[r].values[i], got = after[r].values[i];
        CHECK((expected == got || (std::isnan(expected) && std::isnan(got))));
      }
    }
  }
}
