#include "passes/unstable.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <unordered_set>

#include "ir/formula.h"
#include "ir/op.h"
#include "passes/facts.h"
#include "passes/pattern.h"

namespace descent::passes {

using ir::Node;
using ir::Op;

namespace {

/// Beyond it e^x is infinite.
double largest_exponent(ir::DType dtype) { return dtype == ir::DType::f64 ? 709.7 : 88.7; }

/// Whether the value comes from outside: an input, parameter or state, perhaps seen in another shape, with another
/// sign, or with a number in the place of some of it (`if y == 0 then 1 else y`).
bool is_given(const Node* node) {
  while (ir::is_view(node) || node->op == Op::negate) node = node->operands[0];
  if (node->op == Op::select) return is_given(node->operands[1]) && is_given(node->operands[2]);
  return ir::is_leaf(node);
}

/// Whether it is 0 or negative only where the weights are that come from outside: a sum of given weights times e^x,
/// where x has been shifted by the largest that has a weight (passes/rules_functions.cpp), so that one e^x is 1.
bool is_given_mixture(const Node* node, ir::Graph& graph) {
  static const P a = P::letter('a'), b = P::letter('b');
  static const P top = largest(select(b == 0, spread(smallest(a)), a));
  static const Form mixture = flat_form(*sum(exp(min(a - spread(top), 0.5)) * b).pattern);
  Match weights;
  return match(mixture, node, graph, weights) && is_given(weights['b']);
}

struct Finding {
  const char *reason, *advice;
};

std::optional<Finding> judge(const Node* node, FactTable& facts, ir::Graph& graph) {
  if (node->operands.empty()) return std::nullopt;
  const auto fact = [&](std::size_t i) { return facts.of(node->operands[i]); };
  switch (node->op) {
    case Op::log:
      if (fact(0).positive() || is_given(node->operands[0]) || is_given_mixture(node->operands[0], graph)) {
        return std::nullopt;
      }
      if (fact(0).nonnegative()) {
        return Finding{"the argument can be 0, and log(0) is -inf",
                       "write a probability as sigmoid(...) or softmax(...) of a score, or log(max(..., 1e-7))"};
      }
      return Finding{"the argument can be 0 or negative, where log is -inf or NaN",
                     "write a probability as sigmoid(...) or softmax(...) of a score, or log(max(..., 1e-7))"};
    case Op::log_plus_one:
      if (fact(0).low > -1 || is_given(node->operands[0])) return std::nullopt;
      return Finding{"the argument can be -1 or less, where log1p is -inf or NaN",
                     "write a probability as sigmoid(...) or softmax(...) of a score, or log1p(max(..., -0.9999999))"};
    case Op::divide:
      if (fact(1).nonzero() || is_given(node->operands[1])) return std::nullopt;
      return Finding{"the divisor can be 0",
                     "write ... / max(..., 1e-7), or ... / (... + 1e-7) where it is not negative"};
    case Op::exponential:
    case Op::exponential_minus_one:
      if (fact(0).high <= largest_exponent(node->type.dtype) || is_given(node->operands[0])) return std::nullopt;
      if (node->type.dtype == ir::DType::f64) {
        return Finding{"e^x is infinite in float64 where x > 709.7", "write exp(min(..., 700))"};
      }
      return Finding{"e^x is infinite in float32 where x > 88.7", "write exp(min(..., 80))"};
    case Op::sqrt:
      if (fact(0).nonnegative() || is_given(node->operands[0])) return std::nullopt;
      return Finding{"the argument can be negative, where sqrt is NaN", "write sqrt(max(..., 0))"};
    case Op::power:
      if (fact(0).nonnegative() || fact(1).whole || is_given(node->operands[0])) return std::nullopt;
      return Finding{"the base can be negative, where a power that is not whole is NaN", "write max(..., 0)^..."};
    default:
      return std::nullopt;
  }
}

/// Whether the node is needed only where a condition says enough of what it is made of: e^z in `if z > 0 then z else
/// e^z - 1`. What is not chosen has no influence (docs/numerics.md).
class Guards {
 public:
  /// `facts`: with what is assumed, of which nothing else has been asked.
  Guards(const Node* root, const FactTable& facts, ir::Graph& graph) : root_(root), facts_(facts), graph_(graph) {}

  bool cover(const Node* node) const {
    const auto below = ir::reachable({node});
    const std::unordered_set<const Node*> parts(below.begin(), below.end());
    std::unordered_set<const Node*> seen;
    std::vector<const Node*> stack{root_};
    while (!stack.empty()) {
      const Node* top = stack.back();
      stack.pop_back();
      if (top == node) return false;
      if (!seen.insert(top).second) continue;
      for (std::size_t i = 0; i < top->operands.size(); ++i) {
        const bool is_choice = top->op == Op::select && i > 0;
        if (!is_choice || !guards(top->operands[0], i == 1, node, parts)) stack.push_back(top->operands[i]);
      }
    }
    return true;
  }

 private:
  /// Whether nothing is wrong with the node where the condition holds, or where it does not.
  bool guards(const Node* condition, bool holds, const Node* node, const std::unordered_set<const Node*>& parts) const {
    if (condition->op != Op::compare_lt && condition->op != Op::compare_le) return false;
    FactTable facts = facts_, others = facts_;
    bool says_something = false;
    for (const Node* value : condition->operands) {
      if (value->is_constant() || !parts.contains(value)) continue;
      facts.assume(value, refined(others.of(value), value, condition, holds));
      says_something = true;
    }
    return says_something && !judge(node, facts, graph_);
  }

  const Node* root_;
  const FactTable& facts_;
  ir::Graph& graph_;
};

/// The new value that a function gives a variable; null if it gives none.
const Node* update_of(const ir::Program& program, const char* function, const std::string& variable) {
  const ir::Function* f = program.find_function(function);
  if (f == nullptr) return nullptr;
  for (const ir::Binding& update : f->updates) {
    if (update.name == variable) return update.node;
  }
  return nullptr;
}

/// Facts that know which states are never negative, by induction over the steps: they begin so, and every step keeps
/// them so if all are so before it. (The variance of a batch normalisation is one.)
FactTable assumptions_of(const ir::Program& program) {
  std::vector<const ir::Variable*> nonnegative;
  FactTable first(FactTable::Arithmetic::float32);
  for (const ir::Variable& v : program.variables) {
    const Node* initial = update_of(program, "initial", v.name);
    const bool holds_at_first = initial != nullptr && first.of(initial).nonnegative();
    if (v.kind != ir::Variable::Kind::parameter && holds_at_first) nonnegative.push_back(&v);
  }
  while (true) {
    FactTable assumed(FactTable::Arithmetic::float32);
    Facts not_negative;
    not_negative.low = 0, not_negative.defined = Defined::finite;
    for (const ir::Variable* v : nonnegative) {
      assumed.assume(ir::leaf_of(*program.graph, *v), not_negative);
    }
    FactTable facts = assumed;
    const auto changed = std::remove_if(nonnegative.begin(), nonnegative.end(), [&](const ir::Variable* v) {
      const Node* update = update_of(program, "step", v->name);
      return update != nullptr && !facts.of(update).nonnegative();
    });
    if (changed == nonnegative.end()) return assumed;
    nonnegative.erase(changed, nonnegative.end());
  }
}

}  // namespace

std::vector<Unstable> find_unstable(const ir::Program& program) {
  const FactTable assumed = assumptions_of(program);
  FactTable facts = assumed;
  std::set<std::string> said;
  std::vector<Unstable> found;
  for (const char* name : {"evaluate", "predict"}) {
    const ir::Function* function = program.find_function(name);
    if (function == nullptr) continue;
    for (const ir::Binding& result : function->results) {
      for (const Node* node : ir::reachable({result.node})) {
        const auto finding = judge(node, facts, *program.graph);
        if (!finding || Guards(result.node, assumed, *program.graph).cover(node)) continue;
        const std::string what = ir::formula(node, {}, 6);
        if (said.insert(what).second) found.push_back({node, result.name, what, finding->reason, finding->advice});
      }
    }
  }
  return found;
}

}  // namespace descent::passes
