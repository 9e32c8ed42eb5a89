// Patterns: how they are built, prepared, put in place of what they matched, and printed. Matching is in
// passes/match.cpp.
#include "passes/pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/op.h"
#include "passes/structural_rules.h"

namespace descent::passes {

using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;

P::P(Op op, std::initializer_list<P> operands) {
  Pattern p{Pattern::Kind::op, 0, 0, op, {}};
  for (const P& operand : operands) p.operands.push_back(operand.pattern);
  pattern = std::make_shared<Pattern>(std::move(p));
}

P P::letter(char name) { return P(Pattern{Pattern::Kind::letter, name, 0, {}, {}}); }
P P::constant(char name) { return P(Pattern{Pattern::Kind::constant, name, 0, {}, {}}); }
P P::coefficient(char name) { return P(Pattern{Pattern::Kind::coefficient, name, 0, {}, {}}); }
P P::spread(P a) { return P(Pattern{Pattern::Kind::spread, 0, 0, {}, {a.pattern}}); }

namespace {

Form leaf_form(const Pattern& p) {
  switch (p.kind) {
    case Pattern::Kind::letter:
      return {Form::Kind::letter, p.letter, 0, {}, {}, false, {}};
    case Pattern::Kind::constant:
      return {Form::Kind::constant, p.letter, 0, {}, {}, false, {}};
    case Pattern::Kind::coefficient:
      return {Form::Kind::coefficient, p.letter, 0, {}, {}, false, {}};
    default:
      return {Form::Kind::number, 0, p.number, {}, {}, false, {}};
  }
}

/// A form with its sign taken out: -x as x and true.
std::pair<Form, bool> unsigned_form(Form f) {
  if (f.kind != Form::Kind::product || !f.negative) return {std::move(f), false};
  f.negative = false;
  if (f.items.size() == 1 && !f.items[0].inverse) {
    Form only = std::move(f.items[0].form);
    return {std::move(only), true};
  }
  return {std::move(f), true};
}

Form product_of(std::vector<std::pair<Form, bool>> operands, bool negative) {
  Form product{Form::Kind::product, 0, 0, {}, {}, negative, {}};
  for (auto& [operand, inverse] : operands) {
    if (operand.kind == Form::Kind::product) {
      product.negative = product.negative != operand.negative;
      for (Form::Item& item : operand.items) product.items.push_back({std::move(item.form), item.inverse != inverse});
    } else {
      product.items.push_back({std::move(operand), inverse});
    }
  }
  return product;
}

Form sum_of(std::vector<std::pair<Form, bool>> operands) {
  Form sum{Form::Kind::sum, 0, 0, {}, {}, false, {}};
  for (auto& [operand, subtracted] : operands) {
    if (operand.kind == Form::Kind::sum) {
      for (Form::Item& item : operand.items) sum.items.push_back({std::move(item.form), item.inverse != subtracted});
    } else {
      auto [body, negative] = unsigned_form(std::move(operand));
      sum.items.push_back({std::move(body), negative != subtracted});
    }
  }
  return sum;
}

/// Items that say most come first, and those that may bind the axes before those that use them; letters last: fewer
/// trials, and the last letter can take what the others leave.
int rank(const Form::Item& item) {
  switch (item.form.kind) {
    case Form::Kind::spread:
      return 0;
    case Form::Kind::number:
    case Form::Kind::op:
      return 1;
    case Form::Kind::sum:
    case Form::Kind::product:
      return 2;
    case Form::Kind::constant:
      return 3;
    case Form::Kind::coefficient:
      return 4;
    case Form::Kind::letter:
      break;
  }
  return 5;
}

/// What the first two terms have in common that have a letter in common; items are in their order.
Form::Common common_of(const Form& sum) {
  using Kind = Form::Kind;
  for (const Form::Item& one : sum.items) {
    for (const Form::Item& other : sum.items) {
      if (&one == &other || one.form.kind != Kind::product || other.form.kind != Kind::product) continue;
      const std::vector<Form::Item>&a = one.form.items, &b = other.form.items;
      for (const Form::Item& x : a) {
        for (const Form::Item& y : b) {
          if (x.form.kind != Kind::letter || y.form.kind != Kind::letter || x.form.letter != y.form.letter) continue;
          const bool takes_rest = &x == &a.back();
          if (takes_rest != (&y == &b.back()) || x.inverse != y.inverse) continue;
          if (!takes_rest) return x.inverse ? Form::Common::divisor : Form::Common::factor;
          const auto is_coefficient = [](const auto& items) {
            return items.size() == 2 && items[0].form.kind == Kind::coefficient;
          };
          if (!x.inverse && is_coefficient(a) && is_coefficient(b)) return Form::Common::rest;
        }
      }
    }
  }
  return Form::Common::nothing;
}

void finish(Form& form) {
  std::stable_sort(form.items.begin(), form.items.end(),
                   [](const auto& a, const auto& b) { return rank(a) < rank(b); });
  for (const Form::Item& item : form.items) {
    if (item.form.kind == Form::Kind::op) form.needs.set(static_cast<std::size_t>(item.form.op));
    if (item.form.kind == Form::Kind::spread) form.needs.set(static_cast<std::size_t>(Op::broadcast_in_dim));
    if (item.form.kind == Form::Kind::number || item.form.kind == Form::Kind::constant)
      form.needs.set(static_cast<std::size_t>(Op::constant));
  }
  if (form.kind == Form::Kind::sum) form.common = common_of(form);
}

Form flat(const Pattern& p) {
  if (p.kind == Pattern::Kind::spread) return {Form::Kind::spread, 0, 0, {}, {{flat_form(*p.operands[0])}}, false, {}};
  if (p.kind != Pattern::Kind::op) return leaf_form(p);
  const auto operand = [&](std::size_t i) { return flat(*p.operands[i]); };
  switch (p.op) {
    case Op::add:
      return sum_of({{operand(0), false}, {operand(1), false}});
    case Op::subtract:
      return sum_of({{operand(0), false}, {operand(1), true}});
    case Op::multiply:
      return product_of({{operand(0), false}, {operand(1), false}}, false);
    case Op::divide:
      return product_of({{operand(0), false}, {operand(1), true}}, false);
    case Op::negate:
      return product_of({{operand(0), false}}, true);
    default:
      break;
  }
  Form form{Form::Kind::op, 0, 0, p.op, {}, false, {}};
  for (const auto& o : p.operands) form.items.push_back({flat_form(*o)});
  return form;
}

/// Sorts the items of every sum and product inside.
void finish_all(Form& form) {
  for (Form::Item& item : form.items) finish_all(item.form);
  if (form.kind == Form::Kind::sum || form.kind == Form::Kind::product) finish(form);
}

}  // namespace

Form flat_form(const Pattern& pattern) {
  Form form = flat(pattern);
  finish_all(form);
  return form;
}

Form written_form(const Pattern& pattern) {
  if (pattern.kind != Pattern::Kind::op && pattern.kind != Pattern::Kind::spread) return leaf_form(pattern);
  Form form{pattern.kind == Pattern::Kind::op ? Form::Kind::op : Form::Kind::spread, 0, 0, pattern.op, {}, false, {}};
  for (const auto& operand : pattern.operands) form.items.push_back({written_form(*operand)});
  return form;
}

ir::Type number_type(const Node* node) {
  const Node* inner = node;
  while (!is_real(inner->type.dtype) && !inner->operands.empty()) inner = inner->operands.back();
  return {is_real(inner->type.dtype) ? inner->type.dtype : ir::DType::f32, node->shape()};
}

namespace {

bool is_written_number(const Pattern& p) {
  return p.kind == Pattern::Kind::number || p.kind == Pattern::Kind::constant || p.kind == Pattern::Kind::coefficient;
}

/// Gives the numbers among an op's operands the dtype of the other operands: beside what stands under a condition, the
/// whole may have another one.
void type_numbers(const Pattern& p, Graph& graph, std::vector<const Node*>& operands) {
  const Node* other = nullptr;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!is_written_number(*p.operands[i]) && is_real(operands[i]->type.dtype)) other = operands[i];
  }
  for (std::size_t i = 0; other != nullptr && i < operands.size(); ++i) {
    if (!is_written_number(*p.operands[i])) continue;
    operands[i] = graph.constant(operands[i]->attributes.value, ir::Type{other->type.dtype, operands[i]->shape()});
  }
}

}  // namespace

const Node* instantiate(const Pattern& p, const Match& match, Graph& graph, const ir::Type& type) {
  switch (p.kind) {
    case Pattern::Kind::number:
      return graph.constant(p.number, type);
    case Pattern::Kind::letter:
      return match[p.letter];
    case Pattern::Kind::constant:
    case Pattern::Kind::coefficient:
      return graph.constant(match[p.letter]->attributes.value, type);
    case Pattern::Kind::spread: {
      const Node* operand =
          instantiate(*p.operands[0], match, graph, {type.dtype, without(match.full_shape, match.axes)});
      return ir::broadcast(Expr(graph, operand), match.full_shape, other_axes(match.full_shape.size(), match.axes))
          .node;
    }
    case Pattern::Kind::op:
      break;
  }
  if (is_reduction(p.op)) {
    ir::Attributes attributes;
    attributes.axes = match.axes;
    return graph.make(p.op, {instantiate(*p.operands[0], match, graph, {type.dtype, match.full_shape})},
                      std::move(attributes));
  }
  std::vector<const Node*> operands;
  for (const auto& operand : p.operands) operands.push_back(instantiate(*operand, match, graph, type));
  type_numbers(p, graph, operands);
  return folded(graph, p.op, std::move(operands));
}

std::vector<int> other_axes(std::size_t rank, const std::vector<int>& axes) {
  std::vector<int> rest;
  for (int axis = 0; axis < static_cast<int>(rank); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) rest.push_back(axis);
  }
  return rest;
}

ir::Shape without(const ir::Shape& shape, const std::vector<int>& axes) {
  ir::Shape rest;
  for (int axis : other_axes(shape.size(), axes)) rest.push_back(shape[static_cast<std::size_t>(axis)]);
  return rest;
}

const Node* build_sum(const std::vector<ItemView::Item>& terms, Graph& graph, const ir::Type& type) {
  if (terms.empty()) return graph.constant(0, type);
  const auto first = std::find_if(terms.begin(), terms.end(), [](const auto& t) { return !t.inverse; });
  if (first == terms.end()) {  // minus the sum of all
    std::vector<ItemView::Item> positive = terms;
    for (auto& term : positive) term.inverse = false;
    return graph.make(Op::negate, {build_sum(positive, graph, type)});
  }
  const Node* sum = first->node;
  for (auto term = terms.begin(); term != terms.end(); ++term) {
    if (term != first) sum = graph.make(term->inverse ? Op::subtract : Op::add, {sum, term->node});
  }
  return sum;
}

const Node* build_product(const std::vector<ItemView::Item>& factors, bool negative, Graph& graph,
                          const ir::Type& type) {
  const Node *numerator = nullptr, *denominator = nullptr;
  for (const ItemView::Item& factor : factors) {
    const Node*& part = factor.inverse ? denominator : numerator;
    part = part == nullptr ? factor.node : graph.make(Op::multiply, {part, factor.node});
  }
  if (numerator == nullptr) numerator = graph.constant(1, type);
  if (denominator != nullptr) numerator = graph.make(Op::divide, {numerator, denominator});
  return negative ? graph.make(Op::negate, {numerator}) : numerator;
}

namespace {

struct Operator {
  const char* text;
  int precedence;
};
std::optional<Operator> operator_of(Op op) {
  switch (op) {
    case Op::add:
      return Operator{" + ", 1};
    case Op::subtract:
      return Operator{" - ", 1};
    case Op::multiply:
      return Operator{" * ", 2};
    case Op::divide:
      return Operator{" / ", 2};
    case Op::compare_lt:
      return Operator{" < ", 0};
    case Op::compare_le:
      return Operator{" <= ", 0};
    case Op::compare_eq:
      return Operator{" == ", 0};
    default:
      return std::nullopt;
  }
}

std::string print(const Pattern& p, int context) {
  switch (p.kind) {
    case Pattern::Kind::number:
      return fmt::format("{}", p.number);
    case Pattern::Kind::spread:
      return "spread(" + print(*p.operands[0], 0) + ")";
    case Pattern::Kind::op:
      break;
    default:
      return std::string(1, p.letter);
  }
  if (const auto op = operator_of(p.op)) {
    // The second operand of - and / binds tighter: a - (b - c).
    const std::string text =
        print(*p.operands[0], op->precedence) + op->text + print(*p.operands[1], op->precedence + 1);
    return op->precedence < context ? "(" + text + ")" : text;
  }
  if (p.op == Op::negate) return "-" + print(*p.operands[0], 3);
  std::string text = std::string(ir::info(p.op).name) + "(";
  for (std::size_t i = 0; i < p.operands.size(); ++i) text += (i > 0 ? ", " : "") + print(*p.operands[i], 0);
  return text + ")";
}

}  // namespace

std::string to_string(const Pattern& pattern) { return print(pattern, 0); }

}  // namespace descent::passes
