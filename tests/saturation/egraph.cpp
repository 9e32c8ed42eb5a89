#include "tests/saturation/egraph.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>

#include "ir/op.h"
#include "passes/structural_rules.h"

namespace descent::saturation {

using ir::Node;
using ir::Op;
using passes::Match;
using passes::P;
using passes::Pattern;
using passes::Rule;

// Classes

std::size_t Classes::find(std::size_t c) {
  while (parent_[c] != c) c = parent_[c] = parent_[parent_[c]];
  return c;
}

const Node* Classes::canonical(const Node* node) {
  std::vector<const Node*> operands;
  for (const Node* operand : node->operands) operands.push_back(representative(of(operand)));
  return operands == node->operands ? node : graph_.make(node->op, std::move(operands), node->attributes);
}

void Classes::put(const Node* node, std::size_t c) {
  class_of_[node] = c;
  classes_[c].members.push_back(node);
  if (node->is_constant()) classes_[c].constant = node;
  ++size_;
  for (const Node* operand : node->operands) classes_[of(operand)].users.push_back(node);
}

std::size_t Classes::add(const Node* root) {
  for (const Node* node : ir::reachable({root})) {
    if (class_of_.contains(node)) continue;
    const Node* form = canonical(node);
    if (!class_of_.contains(form)) {
      parent_.push_back(classes_.size());
      classes_.emplace_back();
      put(form, classes_.size() - 1);
    }
    class_of_[node] = of(form);
  }
  return of(root);
}

bool Classes::merge(std::size_t a, std::size_t b) {
  a = find(a), b = find(b);
  if (a == b || representative(a)->type != representative(b)->type) return false;
  if (classes_[a].members.size() + classes_[a].users.size() < classes_[b].members.size() + classes_[b].users.size())
    std::swap(a, b);
  parent_[b] = a;
  Class &into = classes_[a], &from = classes_[b];
  into.members.insert(into.members.end(), from.members.begin(), from.members.end());
  into.users.insert(into.users.end(), from.users.begin(), from.users.end());
  if (into.constant == nullptr) into.constant = from.constant;
  from = {};
  changed_.push_back(a);
  return true;
}

void Classes::rebuild() {
  while (!changed_.empty()) {
    const std::size_t c = find(changed_.back());
    changed_.pop_back();
    const std::vector<const Node*> users = std::move(classes_[c].users);
    classes_[c].users.clear();
    for (const Node* user : users) {
      const Node* form = canonical(user);
      const std::size_t own = of(user);
      if (form == user) {
        classes_[find(c)].users.push_back(user);
      } else if (auto at = class_of_.find(form); at != class_of_.end()) {
        merge(own, at->second);
      } else {
        put(form, own);
      }
    }
  }
}

std::vector<std::size_t> Classes::all() {
  std::vector<std::size_t> roots;
  for (std::size_t c = 0; c < parent_.size(); ++c) {
    if (parent_[c] == c) roots.push_back(c);
  }
  return roots;
}

namespace {

// Matching: a pattern against a class, with every way of doing so.

class Matcher {
 public:
  using Found = std::function<void(const Match&)>;
  Matcher(Classes& classes, ir::Graph& graph) : classes_(classes), graph_(graph) {}

  void run(const Pattern& pattern, std::size_t c, const Found& found) {
    Match match;
    steps_ = 0;
    visit(pattern, c, match, [&](Match& m) { found(m); });
  }

 private:
  using Then = std::function<void(Match&)>;

  void visit(const Pattern& p, std::size_t c, Match& m, const Then& then) {
    if (++steps_ > 2000) return;
    const Node* constant = classes_.constant(c);
    const bool number = constant != nullptr && constant->type.dtype == ir::DType::f32;
    switch (p.kind) {
      case Pattern::Kind::letter:
        return bind(p.letter, classes_.representative(c), m, then);
      case Pattern::Kind::constant:
      case Pattern::Kind::coefficient:
        if (number) bind(p.letter, constant, m, then);
        return;
      case Pattern::Kind::number:
        if (number && constant->attributes.value == p.number) then(m);
        return;
      case Pattern::Kind::spread:
      case Pattern::Kind::op:
        break;
    }
    if (p.op == Op::multiply && p.kind == Pattern::Kind::op && p.operands[0]->kind == Pattern::Kind::coefficient) {
      // The factor 1 that is not written.
      bind(p.operands[0]->letter, graph_.constant(1, classes_.representative(c)->shape()), m,
           [&](Match& inner) { visit(*p.operands[1], c, inner, then); });
    }
    const std::vector<const Node*> members = classes_.members(c);
    for (const Node* member : members) visit_member(p, member, m, then);
  }

  void visit_member(const Pattern& p, const Node* member, Match& m, const Then& then) {
    if (p.kind == Pattern::Kind::spread) {
      if (member->op != Op::broadcast_in_dim) return;
      const std::vector<int> reduced = passes::other_axes(member->shape().size(), member->attributes.axes);
      const bool plain = passes::without(member->shape(), reduced) == member->operands[0]->shape();
      if (plain && !reduced.empty()) along(reduced, member->shape(), *p.operands[0], member->operands[0], m, then);
      return;
    }
    if (member->op != p.op) return;
    if (passes::is_reduction(p.op)) {
      const Node* x = member->operands[0];
      return along(member->attributes.axes, x->shape(), *p.operands[0], x, m, then);
    }
    operands(p, member, 0, false, m, then);
    if (ir::info(p.op).commutative) operands(p, member, 0, true, m, then);
  }

  void operands(const Pattern& p, const Node* member, std::size_t i, bool swapped, Match& m, const Then& then) {
    if (i == member->operands.size()) return then(m);
    const Node* operand = member->operands[swapped ? member->operands.size() - 1 - i : i];
    visit(*p.operands[i], classes_.of(operand), m,
          [&](Match& inner) { operands(p, member, i + 1, swapped, inner, then); });
  }

  /// All reductions of a pattern are along the same axes of the same shape.
  void along(const std::vector<int>& axes, const ir::Shape& shape, const Pattern& p, const Node* x, Match& m,
             const Then& then) {
    const bool first = m.full_shape.empty();
    if (!first && (m.axes != axes || m.full_shape != shape)) return;
    if (first) m.axes = axes, m.full_shape = shape;
    visit(p, classes_.of(x), m, then);
    if (first) m.axes.clear(), m.full_shape.clear();
  }

  void bind(char letter, const Node* node, Match& m, const Then& then) {
    const Node* bound = m[letter];
    if (bound != nullptr) {
      const bool same =
          bound == node || (bound->is_constant() && node->is_constant() && bound->type.dtype == node->type.dtype &&
                            bound->attributes.value == node->attributes.value);
      if (same) then(m);
      return;
    }
    m[letter] = node;
    then(m);
    m[letter] = nullptr;
  }

  Classes& classes_;
  ir::Graph& graph_;
  int steps_ = 0;
};

/// The laws that the greedy matcher knows by itself.
const std::vector<Rule>& grouping_rules() {
  static const P a = P::letter('a'), b = P::letter('b'), c = P::letter('c');
  static const auto real = passes::Effect::real;
  static const std::vector<Rule> rules = {
      {(a + b) + c, a + (b + c), real, "sums are associative"},
      {(a + b) - c, a + (b - c), real, "sums are associative"},
      {a - b, a + (-b), real, "subtraction is adding the negative"},
      {a - (b + c), (a - b) - c, real, "sums are associative"},
      {(a * b) * c, a * (b * c), real, "products are associative"},
      {(a * b) / c, a * (b / c), real, "products are associative"},
      {-(a * b), (-a) * b, real, "the sign of a product"},
  };
  return rules;
}

std::map<Op, std::vector<const Rule*>> rules_by_op() {
  std::map<Op, std::vector<const Rule*>> rules;
  for (const auto* table : {&grouping_rules(), &passes::normal_form_rules(), &passes::stability_rules(),
                            &passes::algebra_rules(), &passes::function_rules()}) {
    for (const Rule& rule : *table) rules[rule.pattern.pattern->op].push_back(&rule);
  }
  return rules;
}

bool is_whole(const Node* node) { return node->type.dtype == ir::DType::i32; }

/// What the rules that are functions make of a node; the node where they make nothing.
const Node* by_structure(ir::Graph& graph, Classes& classes, const Node* node) {
  if (node->op == Op::optimization_barrier) return node;
  const bool elementwise = ir::is_elementwise(node);
  std::vector<const Node*> known;
  for (const Node* operand : node->operands) {
    const Node* constant = classes.constant(classes.of(operand));
    known.push_back(constant != nullptr ? constant : operand);
  }
  if (elementwise) {
    if (const Node* next = passes::folded(graph, node->op, known, node->attributes); next->op != node->op) return next;
    if (node->op == Op::select && known[0]->is_constant()) return known[known[0]->attributes.value != 0 ? 1 : 2];
  }
  const Node* seen = graph.make(node->op, known, node->attributes);
  for (const auto& rule : elementwise ? passes::repetition_rules() : passes::structural_rules(node->op)) {
    if (const Node* next = rule.apply(graph, seen); next != seen) return next;
  }
  return node;
}

// The cheapest form of each class: an op's weight for every element, and the operands'. What is used twice counts
// twice.

double weight(const Node* node) {
  if (ir::is_leaf(node) || ir::is_view(node)) return 0.01;
  const auto elements = [](const Node* n) {
    double count = 1;
    for (const ir::Dimension& d : n->shape()) {
      std::vector<std::string> symbols;
      d.collect_symbols(symbols);
      ir::DimensionValues values;
      for (const std::string& symbol : symbols) values[symbol] = 128;
      count *= static_cast<double>(d.evaluate(values));
    }
    return count;
  };
  switch (node->op) {
    case Op::dot_general: {
      double count = elements(node);
      for (int axis : node->attributes.lhs_contract)
        count *= static_cast<double>(node->operands[0]->shape()[static_cast<std::size_t>(axis)].evaluate({{"n", 128}}));
      return 2 * count;
    }
    case Op::reduce_sum:
    case Op::reduce_max:
    case Op::reduce_min:
      return elements(node->operands[0]);
    case Op::negate:
      return 0.5 * elements(node);
    case Op::divide:
    case Op::sqrt:
      return 4 * elements(node);
    case Op::softplus:
    case Op::logistic:
    case Op::tanh:
      return 25 * elements(node);
    case Op::exponential_minus_one:
    case Op::log_plus_one:
      return 19 * elements(node);
    case Op::exponential:
    case Op::log:
      return 20 * elements(node);
    case Op::power:
      return 60 * elements(node);
    default:
      return (ir::is_elementwise(node) ? 1 : 2) * elements(node);
  }
}

class Extractor {
 public:
  Extractor(Classes& classes, ir::Graph& graph) : classes_(classes), graph_(graph) {
    for (bool better = true; better;) {
      better = false;
      for (const std::size_t c : classes_.all()) {
        for (const Node* member : classes_.members(c)) {
          double cost = weight(member);
          for (const Node* operand : member->operands) cost += cost_of(classes_.of(operand));
          if (cost < cost_of(c) - 1e-9) cost_[c] = cost, best_[c] = member, better = true;
        }
      }
    }
  }

  const Node* expression(std::size_t c) {
    std::vector<std::size_t> stack{c};
    while (!stack.empty()) {
      const std::size_t top = stack.back();
      const Node* member = best_.at(top);
      std::vector<const Node*> operands;
      for (const Node* operand : member->operands) {
        const auto at = made_.find(classes_.of(operand));
        if (at == made_.end())
          stack.push_back(classes_.of(operand));
        else
          operands.push_back(at->second);
      }
      if (stack.back() != top) continue;
      stack.pop_back();
      made_.emplace(top, graph_.make(member->op, operands, member->attributes));
    }
    return made_.at(c);
  }

 private:
  double cost_of(std::size_t c) const {
    const auto at = cost_.find(c);
    return at == cost_.end() ? std::numeric_limits<double>::infinity() : at->second;
  }
  Classes& classes_;
  ir::Graph& graph_;
  std::unordered_map<std::size_t, double> cost_;
  std::unordered_map<std::size_t, const Node*> best_, made_;
};

}  // namespace

std::vector<const Node*> saturate(ir::Graph& graph, const std::vector<const Node*>& roots, const Limits& limits) {
  Classes classes(graph);
  for (const Node* root : roots) classes.add(root);
  static const auto rules = rules_by_op();
  passes::FactTable facts;
  const auto begin = std::chrono::steady_clock::now();
  const auto out_of_time = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() > limits.seconds;
  };
  for (std::size_t round = 0; round < limits.rounds && classes.size() < limits.nodes && !out_of_time(); ++round) {
    // Everything is matched before anything is changed.
    std::vector<std::pair<std::size_t, const Node*>> equal;
    Matcher matcher(classes, graph);
    for (const std::size_t c : classes.all()) {
      if (out_of_time()) break;
      for (const Node* member : std::vector<const Node*>(classes.members(c))) {
        if (const Node* next = by_structure(graph, classes, member); next != member) equal.emplace_back(c, next);
      }
      const Node* seen = classes.representative(c);
      std::vector<Op> ops;
      bool whole = is_whole(seen);
      for (const Node* member : classes.members(c)) {
        if (std::find(ops.begin(), ops.end(), member->op) == ops.end()) ops.push_back(member->op);
        whole = whole || std::any_of(member->operands.begin(), member->operands.end(), is_whole);
      }
      if (whole) continue;
      for (const Op op : ops) {
        const auto at = rules.find(op);
        if (at == rules.end()) continue;
        for (const Rule* rule : at->second) {
          matcher.run(*rule->pattern.pattern, c, [&](const Match& found) {
            if (!passes::holds(rule->when, found, facts)) return;
            equal.emplace_back(
                c, passes::instantiate(*rule->replacement.pattern, found, graph, passes::number_type(seen)));
          });
        }
      }
    }
    bool news = false;
    for (const auto& [c, node] : equal) {
      if (classes.size() >= limits.nodes) break;
      news = classes.merge(c, classes.add(node)) || news;
    }
    classes.rebuild();
    if (!news) break;
  }
  Extractor extractor(classes, graph);
  std::vector<const Node*> result;
  for (const Node* root : roots) result.push_back(extractor.expression(classes.of(root)));
  return result;
}

}  // namespace descent::saturation
