#include "ir/structural.h"

#include <algorithm>
#include <limits>

#include "descent/error.h"
#include "ir/interpreter.h"

namespace descent::ir {

namespace {

[[noreturn]] void fail(const std::string& op, const std::string& what) { throw Error(op + ": " + what); }

bool contains(const std::vector<int>& axes, int axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

/// The axes of a tensor of this rank that are in neither list, in order.
std::vector<int> remaining_axes(std::size_t rank, const std::vector<int>& a, const std::vector<int>& b = {}) {
  std::vector<int> axes;
  for (int i = 0; i < static_cast<int>(rank); ++i) {
    if (!contains(a, i) && !contains(b, i)) axes.push_back(i);
  }
  return axes;
}

void check_axes(const char* op, const std::vector<int>& axes, std::size_t rank) {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] < 0 || axes[i] >= static_cast<int>(rank)) fail(op, "there is no axis " + std::to_string(axes[i]));
    if (std::count(axes.begin(), axes.end(), axes[i]) > 1)
      fail(op, "axis " + std::to_string(axes[i]) + " is given twice");
  }
}

Type leaf_type(const Attributes& attributes) { return {DType::f32, attributes.shape}; }

/// Walks the indices of `shape` in row-major order, keeping for each set of strides the offset of the current index.
template <std::size_t N, typename Body>
void walk(const std::vector<std::int64_t>& shape, const std::array<std::vector<std::int64_t>, N>& strides, Body body) {
  std::vector<std::int64_t> index(shape.size(), 0);
  std::array<std::int64_t, N> offsets{};
  for (std::int64_t size : shape) {
    if (size == 0) return;
  }
  while (true) {
    body(offsets);
    std::size_t axis = shape.size();
    while (axis > 0) {
      --axis;
      for (std::size_t i = 0; i < N; ++i) offsets[i] += strides[i][axis];
      if (++index[axis] < shape[axis]) break;
      for (std::size_t i = 0; i < N; ++i) offsets[i] -= strides[i][axis] * shape[axis];
      index[axis] = 0;
      if (axis == 0) return;
    }
    if (shape.empty()) return;
  }
}

Shape without_axes(const Shape& shape, const std::vector<int>& axes) {
  Shape rest;
  for (int axis : remaining_axes(shape.size(), axes)) rest.push_back(shape[static_cast<std::size_t>(axis)]);
  return rest;
}

Type infer_reduction(const char* op, const Node* a, const std::vector<int>& axes) {
  check_axes(op, axes, a->type.shape.size());
  if (a->type.dtype != DType::f32) fail(op, "takes numbers, not " + to_string(a->type));
  return {DType::f32, without_axes(a->type.shape, axes)};
}

/// `a`, which lacks the axes, repeated along them to `shape`.
Expr spread(Expr a, const Shape& shape, const std::vector<int>& axes) {
  return broadcast(a, shape, remaining_axes(shape.size(), axes));
}

template <typename Combine>
void evaluate_reduction(const Node& node, const Tensor& x, Tensor& y, double first, Combine combine) {
  std::fill(y.values.begin(), y.values.end(), first);
  const auto kept = remaining_axes(x.shape.size(), node.attributes.axes);
  const auto y_strides = strides_of(y.shape);
  std::vector<std::int64_t> into(x.shape.size(), 0);
  for (std::size_t i = 0; i < kept.size(); ++i) into[static_cast<std::size_t>(kept[i])] = y_strides[i];
  walk<2>(x.shape, {strides_of(x.shape), into}, [&](const std::array<std::int64_t, 2>& at) {
    double& sum = y.values[static_cast<std::size_t>(at[1])];
    sum = combine(sum, x.values[static_cast<std::size_t>(at[0])]);
  });
}

}  // namespace

// Leaves.

Type infer_constant(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return {a.dtype, a.shape}; }
Type infer_dimension(const OpInfo&, std::span<const Node* const>, const Attributes&) { return {}; }
Type infer_input(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return leaf_type(a); }
Type infer_parameter(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return leaf_type(a); }
Type infer_state(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return leaf_type(a); }
Type infer_counter(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return leaf_type(a); }
Type infer_rng_uniform(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return leaf_type(a); }

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

void evaluate_broadcast_in_dim(const Node& node, std::span<const Tensor* const> x, Tensor& y) {
  const auto from = strides_of(x[0]->shape);
  std::vector<std::int64_t> strides(y.shape.size(), 0);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (x[0]->shape[i] != 1) strides[static_cast<std::size_t>(node.attributes.axes[i])] = from[i];
  }
  double* out = y.values.data();
  walk<1>(y.shape, {strides}, [&](const auto& at) { *out++ = x[0]->values[static_cast<std::size_t>(at[0])]; });
}

// reshape

Type infer_reshape(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  if (element_count(x[0]->type.shape) != element_count(a.shape)) {
    fail("reshape", to_string(x[0]->type.shape) + " and " + to_string(a.shape) + " have different numbers of elements");
  }
  return {x[0]->type.dtype, a.shape};
}
Adjoints derivative_reshape(Expr, Expr g, std::span<const Expr> x) { return {reshape(g, x[0].shape())}; }
void evaluate_reshape(const Node&, std::span<const Tensor* const> x, Tensor& y) { y.values = x[0]->values; }

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

void evaluate_transpose(const Node& node, std::span<const Tensor* const> x, Tensor& y) {
  const auto from = strides_of(x[0]->shape);
  std::vector<std::int64_t> strides;
  for (int axis : node.attributes.axes) strides.push_back(from[static_cast<std::size_t>(axis)]);
  double* out = y.values.data();
  walk<1>(y.shape, {strides}, [&](const auto& at) { *out++ = x[0]->values[static_cast<std::size_t>(at[0])]; });
}

// reduce_sum, reduce_max

Type infer_reduce_sum(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  return infer_reduction("reduce_sum", x[0], a.axes);
}
Adjoints derivative_reduce_sum(Expr y, Expr g, std::span<const Expr> x) {
  return {spread(g, x[0].shape(), y.node->attributes.axes)};
}
void evaluate_reduce_sum(const Node& node, std::span<const Tensor* const> x, Tensor& y) {
  evaluate_reduction(node, *x[0], y, 0.0, [](double sum, double v) { return sum + v; });
}

Type infer_reduce_max(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  return infer_reduction("reduce_max", x[0], a.axes);
}
Adjoints derivative_reduce_max(Expr y, Expr g, std::span<const Expr> x) {
  const auto& axes = y.node->attributes.axes;
  const Expr largest = number(x[0] == spread(y, x[0].shape(), axes));
  return {largest * spread(g / reduce_sum(largest, axes), x[0].shape(), axes)};
}
void evaluate_reduce_max(const Node& node, std::span<const Tensor* const> x, Tensor& y) {
  evaluate_reduction(node, *x[0], y, -std::numeric_limits<double>::infinity(),
                     [](double largest, double v) { return info(Op::maximum).meaning(largest, v, 0); });
}

// dot_general

Type infer_dot_general(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  const Shape &l = x[0]->type.shape, &r = x[1]->type.shape;
  if (a.lhs_batch.size() != a.rhs_batch.size() || a.lhs_contract.size() != a.rhs_contract.size()) {
    fail("dot_general", "axes must come in pairs");
  }
  for (const Node* operand : x) {
    if (operand->type.dtype != DType::f32) fail("dot_general", "takes numbers, not " + to_string(operand->type));
  }
  std::vector<int> l_axes = a.lhs_batch, r_axes = a.rhs_batch;
  l_axes.insert(l_axes.end(), a.lhs_contract.begin(), a.lhs_contract.end());
  r_axes.insert(r_axes.end(), a.rhs_contract.begin(), a.rhs_contract.end());
  check_axes("dot_general", l_axes, l.size());
  check_axes("dot_general", r_axes, r.size());
  for (std::size_t i = 0; i < l_axes.size(); ++i) {
    const Dimension &p = l[static_cast<std::size_t>(l_axes[i])], &q = r[static_cast<std::size_t>(r_axes[i])];
    if (p != q) fail("dot_general", "the paired sizes " + p.to_string() + " and " + q.to_string() + " differ");
  }
  Shape shape;
  for (int axis : a.lhs_batch) shape.push_back(l[static_cast<std::size_t>(axis)]);
  for (int axis : remaining_axes(l.size(), l_axes)) shape.push_back(l[static_cast<std::size_t>(axis)]);
  for (int axis : remaining_axes(r.size(), r_axes)) shape.push_back(r[static_cast<std::size_t>(axis)]);
  return {DType::f32, shape};
}

namespace {

std::vector<int> range(std::size_t begin, std::size_t end) {
  std::vector<int> axes;
  for (std::size_t i = begin; i < end; ++i) axes.push_back(static_cast<int>(i));
  return axes;
}

/// Brings the axes of `e`, which stand for the axes `meaning` of a tensor, into that tensor's order.
Expr in_order(Expr e, const std::vector<int>& meaning) {
  std::vector<int> permutation(meaning.size());
  for (std::size_t i = 0; i < meaning.size(); ++i)
    permutation[static_cast<std::size_t>(meaning[i])] = static_cast<int>(i);
  return transpose(e, permutation);
}

/// The axes of one operand that are paired with `own`, sorted by `own`'s partner: the order in which they appear
/// as free axes of the other operand.
std::vector<int> by_partner(const std::vector<int>& own, const std::vector<int>& partner) {
  std::vector<std::size_t> order(own.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return partner[i] < partner[j]; });
  std::vector<int> sorted;
  for (std::size_t i : order) sorted.push_back(own[i]);
  return sorted;
}

std::vector<int> concatenate(std::vector<int> a, const std::vector<int>& b, const std::vector<int>& c = {}) {
  a.insert(a.end(), b.begin(), b.end());
  a.insert(a.end(), c.begin(), c.end());
  return a;
}

}  // namespace

Adjoints derivative_dot_general(Expr y, Expr g, std::span<const Expr> x) {
  const Attributes& a = y.node->attributes;
  const auto l_free = remaining_axes(x[0].shape().size(), a.lhs_batch, a.lhs_contract);
  const auto r_free = remaining_axes(x[1].shape().size(), a.rhs_batch, a.rhs_contract);
  const std::size_t batch = a.lhs_batch.size(), rank = y.shape().size();
  const std::vector<int> g_batch = range(0, batch), g_left = range(batch, batch + l_free.size()),
                         g_right = range(batch + l_free.size(), rank);

  // Adjoint of the first operand: g contracted with the second over the second's free axes.
  Attributes left;
  left.lhs_batch = g_batch, left.rhs_batch = a.rhs_batch;
  left.lhs_contract = g_right, left.rhs_contract = r_free;
  const Expr left_adjoint = in_order(dot_general(g, x[1], left),
                                     concatenate(a.lhs_batch, l_free, by_partner(a.lhs_contract, a.rhs_contract)));
  // Adjoint of the second operand: the first contracted with g over the first's free axes.
  Attributes right;
  right.lhs_batch = a.lhs_batch, right.rhs_batch = g_batch;
  right.lhs_contract = l_free, right.rhs_contract = g_left;
  const Expr right_adjoint = in_order(dot_general(x[0], g, right),
                                      concatenate(a.rhs_batch, by_partner(a.rhs_contract, a.lhs_contract), r_free));
  return {left_adjoint, right_adjoint};
}

void evaluate_dot_general(const Node& node, std::span<const Tensor* const> x, Tensor& y) {
  const Attributes& a = node.attributes;
  const auto l_strides = strides_of(x[0]->shape), r_strides = strides_of(x[1]->shape);
  const auto l_free = remaining_axes(x[0]->shape.size(), a.lhs_batch, a.lhs_contract);
  const auto r_free = remaining_axes(x[1]->shape.size(), a.rhs_batch, a.rhs_contract);
  std::vector<std::int64_t> l_outer, r_outer, l_inner, r_inner, inner_shape;
  const auto at = [](const std::vector<std::int64_t>& v, int axis) { return v[static_cast<std::size_t>(axis)]; };
  for (std::size_t i = 0; i < a.lhs_batch.size(); ++i) {
    l_outer.push_back(at(l_strides, a.lhs_batch[i]));
    r_outer.push_back(at(r_strides, a.rhs_batch[i]));
  }
  for (int axis : l_free) l_outer.push_back(at(l_strides, axis)), r_outer.push_back(0);
  for (int axis : r_free) l_outer.push_back(0), r_outer.push_back(at(r_strides, axis));
  for (std::size_t i = 0; i < a.lhs_contract.size(); ++i) {
    inner_shape.push_back(at(x[0]->shape, a.lhs_contract[i]));
    l_inner.push_back(at(l_strides, a.lhs_contract[i]));
    r_inner.push_back(at(r_strides, a.rhs_contract[i]));
  }
  double* out = y.values.data();
  walk<2>(y.shape, {l_outer, r_outer}, [&](const auto& outer) {
    double sum = 0;
    walk<2>(inner_shape, {l_inner, r_inner}, [&](const auto& inner) {
      sum += x[0]->values[static_cast<std::size_t>(outer[0] + inner[0])] *
             x[1]->values[static_cast<std::size_t>(outer[1] + inner[1])];
    });
    *out++ = sum;
  });
}

// gradient

Type infer_gradient(const OpInfo&, std::span<const Node* const> x, const Attributes&) {
  if (!x[0]->type.shape.empty()) {
    fail("gradient", "only a scalar has a gradient, not " + to_string(x[0]->type));
  }
  return x[1]->type;
}
Adjoints derivative_gradient(Expr, Expr, std::span<const Expr>) {
  fail("gradient", "an inner gradient must be replaced before an outer one is taken");
}
void evaluate_gradient(const Node&, std::span<const Tensor* const>, Tensor&) {
  fail("gradient", "it has no value before it is replaced by the derivative");
}

}  // namespace descent::ir
