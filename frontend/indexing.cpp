// x[...]: elements and parts of tensors and lists; and tensors written as lists.
#include <cmath>

#include "frontend/lower.h"

namespace descent::frontend {

using ir::Dimension;
using ir::Expr;
using Kind = Value::Kind;

namespace {

/// A position or bound that is a whole number or a symbolic size; nothing if it is neither.
std::optional<Dimension> as_position(const Value& v) {
  if (v.is(Kind::dimension)) return v.dimension();
  if (v.is(Kind::number) && v.number == std::floor(v.number) && std::fabs(v.number) <= 1e9) {
    return Dimension(static_cast<std::int64_t>(v.number));
  }
  return std::nullopt;
}

bool is_negative(const Dimension& d) { return d.is_constant() && d.constant() < 0; }

/// Negative ones count from the end.
Dimension from_start(const Dimension& position, const Dimension& size) {
  return is_negative(position) ? size + position : position;
}

}  // namespace

Value Lowering::index(const Expression& e, Scope& scope) {
  const Value indexed = evaluate(*e.operands[0], scope);
  if (indexed.is(Kind::broken)) return {};
  // One index takes an item of a list; with more the list is a tensor.
  const bool is_list = indexed.is(Kind::list) && e.subscripts.size() == 1;
  if (is_list || indexed.is(Kind::tensors)) return index_list(e, indexed, scope);
  const Expr x = tensor(indexed, e.operands[0]->span);
  const std::size_t rank = x.shape().size();
  if (e.subscripts.size() > rank) {
    fail(e.subscripts[rank].span, "there are more indices than axes: " + describe(indexed) + " has " +
                                      (rank == 0 ? "none" : std::to_string(rank)));
  }
  ir::Shape starts(rank, Dimension(0)), limits = x.shape(), kept;
  std::vector<int> steps(rank, 1);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const Dimension& size = x.shape()[axis];
    if (axis >= e.subscripts.size()) {
      kept.push_back(size);
      continue;
    }
    const Subscript& s = e.subscripts[axis];
    const auto position = [&](ExpressionPtr bound) {
      const Value v = evaluate(*bound, scope);
      if (v.is(Kind::broken)) throw Failure{};
      const auto p = as_position(v);
      if (!p) {
        fail(bound->span, "an index is a whole number or a size known while compiling, not " + describe(v),
             v.is(Kind::tensor) ? "gather takes rows by numbers that are computed"
             : v.is(Kind::list) ? "gather takes several: gather(x, [0, 2], axis = 1)"
                                : "");
      }
      return from_start(*p, size);
    };
    const auto outside = [&](const Dimension& p, const Dimension& last) {
      return is_negative(p) || is_negative(last - p);
    };
    if (s.is_slice) {
      if (s.lower != nullptr) starts[axis] = position(s.lower);
      if (s.upper != nullptr) limits[axis] = position(s.upper);
      const Dimension length = limits[axis] - starts[axis];
      if (outside(starts[axis], size) || outside(limits[axis], size)) {
        fail(s.span,
             "this slice goes beyond axis " + std::to_string(axis) + ", which has the size " + size.to_string());
      }
      if (length.is_constant() && length.constant() < 1) fail(s.span, "this slice is empty");
      steps[axis] = slice_step(s, scope);
      const auto count = (length + (steps[axis] - 1)).divided_by(steps[axis]);
      if (!count) {
        fail(s.span, "how many elements this slice has depends on the remainder of " + length.to_string() + " by " +
                         std::to_string(steps[axis]));
      }
      kept.push_back(*count);
    } else {
      starts[axis] = position(s.lower);
      limits[axis] = starts[axis] + Dimension(1);
      if (outside(starts[axis], size - Dimension(1))) {
        fail(s.span, "there is no such element: axis " + std::to_string(axis) + " has the size " + size.to_string(),
             "the first is 0, the last -1");
      }
    }
  }
  return Value::of(ir::reshape(ir::slice(x, starts, limits, steps), kept));
}

/// Of a slice; 1 where it says none.
int Lowering::slice_step(const Subscript& s, Scope& scope) {
  if (s.step == nullptr) return 1;
  const Value v = evaluate(*s.step, scope);
  if (v.is(Kind::broken)) throw Failure{};
  const auto step = as_position(v);
  if (step && step->is_constant() && step->constant() > 0) return static_cast<int>(step->constant());
  fail(s.step->span, "the step of a slice is a whole number from 1, not " + describe(v),
       v.is(Kind::number) && v.number < 0 ? "reverse(x, axis) has the elements from the last to the first" : "");
}

Value Lowering::index_list(const Expression& e, const Value& list, Scope& scope) {
  const std::vector<Value>& items = list.items();
  if (e.subscripts.size() > 1) fail(e.subscripts[1].span, "a collection has one index");
  const Subscript& s = e.subscripts[0];
  const auto length = static_cast<std::int64_t>(items.size());
  const auto position = [&](ExpressionPtr bound, std::int64_t last) {
    const Value v = evaluate(*bound, scope);
    if (v.is(Kind::broken)) throw Failure{};
    const auto p = as_position(v);
    if (!p || !p->is_constant()) fail(bound->span, "the index of a list is a whole number, not " + describe(v));
    const std::int64_t at = from_start(*p, Dimension(length)).constant();
    if (at < 0 || at > last) {
      fail(bound->span, "the list has no item " + describe(v) + ": its length is " + std::to_string(length));
    }
    return at;
  };
  if (!s.is_slice) return items[static_cast<std::size_t>(position(s.lower, length - 1))];
  const std::int64_t begin = s.lower != nullptr ? position(s.lower, length) : 0;
  const std::int64_t end = s.upper != nullptr ? position(s.upper, length) : length;
  if (end <= begin) return Value::list({}, list.kind);
  std::vector<Value> taken;
  for (std::int64_t i = begin, step = slice_step(s, scope); i < end; i += step) {
    taken.push_back(items[static_cast<std::size_t>(i)]);
  }
  return Value::list(std::move(taken), list.kind);
}

/// [a, b, c] where a tensor is expected: the items along a new first axis.
Expr Lowering::tensor_of_list(const Value& v, const Span& span) {
  if (v.items().empty()) fail(span, "an empty list is no tensor");
  std::vector<Expr> items;
  for (const Value& item : v.items()) items.push_back(tensor(item, span));
  unify_numbers(items, span);
  for (const Expr& item : items) {
    if (item.node->type == items[0].node->type) continue;
    fail(span, "the items of a tensor have one shape, but here are " + ir::to_string(items[0].node->type) + " and " +
                   ir::to_string(item.node->type));
  }
  ir::Shape shape = items[0].shape();
  shape.insert(shape.begin(), Dimension(1));
  for (Expr& item : items) item = ir::reshape(item, shape);
  return items.size() == 1 ? items[0] : ir::concatenate(items, 0);
}

}  // namespace descent::frontend
