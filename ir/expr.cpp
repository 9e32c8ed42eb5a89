#include "ir/expr.h"

namespace descent::ir {

Expr elementwise(Op op, std::initializer_list<Expr> operands) {
  Graph& graph = *operands.begin()->graph;
  std::vector<const Node*> nodes;
  nodes.reserve(operands.size());
  for (const Expr& e : operands) nodes.push_back(e.node);
  return {graph, graph.make(op, std::move(nodes))};
}

Expr like(Expr e, double value) { return {*e.graph, e.graph->constant(value, e.shape())}; }

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

Expr reduce_sum(Expr a, std::vector<int> axes) {
  return axes.empty() ? a : with_axes(Op::reduce_sum, a, std::move(axes));
}
Expr reduce_max(Expr a, std::vector<int> axes) {
  return axes.empty() ? a : with_axes(Op::reduce_max, a, std::move(axes));
}

Expr dot_general(Expr a, Expr b, Attributes axes) {
  return {*a.graph, a.graph->make(Op::dot_general, {a.node, b.node}, std::move(axes))};
}

Expr gradient(Expr e, Expr x) { return {*e.graph, e.graph->make(Op::gradient, {e.node, x.node})}; }

}  // namespace descent::ir
