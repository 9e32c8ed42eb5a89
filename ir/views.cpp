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

// windows

Type infer_windows(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  Shape shape = x[0]->type.shape;
  check_axes("windows", a.axes, shape.size());
  if (a.axes.size() != 1 || a.window.size() != 3)
    fail("windows", "one axis, a size, a stride and a dilation are needed");
  const int size = a.window[0], stride = a.window[1], dilation = a.window[2];
  if (size < 1 || stride < 1 || dilation < 1) fail("windows", "size, stride and dilation must be 1 or more");
  const Dimension from = along(shape, a.axes[0]);
  const Dimension rest = from - (dilation * (size - 1) + 1);
  if (is_negative(rest)) {
    fail("windows", "a window over " + std::to_string(dilation * (size - 1) + 1) + " elements does not fit into " +
                        from.to_string());
  }
  const auto count = rest.divided_by(stride);
  if (!count) {
    fail("windows", "how many windows a stride of " + std::to_string(stride) + " makes of " + from.to_string() +
                        " depends on a remainder that is not known");
  }
  along(shape, a.axes[0]) = *count + 1;
  shape.insert(shape.begin() + a.axes[0] + 1, Dimension(size));
  return {x[0]->type.dtype, shape};
}

namespace {

/// The first elements along an axis, or zeros behind them.
Expr resized(Expr e, int axis, const Dimension& size) {
  Shape none(e.shape().size(), Dimension(0)), shape = e.shape();
  const Dimension rest = size - along(shape, axis);
  const bool shorter = is_negative(rest);
  along(shorter ? shape : none, axis) = shorter ? size : rest;
  const Shape zero(shape.size(), Dimension(0));
  if (shorter) return slice(e, zero, shape, std::vector<int>(shape.size(), 1));
  return pad(e, zero, none, std::vector<int>(shape.size(), 0));
}

/// The sum over all windows' elements of the place that each of them was read from, of so many places.
Expr sum_of_windows(Expr g, int axis, int stride, int dilation, const Dimension& places) {
  const std::size_t rank = g.shape().size();
  const int size = static_cast<int>(along(g.shape(), axis + 1).constant());
  Shape low(rank, Dimension(0)), high = low;
  std::vector<int> interior(rank, 0);
  along(low, axis) = Dimension(std::int64_t{dilation} * (size - 1));
  along(high, axis) = places - (along(g.shape(), axis) - 1) * stride - 1;
  along(interior, axis) = stride - 1;
  const Expr starts = windows(pad(g, low, high, interior), axis, size, 1, dilation);
  return reduce_sum(diagonal(reverse(starts, {axis + 1}), axis + 1, axis + 2), {axis + 1});
}

}  // namespace

// Element i was read as element k of window o where i = stride * o + dilation * k. The adjoint of i is therefore the
// sum over k of those of the windows (i - dilation * k) / stride: with the windows' adjoints spread by the stride and
// padded, the sum over the diagonal of windows of the reversed order, one beginning at every i.
//
// With a stride most of these would be zeros. But where dilation is 1, an axis seen as rows of `stride` elements, (q,
// r) for i = stride * q + r, has windows of whole rows, one apart, if they are filled up with elements that nobody
// reads: k = stride * j + r is element r of row j. So the adjoint is that of windows of rows.
//
// Windows without overlap leave each element in one of them, or in none: their adjoints side by side.
Adjoints derivative_windows(Expr y, Expr g, std::span<const Expr> x) {
  const Attributes& a = y.node->attributes;
  const int axis = a.axes[0], size = a.window[0], stride = a.window[1], dilation = a.window[2];
  const bool by_rows =
      dilation == 1 && stride > 1 && (along(x[0].shape(), axis) - along(y.shape(), axis) * stride).is_constant();
  if (!by_rows) return {sum_of_windows(g, axis, stride, dilation, along(x[0].shape(), axis))};
  // Windows of whole rows, each row an axis of its own.
  const int rows = (size + stride - 1) / stride;
  Shape low(g.shape().size(), Dimension(0)), high = low;
  along(high, axis + 1) = Dimension(rows * stride - size);
  g = pad(g, low, high, std::vector<int>(low.size(), 0));
  const Dimension count = along(y.shape(), axis) + (rows - 1);
  if (rows > 1) {
    Shape split = g.shape();
    along(split, axis + 1) = Dimension(rows);
    split.insert(split.begin() + axis + 2, Dimension(stride));
    g = sum_of_windows(reshape(g, split), axis, 1, 1, count);
  }
  Shape shape = x[0].shape();
  along(shape, axis) = count * stride;
  return {resized(reshape(g, shape), axis, along(x[0].shape(), axis))};
}

IndexMap index_map_windows(const Node& node) {
  const auto axis = static_cast<std::size_t>(node.attributes.axes[0]);
  std::vector<int> to;
  for (std::size_t i = 0; i < node.operands[0]->shape().size(); ++i)
    to.push_back(static_cast<int>(i + (i > axis ? 1 : 0)));
  IndexMap map = renamed_axes(node.shape().size(), to);
  map[axis].coefficients[axis] = Dimension(node.attributes.window[1]);
  map[axis].coefficients[axis + 1] = Dimension(node.attributes.window[2]);
  return map;
}

// diagonal

Type infer_diagonal(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  Shape shape = x[0]->type.shape;
  check_axes("diagonal", a.axes, shape.size());
  if (a.axes.size() != 2 || a.axes[0] > a.axes[1]) fail("diagonal", "two axes are needed, in order");
  if (along(shape, a.axes[0]) != along(shape, a.axes[1])) {
    fail("diagonal", "the sizes " + along(shape, a.axes[0]).to_string() + " and " +
                         along(shape, a.axes[1]).to_string() + " differ");
  }
  shape.erase(shape.begin() + a.axes[1]);
  return {x[0]->type.dtype, shape};
}

Adjoints derivative_diagonal(Expr y, Expr g, std::span<const Expr> x) {
  const auto& axes = y.node->attributes.axes;
  const Shape& shape = x[0].shape();
  const Expr repeated = broadcast(g, shape, remaining_axes(shape.size(), {axes[1]}));
  return {select(iota(*g.graph, shape, axes[0]) == iota(*g.graph, shape, axes[1]), repeated, 0)};
}

IndexMap index_map_diagonal(const Node& node) {
  const auto& axes = node.attributes.axes;
  std::vector<int> to;
  for (int i = 0; i < static_cast<int>(node.operands[0]->shape().size()); ++i) {
    to.push_back(i == axes[1] ? axes[0] : i > axes[1] ? i - 1 : i);
  }
  return renamed_axes(node.shape().size(), to);
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
