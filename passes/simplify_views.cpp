#include "passes/simplify_views.h"

#include <algorithm>

namespace descent::passes {

using ir::Dimension;
using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;
using ir::Shape;

namespace {

/// Whether a <= b is known for all sizes.
bool known_at_most(const Dimension& a, const Dimension& b) {
  const Dimension rest = b - a;
  return rest.is_constant() && rest.constant() >= 0;
}

bool all_zero(const Shape& sizes) {
  return std::all_of(sizes.begin(), sizes.end(), [](const Dimension& d) { return d == Dimension(0); });
}
bool all_are(const std::vector<int>& numbers, int value) {
  return std::all_of(numbers.begin(), numbers.end(), [&](int n) { return n == value; });
}

const Node* slice_of_slice(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  const ir::Attributes &outer = node->attributes, &inner = x->attributes;
  Shape starts, limits;
  std::vector<int> strides;
  for (std::size_t i = 0; i < outer.starts.size(); ++i) {
    starts.push_back(inner.starts[i] + outer.starts[i] * inner.strides[i]);
    limits.push_back(starts[i] + (node->shape()[i] - 1) * (inner.strides[i] * outer.strides[i]) + 1);
    strides.push_back(inner.strides[i] * outer.strides[i]);
  }
  return ir::slice(Expr(graph, x->operands[0]), starts, limits, strides).node;
}

/// A slice of what has not been padded is one of the operand.
const Node* slice_of_pad(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  const ir::Attributes &cut = node->attributes, &padding = x->attributes;
  if (!all_are(padding.interior, 0)) {
    // The slice that undoes the padding.
    const bool inverse = cut.starts == padding.low && node->shape() == x->operands[0]->shape() &&
                         std::equal(cut.strides.begin(), cut.strides.end(), padding.interior.begin(),
                                    [](int stride, int interior) { return stride == interior + 1; });
    return inverse ? x->operands[0] : node;
  }
  Shape starts, limits;
  for (std::size_t i = 0; i < cut.starts.size(); ++i) {
    starts.push_back(cut.starts[i] - padding.low[i]);
    limits.push_back(cut.limits[i] - padding.low[i]);
    if (!known_at_most(0, starts[i]) || !known_at_most(limits[i], x->operands[0]->shape()[i])) return node;
  }
  return ir::slice(Expr(graph, x->operands[0]), starts, limits, cut.strides).node;
}

/// A slice of one part is one of that part.
const Node* slice_of_concatenate(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  const auto axis = static_cast<std::size_t>(x->attributes.axes[0]);
  Shape starts = node->attributes.starts, limits = node->attributes.limits;
  for (const Node* part : x->operands) {
    const Dimension& size = part->shape()[axis];
    if (known_at_most(0, starts[axis]) && known_at_most(limits[axis], size)) {
      return ir::slice(Expr(graph, part), starts, limits, node->attributes.strides).node;
    }
    starts[axis] = starts[axis] - size;
    limits[axis] = limits[axis] - size;
  }
  return node;
}

const Node* simplify_slice(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  if (x->shape() == node->shape() && all_zero(node->attributes.starts) && all_are(node->attributes.strides, 1))
    return x;
  if (x->op == Op::slice) return slice_of_slice(graph, node);
  if (x->op == Op::pad) return slice_of_pad(graph, node);
  if (x->op == Op::concatenate) return slice_of_concatenate(graph, node);
  return node;
}

const Node* simplify_reverse(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  std::vector<int> axes;
  for (int axis : node->attributes.axes) {
    if (!x->shape()[static_cast<std::size_t>(axis)].is_one()) axes.push_back(axis);
  }
  if (x->op == Op::reverse) {  // an axis reversed twice is not reversed
    for (int axis : x->attributes.axes) {
      const auto again = std::find(axes.begin(), axes.end(), axis);
      if (again != axes.end())
        axes.erase(again);
      else
        axes.push_back(axis);
    }
    std::sort(axes.begin(), axes.end());
    return ir::reverse(Expr(graph, x->operands[0]), axes).node;
  }
  return ir::reverse(Expr(graph, x), axes).node;
}

/// Padding moves inside of windows and reversals of other axes, where it meets what is padded there.
const Node* pad_of_other_axes(Graph& graph, const Node* node) {
  const Node* view = node->operands[0];
  if (view->op != Op::windows && view->op != Op::reverse) return node;
  Shape low, high;
  std::vector<int> interior;
  const std::vector<int>& touched = view->attributes.axes;
  for (int axis = 0; axis < static_cast<int>(node->shape().size()); ++axis) {
    const auto at = static_cast<std::size_t>(axis);
    const ir::Attributes& a = node->attributes;
    const bool opened = view->op == Op::windows && axis == touched[0] + 1;  // the second of the two axes
    if (opened || std::find(touched.begin(), touched.end(), axis) != touched.end()) {
      if (!(a.low[at] == Dimension(0)) || !(a.high[at] == Dimension(0)) || a.interior[at] != 0) return node;
    }
    if (opened) continue;
    low.push_back(a.low[at]);
    high.push_back(a.high[at]);
    interior.push_back(a.interior[at]);
  }
  const Expr padded = ir::pad(Expr(graph, view->operands[0]), low, high, interior);
  return graph.make(view->op, {padded.node}, view->attributes);
}

const Node* simplify_pad(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  const ir::Attributes& a = node->attributes;
  if (x->is_constant(0)) return graph.constant(0, node->type);
  if (x->shape() == node->shape() && all_zero(a.low) && all_zero(a.high)) return x;
  if (x->op == Op::pad && all_are(a.interior, 0) && all_are(x->attributes.interior, 0)) {
    Shape low, high;
    for (std::size_t i = 0; i < a.low.size(); ++i) {
      low.push_back(a.low[i] + x->attributes.low[i]);
      high.push_back(a.high[i] + x->attributes.high[i]);
    }
    return ir::pad(Expr(graph, x->operands[0]), low, high, a.interior).node;
  }
  return pad_of_other_axes(graph, node);
}

const Node* simplify_concatenate(Graph& graph, const Node* node) {
  constexpr std::size_t most_parts = 1024;  // what is put together with itself again and again has 2^k
  const int axis = node->attributes.axes[0];
  std::vector<Expr> parts;
  for (const Node* part : node->operands) {
    if (part->shape()[static_cast<std::size_t>(axis)] == Dimension(0)) continue;
    if (part->op == Op::concatenate && part->attributes.axes[0] == axis &&
        parts.size() + part->operands.size() <= most_parts) {
      for (const Node* inner : part->operands) parts.emplace_back(graph, inner);
    } else {
      parts.emplace_back(graph, part);
    }
  }
  return parts.empty() ? node->operands[0] : ir::concatenate(parts, axis).node;
}

}  // namespace

const Node* simplify_view(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  if ((node->op == Op::slice || node->op == Op::reverse) && x->is_constant()) {
    return graph.constant(x->attributes.value, node->type);
  }
  switch (node->op) {
    case Op::slice:
      return simplify_slice(graph, node);
    case Op::reverse:
      return simplify_reverse(graph, node);
    case Op::pad:
      return simplify_pad(graph, node);
    case Op::concatenate:
      return simplify_concatenate(graph, node);
    default:
      return node;
  }
}

namespace {

/// The elements from `starts` to `limits` of what is padded, seen through windows and reversals, with less padding;
/// null where they are not all of the operand.
const Node* with_less_padding(Graph& graph, const Node* node, Shape starts, Shape limits) {
  const ir::Attributes& a = node->attributes;
  const Shape& shape = node->shape();
  if (node->op == Op::pad) {
    Shape low, high;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      low.push_back(a.low[i] - starts[i]);
      high.push_back(a.high[i] - (shape[i] - limits[i]));
      if (!known_at_most(0, low[i]) || !known_at_most(0, high[i])) return nullptr;
    }
    return all_are(a.interior, 0) ? ir::pad(Expr(graph, node->operands[0]), low, high, a.interior).node : nullptr;
  }
  if (node->op == Op::reverse) {
    for (int axis : a.axes) {
      const auto i = static_cast<std::size_t>(axis);
      const Dimension start = starts[i];
      starts[i] = shape[i] - limits[i];
      limits[i] = shape[i] - start;
    }
  } else if (node->op == Op::windows) {
    const auto axis = static_cast<std::size_t>(a.axes[0]);
    if (!(starts[axis + 1] == Dimension(0)) || !(limits[axis + 1] == shape[axis + 1])) return nullptr;
    starts[axis] = starts[axis] * a.window[1];
    limits[axis] = (limits[axis] - 1) * a.window[1] + (a.window[0] - 1) * a.window[2] + 1;
    starts.erase(starts.begin() + a.axes[0] + 1);
    limits.erase(limits.begin() + a.axes[0] + 1);
  } else {
    return nullptr;
  }
  const Node* operand = with_less_padding(graph, node->operands[0], starts, limits);
  return operand == nullptr ? nullptr : graph.make(node->op, {operand}, a);
}

}  // namespace

const Node* lower_slice(Graph& graph, const Node* node) {
  const ir::Attributes& a = node->attributes;
  if (!all_are(a.strides, 1)) return node;
  const Node* less = with_less_padding(graph, node->operands[0], a.starts, a.limits);
  return less != nullptr && less->shape() == node->shape() ? less : node;
}

/// Element i goes to place low + k i of the axis: so it is element (i + p, 0) of the axis seen as rows of k, where p
/// rows come before it, and the axis begins p k - low elements later.
const Node* lower_pad(Graph& graph, const Node* node) {
  const auto& interior = node->attributes.interior;
  const auto found = std::find_if(interior.begin(), interior.end(), [](int n) { return n > 0; });
  if (found == interior.end()) return node;
  const auto axis = static_cast<std::size_t>(found - interior.begin());
  const int k = *found + 1;
  const Shape& from = node->operands[0]->shape();
  const auto rank = from.size();
  // Whole rows for what comes before and after; where a size is not known, more of them than needed.
  const Dimension &low = node->attributes.low[axis], &high = node->attributes.high[axis];
  const Dimension before = (low + (k - 1)).divided_by(k).value_or(low), after = high.divided_by(k).value_or(high);

  Shape none(rank, Dimension(0)), rows_before = none, rows_after = none;
  rows_before[axis] = before, rows_after[axis] = after;
  Expr e = ir::pad(Expr(graph, node->operands[0]), rows_before, rows_after, std::vector<int>(rank, 0));
  const auto after_axis = static_cast<std::ptrdiff_t>(axis) + 1;
  Shape split = e.shape();
  split.insert(split.begin() + after_axis, Dimension(1));
  e = ir::reshape(e, split);
  Shape wide(rank + 1, Dimension(0)), zero = wide;
  wide[axis + 1] = Dimension(k - 1);
  e = ir::pad(e, zero, wide, std::vector<int>(rank + 1, 0));
  Shape merged = split;
  merged.erase(merged.begin() + after_axis);
  merged[axis] = split[axis] * k;
  e = ir::reshape(e, merged);
  Shape starts = none, limits = merged;
  starts[axis] = before * k - low;
  limits[axis] = starts[axis] + node->shape()[axis];
  e = ir::slice(e, starts, limits, std::vector<int>(rank, 1));
  // The other axes are padded as before.
  Shape other_low = node->attributes.low, other_high = node->attributes.high;
  std::vector<int> other_interior = interior;
  other_low[axis] = other_high[axis] = Dimension(0);
  other_interior[axis] = 0;
  return ir::pad(e, other_low, other_high, other_interior).node;
}

}  // namespace descent::passes
