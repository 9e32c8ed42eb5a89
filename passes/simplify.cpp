// Simplification: every node is rewritten, operands first, by the rules of passes/rules.h and
// passes/structural_rules.h, until none applies.
//
// Each node is rewritten once and its result remembered, for all functions of a program, so that the work grows with
// the number of nodes. Nothing here is recursive: graphs are thousands of nodes deep.
//
// It ends, because every rule makes an expression smaller or brings it nearer to the normal form:
// tests/passes/rules.cpp gives each op a function of its operands' measures that grows with each of them, and checks
// that every row's replacement measures less than its pattern. The rules that make an expression larger (the shift of a
// logarithm of a sum of exponentials) apply to what their conditions do not hold for afterwards. A limit on the number
// of rewrites guards all the same; reaching it only leaves an expression less simple.
#include <algorithm>

#include "ir/op.h"
#include "ir/stage_times.h"
#include "passes/passes.h"
#include "passes/reassociate.h"
#include "passes/rules.h"
#include "passes/sliced_products.h"
#include "passes/structural_rules.h"
#include "passes/sum_of_parts.h"

namespace descent::passes {

using ir::Graph;
using ir::Node;
using ir::Op;

namespace {

/// A row with its pattern prepared.
struct PreparedRule {
  const Rule* rule;
  Form form;
};

class RuleSet {
 public:
  explicit RuleSet(bool lowering) {
    by_op_.resize(ir::all_ops().size());
    if (lowering) add_written(lowering_rules());
    add_written(normal_form_rules());
    if (!lowering) add_flat(stability_rules());
    add_flat(algebra_rules());
    add_flat(function_rules());
  }

  const std::vector<PreparedRule>& for_op(Op op) const { return by_op_[static_cast<std::size_t>(op)]; }
  const std::vector<PreparedRule>& for_sums() const { return sums_; }
  const std::vector<PreparedRule>& for_products() const { return products_; }

 private:
  void add_written(const std::vector<Rule>& rules) {
    for (const Rule& rule : rules) {
      by_op_[static_cast<std::size_t>(rule.pattern.pattern->op)].push_back(
          {&rule, written_form(*rule.pattern.pattern)});
    }
  }
  void add_flat(const std::vector<Rule>& rules) {
    for (const Rule& rule : rules) {
      PreparedRule prepared{&rule, flat_form(*rule.pattern.pattern)};
      if (prepared.form.kind == Form::Kind::sum)
        sums_.push_back(std::move(prepared));
      else if (prepared.form.kind == Form::Kind::product)
        products_.push_back(std::move(prepared));
      else
        by_op_[static_cast<std::size_t>(prepared.form.op)].push_back(std::move(prepared));
    }
  }
  std::vector<std::vector<PreparedRule>> by_op_;
  std::vector<PreparedRule> sums_, products_;
};

const RuleSet& rule_set(bool lowering) {
  static const RuleSet simplifying(false), lower(true);
  return lowering ? lower : simplifying;
}

bool has_no_elements(const ir::Shape& shape) {
  return std::any_of(shape.begin(), shape.end(), [](const ir::Dimension& d) { return d == ir::Dimension(0); });
}

bool has_constants(const Node* node) {
  return std::any_of(node->operands.begin(), node->operands.end(), [](const Node* n) { return n->is_constant(); });
}

class Simplifier {
 public:
  /// `barriers`: whether what stands behind an optimization_barrier is simplified too. The barrier is then another
  /// node, which all that speaks of it must be given: other parts of a program are not.
  enum class Barriers { passed, kept };
  Simplifier(Graph& graph, bool lowering, const std::vector<const Node*>& roots, Barriers barriers)
      : graph_(graph), rules_(rule_set(lowering)), lowering_(lowering), barriers_(barriers) {
    const auto nodes = ir::reachable(roots);
    for (const Node* node : nodes) {
      for (const Node* operand : node->operands) ++uses_[operand];
    }
    for (const Node* root : roots) ++uses_[root];
    rewrites_left_ = 1000 + 50 * nodes.size();
  }

  const Node* simplify(const Node* root) {
    std::vector<Frame> stack{{root}};
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (done_.of(frame.node) != nullptr) {
        stack.pop_back();
      } else if (frame.next != nullptr) {  // what it was rewritten to is done
        finish(frame.node, frame.rebuilt, done_.of(frame.next));
        stack.pop_back();
      } else if (frame.node->op == Op::optimization_barrier && barriers_ == Barriers::kept) {
        finish(frame.node, frame.node, frame.node);
        stack.pop_back();
      } else if (!push_operands(frame.node, stack)) {
        rewrite(stack);
      }
    }
    return done_.of(root);
  }

  std::vector<const Node*> simplify(const std::vector<const Node*>& roots) {
    std::vector<const Node*> result;
    for (const Node* root : roots) result.push_back(simplify(root));
    return result;
  }

  bool exhausted() const { return rewrites_left_ == 0; }

 private:
  struct Frame {
    const Node* node;
    const Node* rebuilt = nullptr;  ///< the node with simplified operands
    const Node* next = nullptr;     ///< what a rule made of that; to be simplified in turn
  };

  bool push_operands(const Node* node, std::vector<Frame>& stack) const {
    const std::size_t before = stack.size();
    for (auto operand = node->operands.rbegin(); operand != node->operands.rend(); ++operand) {
      if (done_.of(*operand) == nullptr) stack.push_back({*operand});
    }
    return stack.size() > before;
  }

  void finish(const Node* node, const Node* rebuilt, const Node* result) {
    for (const Node* n : {node, rebuilt}) {
      const Node*& done = done_[n];
      if (done != nullptr) continue;
      done = result;
      if (n != result) uses_[result] += uses_.of(n);
    }
    if (const Node*& done = done_[result]; done == nullptr) done = result;
  }

  /// Rebuilds the top frame's node on its simplified operands and rewrites that once.
  void rewrite(std::vector<Frame>& stack) {
    Frame& frame = stack.back();
    std::vector<const Node*> operands;
    for (const Node* operand : frame.node->operands) operands.push_back(done_.of(operand));
    frame.rebuilt = graph_.with_operands(frame.node, std::move(operands));
    const Node* known = done_.of(frame.rebuilt);
    graph_.set_origin(frame.node->origin);
    const Node* next = known != nullptr ? known : apply_rules(frame.rebuilt);
    if (next == frame.rebuilt || known != nullptr) {
      finish(frame.node, frame.rebuilt, next);
      stack.pop_back();
      return;
    }
    --rewrites_left_;
    frame.next = next;
    stack.push_back({next});
  }

  const Node* apply_rules(const Node* node) {
    if (rewrites_left_ == 0 || node->op == Op::optimization_barrier) return node;
    if (!ir::is_leaf(node) && has_no_elements(node->shape())) return graph_.constant(0, node->type);
    const bool elementwise = ir::is_elementwise(node);
    if (elementwise && has_constants(node)) {
      if (const Node* next = folded(graph_, node->op, node->operands, node->attributes); next != node) return next;
      if (node->op == Op::select && node->operands[0]->is_constant()) {
        return node->operands[node->operands[0]->attributes.value != 0 ? 1 : 2];
      }
    }
    // The rows are those of real numbers.
    const auto whole = [](const Node* n) { return n->type.dtype == ir::DType::i32; };
    if (elementwise && (whole(node) || std::any_of(node->operands.begin(), node->operands.end(), whole))) {
      return apply_structural(node, repetition_rules());
    }
    if (const Node* next = logarithm_of_part(node); next != node) return next;
    for (const PreparedRule& rule : rules_.for_op(node->op)) {
      if (!match(rule.form, node, graph_, match_) || !holds(rule.rule->when, match_, facts_)) continue;
      return instantiate(*rule.rule->replacement.pattern, match_, graph_, number_type(node));
    }
    if (node->op == Op::add || node->op == Op::subtract) {
      if (const Node* next = apply_to_items(node, true)) return next;
    } else if (node->op == Op::multiply || node->op == Op::divide) {
      if (const Node* next = apply_to_items(node, false)) return next;
    }
    if (lowering_) {
      if (const Node* next = apply_structural(node, structural_lowering_rules(node->op)); next != node) return next;
    }
    if (const Node* next = apply_structural(node, elementwise ? repetition_rules() : structural_rules(node->op));
        next != node) {
      return next;
    }
    if (const Node* next = join_parts(graph_, node, uses_); next != node) return next;
    if (const Node* next = sliced_product(graph_, node, uses_); next != node) return next;
    return reassociate(graph_, node, uses_);
  }

  /// A logarithm of a part is the part of the logarithm, where that is known in a better form: log(softmax(z)[:, 1]),
  /// log(1 - sigmoid(z)[:, 1]). What stands between may be of numbers and the part alone.
  const Node* logarithm_of_part(const Node* node) {
    const auto is_logarithm = [](const Node* n) { return n->op == Op::log || n->op == Op::log_plus_one; };
    constexpr int most_parts_of_parts = 3;
    if (lowering_ || !is_logarithm(node) || parts_of_parts_ == most_parts_of_parts) return node;
    std::vector<const Node*> between;
    const Node* part = node;
    while (ir::is_elementwise(part) && between.size() < 4) {
      between.push_back(part);
      const Node* computed = nullptr;
      for (const Node* operand : part->operands) {
        if (operand->is_constant()) continue;
        if (computed != nullptr) return node;
        computed = operand;
      }
      if (computed == nullptr) return node;
      part = computed;
    }
    const bool takes_part = part->op == Op::slice || part->op == Op::gather || part->op == Op::reverse ||
                            part->op == Op::transpose || part->op == Op::reshape;
    if (!takes_part || ir::is_leaf(part->operands[0])) return node;
    const Node* whole = part->operands[0];
    for (auto at = between.rbegin(); at != between.rend(); ++at) {
      std::vector<const Node*> operands;
      for (const Node* operand : (*at)->operands) {
        operands.push_back(operand->is_constant() ? graph_.constant(operand->attributes.value,
                                                                    ir::Type{operand->type.dtype, whole->shape()})
                                                  : whole);
      }
      whole = graph_.make((*at)->op, std::move(operands), (*at)->attributes);
    }
    ++parts_of_parts_;
    whole = simplify(whole);
    --parts_of_parts_;
    graph_.set_origin(node->origin);
    if (is_logarithm(whole)) return node;
    const bool negative = whole->op == Op::negate;
    std::vector<const Node*> operands = part->operands;
    operands[0] = negative ? whole->operands[0] : whole;
    const Node* result = graph_.with_operands(part, std::move(operands));
    return negative ? graph_.make(Op::negate, {result}) : result;
  }

  const Node* apply_structural(const Node* node, const std::vector<StructuralRule>& rules) {
    for (const StructuralRule& rule : rules) {
      if (const Node* next = rule.apply(graph_, node); next != node) return next;
    }
    return node;
  }

  /// The rules for a sum's terms or a product's factors. First without taking nodes apart that others use: that work
  /// would be done twice. A rule that makes everything vanish but one operand may do so all the same.
  const Node* apply_to_items(const Node* node, bool is_sum) {
    for (const bool open_shared : {false, true}) {
      const ItemView view = is_sum ? sum_view(node, &uses_, open_shared) : product_view(node, &uses_, open_shared);
      if (open_shared && !view.opens_shared) break;
      for (const PreparedRule& rule : is_sum ? rules_.for_sums() : rules_.for_products()) {
        if (!match_items(rule.form, view, graph_, match_) || !holds(rule.rule->when, match_, facts_)) continue;
        const Node* made = instantiate(*rule.rule->replacement.pattern, match_, graph_, number_type(node));
        const bool neutral = made->is_constant(is_sum ? 0 : 1);
        if (open_shared) {
          const bool vanishes = match_.rest.size() + (neutral ? 0 : 1) <= 1;
          const auto& letters = match_.letters;
          if (!vanishes || !(made->is_constant() || std::find(letters.begin(), letters.end(), made) != letters.end())) {
            continue;
          }
        }
        std::vector<ItemView::Item> items = match_.rest;
        if (is_sum) {
          if (!neutral) items.insert(items.begin(), {made, match_.negative});
          return build_sum(items, graph_, node->type);
        }
        if (!neutral) items.insert(items.begin(), {made, false});
        return build_product(items, match_.negative, graph_, node->type);
      }
    }
    return nullptr;
  }

  Graph& graph_;
  const RuleSet& rules_;
  bool lowering_;
  Barriers barriers_;
  FactTable facts_;
  UseCounts uses_;
  ir::NodeMap<const Node*> done_;
  std::size_t rewrites_left_ = 0;
  Match match_;
  int parts_of_parts_ = 0;  ///< how deep simplification is within itself
};

std::vector<const Node*> all_roots(const ir::Program& program) {
  std::vector<const Node*> roots;
  for (const ir::Function& function : program.functions) {
    const auto own = function.roots();
    roots.insert(roots.end(), own.begin(), own.end());
  }
  return roots;
}

ir::Program run(const ir::Program& program, bool lowering) {
  const StageTimer timer(Stage::simplify);
  Simplifier simplifier(*program.graph, lowering, all_roots(program), Simplifier::Barriers::passed);
  return map_roots(program, [&](const auto& roots) { return simplifier.simplify(roots); });
}

}  // namespace

std::vector<const Node*> simplify_nodes(Graph& graph, const std::vector<const Node*>& roots, bool* exhausted) {
  const StageTimer timer(Stage::simplify);
  Simplifier simplifier(graph, false, roots, Simplifier::Barriers::kept);
  const auto result = simplifier.simplify(roots);
  if (exhausted != nullptr) *exhausted = simplifier.exhausted();
  return result;
}

std::vector<const Node*> lower_nodes(Graph& graph, const std::vector<const Node*>& roots) {
  return Simplifier(graph, true, roots, Simplifier::Barriers::kept).simplify(roots);
}

ir::Program simplify(const ir::Program& program) { return run(program, false); }
ir::Program lower(const ir::Program& program) { return run(program, true); }

}  // namespace descent::passes
