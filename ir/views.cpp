// Views: ops whose result is elements of the operand, found by an affine map of the index (ir/op.h: IndexMap).
//
// The map is all that the interpreter and the planner of kernels know of a view: none of them is ever computed, and any
// sequence of them is one load with strides, an offset and, where padding is read, a mask.
#include "ir/structural_support.h"

namespace descent::ir {

namespace {

/// The map in which every axis of the operand is read where its index `to` of the result points.
IndexMap renamed_axes(std::size_t result_rank, const std::vector<int>& to) {
  IndexMap map;
  for (int axis : to) {
    AxisMap m{Dimension(0), std::vector<Dimension>(result_rank, Dimension(0))};
    along(m.coefficients, axis) = Dimension(1);
    map.push_back(std::move(m));
  }
  return map;
}

IndexMap same_axes(std::size_t rank) {
  std::vector<int> axes(rank);
  for (std::size_t i = 0; i < rank; ++i) axes[i] = static_cast<int>(i);
  return renamed_axes(rank, axes);
}

bool is_negative(const Dimension& d) { return d.is_constant() && d.constant() < 0; }

}  // namespace

// broadcast_in_dim

Type infer_broadcast_in_dim(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  const Shape& from = x[0]->type.shape;
  check_axes("broadcast_in_dim", a.axes, a.shape.size());
  if (a.axes.size() != from.size()) fail("broadcast_in_dim", "one axis is needed for each axis of the operand");
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (i > 0 && a.axes[i] < a.axes[i - 1]) fail("broadcast_in_dim", "the axes must ascend");
    const Dimension& to = a.shape[static_cast<std::size_t>(a.axes[i])];
    if (from[i] != to && !from[i].is_one()) {
      fail("broadcast_in_dim", "a size of " + from[i].to_string() + " cannot be repeated to " + to.to_string());
    }
  }
  return {x[0]->type.dtype, a.shape};
}

Adjoints derivative_broadcast_in_dim(Expr y, Expr g, std::span<const Expr> x) {
  const auto& axes = y.node->attributes.axes;
  std::vector<int> summed = remaining_axes(y.shape().size(), axes);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (x[0].shape()[i] != y.shape()[static_cast<std::size_t>(axes[i])]) summed.push_back(axes[i]);
  }
  std::sort(summed.begin(), summed.end());
  return {reshape(reduce_sum(g, summed), x[0].shape())};
}

IndexMap index_map_broadcast_in_dim(const Node& node) {
  const Shape& from = node.operands[0]->shape();
  IndexMap map = renamed_axes(node.shape().size(), node.attributes.axes);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i].is_one()) along(map[i].coefficients, node.attributes.axes[i]) = Dimension(0);
  }
  return map;
}

// transpose

Type infer_transpose(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  const Shape& from = x[0]->type.shape;
  check_axes("transpose", a.axes, from.size());
  if (a.axes.size() != from.size()) fail("transpose", "every axis of the operand must be named once");
  Shape shape;
  for (int axis : a.axes) shape.push_back(from[static_cast<std::size_t>(axis)]);
  return {x[0]->type.dtype, shape};
}

Adjoints derivative_transpose(Expr y, Expr g, std::span<const Expr>) {
  const auto& axes = y.node->attributes.axes;
  std::vector<int> inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) inverse[static_cast<std::size_t>(axes[i])] = static_cast<int>(i);
  return {transpose(g, inverse)};
}

IndexMap index_map_transpose(const Node& node) {
  const auto& axes = node.attributes.axes;
  std::vector<int> inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) along(inverse, axes[i]) = static_cast<int>(i);
  return renamed_axes(axes.size(), inverse);
}

// slice

Type infer_slice(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  const Shape& from = x[0]->type.shape;
  if (a.starts.size() != from.size() || a.limits.size() != from.size() || a.strides.size() != from.size()) {
    fail("slice", "a start, a limit and a stride are needed for each axis");
  }
  Shape shape;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (a.strides[i] < 1) fail("slice", "a stride must be 1 or more, not " + std::to_string(a.strides[i]));
    if (is_negative(a.starts[i]) || is_negative(a.limits[i] - a.starts[i]) || is_negative(from[i] - a.limits[i])) {
      fail("slice", a.starts[i].to_string() + " to " + a.limits[i].to_string() + " does not lie in an axis of size " +
                        from[i].to_string());
    }
    const auto count = (a.limits[i] - a.starts[i] + (a.strides[i] - 1)).divided_by(a.strides[i]);
    if (!count) {
      fail("slice", "how many elements " + a.starts[i].to_string() + " to " + a.limits[i].to_string() + " by " +
                        std::to_string(a.strides[i]) + " has depends on a remainder that is not known");
    }
    shape.push_back(*count);
  }
  return {x[0]->type.dtype, shape};
}

Adjoints derivative_slice(Expr y, Expr g, std::span<const Expr> x) {
  const Attributes& a = y.node->attributes;
  Shape high;
  std::vector<int> interior;
  for (std::size_t i = 0; i < a.starts.size(); ++i) {
    high.push_back(x[0].shape()[i] - a.starts[i] - ((y.shape()[i] - 1) * a.strides[i] + 1));
    interior.push_back(a.strides[i] - 1);
  }
  return {pad(g, a.starts, high, interior)};
}

IndexMap index_map_slice(const Node& node) {
  IndexMap map = same_axes(node.shape().size());
  for (std::size_t i = 0; i < map.size(); ++i) {
    map[i].start = node.attributes.starts[i];
    map[i].coefficients[i] = Dimension(node.attributes.strides[i]);
  }
  return map;
}

// reverse

Type infer_reverse(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  check_axes("reverse", a.axes, x[0]->type.shape.size());
  return x[0]->type;
}

Adjoints derivative_reverse(Expr y, Expr g, std::span<const Expr>) { return {reverse(g, y.node->attributes.axes)}; }

IndexMap index_map_reverse(const Node& node) {
  IndexMap map = same_axes(node.shape().size());
  for (int axis : node.attributes.axes) {
    along(map, axis).start = along(node.shape(), axis) - 1;
    along(along(map, axis).coefficients, axis) = Dimension(-1);
  }
  return map;
}

// pad

Type infer_pad(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  const Shape& from = x[0]->type.shape;
  if (a.low.size() != from.size() || a.high.size() != from.size() || a.interior.size() != from.size()) {
    fail("pad", "a low, a high and an interior number are needed for each axis");
  }
  Shape shape;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (is_negative(a.low[i]) || is_negative(a.high[i]) || a.interior[i] < 0) {
      fail("pad", "an axis can only grow; cut it with a slice");
    }
    shape.push_back(a.low[i] + from[i] + (from[i] - 1) * a.interior[i] + a.high[i]);
  }
  return {x[0]->type.dtype, shape};
}

Adjoints derivative_pad(Expr y, Expr g, std::span<const Expr> x) {
  const Attributes& a = y.node->attributes;
  Shape limits;
  std::vector<int> strides;
  for (std::size_t i = 0; i < a.low.size(); ++i) {
    strides.push_back(a.interior[i] + 1);
    limits.push_back(a.low[i] + (x[0].shape()[i] - 1) * strides[i] + 1);
  }
  return {slice(g, a.low, limits, strides)};
}

IndexMap index_map_pad(const Node& node) {
  const Attributes& a = node.attributes;
  IndexMap map = same_axes(node.shape().size());
  for (std::size_t i = 0; i < map.size(); ++i) {
    map[i].start = Dimension(-1) * a.low[i];
    map[i].bounded = node.shape()[i] != node.operands[0]->shape()[i];
    map[i].spacing = a.interior[i] + 1;
  }
  return map;
}

}  // namespace descent::ir
