// gather and its adjoint scatter_add, and what sparse updates are made of: rows of a table picked by whole numbers.
#include <cmath>
#include <map>

#include "ir/structural_support.h"

namespace descent::ir {

namespace {

/// `table` with its axis replaced by the axes of `indices`.
Shape picked_shape(const Shape& table, const Shape& indices, int axis) {
  Shape shape(table.begin(), table.begin() + axis);
  shape.insert(shape.end(), indices.begin(), indices.end());
  shape.insert(shape.end(), table.begin() + axis + 1, table.end());
  return shape;
}

void check_pick(const char* op, const Shape& table, const Type& indices, const std::vector<int>& axes) {
  if (axes.size() != 1) fail(op, "one axis is needed");
  check_axes(op, axes, table.size());
  if (indices.dtype != DType::i32) fail(op, "the indices must be i32, not " + to_string(indices));
  if (along(table, axes[0]) == Dimension(0)) fail(op, "there is nothing to pick along an axis of size 0");
}

/// Calls `body(place in the table, place among the picked, index)` for every picked element.
template <typename Body>
void walk_picked(const std::vector<std::int64_t>& table, const Tensor& indices, const std::vector<std::int64_t>& picked,
                 int axis, Body body) {
  const auto table_strides = strides_of(table), index_strides = strides_of(indices.shape);
  std::vector<std::int64_t> in_table(picked.size(), 0), in_indices(picked.size(), 0);
  const int rank = static_cast<int>(indices.shape.size());
  for (int i = 0; i < static_cast<int>(picked.size()); ++i) {
    if (i >= axis && i < axis + rank)
      along(in_indices, i) = along(index_strides, i - axis);
    else
      along(in_table, i) = along(table_strides, i < axis ? i : i - rank + 1);
  }
  std::size_t place = 0;
  walk<2>(picked, {in_table, in_indices}, [&](const auto& at) {
    const double index = indices.values[static_cast<std::size_t>(at[1])];
    const auto row =
        static_cast<std::int64_t>(std::fmin(std::fmax(index, 0.0), static_cast<double>(along(table, axis) - 1)));
    body(static_cast<std::size_t>(at[0] + row * along(table_strides, axis)), place++, index);
  });
}

}  // namespace

Type infer_gather(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  check_pick("gather", x[0]->type.shape, x[1]->type, a.axes);
  return {x[0]->type.dtype, picked_shape(x[0]->type.shape, x[1]->type.shape, a.axes[0])};
}
Adjoints derivative_gather(Expr y, Expr g, std::span<const Expr> x) {
  return {scatter_add(x[1], g, x[0].shape(), y.node->attributes.axes[0]), std::nullopt};
}
void evaluate_gather(const Node& node, std::span<const Tensor* const> x, Tensor& y) {
  walk_picked(x[0]->shape, *x[1], y.shape, node.attributes.axes[0],
              [&](std::size_t from, std::size_t to, double) { y.values[to] = x[0]->values[from]; });
}

Type infer_scatter_add(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  check_pick("scatter_add", a.shape, x[0]->type, a.axes);
  const Shape expected = picked_shape(a.shape, x[0]->type.shape, a.axes[0]);
  if (!is_real(x[1]->type.dtype) || x[1]->type.shape != expected) {
    fail("scatter_add", "expected f32" + to_string(expected) + " to add, not " + to_string(x[1]->type));
  }
  return {x[1]->type.dtype, a.shape};
}
Adjoints derivative_scatter_add(Expr y, Expr g, std::span<const Expr> x) {
  return {std::nullopt, gather(g, x[0], y.node->attributes.axes[0])};
}
void evaluate_scatter_add(const Node& node, std::span<const Tensor* const> x, Tensor& y) {
  walk_picked(y.shape, *x[0], x[1]->shape, node.attributes.axes[0],
              [&](std::size_t to, std::size_t from, double) { y.values[to] += x[1]->values[from]; });
}

Type infer_first_occurrence(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  if (x[0]->type.dtype != DType::i32 || x[0]->shape().size() != 1) {
    fail("first_occurrence", "takes i32 of rank 1, not " + to_string(x[0]->type));
  }
  if (a.shape.size() != 1) fail("first_occurrence", "one size is needed");
  return x[0]->type;
}
Adjoints derivative_first_occurrence(Expr, Expr, std::span<const Expr>) { return {std::nullopt}; }
void evaluate_first_occurrence(const Node&, std::span<const Tensor* const> x, Tensor& y) {
  std::map<double, double> first;
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    y.values[i] = first.emplace(x[0]->values[i], static_cast<double>(i)).first->second;
  }
}

Type infer_scatter(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  check_pick("scatter", x[0]->type.shape, x[1]->type, a.axes);
  const Shape expected = picked_shape(x[0]->type.shape, x[1]->type.shape, a.axes[0]);
  if (x[2]->type.dtype != x[0]->type.dtype || x[2]->type.shape != expected) {
    fail("scatter", "expected " + to_string(Type{x[0]->type.dtype, expected}) + ", not " + to_string(x[2]->type));
  }
  return x[0]->type;
}
Adjoints derivative_scatter(Expr, Expr, std::span<const Expr>) {
  fail("scatter", "it is made when all derivatives have been taken");
}
void evaluate_scatter(const Node& node, std::span<const Tensor* const> x, Tensor& y) {
  y = *x[0];
  const auto axis = static_cast<std::size_t>(node.attributes.axes[0]);
  walk_picked(y.shape, *x[1], x[2]->shape, node.attributes.axes[0],
              [&](std::size_t to, std::size_t from, double index) {
                if (index >= 0 && index < static_cast<double>(y.shape[axis])) y.values[to] = x[2]->values[from];
              });
}

}  // namespace descent::ir
