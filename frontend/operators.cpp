// Operators: arithmetic with the language's rule of broadcasting, comparisons, logic, choice and the matrix product.
#include <cmath>

#include "frontend/lower.h"
#include "ir/op.h"

namespace descent::frontend {

using ir::Dimension;
using ir::Expr;
using ir::Op;
using Kind = Value::Kind;

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

Value Lowering::binary(const std::string& op, const Value& a, const Value& b, const Operands& at) {
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
  const auto row = table.find(op);
  if (row == table.end()) fail(at.whole, "'" + op + "' has no meaning here");
  const Entry& entry = row->second;
  if (a.kind == Kind::list || b.kind == Kind::list) {  // a list is handled item by item
    std::vector<Value> items;
    const Value& list = a.kind == Kind::list ? a : b;
    if (a.kind == b.kind) fail(at.whole, "'" + op + "' takes one list, not two");
    for (const Value& item : list.items) {
      items.push_back(a.kind == Kind::list ? binary(op, item, b, at) : binary(op, a, item, at));
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
  const Expr x = tensor(a, at.left), y = tensor(b, at.right);
  const auto expected = entry.boolean ? ir::DType::boolean : ir::DType::f32;
  for (const auto& [value, span] : {std::pair(x, at.left), std::pair(y, at.right)}) {
    if (value.node->type.dtype != expected) {
      fail(span,
           "'" + op + "' takes " + (entry.boolean ? "conditions" : "numbers") + ", found " +
               ir::to_string(value.node->type),
           entry.boolean ? "" : "write if ... then 1 else 0 to make a number of a condition");
    }
  }
  const ir::Shape shape = common_shape(x.shape(), y.shape(), at.whole);
  const Expr p = fit_to(x, shape, at.left), q = fit_to(y, shape, at.right);
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

}  // namespace descent::frontend
