// Primitive functions that combine the elements along axes.

#include "frontend/builtins.h"

namespace descent::frontend {

namespace {

using ir::Expr;

/// The result with the reduced axes as axes of size 1, if the call says keep = true.
Expr kept(const BuiltinCall& call, std::size_t keep, Expr x, Expr reduced, const std::vector<int>& axes) {
  if (!call.flag(keep, false)) return reduced;
  ir::Shape shape = x.shape();
  for (int axis : axes) shape[static_cast<std::size_t>(axis)] = ir::Dimension(1);
  return ir::reshape(reduced, shape);
}

template <typename Reduce>
Value reduce(const BuiltinCall& call, std::size_t axis, Reduce reduction) {
  const Expr x = call.numbers(0);
  const std::vector<int> axes = call.axes(axis, x.shape());
  return Value::of(kept(call, axis + 1, x, reduction(x, axes), axes).node);
}

Value sum(const BuiltinCall& call) {
  const Value& x = call.value(0);
  if (x.kind != Value::Kind::tensors) return reduce(call, 1, [](Expr e, auto axes) { return ir::reduce_sum(e, axes); });
  if (call.given(1)) call.fail(1, "the sum of a collection is over all elements of all its tensors and takes no axis");
  Value total = Value::of(0.0);
  for (const Value& item : x.items()) {
    const Expr e = call.lowering.tensor(item, call.at(0));
    std::vector<int> axes;
    for (std::size_t i = 0; i < e.shape().size(); ++i) axes.push_back(static_cast<int>(i));
    total =
        call.lowering.binary("+", total, Value::of(ir::reduce_sum(e, axes).node), {call.span, call.at(0), call.at(0)});
  }
  return total;
}

/// max(a, b) of each pair of elements, or max(x, axis = ...) of the elements along axes.
template <bool largest>
Value extreme(const BuiltinCall& call) {
  const char* name = call.builtin.name;
  if (!call.given(1)) {
    return reduce(call, 2,
                  [&](Expr e, auto axes) { return largest ? ir::reduce_max(e, axes) : ir::reduce_min(e, axes); });
  }
  if (call.given(2)) call.fail(2, std::string("'") + name + "' of two tensors takes no axis");
  return call.lowering.binary(name, call.value(0), call.value(1), {call.span, call.at(0), call.at(1)});
}

Value count(const BuiltinCall& call) {
  const ir::Shape shape = call.tensor(0).shape();
  ir::Dimension product(1);
  for (int axis : call.axes(1, shape)) product = product * shape[static_cast<std::size_t>(axis)];
  return Value::of(product);
}

constexpr Builtin table[] = {
    {"sum", "x, axis = all, keep = false",
     "The sum along one axis, a list of axes, or all. `keep` leaves them as axes of size 1. The sum of a collection "
     "adds all elements of all its tensors.",
     sum},
    {"max", "x, y = none, axis = all, keep = false",
     "max(a, b): the larger of each pair of elements. max(x, axis = ...): the largest element along the axes.",
     extreme<true>},
    {"min", "x, y = none, axis = all, keep = false",
     "min(a, b): the smaller of each pair of elements. min(x, axis = ...): the smallest element along the axes.",
     extreme<false>},
    {"count", "x, axis = all", "The number of elements along the axes.", count},
};

}  // namespace

std::span<const Builtin> reduction_builtins() { return table; }

}  // namespace descent::frontend
