#include "passes/sliced_products.h"

#include <algorithm>

#include "ir/expr.h"

namespace descent::passes {

using ir::Attributes;
using ir::Expr;
using ir::Node;

namespace {

/// The slice of an operand that keeps what `cut`, a slice of the product, keeps of the operand's axes.
class OperandSlice {
 public:
  explicit OperandSlice(const Node* operand)
      : operand_(operand),
        starts_(operand->shape().size(), ir::Dimension(0)),
        limits_(operand->shape()),
        strides_(operand->shape().size(), 1) {}

  void keep(std::size_t axis, const Attributes& cut, std::size_t of_product) {
    starts_[axis] = cut.starts[of_product];
    limits_[axis] = cut.limits[of_product];
    strides_[axis] = cut.strides[of_product];
  }
  Expr in(ir::Graph& graph) const { return ir::slice(Expr(graph, operand_), starts_, limits_, strides_); }

 private:
  const Node* operand_;
  ir::Shape starts_, limits_;
  std::vector<int> strides_;
};

}  // namespace

const Node* sliced_product(ir::Graph& graph, const Node* node, const UseCounts& uses) {
  if (node->op != ir::Op::slice || node->operands[0]->op != ir::Op::dot_general) return node;
  const Node* product = node->operands[0];
  if (uses.of(product) > 1) return node;
  const Attributes &axes = product->attributes, &cut = node->attributes;
  OperandSlice lhs(product->operands[0]), rhs(product->operands[1]);
  // The product's axes: those of the batch, then the others of the first operand, then of the second.
  std::size_t out = 0;
  for (std::size_t i = 0; i < axes.lhs_batch.size(); ++i, ++out) {
    lhs.keep(static_cast<std::size_t>(axes.lhs_batch[i]), cut, out);
    rhs.keep(static_cast<std::size_t>(axes.rhs_batch[i]), cut, out);
  }
  const auto keep_free = [&](OperandSlice& slice, const Node* operand, const auto& batch, const auto& contracted) {
    for (std::size_t axis = 0; axis < operand->shape().size(); ++axis) {
      const auto is_axis = [&](int other) { return static_cast<std::size_t>(other) == axis; };
      if (std::any_of(batch.begin(), batch.end(), is_axis) ||
          std::any_of(contracted.begin(), contracted.end(), is_axis))
        continue;
      slice.keep(axis, cut, out++);
    }
  };
  keep_free(lhs, product->operands[0], axes.lhs_batch, axes.lhs_contract);
  keep_free(rhs, product->operands[1], axes.rhs_batch, axes.rhs_contract);
  return ir::dot_general(lhs.in(graph), rhs.in(graph), axes).node;
}

}  // namespace descent::passes
