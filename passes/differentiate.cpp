// Symbolic reverse-mode differentiation: the derivative of a graph is a graph of the same ops.
//
// Users precede operands on the way back: when a node is reached, all its users have added their share to its adjoint.
// Only nodes that depend on a wanted node are visited.
#include <map>

#include "descent/error.h"
#include "ir/op.h"
#include "ir/stage_times.h"
#include "passes/passes.h"

namespace descent::passes {

using ir::Expr;
using ir::Graph;
using ir::Node;

std::vector<const Node*> gradients(Graph& graph, const Node* e, const std::vector<const Node*>& x) {
  const auto nodes = ir::reachable({e});
  ir::NodeMap<char> depends;
  for (const Node* node : x) depends[node] = 1;
  for (const Node* node : nodes) {
    for (const Node* operand : node->operands) depends[node] |= depends.of(operand);
  }
  ir::NodeMap<const Node*> adjoints;
  adjoints[e] = graph.constant(1, e->type);
  for (auto at = nodes.rbegin(); at != nodes.rend(); ++at) {
    const Node* node = *at;
    const Node* adjoint = adjoints.of(node);
    const auto derivative = ir::info(node).derivative;
    if (adjoint == nullptr || depends.of(node) == 0 || derivative == nullptr) continue;
    std::vector<Expr> operands;
    for (const Node* operand : node->operands) operands.emplace_back(graph, operand);
    graph.set_origin(node->origin);
    const ir::Adjoints shares = derivative(Expr(graph, node), Expr(graph, adjoint), operands);
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (!shares[i] || depends.of(operands[i].node) == 0) continue;
      const Node*& sum = adjoints[operands[i].node];
      sum = sum == nullptr ? shares[i]->node : (Expr(graph, sum) + *shares[i]).node;
    }
  }
  std::vector<const Node*> result;
  for (const Node* node : x) {
    const Node* adjoint = adjoints.of(node);
    result.push_back(adjoint == nullptr ? graph.constant(0, node->type) : adjoint);
  }
  return result;
}

std::vector<const Node*> substitute(Graph& graph, const std::vector<const Node*>& roots,
                                    const std::unordered_map<const Node*, const Node*>& replacements) {
  ir::NodeMap<const Node*> rebuilt;
  for (const Node* node : ir::reachable(roots)) {
    if (auto at = replacements.find(node); at != replacements.end()) {
      rebuilt[node] = at->second;
      continue;
    }
    std::vector<const Node*> operands;
    for (const Node* operand : node->operands) operands.push_back(rebuilt.of(operand));
    rebuilt[node] = graph.with_operands(node, std::move(operands));
  }
  std::vector<const Node*> result;
  for (const Node* root : roots) result.push_back(rebuilt.of(root));
  return result;
}

namespace {

/// Every gradient with respect to a node that is computed gets a barrier around that node, in the expression it is a
/// gradient of: no rule then dissolves what the gradient is about. (In bce(sigmoid(z), y) the sigmoid disappears, and
/// with it the derivative with respect to the probability.)
std::vector<const Node*> isolate(Graph& graph, const std::vector<const Node*>& roots) {
  ir::NodeMap<const Node*> rebuilt;
  for (const Node* node : ir::reachable(roots)) {
    std::vector<const Node*> operands;
    for (const Node* operand : node->operands) operands.push_back(rebuilt.of(operand));
    if (node->op == ir::Op::gradient) {
      const Node* x = operands[1];
      if (!ir::is_leaf(x) && x->op != ir::Op::optimization_barrier) {
        const Node* barrier = graph.make(ir::Op::optimization_barrier, {x});
        operands = {substitute(graph, {operands[0]}, {{x, barrier}})[0], barrier};
      }
    }
    rebuilt[node] = graph.with_operands(node, std::move(operands));
  }
  std::vector<const Node*> result;
  for (const Node* root : roots) result.push_back(rebuilt.of(root));
  return result;
}

std::vector<const Node*> without_barriers(Graph& graph, const std::vector<const Node*>& roots) {
  ir::NodeMap<const Node*> rebuilt;
  for (const Node* node : ir::reachable(roots)) {
    std::vector<const Node*> operands;
    for (const Node* operand : node->operands) operands.push_back(rebuilt.of(operand));
    if (node->op == ir::Op::optimization_barrier)
      rebuilt[node] = operands[0];
    else
      rebuilt[node] = graph.with_operands(node, std::move(operands));
  }
  std::vector<const Node*> result;
  for (const Node* root : roots) result.push_back(rebuilt.of(root));
  return result;
}

/// The gradient nodes without a gradient inside, by the expression they are of.
std::map<std::uint32_t, std::vector<const Node*>> innermost_gradients(const std::vector<const Node*>& roots) {
  std::map<std::uint32_t, std::vector<const Node*>> found;
  ir::NodeMap<char> contains;
  for (const Node* node : ir::reachable(roots)) {
    bool inside = false;
    for (const Node* operand : node->operands) inside = inside || contains.of(operand) != 0;
    if (node->op == ir::Op::gradient && !inside) found[node->operands[0]->id].push_back(node);
    contains[node] = inside || node->op == ir::Op::gradient ? 1 : 0;
  }
  return found;
}

/// Gradients of gradients multiply the nodes of some expressions with every order: an error instead of a graph that
/// nothing could be done with. Throws descent::Error.
void check_growth(std::size_t before, const std::vector<const Node*>& roots) {
  constexpr std::size_t enough = 20'000, factor = 50;
  const std::size_t now = ir::reachable(roots).size();
  if (now <= enough + factor * before) return;
  throw Error("gradients of gradients make " + std::to_string(now) + " operations of " + std::to_string(before),
              "each order of 'grad' multiplies them: take fewer of one expression");
}

}  // namespace

ir::Program isolate(const ir::Program& program) {
  return map_roots(program, [&](const auto& roots) { return isolate(*program.graph, roots); });
}

ir::Program differentiate(const ir::Program& program) {
  const StageTimer timer(Stage::differentiate);
  Graph& graph = *program.graph;
  return map_roots(program, [&](std::vector<const Node*> roots) {
    roots = isolate(graph, roots);
    const std::size_t before = ir::reachable(roots).size();
    for (auto wanted = innermost_gradients(roots); !wanted.empty(); wanted = innermost_gradients(roots)) {
      std::unordered_map<const Node*, const Node*> replacements;
      for (const auto& [id, nodes] : wanted) {
        // The expression and what it is differentiated with respect to are simplified together: one stays in the other.
        std::vector<const Node*> simplified{nodes[0]->operands[0]};
        for (const Node* node : nodes) simplified.push_back(node->operands[1]);
        simplified = simplify_nodes(graph, simplified);
        const auto adjoints = gradients(graph, simplified[0], {simplified.begin() + 1, simplified.end()});
        for (std::size_t i = 0; i < nodes.size(); ++i) replacements[nodes[i]] = adjoints[i];
      }
      roots = substitute(graph, roots, replacements);
      check_growth(before, roots);
    }
    return without_barriers(graph, roots);
  });
}

}  // namespace descent::passes
