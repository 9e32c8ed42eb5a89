// What reads a tensor slice by slice (the steps of a recurrent network, the gates of a step) has an adjoint that is the
// sum of the slices' adjoints, each padded to the whole:
//
//   pad(a, 0, n) + pad(b, m, 0)   =   concatenate(a, b)        for a of size m, b of size n
//
// The sum would add as many numbers for each element as there are slices, nearly all of them zeros; what makes the
// parts of a concatenation writes them where they belong.
#include "passes/sum_of_parts.h"

#include <optional>

namespace descent::passes {

using ir::Dimension;
using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;

namespace {

/// The only axis along which a node is padded, at its ends; nothing for other nodes.
std::optional<std::size_t> padded_axis(const Node* node) {
  if (node->op != Op::pad) return std::nullopt;
  const ir::Attributes& a = node->attributes;
  std::optional<std::size_t> found;
  for (std::size_t axis = 0; axis < a.low.size(); ++axis) {
    if (a.interior[axis] != 0) return std::nullopt;
    if (a.low[axis] == Dimension(0) && a.high[axis] == Dimension(0)) continue;
    if (found) return std::nullopt;
    found = axis;
  }
  return found;
}

/// A term with its first element along the axis, and the one after its last.
struct Part {
  std::size_t axis;
  Dimension begin, end;
};

Part part_of(const Node* pad, std::size_t axis) {
  const Dimension& begin = pad->attributes.low[axis];
  return {axis, begin, begin + pad->operands[0]->shape()[axis]};
}

ItemView::Item joined(Graph& graph, const ItemView::Item& first, const ItemView::Item& second, std::size_t axis) {
  const bool negative = first.inverse && second.inverse;
  const auto content = [&](const ItemView::Item& item) {
    const Expr e(graph, item.node->operands[0]);
    return item.inverse && !negative ? -e : e;
  };
  const Expr whole = ir::concatenate({content(first), content(second)}, static_cast<int>(axis));
  ir::Shape low = first.node->attributes.low, high = second.node->attributes.high;
  return {ir::pad(whole, low, high, first.node->attributes.interior).node, negative};
}

}  // namespace

const Node* join_parts(Graph& graph, const Node* node, const UseCounts& uses) {
  if (node->op != Op::add && node->op != Op::subtract) return node;
  std::vector<ItemView::Item> items = sum_view(node, &uses, false).items;
  std::vector<std::optional<Part>> parts;
  for (const ItemView::Item& item : items) {
    const auto axis = padded_axis(item.node);
    parts.push_back(axis ? std::optional(part_of(item.node, *axis)) : std::nullopt);
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (std::size_t j = 0; j < items.size(); ++j) {
      if (!parts[i] || !parts[j] || parts[i]->axis != parts[j]->axis || parts[i]->end != parts[j]->begin) continue;
      items[i] = joined(graph, items[i], items[j], parts[i]->axis);
      items.erase(items.begin() + static_cast<std::ptrdiff_t>(j));
      return build_sum(items, graph, node->type);
    }
  }
  return node;
}

}  // namespace descent::passes
