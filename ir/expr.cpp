#include "ir/expr.h"

#include <algorithm>

namespace descent::ir {

Expr elementwise(Op op, std::initializer_list<Expr> operands) {
  Graph& graph = *operands.begin()->graph;
  std::vector<const Node*> nodes;
  nodes.reserve(operands.size());
  for (const Expr& e : operands) nodes.push_back(e.node);
  return {graph, graph.make(op, std::move(nodes))};
}

Expr like(Expr e, double value) { return {*e.graph, e.graph->constant(value, e.node->type)}; }

Expr select(Expr condition, Expr a, Expr b) { return elementwise(Op::select, {condition, a, b}); }

Expr broadcast(Expr a, const Shape& shape, std::vector<int> axes) {
  Attributes attributes;
  attributes.shape = shape;
  attributes.axes = std::move(axes);
  return {*a.graph, a.graph->make(Op::broadcast_in_dim, {a.node}, std::move(attributes))};
}

Expr reshape(Expr a, const Shape& shape) {
  if (a.shape() == shape) return a;
  Attributes attributes;
  attributes.shape = shape;
  return {*a.graph, a.graph->make(Op::reshape, {a.node}, std::move(attributes))};
}

namespace {
bool is_zero(const Dimension& d) { return d == Dimension(0); }

Expr with_axes(Op op, Expr a, std::vector<int> axes) {
  Attributes attributes;
  attributes.axes = std::move(axes);
  return {*a.graph, a.graph->make(op, {a.node}, std::move(attributes))};
}
}  // namespace

Expr transpose(Expr a, std::vector<int> permutation) {
  bool identity = true;
  for (std::size_t i = 0; i < permutation.size(); ++i) identity = identity && permutation[i] == static_cast<int>(i);
  return identity ? a : with_axes(Op::transpose, a, std::move(permutation));
}

Expr slice(Expr a, Shape starts, Shape limits, std::vector<int> strides) {
  if (a.shape() == limits && std::all_of(starts.begin(), starts.end(), is_zero) &&
      std::all_of(strides.begin(), strides.end(), [](int s) { return s == 1; })) {
    return a;
  }
  Attributes attributes;
  attributes.starts = std::move(starts);
  attributes.limits = std::move(limits);
  attributes.strides = std::move(strides);
  return {*a.graph, a.graph->make(Op::slice, {a.node}, std::move(attributes))};
}

Expr reverse(Expr a, std::vector<int> axes) { return axes.empty() ? a : with_axes(Op::reverse, a, std::move(axes)); }

Expr pad(Expr a, Shape low, Shape high, std::vector<int> interior) {
  if (std::all_of(low.begin(), low.end(), is_zero) && std::all_of(high.begin(), high.end(), is_zero) &&
      std::all_of(interior.begin(), interior.end(), [](int i) { return i == 0; })) {
    return a;
  }
  Attributes attributes;
  attributes.low = std::move(low);
  attributes.high = std::move(high);
  attributes.interior = std::move(interior);
  return {*a.graph, a.graph->make(Op::pad, {a.node}, std::move(attributes))};
}

Expr convert(Expr a, DType dtype) {
  if (a.node->type.dtype == dtype) return a;
  Attributes attributes;
  attributes.dtype = dtype;
  return {*a.graph, a.graph->make(Op::convert, {a.node}, std::move(attributes))};
}

Expr windows(Expr a, int axis, int size, int stride, int dilation) {
  Attributes attributes;
  attributes.axes = {axis};
  attributes.window = {size, stride, dilation};
  return {*a.graph, a.graph->make(Op::windows, {a.node}, std::move(attributes))};
}

Expr diagonal(Expr a, int first, int second) { return with_axes(Op::diagonal, a, {first, second}); }

Expr iota(Graph& graph, const Shape& shape, int axis) {
  Attributes attributes;
  attributes.axes = {axis};
  attributes.shape = shape;
  attributes.dtype = DType::i32;
  return {graph, graph.make(Op::iota, {}, std::move(attributes))};
}

Expr gather(Expr table, Expr indices, int axis) {
  Attributes attributes;
  attributes.axes = {axis};
  return {*table.graph, table.graph->make(Op::gather, {table.node, indices.node}, std::move(attributes))};
}

Expr scatter_add(Expr indices, Expr updates, const Shape& shape, int axis) {
  Attributes attributes;
  attributes.axes = {axis};
  attributes.shape = shape;
  return {*indices.graph, indices.graph->make(Op::scatter_add, {indices.node, updates.node}, std::move(attributes))};
}

Expr concatenate(const std::vector<Expr>& parts, int axis) {
  if (parts.size() == 1) return parts[0];
  Attributes attributes;
  attributes.axes = {axis};
  std::vector<const Node*> nodes;
  for (const Expr& part : parts) nodes.push_back(part.node);
  return {*parts[0].graph, parts[0].graph->make(Op::concatenate, std::move(nodes), std::move(attributes))};
}

Expr reduce_sum(Expr a, std::vector<int> axes) {
  return axes.empty() ? a : with_axes(Op::reduce_sum, a, std::move(axes));
}
Expr reduce_max(Expr a, std::vector<int> axes) {
  return axes.empty() ? a : with_axes(Op::reduce_max, a, std::move(axes));
}

Expr reduce_min(Expr a, std::vector<int> axes) {
  return axes.empty() ? a : with_axes(Op::reduce_min, a, std::move(axes));
}

Expr dot_general(Expr a, Expr b, Attributes axes) {
  return {*a.graph, a.graph->make(Op::dot_general, {a.node, b.node}, std::move(axes))};
}

Expr gradient(Expr e, Expr x) { return {*e.graph, e.graph->make(Op::gradient, {e.node, x.node})}; }

Expr jvp(Expr e, Expr x, Expr v) {
  const auto total = [](Expr a) {
    std::vector<int> axes;
    for (std::size_t i = 0; i < a.shape().size(); ++i) axes.push_back(static_cast<int>(i));
    return reduce_sum(a, axes);
  };
  const Expr u = elementwise(Op::stop_gradient, {e});  // any tensor of e's shape that does not depend on x
  const Expr transposed = gradient(total(e * u), x);
  return gradient(total(transposed * v), u);
}

}  // namespace descent::ir
