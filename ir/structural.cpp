// Leaves, reshape, the gradient node, and what all structural ops share.
#include "ir/structural.h"

#include "ir/structural_support.h"

namespace descent::ir {

std::vector<int> remaining_axes(std::size_t rank, const std::vector<int>& a, const std::vector<int>& b) {
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

namespace {
Type leaf_type(const Attributes& attributes) { return {attributes.dtype, attributes.shape}; }
}  // namespace

// Leaves.

Type infer_constant(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return {a.dtype, a.shape}; }
Type infer_dimension(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return {a.dtype, {}}; }
Type infer_input(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return leaf_type(a); }
Type infer_parameter(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return leaf_type(a); }
Type infer_state(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return leaf_type(a); }
Type infer_counter(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return leaf_type(a); }
Type infer_rng_uniform(const OpInfo&, std::span<const Node* const>, const Attributes& a) { return leaf_type(a); }
Type infer_iota(const OpInfo&, std::span<const Node* const>, const Attributes& a) {
  check_axes("iota", a.axes, a.shape.size());
  if (a.axes.size() != 1) fail("iota", "one axis is needed");
  return {DType::i32, a.shape};
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
