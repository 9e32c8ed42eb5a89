// Operators: arithmetic with the language's rule of broadcasting, comparisons, logic, choice and the matrix product.
#include <cmath>

#include "frontend/lower.h"
#include "frontend/sizes.h"
#include "ir/op.h"

namespace descent::frontend {

using ir::Dimension;
using ir::Expr;
using ir::Op;
using Kind = Value::Kind;

std::string quoted_source(const Span& span) {
  if (span.source == nullptr || span.source->is_library || span.end - span.begin > 24) return "...";
  std::string text = text_of(span);
  if (text.starts_with('(') && text.find(')') == text.size() - 1) text = text.substr(1, text.size() - 2);
  return text.find('\n') == std::string::npos ? text : "...";
}

namespace {

std::string hint_for_shapes(const ir::Shape& a, const ir::Shape& b, const Operands& at) {
  const bool a_longer = a.size() >= b.size();
  const ir::Shape &longer = a_longer ? a : b, &shorter = a_longer ? b : a;
  if (longer.size() == shorter.size() + 1 && longer.back().is_one() && longer[longer.size() - 2] == shorter.back()) {
    return "write reshape(" + quoted_source(a_longer ? at.right : at.left) + ", " + ir::to_string(longer) + ")";
  }
  if (longer.size() == 2 && shorter.size() == 2 && longer[0] == shorter[1] && longer[1] == shorter[0]) {
    return "transpose one of them: transpose(" + quoted_source(at.right) + ")";
  }
  if (shorter.size() == 1 && longer.size() == 2 && longer[0] == shorter[0]) {
    return "to repeat it along the columns, write reshape(" + quoted_source(a_longer ? at.right : at.left) + ", [" +
           shorter[0].to_string() + ", 1])";
  }
  return "";
}

/// A whole number as a real one.
Expr real(Expr e) { return e.node->type.dtype == ir::DType::i32 ? ir::convert(e, ir::DType::f32) : e; }

bool takes_whole_numbers(Op op) {
  const ir::Signature signature = ir::info(op).signature;
  return op != Op::is_finite && (signature == ir::Signature::arithmetic || signature == ir::Signature::comparison);
}

}  // namespace

/// The shape of an elementwise result: a scalar, a missing leading axis or an explicit size 1 is repeated; nothing
/// else.
ir::Shape Lowering::common_shape(Expr x, Expr y, const Operands& at) {
  const ir::Shape &a = x.shape(), &b = y.shape();
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
  std::vector<Note> notes;
  for (const Expr& side : {x, y}) {
    const auto declared = declared_.find(side.node);
    if (declared == declared_.end() || declared->second.second.source->is_library) continue;
    const auto& [name, span] = declared->second;
    notes.push_back(note(span, "'" + name + "' is " + ir::to_string(side.shape())));
  }
  fail(at.whole, "the shapes " + ir::to_string(a) + " and " + ir::to_string(b) + " do not fit together",
       hint_for_shapes(a, b, at), std::move(notes));
}

Expr Lowering::fit_to(Expr e, const ir::Shape& shape, const Span& span) {
  const ir::Shape& own = e.shape();
  if (own == shape) return e;
  bool fits = own.size() <= shape.size();
  const std::size_t shift = fits ? shape.size() - own.size() : 0;
  std::vector<int> axes;
  for (std::size_t i = 0; fits && i < own.size(); ++i) {
    fits = own[i] == shape[shift + i] || (own[i].is_one() && shift == 0);
    axes.push_back(static_cast<int>(shift + i));
  }
  if (!fits) fail(span, "expected the shape " + ir::to_string(shape) + ", found " + ir::to_string(own));
  return ir::broadcast(e, shape, axes);
}

Value Lowering::apply(Op op, const Value& a, const Span& span) {
  if (a.is(Kind::number)) return Value::of(ir::info(op).meaning(a.number, 0, 0));
  if (a.is(Kind::tensors)) {
    std::vector<Value> items;
    for (const Value& item : a.items()) items.push_back(apply(op, item, span));
    return Value::list(std::move(items), Kind::tensors);
  }
  Expr x = tensor(a, span);
  if (x.node->type.dtype == ir::DType::boolean) {
    fail(span, "expected a number or a tensor of numbers, found " + describe(a),
         "write if ... then 1 else 0 to make a number of a condition");
  }
  if (!takes_whole_numbers(op)) x = real(x);
  return Value::of(ir::elementwise(op, {x}));
}

Value Lowering::unary(const Expression& e, Scope& scope) {
  const Value a = evaluate(*e.operands[0], scope);
  if (a.is(Kind::broken)) return {};
  if (e.text == "-") {
    return a.is(Kind::dimension) ? Value::of(Dimension(-1) * a.dimension()) : apply(Op::negate, a, e.operands[0]->span);
  }
  if (a.is(Kind::boolean)) return Value::truth(!a.boolean);
  const Expr x = tensor(a, e.operands[0]->span);
  if (x.node->type.dtype != ir::DType::boolean) {
    fail(e.operands[0]->span, "'not' takes a condition, found " + describe(a), "compare it: not ... > 0");
  }
  return Value::of(!x);
}

namespace {

bool is_condition(Expr e) { return e.node->type.dtype == ir::DType::boolean; }

/// `%` has the sign of what it divides by, as in the languages of the field; a remainder that of what is divided.
double with_sign_of(double divisor, double remainder) {
  return remainder * divisor < 0 ? remainder + divisor : remainder;
}
Expr with_sign_of(Expr divisor, Expr remainder) {
  const Expr below = remainder < 0 && divisor > 0, above = remainder > 0 && divisor < 0;
  return ir::select(below || above, remainder + divisor, remainder);
}

struct BinaryOperator {
  Op op;
  bool swapped;
  bool boolean;
};

const BinaryOperator* find_operator(const std::string& sign) {
  static const std::unordered_map<std::string, BinaryOperator> table = {
      {"+", {Op::add, false, false}},          {"-", {Op::subtract, false, false}},
      {"*", {Op::multiply, false, false}},     {"/", {Op::divide, false, false}},
      {"%", {Op::remainder, false, false}},    {"^", {Op::power, false, false}},
      {"max", {Op::maximum, false, false}},    {"min", {Op::minimum, false, false}},
      {"==", {Op::compare_eq, false, false}},  {"!=", {Op::compare_ne, false, false}},
      {"<", {Op::compare_lt, false, false}},   {"<=", {Op::compare_le, false, false}},
      {">", {Op::compare_lt, true, false}},    {">=", {Op::compare_le, true, false}},
      {"and", {Op::logical_and, false, true}}, {"or", {Op::logical_or, false, true}}};
  const auto at = table.find(sign);
  return at == table.end() ? nullptr : &at->second;
}

/// A value that can be the size of an axis; nothing if it cannot.
std::optional<Dimension> as_size(const Value& v) {
  if (v.is(Kind::dimension)) return v.dimension();
  if (v.is(Kind::number) && v.number == std::floor(v.number) && std::fabs(v.number) < 1e9) {
    return Dimension(static_cast<std::int64_t>(v.number));
  }
  return std::nullopt;
}

/// Of sizes, of which at least one has a symbol; nothing if the result is not a size.
std::optional<Value> size_arithmetic(const std::string& sign, const Value& a, const Value& b) {
  const auto x = as_size(a), y = as_size(b);
  if (!x || !y) return std::nullopt;
  if (sign == "+") return Value::of(*x + *y);
  if (sign == "-") return Value::of(*x - *y);
  if (sign == "*") return Value::of(*x * *y);
  if (sign == "/" && y->is_constant()) {
    if (const auto quotient = divide_exactly(*x, y->constant())) return Value::of(*quotient);
  }
  const Dimension difference = *x - *y;
  if (sign == "==" && difference.is_constant()) return Value::truth(difference.constant() == 0);
  if (sign == "!=" && difference.is_constant()) return Value::truth(difference.constant() != 0);
  return std::nullopt;
}

}  // namespace

Value Lowering::binary(const std::string& sign, const Value& a, const Value& b, const Operands& at) {
  const BinaryOperator* known = find_operator(sign);
  if (known == nullptr) fail(at.whole, "'" + sign + "' has no meaning here");
  const BinaryOperator& row = *known;
  if (a.is(Kind::tensors) || b.is(Kind::tensors)) {  // each tensor of a collection
    if (a.kind == b.kind && a.items().size() != b.items().size()) {
      fail(at.whole, "one side is " + describe(a) + ", the other " + describe(b));
    }
    std::vector<Value> items;
    for (std::size_t i = 0; i < (a.is(Kind::tensors) ? a : b).items().size(); ++i) {
      items.push_back(binary(sign, a.is(Kind::tensors) ? a.items()[i] : a, b.is(Kind::tensors) ? b.items()[i] : b, at));
    }
    return Value::list(std::move(items), Kind::tensors);
  }
  const bool compares = ir::info(row.op).signature == ir::Signature::comparison, divides = row.op == Op::remainder;
  if (a.is(Kind::number) && b.is(Kind::number) && !row.boolean) {
    const double value =
        row.swapped ? ir::info(row.op).meaning(b.number, a.number, 0) : ir::info(row.op).meaning(a.number, b.number, 0);
    return compares ? Value::truth(value != 0) : Value::of(divides ? with_sign_of(b.number, value) : value);
  }
  if (a.is(Kind::dimension) || b.is(Kind::dimension)) {
    if (const auto size = size_arithmetic(sign, a, b)) return *size;
  }
  if (a.is(Kind::text) && b.is(Kind::text) && (sign == "==" || sign == "!=")) {
    return Value::truth((a.text() == b.text()) == (sign == "=="));
  }
  if (row.boolean) {  // a side that is known decides, or leaves the other
    for (const auto& [known_side, other] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      if (!known_side->is(Kind::boolean)) continue;
      if (known_side->boolean == (sign == "or")) return Value::truth(known_side->boolean);
      if (other->is(Kind::boolean) || other->is(Kind::tensor)) return *other;
    }
  }
  if (a.is(Kind::boolean) && b.is(Kind::boolean) && (sign == "==" || sign == "!=")) {
    return Value::truth((a.boolean == b.boolean) == (sign == "=="));
  }
  Expr x = tensor(a, at.left), y = tensor(b, at.right);
  if (is_condition(x) && is_condition(y) && (sign == "==" || sign == "!=")) {
    const ir::Shape shape = common_shape(x, y, at);
    const Expr p = fit_to(x, shape, at.left), q = fit_to(y, shape, at.right);
    return Value::of(sign == "==" ? (p && q) || (!p && !q) : (p && !q) || (!p && q));
  }
  for (const auto& [value, span] : {std::pair(x, at.left), std::pair(y, at.right)}) {
    if ((value.node->type.dtype == ir::DType::boolean) == row.boolean) continue;
    fail(span,
         "'" + sign + "' takes " + (row.boolean ? "conditions" : "numbers") + ", found " +
             ir::to_string(value.node->type),
         row.boolean ? "compare it: ... > 0" : "write if ... then 1 else 0 to make a number of a condition");
  }
  if (!row.boolean) unify_numbers(x, y, divides || takes_whole_numbers(row.op), at);
  const bool is_whole = divides && x.node->type.dtype == ir::DType::i32;
  if (is_whole) x = ir::convert(x, ir::DType::f64), y = ir::convert(y, ir::DType::f64);  // which has all their digits
  const ir::Shape shape = common_shape(x, y, at);
  const Expr p = fit_to(x, shape, at.left), q = fit_to(y, shape, at.right);
  Expr result = row.swapped ? ir::elementwise(row.op, {q, p}) : ir::elementwise(row.op, {p, q});
  if (divides) result = with_sign_of(q, result);
  return Value::of(is_whole ? ir::convert(result, ir::DType::i32) : result);
}

/// Over the last axis of the first and the last but one of the second; the axes before them are batches, equal or
/// missing at the front of one side.
Value Lowering::matrix_product(const Value& a, const Value& b, const Operands& at) {
  Expr x = real(tensor(a, at.left)), y = real(tensor(b, at.right));
  unify_types(x, y, at);
  const ir::Shape &s = x.shape(), &t = y.shape();
  if (s.empty() || t.empty()) {
    fail(at.whole, "'@' takes tensors, found " + describe(a) + " and " + describe(b), "a product of numbers is a * b");
  }
  const std::size_t contracted = t.size() == 1 ? 0 : t.size() - 2;
  const std::size_t batches_x = s.size() < 2 ? 0 : s.size() - 2, batches_y = t.size() < 2 ? 0 : t.size() - 2;
  const std::size_t shared = std::min(batches_x, batches_y);
  if (s.back() != t[contracted]) {
    fail(at.whole,
         "'@' sums over the last axis of " + ir::to_string(s) + " and the " +
             (t.size() == 1     ? "only"
              : contracted == 0 ? "first"
                                : "last but one") +
             " of " + ir::to_string(t) + ", but " + s.back().to_string() + " is not " + t[contracted].to_string(),
         t.size() == 2 && s.back() == t[1]        ? "transpose the second: transpose(" + quoted_source(at.right) + ")"
         : s.size() == 2 && s[0] == t[contracted] ? "transpose the first: transpose(" + quoted_source(at.left) + ")"
                                                  : "");
  }
  ir::Attributes axes;
  axes.lhs_contract = {static_cast<int>(s.size()) - 1};
  axes.rhs_contract = {static_cast<int>(contracted)};
  for (std::size_t i = 0; i < shared; ++i) {
    const std::size_t l = batches_x - shared + i, r = batches_y - shared + i;
    if (s[l] != t[r]) {
      fail(at.whole, "the batches of " + ir::to_string(s) + " and " + ir::to_string(t) +
                         " differ: " + s[l].to_string() + " is not " + t[r].to_string());
    }
    axes.lhs_batch.push_back(static_cast<int>(l));
    axes.rhs_batch.push_back(static_cast<int>(r));
  }
  const Expr product = ir::dot_general(x, y, axes);
  // The result has the shared batches, the other axes of x and those of y; what is only y's batch belongs to the front.
  const std::size_t only_y = batches_y - shared, free_x = s.size() - 1 - shared;
  if (only_y == 0 && (shared == 0 || batches_x == shared)) return Value::of(product);
  std::vector<int> order;
  const auto add = [&](std::size_t first, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) order.push_back(static_cast<int>(first + i));
  };
  add(shared + free_x, only_y);                            // batches that only y has
  add(shared, batches_x - shared);                         // or only x
  add(0, shared);                                          // batches of both
  add(shared + batches_x - shared, s.size() < 2 ? 0 : 1);  // rows
  add(shared + free_x + only_y, t.size() < 2 ? 0 : 1);     // columns
  return Value::of(ir::transpose(product, order));
}

Value Lowering::choose(const Value& condition, const Value& a, const Value& b, const Span& condition_span,
                       const Operands& at) {
  const Expr c = tensor(condition, condition_span);
  Expr x = tensor(a, at.left), y = tensor(b, at.right);
  const Expr like_both(graph_, graph_.constant(0, common_shape(x, y, at)));
  const ir::Shape shape = common_shape(like_both, c, {at.whole, at.whole, condition_span});
  if (is_condition(x) != is_condition(y)) {
    fail(at.whole, "one branch is " + ir::to_string(x.node->type) + ", the other " + ir::to_string(y.node->type),
         "both are numbers or both are conditions");
  }
  if (!is_condition(x)) unify_numbers(x, y, true, at);
  const Expr chosen = fit_to(c, shape, condition_span), p = fit_to(x, shape, at.left), q = fit_to(y, shape, at.right);
  if (!is_condition(x)) return Value::of(ir::select(chosen, p, q));
  return Value::of((chosen && p) || (!chosen && q));
}

}  // namespace descent::frontend
