// Shrinking: a random graph that shows a mistake is cut down, part by part, as long as it still does.
#include "ir/op.h"
#include "passes/passes.h"
#include "tests/support/saved_graphs.h"

namespace descent::test {

using ir::Node;
using ir::Op;

ir::Program program_of(ir::Graph& graph, const Node* root) {
  ir::Program program;
  program.name = "shrunk";
  // The nodes belong to a graph that others hold.
  program.graph = std::shared_ptr<ir::Graph>(std::shared_ptr<ir::Graph>(), &graph);
  program.inputs.push_back({"rows", {ir::Dimension::symbol("n")}});  // gives n its value, read or not
  for (const Node* node : ir::reachable({root})) {
    if (node->op == Op::input)
      program.inputs.push_back({node->attributes.name, node->shape(), false, node->type.dtype});
  }
  program.functions.push_back({"predict", {{"root", root}}, {}});
  return program;
}

std::string shrink(ir::Graph& graph, const Node* root, const ir::Environment& environment, const Fails& fails) {
  // The first node, operands before users, that fails by itself.
  for (const Node* node : ir::reachable({root})) {
    if (node->type.dtype == ir::DType::f32 && !ir::is_leaf(node) && fails(graph, node, environment)) {
      root = node;
      break;
    }
  }
  // Then an input in place of each part, as long as it still fails: users first, so that large parts go at once.
  ir::Environment e = environment;
  int inputs = 0;
  for (bool changed = true; changed;) {
    changed = false;
    const auto nodes = ir::reachable({root});
    for (auto at = nodes.rbegin(); at != nodes.rend() && !changed; ++at) {
      const Node* node = *at;
      if (node == root || ir::is_leaf(node) || node->type.dtype != ir::DType::f32) continue;
      const std::string name = "part" + std::to_string(inputs);
      ir::Environment trial = e;
      trial.tensors[name] = ir::interpret({node}, e)[0];
      const Node* leaf = graph.leaf(Op::input, name, node->shape());
      const Node* smaller = passes::substitute(graph, {root}, {{node, leaf}})[0];
      if (!fails(graph, smaller, trial)) continue;
      root = smaller, e = trial, changed = true, ++inputs;
    }
  }
  return print(program_of(graph, root), e);
}

}  // namespace descent::test
