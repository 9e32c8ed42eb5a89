#include "passes/positions.h"

#include <algorithm>

#include "ir/expr.h"
#include "ir/op.h"

namespace descent::passes {

using ir::Expr;
using ir::Node;
using ir::Op;

namespace {

const ir::Dimension& size_of(const Node* node, int axis) { return node->shape()[static_cast<std::size_t>(axis)]; }

int place_in(const std::vector<int>& axes, int axis) {
  const auto at = std::find(axes.begin(), axes.end(), axis);
  return at == axes.end() ? -1 : static_cast<int>(at - axes.begin());
}

}  // namespace

const std::optional<std::vector<int>>& Positions::varying_axes(const Node* node) {
  std::vector<const Node*> stack{node};
  while (!stack.empty()) {  // not recursive: graphs are thousands of nodes deep
    const Node* top = stack.back();
    bool ready = true;
    for (const Node* operand : top->operands) {
      if (!axes_.contains(operand)) stack.push_back(operand), ready = false;
    }
    if (!ready) continue;
    stack.pop_back();
    axes_.try_emplace(top, find_axes(top));
  }
  return axes_.at(node);
}

std::optional<std::vector<int>> Positions::find_axes(const Node* node) {
  if (node->op == Op::constant) return std::vector<int>{};
  if (node->op == Op::iota) return node->attributes.axes;
  if (node->op != Op::broadcast_in_dim && (!ir::is_elementwise(node) || node->operands.empty())) return std::nullopt;
  std::vector<int> all;
  for (const Node* operand : node->operands) {
    const auto& axes = axes_.at(operand);
    if (!axes) return std::nullopt;
    for (int axis : *axes) {
      const int in_node =
          node->op == Op::broadcast_in_dim ? node->attributes.axes[static_cast<std::size_t>(axis)] : axis;
      if (size_of(operand, axis) == size_of(node, in_node)) all.push_back(in_node);  // else one element repeated
    }
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

const Node* Positions::table_of(const Node* node) {
  const auto& axes = varying_axes(node);
  if (!axes || axes->empty()) return nullptr;
  const bool fixed = std::all_of(axes->begin(), axes->end(), [&](int a) { return size_of(node, a).is_constant(); });
  return fixed ? over(node, *axes) : nullptr;
}

/// The node without the axes along which it does not vary, but for those of `axes`. It is as deep as what is written
/// in one expression: not more than some ten levels.
const Node* Positions::over(const Node* node, const std::vector<int>& axes) {
  ir::Shape shape;
  for (int axis : axes) shape.push_back(size_of(node, axis));
  if (node->op == Op::constant) return graph_.constant(node->attributes.value, ir::Type{node->type.dtype, shape});
  if (node->op == Op::iota) return ir::iota(graph_, shape, place_in(axes, node->attributes.axes[0])).node;
  if (node->op == Op::broadcast_in_dim) {
    const Node* operand = node->operands[0];
    std::vector<int> own, places;  // axes of the operand that stay; where they go
    for (int i = 0; i < static_cast<int>(operand->shape().size()); ++i) {
      const int place = place_in(axes, node->attributes.axes[static_cast<std::size_t>(i)]);
      const bool varies = place_in(*varying_axes(operand), i) >= 0;
      if (place >= 0 || varies) own.push_back(i), places.push_back(place);
    }
    return ir::broadcast(Expr(graph_, over(operand, own)), shape, places).node;
  }
  std::vector<const Node*> operands;
  for (const Node* operand : node->operands) {
    const bool is_number = operand->is_constant() && operand->shape().empty();
    operands.push_back(is_number ? operand : over(operand, axes));
  }
  return graph_.make(node->op, std::move(operands), node->attributes);
}

}  // namespace descent::passes
