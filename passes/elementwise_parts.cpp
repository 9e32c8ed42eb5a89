#include "passes/elementwise_parts.h"

#include "ir/op.h"

namespace descent::passes {

using ir::Graph;
using ir::Node;
using ir::Op;

namespace {

Part part_of(Graph& graph, const Node* node) {
  if (node->op == Op::broadcast_in_dim) {
    const ir::Shape& own = node->operands[0]->shape();
    const auto& axes = node->attributes.axes;
    bool repeats_one = false;
    for (std::size_t i = 0; i < axes.size(); ++i)
      repeats_one = repeats_one || own[i] != node->shape()[static_cast<std::size_t>(axes[i])];
    if (!repeats_one) return {node, {graph, node->operands[0]}, axes};
  }
  std::vector<int> names;
  if (!node->is_constant()) {
    for (int axis = 0; axis < static_cast<int>(node->shape().size()); ++axis) names.push_back(axis);
  }
  return {node, {graph, node}, names};
}

std::vector<Part>::const_iterator part_that_is(const Node* node, const std::vector<Part>& parts) {
  return std::find_if(parts.begin(), parts.end(), [&](const Part& part) { return part.whole == node; });
}

/// Finite for all finite operands: 0 times such a node is 0 also where its operands are padded.
bool is_finite_everywhere(Op op) {
  switch (op) {
    case Op::multiply:
    case Op::add:
    case Op::subtract:
    case Op::negate:
    case Op::abs:
    case Op::maximum:
    case Op::minimum:
    case Op::select:
    case Op::convert:
    case Op::compare_lt:
    case Op::compare_le:
    case Op::compare_eq:
    case Op::compare_ne:
    case Op::logical_and:
    case Op::logical_or:
    case Op::logical_not:
      return true;
    default:
      return false;
  }
}

bool open(Graph& graph, const Node* node, std::vector<Part>& parts, int& instructions) {
  constexpr int kMostInstructions = 16;
  if (!ir::is_elementwise(node)) {
    if (part_that_is(node, parts) == parts.end()) parts.push_back(part_of(graph, node));
    return true;
  }
  instructions += std::max(1, ir::instruction_count(node));
  return is_finite_everywhere(node->op) && instructions <= kMostInstructions &&
         std::all_of(node->operands.begin(), node->operands.end(),
                     [&](const Node* operand) { return open(graph, operand, parts, instructions); });
}

}  // namespace

bool open_elementwise(Graph& graph, const Node* node, std::vector<Part>& parts) {
  int instructions = 0;
  return open(graph, node, parts, instructions);
}

bool vanishes(const Node* node, const std::vector<Part>& parts, int name) {
  if (!ir::is_elementwise(node)) return node->is_constant(0) || contains(part_that_is(node, parts)->names, name);
  const auto operand = [&](std::size_t i) { return vanishes(node->operands[i], parts, name); };
  switch (node->op) {
    case Op::multiply:
      return operand(0) || operand(1);
    case Op::negate:
      return operand(0);
    case Op::add:
    case Op::subtract:
      return operand(0) && operand(1);
    case Op::select:
      return operand(1) && operand(2);
    default:
      return false;
  }
}

const Node* rebuilt(Graph& graph, const Node* node, const std::vector<Part>& parts,
                    const std::vector<const Node*>& with) {
  if (!ir::is_elementwise(node)) return with[static_cast<std::size_t>(part_that_is(node, parts) - parts.begin())];
  std::vector<const Node*> operands;
  for (const Node* operand : node->operands) operands.push_back(rebuilt(graph, operand, parts, with));
  return graph.make(node->op, std::move(operands), node->attributes);
}

}  // namespace descent::passes
