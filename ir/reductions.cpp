// Reductions: the axes named are combined into one number for every index of the others.
#include <limits>

#include "ir/structural_support.h"

namespace descent::ir {

namespace {

Shape without_axes(const Shape& shape, const std::vector<int>& axes) {
  Shape rest;
  for (int axis : remaining_axes(shape.size(), axes)) rest.push_back(shape[static_cast<std::size_t>(axis)]);
  return rest;
}

Type infer_reduction(const char* op, const Node* a, const std::vector<int>& axes) {
  check_axes(op, axes, a->type.shape.size());
  if (a->type.dtype == DType::boolean) fail(op, "takes numbers, not " + to_string(a->type));
  return {a->type.dtype, without_axes(a->type.shape, axes)};
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

namespace {

/// The gradient of an extreme goes to the elements equal to it, in equal parts.
Expr shared_among_equal(Expr y, Expr g, Expr x) {
  const auto& axes = y.node->attributes.axes;
  const Expr chosen = convert(x == spread(y, x.shape(), axes), g.node->type.dtype);
  return chosen * spread(g / reduce_sum(chosen, axes), x.shape(), axes);
}

double limit(const Node& node, bool lowest) {
  if (is_real(node.type.dtype)) return (lowest ? -1 : 1) * std::numeric_limits<double>::infinity();
  return lowest ? std::numeric_limits<std::int32_t>::min() : std::numeric_limits<std::int32_t>::max();
}

}  // namespace

Type infer_reduce_max(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  return infer_reduction("reduce_max", x[0], a.axes);
}
Adjoints derivative_reduce_max(Expr y, Expr g, std::span<const Expr> x) { return {shared_among_equal(y, g, x[0])}; }
void evaluate_reduce_max(const Node& node, std::span<const Tensor* const> x, Tensor& y) {
  evaluate_reduction(node, *x[0], y, limit(node, true),
                     [](double largest, double v) { return info(Op::maximum).meaning(largest, v, 0); });
}

Type infer_reduce_min(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  return infer_reduction("reduce_min", x[0], a.axes);
}
Adjoints derivative_reduce_min(Expr y, Expr g, std::span<const Expr> x) { return {shared_among_equal(y, g, x[0])}; }
void evaluate_reduce_min(const Node& node, std::span<const Tensor* const> x, Tensor& y) {
  evaluate_reduction(node, *x[0], y, limit(node, false),
                     [](double smallest, double v) { return info(Op::minimum).meaning(smallest, v, 0); });
}

}  // namespace descent::ir
