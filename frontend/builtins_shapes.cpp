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

/// A parameter is [window..., in, out]: every position of a convolution's window has its inputs and its outputs. A
/// vector counts as one input.
Value fan(const ir::Shape& shape, std::size_t from_end) {
  if (shape.empty()) return Value::of(1.0);
  if (shape.size() == 1) return Value::of(shape[0]);
  ir::Dimension count = shape[shape.size() - from_end];
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) count = count * shape[i];
  return Value::of(count);
}
Value fan_in(const BuiltinCall& call) { return fan(call.shape(0), 2); }
Value fan_out(const BuiltinCall& call) { return fan(call.shape(0), 1); }

constexpr Builtin table[] = {
    {"transpose", "x", "Rows become columns.", transpose},
    {"reshape", "x, shape", "The same elements in row-major order under another shape.", reshape},
    {"fan_in", "shape", "The number of inputs of each unit of a parameter [window..., in, out].", fan_in},
    {"fan_out", "shape", "The number of units that each input of a parameter [window..., in, out] reaches.", fan_out},
};

}  // namespace

std::span<const Builtin> shape_builtins() { return table; }

}  // namespace descent::frontend
