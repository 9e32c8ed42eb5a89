// Primitive functions that are neither arithmetic nor shapes: gradients and random numbers.
#include "frontend/builtins.h"

namespace descent::frontend {

namespace {

using ir::Expr;

Value grad(const BuiltinCall& call) {
  const Expr y = call.numbers(0), x = call.tensor(1);
  if (!y.shape().empty()) {
    call.fail(0, "only one number has a gradient, but this is " + describe(call.value(0)), "write grad(sum(...), ...)");
  }
  return Value::of(ir::gradient(y, x).node);
}

Value jvp(const BuiltinCall& call) {
  const Expr e = call.numbers(0), x = call.tensor(1);
  const Expr v = call.lowering.as_type(call.numbers(2), x.node->type.dtype, call.at(2));
  if (v.shape() != x.shape()) {
    call.fail(2,
              "a direction must have the shape of what it is a direction of, " + ir::to_string(x.shape()) +
                  ", but this is " + describe(call.value(2)),
              "");
  }
  return Value::of(ir::jvp(e, x, v).node);
}

Value random_uniform(const BuiltinCall& call) { return call.lowering.random_uniform(call.shape(0)); }

constexpr Builtin table[] = {
    {"grad", "e, x", "The gradient of the number e with respect to the tensor x, of x's shape.", grad},
    {"jvp", "e, x, v", "The derivative of the tensor e in the direction v of the tensor x, of e's shape.", jvp},
    {"random_uniform", "shape", "Random numbers in [0, 1), others in every step.", random_uniform},
};

}  // namespace

std::span<const Builtin> other_builtins() { return table; }

}  // namespace descent::frontend
