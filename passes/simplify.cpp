// Simplification: rewrites every node, operands first, with the rules of passes/rules.cpp, the rules of this file for
// the ops that move elements, and constant folding, until nothing changes.
#include <algorithm>
#include <cmath>

#include "ir/op.h"
#include "passes/passes.h"
#include "passes/rules.h"
#include "passes/simplify_views.h"

namespace descent::passes {

using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;

namespace {

Expr rebuilt(Graph& graph, Op op, const std::vector<const Node*>& operands) {
  return {graph, graph.make(op, operands)};
}

const Node* fold_constants(Graph& graph, const Node* node) {
  double value[3] = {0, 0, 0};
  for (std::size_t i = 0; i < node->operands.size(); ++i) {
    if (!node->operands[i]->is_constant()) return node;
    value[i] = node->operands[i]->attributes.value;
  }
  const double result = ir::info(node).meaning(value[0], value[1], value[2]);
  return node->type.dtype == ir::DType::boolean ? graph.boolean(result != 0, node->shape())
                                                : graph.constant(result, node->shape());
}

const Node* constant_like(Graph& graph, const Node* constant, const ir::Shape& shape) {
  return constant->type.dtype == ir::DType::boolean ? graph.boolean(constant->attributes.value != 0, shape)
                                                    : graph.constant(constant->attributes.value, shape);
}

/// An elementwise op of tensors that are all repeated in the same way (or constants) is computed before repeating.
const Node* hoist_broadcast(Graph& graph, const Node* node) {
  if (node->op == Op::negate) return node;  // signs move outwards, where they meet and vanish
  const Node* first = nullptr;
  for (const Node* operand : node->operands) {
    if (operand->is_constant()) continue;
    if (operand->op != Op::broadcast_in_dim) return node;
    if (first == nullptr) first = operand;
    if (operand->attributes.axes != first->attributes.axes ||
        operand->operands[0]->shape() != first->operands[0]->shape()) {
      return node;
    }
  }
  if (first == nullptr) return node;
  const ir::Shape& shape = first->operands[0]->shape();
  std::vector<const Node*> operands;
  for (const Node* operand : node->operands) {
    operands.push_back(operand->is_constant() ? constant_like(graph, operand, shape) : operand->operands[0]);
  }
  return ir::broadcast(rebuilt(graph, node->op, operands), node->shape(), first->attributes.axes).node;
}

/// a * broadcast(1 / n) is a / broadcast(n): the rule of fractions, seen through a repetition.
const Node* divide_by_repeated(Graph& graph, const Node* node) {
  if (node->op != Op::multiply) return node;
  for (std::size_t i = 0; i < 2; ++i) {
    const Node* factor = node->operands[i];
    if (factor->op != Op::broadcast_in_dim || factor->operands[0]->op != Op::divide) continue;
    const Node* fraction = factor->operands[0];
    const Expr other(graph, node->operands[1 - i]);
    const auto repeat = [&](const Node* n) {
      return ir::broadcast(Expr(graph, n), node->shape(), factor->attributes.axes);
    };
    if (other.node->op == Op::broadcast_in_dim) continue;
    return (other * repeat(fraction->operands[0]) / repeat(fraction->operands[1])).node;
  }
  return node;
}

const Node* simplify_broadcast(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  if (x->is_constant()) return constant_like(graph, x, node->shape());
  if (x->shape() == node->shape()) return x;
  if (x->op == Op::negate) {
    return (-ir::broadcast(Expr(graph, x->operands[0]), node->shape(), node->attributes.axes)).node;
  }
  if (x->op == Op::broadcast_in_dim) {
    std::vector<int> axes;
    for (int axis : x->attributes.axes) axes.push_back(node->attributes.axes[static_cast<std::size_t>(axis)]);
    return ir::broadcast(Expr(graph, x->operands[0]), node->shape(), axes).node;
  }
  return node;
}

const Node* simplify_transpose(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  if (x->is_constant()) return constant_like(graph, x, node->shape());
  if (x->op == Op::transpose) {
    std::vector<int> axes;
    for (int axis : node->attributes.axes) axes.push_back(x->attributes.axes[static_cast<std::size_t>(axis)]);
    return ir::transpose(Expr(graph, x->operands[0]), axes).node;
  }
  return node;
}

const Node* simplify_reshape(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  if (x->is_constant()) return constant_like(graph, x, node->shape());
  if (x->shape() == node->shape()) return x;
  if (x->op == Op::reshape) return ir::reshape(Expr(graph, x->operands[0]), node->shape()).node;
  return node;
}

bool is_scalar_repeated(const Node* node) {
  return node->op == Op::broadcast_in_dim && node->operands[0]->shape().empty();
}

const Node* simplify_reduce_sum(Graph& graph, const Node* node) {
  const Node* x = node->operands[0];
  const auto& axes = node->attributes.axes;
  ir::Shape summed;
  for (int axis : axes) summed.push_back(x->shape()[static_cast<std::size_t>(axis)]);
  const ir::Dimension count = ir::element_count(summed);
  const auto scaled = [&](Expr sum, const Node* scalar) {
    return sum.shape().empty() ? Expr(graph, scalar) : ir::broadcast(Expr(graph, scalar), sum.shape(), {});
  };
  const Expr whole(graph, x);
  if (count.is_one()) return ir::reshape(whole, node->shape()).node;
  if (x->is_constant()) {
    const Expr total = Expr(graph, graph.dimension(count)) * x->attributes.value;
    return ir::broadcast(total, node->shape(), {}).node;
  }
  if (x->op == Op::negate) return (-ir::reduce_sum(Expr(graph, x->operands[0]), axes)).node;
  // A factor that is the same everywhere is applied once, after the sum.
  for (std::size_t i = 0; i < 2 && (x->op == Op::multiply || x->op == Op::divide); ++i) {
    const Node *factor = x->operands[i], *rest = x->operands[1 - i];
    if (x->op == Op::divide && i == 0) continue;
    if (!is_scalar_repeated(factor) && !factor->is_constant()) continue;
    const Expr sum = ir::reduce_sum(Expr(graph, rest), axes);
    const Node* scalar = factor->is_constant() ? graph.constant(factor->attributes.value) : factor->operands[0];
    return (x->op == Op::multiply ? sum * scaled(sum, scalar) : sum / scaled(sum, scalar)).node;
  }
  if (is_scalar_repeated(x)) {
    const Expr total = Expr(graph, x->operands[0]) * Expr(graph, graph.dimension(count));
    return ir::broadcast(total, node->shape(), {}).node;
  }
  return node;
}

/// A transposed operand of a contraction is the operand with its axes renamed.
const Node* simplify_dot(Graph& graph, const Node* node) {
  std::vector<const Node*> operands = node->operands;
  if (operands[0]->is_constant(0) || operands[1]->is_constant(0)) return graph.constant(0, node->shape());
  ir::Attributes attributes = node->attributes;
  const auto absorb = [](const Node*& operand, std::vector<int>& batch, std::vector<int>& contract) {
    if (operand->op != Op::transpose) return false;
    const auto& axes = operand->attributes.axes;
    // The free axes must keep their order; with one free axis they always do.
    if (operand->shape().size() != batch.size() + contract.size() + 1) return false;
    for (int& axis : batch) axis = axes[static_cast<std::size_t>(axis)];
    for (int& axis : contract) axis = axes[static_cast<std::size_t>(axis)];
    operand = operand->operands[0];
    return true;
  };
  bool changed = absorb(operands[0], attributes.lhs_batch, attributes.lhs_contract);
  changed = absorb(operands[1], attributes.rhs_batch, attributes.rhs_contract) || changed;
  return changed ? graph.make(Op::dot_general, std::move(operands), std::move(attributes)) : node;
}

class Simplifier {
 public:
  Simplifier(Graph& graph, bool lowering) : graph_(graph) {
    by_op_.resize(ir::all_ops().size());
    if (lowering) add(lowering_rules());
    add(simplification_rules());
    lowering_ = lowering;
  }

  const Node* simplify(const Node* root) {
    for (const Node* node : ir::reachable({root})) {
      if (done_.contains(node)) continue;
      std::vector<const Node*> operands;
      for (const Node* operand : node->operands) operands.push_back(done_.at(operand));
      const Node* current =
          operands == node->operands ? node : graph_.make(node->op, std::move(operands), node->attributes);
      const Node* next = rewrite(current);
      // A replacement may hold new nodes, which are simplified in turn; rules never grow an expression without end.
      const Node* result = next == current ? current : simplify(next);
      done_[node] = done_[current] = result;
    }
    return done_.at(root);
  }

 private:
  void add(const std::vector<Rule>& rules) {
    for (const Rule& rule : rules) by_op_[static_cast<std::size_t>(rule.pattern.pattern->op)].push_back(&rule);
  }

  const Node* rewrite(const Node* node) {
    switch (node->op) {
      case Op::broadcast_in_dim:
        return simplify_broadcast(graph_, node);
      case Op::transpose:
        return simplify_transpose(graph_, node);
      case Op::reshape:
        return simplify_reshape(graph_, node);
      case Op::reduce_sum:
        return simplify_reduce_sum(graph_, node);
      case Op::dot_general:
        return simplify_dot(graph_, node);
      case Op::pad:
        if (const Node* lowered = lowering_ ? lower_pad(graph_, node) : node; lowered != node) return lowered;
        return simplify_view(graph_, node);
      case Op::slice:
      case Op::reverse:
      case Op::concatenate:
        return simplify_view(graph_, node);
      default:
        break;
    }
    if (!ir::is_elementwise(node)) return node;
    if (const Node* next = fold_constants(graph_, node); next != node) return next;
    if (node->op == Op::select && node->operands[0]->is_constant()) {
      return node->operands[node->operands[0]->attributes.value != 0 ? 1 : 2];
    }
    for (const Rule* rule : by_op_[static_cast<std::size_t>(node->op)]) {
      // What lowering replaces must not be put back by the rule that made it.
      if (lowering_ && makes_lowered_form(*rule)) continue;
      if (match(*rule->pattern.pattern, node, letters_)) {
        return instantiate(*rule->replacement.pattern, letters_, graph_, node->shape());
      }
    }
    if (const Node* next = hoist_broadcast(graph_, node); next != node) return next;
    return divide_by_repeated(graph_, node);
  }

  static bool makes_lowered_form(const Rule& rule) {
    return rule.replacement.pattern->kind == Pattern::Kind::op && rule.replacement.pattern->op == Op::softplus;
  }

  Graph& graph_;
  bool lowering_ = false;
  std::vector<std::vector<const Rule*>> by_op_;
  std::unordered_map<const Node*, const Node*> done_;
  Letters letters_;
};

std::vector<const Node*> run(Graph& graph, const std::vector<const Node*>& roots, bool lowering) {
  Simplifier simplifier(graph, lowering);
  std::vector<const Node*> result;
  for (const Node* root : roots) result.push_back(simplifier.simplify(root));
  return result;
}

}  // namespace

std::vector<const Node*> simplify_nodes(Graph& graph, const std::vector<const Node*>& roots) {
  return run(graph, roots, false);
}

ir::Program simplify(const ir::Program& program) {
  return map_roots(program, [&](const auto& roots) { return run(*program.graph, roots, false); });
}

ir::Program lower(const ir::Program& program) {
  return map_roots(program, [&](const auto& roots) { return run(*program.graph, roots, true); });
}

}  // namespace descent::passes
