#include "passes/structural_rules.h"

#include <algorithm>
#include <limits>

#include "ir/op.h"
#include "passes/operand_layout.h"
#include "passes/overlap_rules.h"
#include "passes/pattern.h"
#include "passes/simplify_views.h"

namespace descent::passes {

using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;

namespace {

const Node* constant_like(Graph& graph, const Node* constant, const ir::Shape& shape) {
  return graph.constant(constant->attributes.value, ir::Type{constant->type.dtype, shape});
}

bool is_one_number(const Node* node) { return node->is_constant() || node->shape().empty(); }

// Views: repetitions, transpositions, other shapes.

/// A constant seen in any way is a constant.
const Node* of_constant(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  return x->is_constant() ? constant_like(graph, x, node->shape()) : node;
}

/// What already has the shape needs no repetition (the axes ascend, so they are all in place).
const Node* same_shape(Graph&, const Node* node) {
  const Node* x = node->operands[0];
  return x->shape() == node->shape() ? x : node;
}

/// Signs move outwards.
const Node* repeat_of_negative(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  if (x->op != Op::negate) return node;
  return (-ir::broadcast(Expr(graph, x->operands[0]), node->shape(), node->attributes.axes)).node;
}

/// A repetition of a repetition is one.
const Node* repeat_of_repeat(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  if (x->op != Op::broadcast_in_dim) return node;
  std::vector<int> axes;
  for (int axis : x->attributes.axes) axes.push_back(node->attributes.axes[static_cast<std::size_t>(axis)]);
  return ir::broadcast(Expr(graph, x->operands[0]), node->shape(), axes).node;
}

const Node* transpose_of_transpose(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  if (x->op != Op::transpose) return node;
  std::vector<int> axes;
  for (int axis : node->attributes.axes) axes.push_back(x->attributes.axes[static_cast<std::size_t>(axis)]);
  return ir::transpose(Expr(graph, x->operands[0]), axes).node;
}

const Node* reshape_of_reshape(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  return x->op == Op::reshape ? ir::reshape(Expr(graph, x->operands[0]), node->shape()).node : node;
}

/// A shape that only gains axes of size 1 is a repetition along them: [n] as [n, 1].
const Node* reshape_that_adds_axes(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  std::vector<int> axes;
  std::size_t at = 0;
  for (std::size_t axis = 0; axis < node->shape().size(); ++axis) {
    if (at < x->shape().size() && x->shape()[at] == node->shape()[axis]) {
      axes.push_back(static_cast<int>(axis));
      ++at;
    } else if (!node->shape()[axis].is_one()) {
      return node;
    }
  }
  return at == x->shape().size() ? ir::broadcast(Expr(graph, x), node->shape(), axes).node : node;
}

/// [n, 28] as 14 windows of 2 elements: [n, 14, 2].
const Node* windows_side_by_side(Graph& graph, const Node* node) {
  const auto& window = node->attributes.window;  // size, stride, dilation
  const Node* x = node->operands[0];
  const bool is_all = ir::element_count(node->shape()) == ir::element_count(x->shape());
  return window[0] == window[1] && window[2] == 1 && is_all ? ir::reshape(Expr(graph, x), node->shape()).node : node;
}

// Reductions.

ir::Dimension reduced_count(const Node* node) {
  ir::Dimension count(1);
  for (int axis : node->attributes.axes) count = count * node->operands[0]->shape()[static_cast<std::size_t>(axis)];
  return count;
}

/// One element is its own sum and maximum.
const Node* reduction_of_one(Graph& graph, const Node* node) {
  return reduced_count(node).is_one() ? ir::reshape(Expr(graph, node->operands[0]), node->shape()).node : node;
}

/// 0, or the infinity that is no extreme; whatever there is none of.
const Node* reduction_of_nothing(Graph& graph, const Node* node) {
  if (reduced_count(node) != ir::Dimension(0) || !is_real(node->type.dtype)) return node;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double value = node->op == Op::reduce_sum ? 0 : node->op == Op::reduce_max ? -infinity : infinity;
  return graph.constant(value, node->type);
}

const Node* sum_of_constant(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  if (!x->is_constant() || !is_real(x->type.dtype)) return node;
  const Expr total = Expr(graph, graph.dimension(reduced_count(node), x->type.dtype)) * x->attributes.value;
  return ir::broadcast(total, node->shape(), {}).node;
}

/// The part of a repetition along the reduced axes is a factor, its number of repetitions, of a sum over the other
/// axes; the maximum does not see it.
const Node* reduction_of_repeat(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  const bool sums = node->op == Op::reduce_sum;
  if (x->op != Op::broadcast_in_dim || (sums && !is_real(x->type.dtype))) return node;
  const Node* source = x->operands[0];
  const auto& reduced = node->attributes.axes;
  std::vector<int> inner, kept_axes;  // axes of the source that are summed; where the others go in the result
  ir::Dimension repetitions(1);
  ir::Shape kept_shape;
  const std::vector<int> kept = other_axes(x->shape().size(), reduced);
  for (int axis : reduced) {
    const auto at = std::find(x->attributes.axes.begin(), x->attributes.axes.end(), axis);
    const auto source_axis = static_cast<std::size_t>(at - x->attributes.axes.begin());
    const ir::Dimension& size = x->shape()[static_cast<std::size_t>(axis)];
    if (at == x->attributes.axes.end())
      repetitions = repetitions * size;
    else if (source->shape()[source_axis] == size)
      inner.push_back(static_cast<int>(source_axis));
    else
      return node;  // a size of 1 repeated: rare, and right as it is
  }
  if (inner.size() == reduced.size()) return node;
  for (std::size_t i = 0; i < source->shape().size(); ++i) {
    const auto at = std::find(kept.begin(), kept.end(), x->attributes.axes[i]);
    if (at != kept.end()) kept_axes.push_back(static_cast<int>(at - kept.begin()));
  }
  const Expr e(graph, source);
  if (!sums) {
    const Expr extreme = node->op == Op::reduce_max ? ir::reduce_max(e, inner) : ir::reduce_min(e, inner);
    return ir::broadcast(extreme, node->shape(), kept_axes).node;
  }
  const Expr sum = ir::reduce_sum(e, inner);
  const Expr count = ir::broadcast(Expr(graph, graph.dimension(repetitions, x->type.dtype)), sum.shape(), {});
  return ir::broadcast(sum * count, node->shape(), kept_axes).node;
}

const Node* sum_of_sum(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  if (x->op != node->op) return node;
  std::vector<int> axes = x->attributes.axes;
  const std::vector<int> kept = other_axes(x->operands[0]->shape().size(), axes);
  for (int axis : node->attributes.axes) axes.push_back(kept[static_cast<std::size_t>(axis)]);
  std::sort(axes.begin(), axes.end());
  return graph.make(node->op, {x->operands[0]}, [&] {
    ir::Attributes a;
    a.axes = axes;
    return a;
  }());
}

// Contractions.

const Node* contraction_with_zero(Graph& graph, const Node* node) {
  const bool zero = node->operands[0]->is_constant(0) || node->operands[1]->is_constant(0);
  return zero ? graph.constant(0, node->type) : node;
}

/// Nothing is summed.
const Node* contraction_of_nothing(Graph& graph, const Node* node) {
  for (int axis : node->attributes.lhs_contract) {
    if (node->operands[0]->shape()[static_cast<std::size_t>(axis)] == ir::Dimension(0))
      return graph.constant(0, node->type);
  }
  return node;
}

/// A transposed operand is the operand with its axes renamed. The free axes must keep their order; one always does.
const Node* contraction_of_transpose(Graph& graph, const Node* node) {
  std::vector<const Node*> operands = node->operands;
  ir::Attributes attributes = node->attributes;
  const auto absorb = [](const Node*& operand, std::vector<int>& batch, std::vector<int>& contract) {
    if (operand->op != Op::transpose) return false;
    const auto& axes = operand->attributes.axes;
    if (operand->shape().size() > batch.size() + contract.size() + 1) return false;
    for (int& axis : batch) axis = axes[static_cast<std::size_t>(axis)];
    for (int& axis : contract) axis = axes[static_cast<std::size_t>(axis)];
    operand = operand->operands[0];
    return true;
  };
  bool changed = absorb(operands[0], attributes.lhs_batch, attributes.lhs_contract);
  changed = absorb(operands[1], attributes.rhs_batch, attributes.rhs_contract) || changed;
  return changed ? graph.make(Op::dot_general, std::move(operands), std::move(attributes)) : node;
}

/// Signs move outwards.
const Node* contraction_of_negative(Graph& graph, const Node* node) {
  std::vector<const Node*> operands = node->operands;
  bool negative = false;
  for (const Node*& operand : operands) {
    if (operand->op == Op::negate) operand = operand->operands[0], negative = !negative;
  }
  if (operands == node->operands) return node;
  const Expr product(graph, graph.make(Op::dot_general, operands, node->attributes));
  return negative ? (-product).node : product.node;
}

// Elementwise nodes of repetitions.

/// A repetition, perhaps of which the negative is taken: signs stand outside of repetitions.
const Node* repetition_in(const Node* node) {
  const Node* inner = node->op == Op::negate ? node->operands[0] : node;
  return inner->op == Op::broadcast_in_dim ? inner : nullptr;
}

/// An op of tensors that are all repeated in the same way (or constants) is computed before repeating.
const Node* compute_before_repeating(Graph& graph, const Node* node) {
  if (node->op == Op::negate) return node;  // signs move outwards, where they meet and vanish
  const Node* first = nullptr;
  for (const Node* operand : node->operands) {
    if (operand->is_constant()) continue;
    const Node* repetition = repetition_in(operand);
    if (repetition == nullptr) return node;
    if (first == nullptr) first = repetition;
    if (repetition->attributes.axes != first->attributes.axes ||
        repetition->operands[0]->shape() != first->operands[0]->shape()) {
      return node;
    }
  }
  if (first == nullptr) return node;
  const ir::Shape& shape = first->operands[0]->shape();
  std::vector<const Node*> operands;
  for (const Node* operand : node->operands) {
    if (operand->is_constant())
      operands.push_back(constant_like(graph, operand, shape));
    else if (operand->op == Op::negate)
      operands.push_back(graph.make(Op::negate, {operand->operands[0]->operands[0]}));
    else
      operands.push_back(operand->operands[0]);
  }
  return ir::broadcast(Expr(graph, graph.make(node->op, operands, node->attributes)), node->shape(),
                       first->attributes.axes)
      .node;
}

/// a * repeat(b / c) is (a * repeat(b)) / repeat(c): the rule of fractions, seen through a repetition.
const Node* fraction_inside_repeat(Graph& graph, const Node* node) {
  if (node->op != Op::multiply) return node;
  for (std::size_t i = 0; i < 2; ++i) {
    const Node* factor = node->operands[i];
    if (factor->op != Op::broadcast_in_dim || factor->operands[0]->op != Op::divide) continue;
    const Node *fraction = factor->operands[0], *other = node->operands[1 - i];
    if (other->op == Op::broadcast_in_dim || other->is_constant()) continue;
    if (!is_one_number(fraction->operands[0]) || !fraction->operands[0]->is_constant()) continue;
    const auto repeat = [&](const Node* n) {
      return ir::broadcast(Expr(graph, n), node->shape(), factor->attributes.axes);
    };
    return (Expr(graph, other) * repeat(fraction->operands[0]) / repeat(fraction->operands[1])).node;
  }
  return node;
}

const Node* convert_to_own_type(Graph&, const Node* node) {
  const bool same = node->op == Op::convert && node->operands[0]->type == node->type;
  return same ? node->operands[0] : node;
}

/// Elements picked of a tensor of positions are positions along another axis, or the indices themselves.
const Node* pick_of_positions(Graph& graph, const Node* node) {
  const Node *table = node->operands[0], *indices = node->operands[1];
  if (table->op != Op::iota) return node;
  const int along = table->attributes.axes[0], axis = node->attributes.axes[0];
  const auto rank = static_cast<int>(indices->shape().size());
  if (along != axis) return ir::iota(graph, node->shape(), along < axis ? along : along + rank - 1).node;
  const ir::Dimension& size = table->shape()[static_cast<std::size_t>(axis)];
  if (!size.is_constant()) return node;
  const Expr index(graph, indices);
  const Expr inside = max(min(index, like(index, static_cast<double>(size.constant() - 1))), like(index, 0));
  std::vector<int> axes;
  for (int i = 0; i < rank; ++i) axes.push_back(axis + i);
  return ir::broadcast(inside, node->shape(), axes).node;
}

}  // namespace

const std::vector<StructuralRule>& structural_rules(Op op) {
  static const std::vector<StructuralRule> none = {},
                                           repeat = {{"a repeated constant", of_constant},
                                                     {"a repetition to the same shape", same_shape},
                                                     {"a repeated negative", repeat_of_negative},
                                                     {"a repeated repetition", repeat_of_repeat}},
                                           transpose = {{"a transposed constant", of_constant},
                                                        {"a transposed transposition", transpose_of_transpose}},
                                           reshape = {{"a reshaped constant", of_constant},
                                                      {"the same shape", same_shape},
                                                      {"a reshaped reshape", reshape_of_reshape},
                                                      {"new axes of size 1", reshape_that_adds_axes}},
                                           sum = {{"a sum of nothing", reduction_of_nothing},
                                                  {"a sum of one", reduction_of_one},
                                                  {"a sum of a constant", sum_of_constant},
                                                  {"a sum of repetitions", reduction_of_repeat},
                                                  {"a sum of sums", sum_of_sum},
                                                  {"a diagonal sum of products", diagonal_sum}},
                                           extreme = {{"the extreme of nothing", reduction_of_nothing},
                                                      {"the extreme of one", reduction_of_one},
                                                      {"an extreme constant", of_constant},
                                                      {"the extreme of repetitions", reduction_of_repeat},
                                                      {"the extreme of extremes", sum_of_sum}},
                                           contraction = {
                                               {"a contraction with 0", contraction_with_zero},
                                               {"a contraction of nothing", contraction_of_nothing},
                                               {"a contraction of a transposition", contraction_of_transpose},
                                               {"a contraction of a negative", contraction_of_negative}};
  static const std::vector<StructuralRule> view = {{"elements picked and placed", simplify_view}},
                                           constants = {{"elements of a constant", of_constant}},
                                           windows = {{"elements of a constant", of_constant},
                                                      {"windows side by side", windows_side_by_side}},
                                           pick = {{"elements of a constant", of_constant},
                                                   {"elements of positions", pick_of_positions}};
  switch (op) {
    case Op::slice:
    case Op::reverse:
    case Op::pad:
    case Op::concatenate:
      return view;
    case Op::windows:
      return windows;
    case Op::diagonal:
      return constants;
    case Op::gather:
      return pick;
    case Op::broadcast_in_dim:
      return repeat;
    case Op::transpose:
      return transpose;
    case Op::reshape:
      return reshape;
    case Op::reduce_sum:
      return sum;
    case Op::reduce_max:
    case Op::reduce_min:
      return extreme;
    case Op::dot_general:
      return contraction;
    default:
      return none;
  }
}

const std::vector<StructuralRule>& structural_lowering_rules(Op op) {
  static const std::vector<StructuralRule> none, pad = {{"padding between elements", lower_pad}},
                                                 slice = {{"padding that a part does not reach", lower_slice}},
                                                 contraction = {{"a copied operand", copied_operand_as_matrix}};
  return op == Op::pad ? pad : op == Op::slice ? slice : op == Op::dot_general ? contraction : none;
}

const std::vector<StructuralRule>& repetition_rules() {
  static const std::vector<StructuralRule> rules = {{"a conversion to its own type", convert_to_own_type},
                                                    {"an op of repetitions", compute_before_repeating},
                                                    {"a fraction inside of a repetition", fraction_inside_repeat}};
  return rules;
}

const Node* folded(Graph& graph, Op op, std::vector<const Node*> operands, ir::Attributes attributes) {
  double value[3] = {0, 0, 0};
  bool known = true;
  for (std::size_t i = 0; i < operands.size() && known; ++i) {
    known = operands[i]->is_constant();
    if (known) value[i] = operands[i]->attributes.value;
  }
  if (known && !operands.empty()) {
    const Node* node = graph.make(op, std::move(operands), std::move(attributes));
    return graph.constant(ir::element_value(*node, value[0], value[1], value[2]), node->type);
  }
  if (op == Op::multiply) {
    for (std::size_t i = 0; i < 2; ++i) {
      if (operands[i]->is_constant(0)) return operands[i];
      if (operands[i]->is_constant(1)) return operands[1 - i];
    }
  }
  return graph.make(op, std::move(operands), std::move(attributes));
}

}  // namespace descent::passes
