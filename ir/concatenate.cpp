// concatenate: tensors one after the other along an axis.
#include "ir/structural_support.h"

namespace descent::ir {

Type infer_concatenate(const OpInfo&, std::span<const Node* const> x, const Attributes& a) {
  Type type = x[0]->type;
  check_axes("concatenate", a.axes, type.shape.size());
  if (a.axes.size() != 1) fail("concatenate", "one axis is needed");
  for (const Node* operand : x.subspan(1)) {
    Shape others = operand->type.shape;
    if (others.size() == type.shape.size()) along(others, a.axes[0]) = along(type.shape, a.axes[0]);
    if (others != type.shape || operand->type.dtype != type.dtype) {
      fail("concatenate", to_string(x[0]->type) + " and " + to_string(operand->type) + " differ in more than axis " +
                              std::to_string(a.axes[0]));
    }
    along(type.shape, a.axes[0]) = along(type.shape, a.axes[0]) + along(operand->type.shape, a.axes[0]);
  }
  return type;
}

Adjoints derivative_concatenate(Expr y, Expr g, std::span<const Expr> x) {
  const int axis = y.node->attributes.axes[0];
  Shape starts(y.shape().size(), Dimension(0)), limits = y.shape();
  Adjoints adjoints;
  for (const Expr& operand : x) {
    along(limits, axis) = along(starts, axis) + along(operand.shape(), axis);
    adjoints.emplace_back(slice(g, starts, limits, std::vector<int>(starts.size(), 1)));
    along(starts, axis) = along(limits, axis);
  }
  return adjoints;
}

void evaluate_concatenate(const Node& node, std::span<const Tensor* const> x, Tensor& y) {
  const auto strides = strides_of(y.shape);
  std::int64_t start = 0;
  for (const Tensor* operand : x) {
    walk<2>(operand->shape, {strides_of(operand->shape), strides}, [&](const auto& at) {
      y.values[static_cast<std::size_t>(start + at[1])] = operand->values[static_cast<std::size_t>(at[0])];
    });
    start += along(operand->shape, node.attributes.axes[0]) * along(strides, node.attributes.axes[0]);
  }
}

}  // namespace descent::ir
