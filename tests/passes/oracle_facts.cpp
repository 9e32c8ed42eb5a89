// Facts hold: on random graphs, as made and simplified, every value that the float64 interpreter computes lies where
// the facts of its node say. More graphs by DESCENT_GRAPHS and DESCENT_SEED (./dev oracle).
//
// Facts speak of real numbers, and 1 + 1e-20 is 1 in float64. So a node is judged where all values on the way to it are
// 0 or between 1e-4 and 4 in magnitude: no function saturates there, and nothing is lost in a sum. Tolerance of a
// closed end: 1e-9; an open end is not reached.
#include <catch2/catch.hpp>
#include <cmath>
#include <sstream>

#include "ir/op.h"
#include "passes/facts.h"
#include "passes/passes.h"
#include "tests/support/random_graph.h"
#include "tests/support/rounding.h"
#include "tests/support/saved_graphs.h"

using namespace descent;
using ir::Node;

namespace {

/// Which nodes are computed from moderate values alone.
ir::NodeMap<char> moderate(const std::vector<const Node*>& nodes, const std::vector<ir::Tensor>& values) {
  ir::NodeMap<char> from_moderate, is_moderate;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    bool all = true;
    for (const Node* operand : nodes[i]->operands) all = all && is_moderate.of(operand) != 0;
    from_moderate[nodes[i]] = all ? 1 : 0;
    for (const double v : values[i].values) all = all && (v == 0 || (std::fabs(v) >= 1e-4 && std::fabs(v) <= 4));
    is_moderate[nodes[i]] = all ? 1 : 0;
  }
  return from_moderate;
}

/// Whether a value of a node contradicts its facts.
bool contradicts(double value, const passes::Facts& f) {
  if (std::isnan(value)) return f.number();
  if (std::isinf(value)) return f.finite();
  const double slack = 1e-9 * (1 + std::fabs(value));
  if (value < f.low - slack || value > f.high + slack) return true;
  if ((f.low_open && value == f.low) || (f.high_open && value == f.high)) return true;
  return f.whole && value != std::floor(value);
}

struct Judged {
  std::size_t nodes = 0;
  std::string mistake;  ///< empty if there is none
};

Judged judge(const Node* root, const ir::Environment& environment) {
  const auto nodes = ir::reachable({root});
  const auto values = ir::interpret(nodes, environment);
  const auto from_moderate = moderate(nodes, values);
  passes::FactTable facts;
  Judged judged;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (from_moderate.of(nodes[i]) == 0) continue;
    ++judged.nodes;
    const passes::Facts& f = facts.of(nodes[i]);
    for (const double v : values[i].values) {
      if (!contradicts(v, f) || !judged.mistake.empty()) continue;
      std::ostringstream text;
      text << ir::info(nodes[i]).name << " is " << v << ", not in " << (f.low_open ? "(" : "[") << f.low << ", "
           << f.high << (f.high_open ? ")" : "]") << (f.whole ? ", whole" : "") << (f.finite() ? ", finite" : "");
      judged.mistake = text.str();
    }
  }
  return judged;
}

}  // namespace

TEST_CASE("oracle_facts_hold_on_random_graphs") {
  const std::uint32_t first = test::setting("DESCENT_SEED", 1), count = test::setting("DESCENT_GRAPHS", 1000);
  WARN("seeds " << first << " to " << first + count - 1);
  std::size_t judged = 0;
  for (std::uint32_t seed = first; seed < first + count; ++seed) {
    const test::RandomGraph g = test::random_graph(seed);
    const auto fails = [](ir::Graph&, const Node* root, const ir::Environment& e) {
      return !judge(root, e).mistake.empty();
    };
    for (const ir::Binding& result : g.program.functions[0].results) {
      const Node* simple = passes::simplify_nodes(*g.program.graph, {result.node})[0];
      for (const Node* root : {result.node, simple}) {
        const Judged found = judge(root, g.environment);
        judged += found.nodes;
        if (found.mistake.empty()) continue;
        FAIL("seed " << seed << ": " << found.mistake << "; smallest part that fails:\n"
                     << test::shrink(*g.program.graph, root, g.environment, fails));
      }
    }
  }
  CHECK(judged > 10 * count);  // nodes, in 3 results each
}

TEST_CASE("facts_hold_on_graphs_that_once_showed_a_mistake") {
  for (const test::SavedGraph& saved : test::saved_graphs()) {
    INFO(saved.name);
    const ir::Program& program = saved.graph.program;
    for (const ir::Binding& result : program.functions[0].results) {
      const Node* simple = passes::simplify_nodes(*program.graph, {result.node})[0];
      for (const Node* root : {result.node, simple}) CHECK(judge(root, saved.graph.environment).mistake == "");
    }
  }
}
