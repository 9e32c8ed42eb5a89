// Primitive functions that move elements, or speak of shapes.
#include "frontend/builtins.h"

namespace descent::frontend {

namespace {

using ir::Expr;

Value transpose(const BuiltinCall& call) {
  const Expr x = call.tensor(0);
  if (x.shape().size() != 2) call.fail(0, "'transpose' takes a matrix, found " + describe(call.value(0)));
  return Value::of(ir::transpose(x, {1, 0}).node);
}

Value reshape(const BuiltinCall& call) {
  const Expr x = call.tensor(0);
  const ir::Shape shape = call.shape(1);
  if (ir::element_count(shape) != ir::element_count(x.shape())) {
    call.fail(ir::to_string(x.shape()) + " and " + ir::to_string(shape) + " have different numbers of elements");
  }
  return Value::of(ir::reshape(x, shape).node);
}

/// A matrix is [in, out]; a vector counts as a row.
Value fan_in(const BuiltinCall& call) {
  const ir::Shape shape = call.shape(0);
  return shape.empty() ? Value::of(1.0) : Value::of(shape[shape.size() > 1 ? shape.size() - 2 : 0]);
}
Value fan_out(const BuiltinCall& call) {
  const ir::Shape shape = call.shape(0);
  return shape.empty() ? Value::of(1.0) : Value::of(shape.back());
}

constexpr Builtin table[] = {
    {"transpose", "x", "Rows become columns.", transpose},
    {"reshape", "x, shape", "The same elements in row-major order under another shape.", reshape},
    {"fan_in", "shape", "The number of inputs of each unit of a parameter of this shape.", fan_in},
    {"fan_out", "shape", "The number of outputs of a parameter of this shape.", fan_out},
};

}  // namespace

std::span<const Builtin> shape_builtins() { return table; }

}  // namespace descent::frontend
