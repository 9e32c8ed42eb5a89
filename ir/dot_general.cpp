// dot_general: the contraction that all products of matrices and tensors are.
#include "ir/structural_support.h"

namespace descent::ir {

// dot_general

Type infer_dot_general(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  const Shape &l = x[0]->type.shape, &r = x[1]->type.shape;
  if (a.lhs_batch.size() != a.rhs_batch.size() || a.lhs_contract.size() != a.rhs_contract.size()) {
    fail("dot_general", "axes must come in pairs");
  }
  for (const Node* operand : x) {
    if (!is_real(operand->type.dtype)) fail("dot_general", "takes numbers, not " + to_string(operand->type));
    if (operand->type.dtype != x[0]->type.dtype) {
      fail("dot_general",
           "takes operands of one type, not " + to_string(x[0]->type) + " and " + to_string(operand->type));
    }
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
  return {x[0]->type.dtype, shape};
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
  for (std::size_t i = 0; i < a.lhs_batch.size(); ++i) {
    l_outer.push_back(along(l_strides, a.lhs_batch[i]));
    r_outer.push_back(along(r_strides, a.rhs_batch[i]));
  }
  for (int axis : l_free) l_outer.push_back(along(l_strides, axis)), r_outer.push_back(0);
  for (int axis : r_free) l_outer.push_back(0), r_outer.push_back(along(r_strides, axis));
  for (std::size_t i = 0; i < a.lhs_contract.size(); ++i) {
    inner_shape.push_back(along(x[0]->shape, a.lhs_contract[i]));
    l_inner.push_back(along(l_strides, a.lhs_contract[i]));
    r_inner.push_back(along(r_strides, a.rhs_contract[i]));
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

}  // namespace descent::ir
