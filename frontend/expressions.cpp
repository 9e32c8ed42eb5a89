// Expressions: names, and the value of each kind of expression. Operators are in operators.cpp, calls in calls.cpp.
#include <numbers>

#include "frontend/builtins.h"
#include "frontend/lower.h"
#include "ir/edit_distance.h"

namespace descent::frontend {

using ir::Expr;
using ir::Op;
using Kind = Value::Kind;

const Definition* Lowering::find_definition(const std::string& wanted) const {
  // A later file hides an earlier one: the user's definitions replace the prelude's.
  for (auto file = files_.rbegin(); file != files_.rend(); ++file) {
    for (const auto& d : (*file)->definitions) {
      const bool callable = d->kind == Definition::Kind::function || d->kind == Definition::Kind::layer ||
                            d->kind == Definition::Kind::optimizer;
      if (callable && d->name == wanted) return d.get();
    }
  }
  return nullptr;
}

std::vector<std::string> Lowering::known_names(const Scope& scope) const {
  std::vector<std::string> names;
  for (const auto& [known, value] : scope) names.push_back(known);
  for (const File* file : files_) {
    for (const auto& d : file->definitions) {
      if (!d->name.empty() && d->kind != Definition::Kind::model) names.push_back(d->name);
    }
  }
  for (const Builtin* builtin : all_builtins()) names.emplace_back(builtin->name);
  for (const char* known : {"weights", "parameters", "training", "step", "epoch", "pi"}) names.emplace_back(known);
  return names;
}

Value Lowering::name(const Expression& e, const Scope& scope) {
  if (auto at = scope.find(e.text); at != scope.end()) {
    if (at->second.kind == Kind::broken) throw Failure{};
    return at->second;
  }
  if (e.text == "training") return Value::truth(training_);
  if (e.text == "true" || e.text == "false") return Value::truth(e.text == "true");
  if (e.text == "pi") return Value::of(std::numbers::pi);
  if (e.text == "step" || e.text == "epoch") return Value::of(graph_.leaf(Op::counter, e.text, {}));
  if (e.text == "weights" || e.text == "parameters") {
    std::vector<Value> items;
    for (const ir::Variable& v : program_.variables) {
      if (v.kind != ir::Variable::Kind::parameter || (e.text == "weights" && v.shape.size() < 2)) continue;
      items.push_back(Value::of(parameter(v)));
    }
    return Value::list(std::move(items));
  }
  if (const Definition* d = find_definition(e.text)) {
    Value v;
    v.kind = Kind::callable;
    v.definition = d;
    return v;
  }
  if (const Builtin* builtin = find_builtin(e.text)) {
    Value v;
    v.kind = Kind::builtin;
    v.builtin = builtin;
    return v;
  }
  const auto meant = ir::nearest(e.text, known_names(scope));
  fail(e.span, "unknown name '" + e.text + "'", meant ? "did you mean '" + *meant + "'?" : "");
}

Value Lowering::evaluate(const Expression& e, const Scope& scope) {
  switch (e.kind) {
    case Expression::Kind::number:
      return Value::of(e.number);
    case Expression::Kind::string: {
      Value v;
      v.kind = Kind::text;
      v.text = e.text;
      return v;
    }
    case Expression::Kind::name:
      return name(e, scope);
    case Expression::Kind::unary:
      return unary(e, scope);
    case Expression::Kind::binary: {
      const Value a = evaluate(*e.operands[0], scope), b = evaluate(*e.operands[1], scope);
      return e.text == "@" ? matrix_product(a, b, e)
                           : binary(e.text, a, b, {e.span, e.operands[0]->span, e.operands[1]->span});
    }
    case Expression::Kind::call:
      return call(e, scope);
    case Expression::Kind::conditional: {
      const Value condition = evaluate(*e.operands[0], scope);
      // A condition known now decides now: what is not chosen is not even evaluated.
      if (condition.kind == Kind::boolean) return evaluate(*e.operands[condition.boolean ? 1 : 2], scope);
      return choose(condition, evaluate(*e.operands[1], scope), evaluate(*e.operands[2], scope), e);
    }
    case Expression::Kind::list: {
      std::vector<Value> items;
      for (const ExpressionPtr& item : e.operands) items.push_back(evaluate(*item, scope));
      return Value::list(std::move(items));
    }
    case Expression::Kind::member:
      fail(e.span, "'" + e.text + "' is no part of a value");
  }
  return {};
}

Expr Lowering::tensor(const Value& v, const Span& span) {
  switch (v.kind) {
    case Kind::tensor:
      return {graph_, v.node};
    case Kind::number:
      return {graph_, graph_.constant(v.number)};
    case Kind::boolean:
      return {graph_, graph_.boolean(v.boolean)};
    case Kind::dimension:
      return {graph_, graph_.dimension(v.dimension)};
    case Kind::broken:
      throw Failure{};
    case Kind::callable:
    case Kind::builtin:
      fail(span, "expected a number or a tensor, found " + describe(v),
           "call it: " + (v.definition ? v.definition->name : v.builtin->name) + "(...)");
    default:
      fail(span, "expected a number or a tensor, found " + describe(v));
  }
}

ir::Shape Lowering::shape_argument(const Value& v, const Span& span) {
  if (v.kind == Kind::tensor) return v.node->shape();
  ir::Shape shape;
  if (v.kind != Kind::list) fail(span, "expected a shape such as [n, 16], found " + describe(v));
  for (const Value& item : v.items) {
    if (item.kind == Kind::dimension)
      shape.push_back(item.dimension);
    else if (item.kind == Kind::number && item.number >= 1)
      shape.emplace_back(static_cast<std::int64_t>(item.number));
    else
      fail(span, "a size must be a whole number from 1, not " + describe(item));
  }
  return shape;
}

Value Lowering::random_uniform(const ir::Shape& shape) {
  ir::Attributes a;
  a.shape = shape;
  a.value = random_streams_++;
  return Value::of(graph_.make(Op::rng_uniform, {}, a));
}

}  // namespace descent::frontend
