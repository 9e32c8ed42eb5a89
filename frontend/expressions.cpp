// Expressions to nodes.
#include <cmath>
#include <numbers>

#include "frontend/lower.h"
#include "ir/edit_distance.h"
#include "ir/op.h"

namespace descent::frontend {

using ir::Dimension;
using ir::Expr;
using ir::Node;
using ir::Op;
using Kind = Value::Kind;

Value Value::of(const ir::Dimension& d) {
  if (d.is_constant()) return of(static_cast<double>(d.constant()));
  Value v;
  v.kind = Kind::dimension;
  v.dimension = d;
  return v;
}

std::string describe(const Value& v) {
  switch (v.kind) {
    case Kind::number: {
      std::string text = std::to_string(v.number);
      text.erase(text.find_last_not_of('0') + 1);
      if (text.back() == '.') text.pop_back();
      return text;
    }
    case Kind::boolean:
      return v.boolean ? "true" : "false";
    case Kind::dimension:
      return "the size " + v.dimension.to_string();
    case Kind::tensor:
      return ir::to_string(v.node->type);
    case Kind::text:
      return "the text \"" + v.text + "\"";
    case Kind::list:
      return "a list";
    case Kind::callable:
      return "'" + v.definition->name + "'";
    case Kind::builtin:
      return "'" + v.text + "'";
    case Kind::broken:
      break;
  }
  return "nothing";
}

namespace {

const std::map<std::string, Op>& unary_builtins() {
  static const std::map<std::string, Op> table = {{"exp", Op::exponential}, {"expm1", Op::exponential_minus_one},
                                                  {"log", Op::log},         {"log1p", Op::log_plus_one},
                                                  {"sqrt", Op::sqrt},       {"abs", Op::abs},
                                                  {"sign", Op::sign},       {"sin", Op::sine},
                                                  {"cos", Op::cosine},      {"stop_gradient", Op::stop_gradient}};
  return table;
}

/// Name and number of arguments (least, most) of the other primitive functions.
const std::map<std::string, std::pair<std::size_t, std::size_t>>& other_builtins() {
  static const std::map<std::string, std::pair<std::size_t, std::size_t>> table = {
      {"max", {2, 2}},    {"min", {2, 2}},    {"sum", {1, 2}},     {"count", {1, 2}},          {"largest", {1, 2}},
      {"grad", {2, 2}},   {"fan_in", {1, 1}}, {"fan_out", {1, 1}}, {"random_uniform", {1, 1}}, {"transpose", {1, 1}},
      {"reshape", {2, 2}}};
  return table;
}

bool is_builtin(const std::string& name) { return unary_builtins().contains(name) || other_builtins().contains(name); }

}  // namespace

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
  for (const auto& [known, op] : unary_builtins()) names.push_back(known);
  for (const auto& [known, arity] : other_builtins()) names.push_back(known);
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
      items.push_back(Value::of(graph_.leaf(Op::parameter, v.name, v.shape)));
    }
    return Value::list(std::move(items));
  }
  if (const Definition* d = find_definition(e.text)) {
    Value v;
    v.kind = Kind::callable;
    v.definition = d;
    return v;
  }
  if (is_builtin(e.text)) {
    Value v;
    v.kind = Kind::builtin;
    v.text = e.text;
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
      return e.text == "@" ? matrix_product(a, b, e) : binary(e.text, a, b, e);
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
           "call it: " + (v.definition ? v.definition->name : v.text) + "(...)");
    default:
      fail(span, "expected a number or a tensor, found " + describe(v));
  }
}

/// The shape of an elementwise result: a scalar, a missing leading axis or an explicit size 1 is repeated; nothing
/// else.
ir::Shape Lowering::common_shape(const ir::Shape& a, const ir::Shape& b, const Span& span) {
  if (a == b || b.empty()) return a;
  if (a.empty()) return b;
  const ir::Shape &longer = a.size() >= b.size() ? a : b, &shorter = a.size() >= b.size() ? b : a;
  const std::size_t shift = longer.size() - shorter.size();
  ir::Shape shape = longer;
  bool fits = true;
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    const Dimension &l = longer[shift + i], &s = shorter[i];
    if (l == s || (s.is_one() && shift == 0)) continue;
    if (l.is_one() && shift == 0)
      shape[shift + i] = s;
    else
      fits = false;
  }
  if (fits) return shape;
  std::string hint;
  if (shift == 1 && longer.back().is_one() && shorter.size() == 1 && longer[0] == shorter[0]) {
    hint = "one side is a column: write reshape(..., " + ir::to_string(longer) + ") for the other, or declare both " +
           ir::to_string(longer);
  } else if (shift == 0 && shorter.size() == 2 && longer[0] == shorter[1] && longer[1] == shorter[0]) {
    hint = "transpose one of them";
  }
  fail(span, "the shapes " + ir::to_string(a) + " and " + ir::to_string(b) + " do not fit together", hint);
}

Expr Lowering::fit_to(Expr e, const ir::Shape& shape, const Span& span) {
  if (e.shape() == shape) return e;
  if (e.shape().size() > shape.size() || common_shape(e.shape(), shape, span) != shape) {
    fail(span, "expected the shape " + ir::to_string(shape) + ", found " + ir::to_string(e.shape()));
  }
  std::vector<int> axes;
  for (std::size_t i = shape.size() - e.shape().size(); i < shape.size(); ++i) axes.push_back(static_cast<int>(i));
  return ir::broadcast(e, shape, axes);
}

Value Lowering::apply(Op op, const Value& a, const Span& span) {
  if (a.kind == Kind::number) return Value::of(ir::info(op).meaning(a.number, 0, 0));
  if (a.kind == Kind::list) {
    std::vector<Value> items;
    for (const Value& item : a.items) items.push_back(apply(op, item, span));
    return Value::list(std::move(items));
  }
  const Expr x = tensor(a, span);
  if (x.node->type.dtype != ir::DType::f32)
    fail(span, "expected a number or a tensor of numbers, found " + describe(a));
  return Value::of(ir::elementwise(op, {x}).node);
}

Value Lowering::unary(const Expression& e, const Scope& scope) {
  const Value a = evaluate(*e.operands[0], scope);
  if (e.text == "-")
    return a.kind == Kind::dimension ? Value::of(Dimension(-1) * a.dimension) : apply(Op::negate, a, e.span);
  if (a.kind == Kind::boolean) return Value::truth(!a.boolean);
  const Expr x = tensor(a, e.span);
  if (x.node->type.dtype != ir::DType::boolean)
    fail(e.operands[0]->span, "'not' takes a condition, found " + describe(a));
  return Value::of((!x).node);
}

Value Lowering::binary(const std::string& op, const Value& a, const Value& b, const Expression& e) {
  struct Entry {
    Op op;
    bool swapped;
    bool boolean;
  };
  static const std::map<std::string, Entry> table = {
      {"+", {Op::add, false, false}},         {"-", {Op::subtract, false, false}},
      {"*", {Op::multiply, false, false}},    {"/", {Op::divide, false, false}},
      {"^", {Op::power, false, false}},       {"max", {Op::maximum, false, false}},
      {"min", {Op::minimum, false, false}},   {"==", {Op::compare_eq, false, false}},
      {"!=", {Op::compare_ne, false, false}}, {"<", {Op::compare_lt, false, false}},
      {"<=", {Op::compare_le, false, false}}, {">", {Op::compare_lt, true, false}},
      {">=", {Op::compare_le, true, false}},  {"and", {Op::logical_and, false, true}},
      {"or", {Op::logical_or, false, true}}};
  auto at = table.find(op);
  if (at == table.end()) fail(e.span, "'" + op + "' has no meaning here");
  const Entry& entry = at->second;
  if (a.kind == Kind::list || b.kind == Kind::list) {  // a list is handled item by item
    std::vector<Value> items;
    const Value& list = a.kind == Kind::list ? a : b;
    if (a.kind == b.kind) fail(e.span, "'" + op + "' takes one list, not two");
    for (const Value& item : list.items) {
      items.push_back(a.kind == Kind::list ? binary(op, item, b, e) : binary(op, a, item, e));
    }
    return Value::list(std::move(items));
  }
  const bool compares = ir::info(entry.op).signature == ir::Signature::comparison;
  if (a.kind == Kind::number && b.kind == Kind::number) {
    const double value = entry.swapped ? ir::info(entry.op).meaning(b.number, a.number, 0)
                                       : ir::info(entry.op).meaning(a.number, b.number, 0);
    return compares ? Value::truth(value != 0) : Value::of(value);
  }
  const auto size = [](const Value& v) {
    return v.kind == Kind::dimension ? std::optional(v.dimension)
           : v.kind == Kind::number && v.number == std::floor(v.number) && std::fabs(v.number) < 1e9
               ? std::optional(Dimension(static_cast<std::int64_t>(v.number)))
               : std::nullopt;
  };
  if ((a.kind == Kind::dimension || b.kind == Kind::dimension) && size(a) && size(b)) {
    if (op == "+") return Value::of(*size(a) + *size(b));
    if (op == "-") return Value::of(*size(a) - *size(b));
    if (op == "*") return Value::of(*size(a) * *size(b));
  }
  if (a.kind == Kind::boolean && b.kind == Kind::boolean && entry.boolean) {
    return Value::truth(op == "and" ? a.boolean && b.boolean : a.boolean || b.boolean);
  }
  const Span &left = e.kind == Expression::Kind::binary ? e.operands[0]->span : e.span,
             &right = e.kind == Expression::Kind::binary ? e.operands[1]->span : e.span;
  const Expr x = tensor(a, left), y = tensor(b, right);
  const auto expected = entry.boolean ? ir::DType::boolean : ir::DType::f32;
  for (const auto& [value, span] : {std::pair(x, left), std::pair(y, right)}) {
    if (value.node->type.dtype != expected) {
      fail(span,
           "'" + op + "' takes " + (entry.boolean ? "conditions" : "numbers") + ", found " +
               ir::to_string(value.node->type),
           entry.boolean ? "" : "write if ... then 1 else 0 to make a number of a condition");
    }
  }
  const ir::Shape shape = common_shape(x.shape(), y.shape(), e.span);
  const Expr p = fit_to(x, shape, left), q = fit_to(y, shape, right);
  return Value::of((entry.swapped ? ir::elementwise(entry.op, {q, p}) : ir::elementwise(entry.op, {p, q})).node);
}

Value Lowering::matrix_product(const Value& a, const Value& b, const Expression& e) {
  const Expr x = tensor(a, e.operands[0]->span), y = tensor(b, e.operands[1]->span);
  if (x.shape().empty() || y.shape().empty() || y.shape().size() > 2) {
    fail(e.span, "'@' takes a tensor and a matrix, found " + describe(a) + " and " + describe(b));
  }
  if (x.shape().back() != y.shape()[0]) {
    fail(e.span,
         "'@' sums over the last axis of the first and the first axis of the second, but " + ir::to_string(x.shape()) +
             " ends with " + x.shape().back().to_string() + " and " + ir::to_string(y.shape()) + " begins with " +
             y.shape()[0].to_string(),
         y.shape().size() == 2 && x.shape().back() == y.shape()[1] ? "transpose the second: transpose(...)" : "");
  }
  ir::Attributes axes;
  axes.lhs_contract = {static_cast<int>(x.shape().size()) - 1};
  axes.rhs_contract = {0};
  return Value::of(ir::dot_general(x, y, axes).node);
}

Value Lowering::choose(const Value& condition, const Value& a, const Value& b, const Expression& e) {
  const Expr c = tensor(condition, e.operands[0]->span), x = tensor(a, e.operands[1]->span),
             y = tensor(b, e.operands[2]->span);
  if (c.node->type.dtype != ir::DType::boolean) {
    fail(e.operands[0]->span, "expected a condition, found " + describe(condition), "compare it: ... > 0");
  }
  const ir::Shape shape = common_shape(common_shape(x.shape(), y.shape(), e.span), c.shape(), e.span);
  return Value::of(ir::select(fit_to(c, shape, e.span), fit_to(x, shape, e.span), fit_to(y, shape, e.span)).node);
}

Value Lowering::call(const Expression& e, const Scope& scope) {
  const Value callee = evaluate(*e.operands[0], scope);
  std::vector<std::pair<const Argument*, Value>> arguments;
  for (const Argument& argument : e.arguments) arguments.emplace_back(&argument, evaluate(*argument.value, scope));
  if (callee.kind == Kind::callable) {
    if (callee.definition->kind == Definition::Kind::optimizer) {
      fail(e.span, "the optimizer '" + callee.definition->name + "' belongs into the train block");
    }
    return call_definition(*callee.definition, std::move(arguments), e.span, scope);
  }
  if (callee.kind != Kind::builtin)
    fail(e.operands[0]->span, "only a function or a layer can be called, not " + describe(callee));
  const auto& [least, most] = unary_builtins().contains(callee.text) ? std::pair<std::size_t, std::size_t>{1, 1}
                                                                     : other_builtins().at(callee.text);
  if (arguments.size() < least || arguments.size() > most) {
    fail(e.span, "'" + callee.text + "' takes " + std::to_string(least) +
                     (most > least ? " or " + std::to_string(most) : "") + " argument" + (most == 1 ? "" : "s") +
                     ", found " + std::to_string(arguments.size()));
  }
  std::vector<Value> values;
  for (auto& [argument, value] : arguments) {
    if (!argument->name.empty() && argument->name != "axis") {
      fail(argument->span, "'" + callee.text + "' has no argument '" + argument->name + "'");
    }
    values.push_back(value);
  }
  return call_builtin(callee.text, values, e);
}

void Lowering::bind_shape(const Parameter& p, const Value& value, const Span& span, Scope& scope) {
  const ir::Shape& shape = tensor(value, span).shape();
  const auto mismatch = [&] {
    std::string expected;
    for (const ExpressionPtr& size : p.shape) {
      expected += (expected.empty() ? "[" : ", ") +
                  (size->kind == Expression::Kind::name ? size->text : describe(evaluate(*size, scope)));
    }
    fail(span, "'" + p.name + "' must have the shape " + expected + "], found " + ir::to_string(shape));
  };
  if (shape.size() != p.shape.size()) mismatch();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const Expression& size = *p.shape[i];
    if (size.kind == Expression::Kind::name && !scope.contains(size.text)) {
      scope[size.text] = Value::of(shape[i]);
    } else if (shape_of(p.shape, scope)[i] != shape[i]) {
      mismatch();
    }
  }
}

Value Lowering::call_definition(const Definition& d, std::vector<std::pair<const Argument*, Value>> arguments,
                                const Span& span, const Scope&) {
  if (depth_ >= 100) fail(span, "'" + d.name + "' calls itself without end", "recursion is not part of the language");
  Scope scope;
  std::vector<bool> used(arguments.size(), false);
  const bool is_layer = d.kind == Definition::Kind::layer;
  const std::string saved_path = path_;
  std::size_t position = 0;
  for (std::size_t i = 0; i < d.parameters.size(); ++i) {
    const Parameter& p = d.parameters[i];
    const Value* given = nullptr;
    Span at = span;
    for (std::size_t j = 0; j < arguments.size(); ++j) {
      if (arguments[j].first != nullptr && arguments[j].first->name == p.name)
        given = &arguments[j].second, used[j] = true, at = arguments[j].first->span;
    }
    while (given == nullptr && position < arguments.size()) {
      const Argument* a = arguments[position].first;
      if (a != nullptr && !a->name.empty()) {
        ++position;
        continue;
      }
      given = &arguments[position].second;
      used[position++] = true;
      if (a != nullptr) at = a->span;
      break;
    }
    if (given == nullptr && !p.fallback) {
      fail(span, "the argument '" + p.name + "' of '" + d.name + "' is missing");
    }
    const Value value = given != nullptr ? *given : evaluate(*p.fallback, scope);
    if (p.is_size && !(value.kind == Kind::number && value.number >= 1 && value.number == std::floor(value.number)) &&
        value.kind != Kind::dimension) {
      fail(at, "'" + p.name + "' must be a whole number from 1, not " + describe(value));
    }
    if (p.has_shape) bind_shape(p, value, at, scope);
    scope[p.name] = value;
  }
  for (std::size_t j = 0; j < arguments.size(); ++j) {
    if (used[j]) continue;
    const Argument* a = arguments[j].first;
    std::vector<std::string> names;
    for (const Parameter& p : d.parameters) names.push_back(p.name);
    const auto meant = a != nullptr ? ir::nearest(a->name, names) : std::nullopt;
    if (a != nullptr && !a->name.empty()) {
      fail(a->span, "'" + d.name + "' has no argument '" + a->name + "'",
           meant ? "did you mean '" + *meant + "'?" : "");
    }
    fail(a != nullptr ? a->span : span, "'" + d.name + "' takes " + std::to_string(d.parameters.size()) +
                                            " arguments, found " + std::to_string(arguments.size()));
  }
  if (is_layer) path_ += d.name + "." + std::to_string(layer_counts_[path_ + d.name]++) + ".";
  ++depth_;
  try {
    Value result = run_body(d, scope);
    --depth_;
    path_ = saved_path;
    if (result.kind == Kind::broken)
      fail(d.name_span, "'" + d.name + "' returns nothing", "end its body with: return ...");
    return result;
  } catch (Failure& failure) {
    --depth_;
    path_ = saved_path;
    // A mistake inside the prelude is the caller's: it is shown where the call stands.
    for (Diagnostic& mistake : failure.diagnostics) {
      if (span.source == nullptr || mistake.file != "<prelude>" || span.source->name == "<prelude>") continue;
      const std::string message = "in '" + d.name + "': " + mistake.message;
      mistake = diagnostic(span, message, mistake.hint);
    }
    throw;
  }
}

std::vector<int> Lowering::axis_argument(const Value& v, std::size_t rank, const Span& span) {
  std::vector<int> axes;
  for (const Value& item : v.kind == Kind::list ? v.items : std::vector<Value>{v}) {
    const double n = item.number < 0 ? item.number + static_cast<double>(rank) : item.number;
    if (item.kind != Kind::number || n != std::floor(n) || n < 0 || n >= static_cast<double>(rank)) {
      fail(span, "there is no axis " + describe(item) + " in a tensor of rank " + std::to_string(rank));
    }
    axes.push_back(static_cast<int>(n));
  }
  return axes;
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

Value Lowering::call_builtin(const std::string& function, const std::vector<Value>& arguments, const Expression& e) {
  const Value& first = arguments[0];
  const Span& span = e.arguments[0].span;
  if (auto at = unary_builtins().find(function); at != unary_builtins().end()) return apply(at->second, first, span);
  if (function == "max" || function == "min") return binary(function, first, arguments[1], e);
  if (function == "random_uniform") {
    ir::Attributes a;
    a.shape = shape_argument(first, span);
    a.value = random_streams_++;
    return Value::of(graph_.make(Op::rng_uniform, {}, a));
  }
  if (function == "fan_in" || function == "fan_out") {
    // A matrix [in, out]; a vector counts as a row.
    const ir::Shape shape = shape_argument(first, span);
    if (shape.empty()) return Value::of(1.0);
    return Value::of(function == "fan_in" && shape.size() > 1 ? shape[shape.size() - 2] : shape.back());
  }
  if (function == "grad") {
    const Expr y = tensor(first, span), x = tensor(arguments[1], e.arguments[1].span);
    if (!y.shape().empty()) {
      fail(span, "only one number has a gradient, but this is " + describe(first), "write grad(sum(...), ...)");
    }
    return Value::of(ir::gradient(y, x).node);
  }
  if (function == "sum" && first.kind == Kind::list) {  // the sum over all elements of all tensors
    Value total = Value::of(0.0);
    for (const Value& item : first.items) total = binary("+", total, call_builtin("sum", {item}, e), e);
    return total;
  }
  const Expr x = tensor(first, span);
  const std::size_t rank = x.shape().size();
  if (function == "transpose") {
    if (rank != 2) fail(span, "'transpose' takes a matrix, found " + describe(first));
    return Value::of(ir::transpose(x, {1, 0}).node);
  }
  if (function == "reshape") {
    const ir::Shape shape = shape_argument(arguments[1], e.arguments[1].span);
    if (ir::element_count(shape) != ir::element_count(x.shape())) {
      fail(e.span, ir::to_string(x.shape()) + " and " + ir::to_string(shape) + " have different numbers of elements");
    }
    return Value::of(ir::reshape(x, shape).node);
  }
  std::vector<int> axes;
  if (arguments.size() > 1)
    axes = axis_argument(arguments[1], rank, e.arguments[1].span);
  else
    for (std::size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int>(i));
  if (x.node->type.dtype != ir::DType::f32) fail(span, "'" + function + "' takes numbers, found " + describe(first));
  if (function == "sum") return Value::of(ir::reduce_sum(x, axes).node);
  if (function == "largest") return Value::of(ir::reduce_max(x, axes).node);
  Dimension count(1);  // "count"
  for (int axis : axes) count = count * x.shape()[static_cast<std::size_t>(axis)];
  return Value::of(count);
}

}  // namespace descent::frontend
