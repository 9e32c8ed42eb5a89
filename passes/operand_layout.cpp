// What is padded is copied before a contraction reads it (Planner::make_plain). Where nothing but axes of that copy are
// seen, it can as well be made in the order that the contraction wants: the adjoint of a convolution with a stride has
// weights of several free axes (of the elements of a row, for both axes of an image, and of the channels), over which
// the contraction would loop one by one, with vectors along the last alone.
#include "passes/operand_layout.h"

#include <algorithm>

#include "ir/expr.h"
#include "ir/op.h"

namespace descent::passes {

using ir::Dimension;
using ir::Expr;
using ir::Node;
using ir::Op;
using ir::Shape;

namespace {

bool is_copied(const Node* operand) {
  const Dimension count = ir::element_count(operand->shape());
  const auto is_view = [](Op op) {
    return op == Op::transpose || op == Op::reverse || op == Op::reshape || op == Op::pad;
  };
  for (const Node* x = operand; is_view(x->op); x = x->operands[0]) {
    if (ir::element_count(x->shape()) != count) return false;
    if (x->op == Op::pad) return true;
  }
  return false;
}

/// The axes [begin, end) of a shape as one.
Shape merged(const Shape& shape, std::size_t begin, std::size_t end) {
  Shape result(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(begin));
  result.emplace_back(1);
  for (std::size_t i = begin; i < end; ++i) result.back() = result.back() * shape[i];
  result.insert(result.end(), shape.begin() + static_cast<std::ptrdiff_t>(end), shape.end());
  return result;
}

}  // namespace

const Node* copied_operand_as_matrix(ir::Graph& graph, const Node* node) {
  ir::Attributes attributes = node->attributes;
  std::vector<Expr> operands{Expr(graph, node->operands[0]), Expr(graph, node->operands[1])};
  bool changed = false;
  for (std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    std::vector<int>& batch = side == 0 ? attributes.lhs_batch : attributes.rhs_batch;
    std::vector<int>& contract = side == 0 ? attributes.lhs_contract : attributes.rhs_contract;
    Expr& operand = operands[side];
    const std::size_t rank = operand.shape().size();
    if (rank < batch.size() + contract.size() + 2 || !is_copied(operand.node)) continue;
    // A first operand's rows and a second one's columns: what is contracted inside of the rows, outside of the columns.
    std::vector<int> free, order = batch;
    for (int axis = 0; axis < static_cast<int>(rank); ++axis) {
      const auto in = [&](const std::vector<int>& list) {
        return std::find(list.begin(), list.end(), axis) != list.end();
      };
      if (!in(batch) && !in(contract)) free.push_back(axis);
    }
    const std::vector<int>&outer = side == 0 ? free : contract, &inner = side == 0 ? contract : free;
    order.insert(order.end(), outer.begin(), outer.end());
    order.insert(order.end(), inner.begin(), inner.end());
    const std::size_t begin = side == 0 ? batch.size() : batch.size() + contract.size();
    operand = ir::transpose(operand, order);
    operand = ir::reshape(operand, merged(operand.shape(), begin, begin + free.size()));
    int at = 0;
    for (int& axis : batch) axis = at++;
    if (side == 0) ++at;
    for (int& axis : contract) axis = at++;
    changed = true;
  }
  return changed ? ir::reshape(ir::dot_general(operands[0], operands[1], attributes), node->shape()).node : node;
}

}  // namespace descent::passes
