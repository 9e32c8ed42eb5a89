// Symbolic reverse-mode differentiation: the derivative of a graph is a graph of the same ops.
//
// Users precede operands on the way back: when a node is reached, all its users have added their share to its adjoint.
// Only nodes that depend on a wanted node are visited.
#include <algorithm>
#include <map>

#include "ir/op.h"
#include "passes/passes.h"

namespace descent::passes {

using ir::Expr;
using ir::Graph;
using ir::Node;

std::vector<const Node*> gradients(Graph& graph, const Node* e, const std::vector<const Node*>& x) {
  const auto nodes = ir::reachable({e});
  std::unordered_map<const Node*, bool> depends;
  for (const Node* node : nodes) {
    bool d = std::find(x.begin(), x.end(), node) != x.end();
    for (const Node* operand : node->operands) d = d || depends.at(operand);
    depends[node] = d;
  }
  std::unordered_map<const Node*, Expr> adjoints;
  adjoints.emplace(e, Expr(graph, graph.constant(1, e->shape())));
  for (auto at = nodes.rbegin(); at != nodes.rend(); ++at) {
    const Node* node = *at;
    auto adjoint = adjoints.find(node);
    const auto derivative = ir::info(node).derivative;
    if (adjoint == adjoints.end() || !depends.at(node) || derivative == nullptr) continue;
    std::vector<Expr> operands;
    for (const Node* operand : node->operands) operands.emplace_back(graph, operand);
    const ir::Adjoints shares = derivative(Expr(graph, node), adjoint->second, operands);
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (!shares[i] || !depends.at(operands[i].node)) continue;
      auto [sum, first] = adjoints.try_emplace(operands[i].node, *shares[i]);
      if (!first) sum->second = sum->second + *shares[i];
    }
  }
  std::vector<const Node*> result;
  for (const Node* node : x) {
    auto at = adjoints.find(node);
    result.push_back(at == adjoints.end() ? graph.constant(0, node->shape()) : at->second.node);
  }
  return result;
}

std::vector<const Node*> substitute(Graph& graph, const std::vector<const Node*>& roots,
                                    const std::unordered_map<const Node*, const Node*>& replacements) {
  std::unordered_map<const Node*, const Node*> rebuilt;
  for (const Node* node : ir::reachable(roots)) {
    if (auto at = replacements.find(node); at != replacements.end()) {
      rebuilt[node] = at->second;
      continue;
    }
    std::vector<const Node*> operands;
    for (const Node* operand : node->operands) operands.push_back(rebuilt.at(operand));
    rebuilt[node] = operands == node->operands ? node : graph.make(node->op, std::move(operands), node->attributes);
  }
  std::vector<const Node*> result;
  for (const Node* root : roots) result.push_back(rebuilt.at(root));
  return result;
}

namespace {

/// Gradients of `e` with respect to nodes that may be inner ones: an inner node is hidden behind a leaf meanwhile, so
/// that simplifying `e` cannot dissolve it.
std::vector<const Node*> expand(Graph& graph, const Node* e, const std::vector<const Node*>& x) {
  std::unordered_map<const Node*, const Node*> hide, reveal;
  std::vector<const Node*> leaves;
  for (const Node* node : x) {
    if (!ir::is_leaf(node)) {
      const Node* leaf = graph.leaf(ir::Op::state, "@" + std::to_string(node->id), node->shape());
      hide[node] = leaf;
      reveal[leaf] = node;
    }
    leaves.push_back(ir::is_leaf(node) ? node : hide.at(node));
  }
  const Node* visible = simplify_nodes(graph, substitute(graph, {e}, hide))[0];
  return substitute(graph, gradients(graph, visible, leaves), reveal);
}

}  // namespace

ir::Program differentiate(const ir::Program& program) {
  return map_roots(program, [&](std::vector<const Node*> roots) {
    while (true) {
      // The gradients without a gradient inside, by the expression they are of.
      std::map<std::uint32_t, std::vector<const Node*>> wanted;
      std::unordered_map<const Node*, bool> contains;
      for (const Node* node : ir::reachable(roots)) {
        bool inside = false;
        for (const Node* operand : node->operands) inside = inside || contains.at(operand);
        if (node->op == ir::Op::gradient && !inside) wanted[node->operands[0]->id].push_back(node);
        contains[node] = inside || node->op == ir::Op::gradient;
      }
      if (wanted.empty()) return roots;
      std::unordered_map<const Node*, const Node*> replacements;
      for (const auto& [id, nodes] : wanted) {
        std::vector<const Node*> x;
        for (const Node* node : nodes) x.push_back(node->operands[1]);
        const auto adjoints = expand(*program.graph, nodes[0]->operands[0], x);
        for (std::size_t i = 0; i < nodes.size(); ++i) replacements[nodes[i]] = adjoints[i];
      }
      roots = substitute(*program.graph, roots, replacements);
    }
  });
}

}  // namespace descent::passes
