// Primitive functions about whole numbers and positions: rows picked by number, where an extreme stands.
#include "frontend/builtins.h"

namespace descent::frontend {

namespace {

using ir::Dimension;
using ir::DType;
using ir::Expr;
using ir::Shape;

/// Numbers that stand for rows; of floats the whole part counts.
Expr indices(const BuiltinCall& call, std::size_t i) { return ir::convert(call.numbers(i), DType::i32); }

/// A whole number as a real one.
Expr as_real(Expr e) { return is_real(e.node->type.dtype) ? e : ir::convert(e, DType::f32); }

Value gather(const BuiltinCall& call) {
  const Expr table = call.tensor(0);
  if (table.shape().empty()) call.fail(0, "a number has no rows");
  const Expr which = indices(call, 1);
  const int axis = call.axis(2, table.shape().size(), 0);
  const Dimension& rows = table.shape()[static_cast<std::size_t>(axis)];
  if (rows.is_constant()) call.lowering.note_indices(which.node, rows.constant(), call.at(1));
  return Value::of(ir::gather(table, which, axis).node);
}

Value scatter_add(const BuiltinCall& call) {
  const Expr which = indices(call, 0), rows = as_real(call.numbers(1));
  const std::size_t rank = which.shape().size();
  Shape shape{call.size(2)};
  const bool fits =
      rows.shape().size() >= rank && std::equal(which.shape().begin(), which.shape().end(), rows.shape().begin());
  if (!fits) {
    call.fail(1, "the rows to add must begin with the axes " + ir::to_string(which.shape()) +
                     " of the indices, found " + describe(call.value(1)));
  }
  shape.insert(shape.end(), rows.shape().begin() + static_cast<std::ptrdiff_t>(rank), rows.shape().end());
  return Value::of(ir::scatter_add(which, rows, shape, 0).node);
}

Value iota(const BuiltinCall& call) {
  const Shape shape = call.shape(0);
  if (shape.empty()) call.fail(0, "a shape with at least one axis is needed");
  return Value::of(
      ir::iota(*call.lowering.tensor(Value::of(0.0), call.span).graph, shape, call.axis(1, shape.size(), 0)).node);
}

/// The first index at which the largest (smallest) element along an axis stands.
template <bool largest>
Value position(const BuiltinCall& call) {
  const Expr x = call.numbers(0);
  const Shape& shape = x.shape();
  if (shape.empty()) call.fail(0, "a number has no axis");
  const int axis = call.axis(1, shape.size(), -1);
  std::vector<int> others;
  for (int i = 0; i < static_cast<int>(shape.size()); ++i) {
    if (i != axis) others.push_back(i);
  }
  const Expr extreme = largest ? ir::reduce_max(x, {axis}) : ir::reduce_min(x, {axis});
  const Expr index = ir::iota(*x.graph, shape, axis), beyond = ir::like(index, 2147483647.0);
  return Value::of(ir::reduce_min(ir::select(x == ir::broadcast(extreme, shape, others), index, beyond), {axis}).node);
}

/// Element i is the sum of elements 0 to i: of a window of the axis's size that ends there.
Value cumulative_sum(const BuiltinCall& call) {
  const Expr x = call.numbers(0);
  const std::size_t rank = x.shape().size();
  if (rank == 0) call.fail(0, "a number has no axis");
  const int axis = call.axis(1, rank, -1);
  const Dimension& size = x.shape()[static_cast<std::size_t>(axis)];
  if (!size.is_constant()) {
    call.fail(
        1, "the size " + size.to_string() + " of this axis is not known while compiling",
        "for sums over rows, write a product with what stands before: float(iota([n, n], 1) <= iota([n, n], 0)) @ x");
  }
  Shape low(rank, Dimension(0)), high = low;
  low[static_cast<std::size_t>(axis)] = size - 1;
  const Expr padded = ir::pad(x, low, high, std::vector<int>(rank, 0));
  return Value::of(ir::reduce_sum(ir::windows(padded, axis, static_cast<int>(size.constant())), {axis + 1}).node);
}

Value whole(const BuiltinCall& call) { return Value::of(ir::convert(call.tensor(0), DType::i32).node); }
Value real(const BuiltinCall& call) { return Value::of(as_real(call.tensor(0)).node); }
/// What has no type of its own is computed in the one that is asked for: f64(step / 3) has all digits.
template <DType dtype>
Value of_type(const BuiltinCall& call) {
  const Expr x = call.tensor(0);
  return Value::of(call.lowering.adapted(x, dtype).value_or(ir::convert(x, dtype)).node);
}

constexpr Builtin table[] = {
    {"gather", "table, indices, axis = 0",
     "The rows of a table (or what lies along another axis) that whole numbers name. A number below 0 counts as 0, one "
     "beyond the last row as the last.",
     gather},
    {"scatter_add", "indices, rows, size",
     "A table of `size` rows, 0 but for what is added: each of `rows` to the row that its index names.", scatter_add},
    {"iota", "shape, axis = 0", "The index along an axis, as whole numbers.", iota},
    {"argmax", "x, axis = -1", "The index of the largest element along an axis, the first of several.", position<true>},
    {"argmin", "x, axis = -1", "The index of the smallest element along an axis, the first of several.",
     position<false>},
    {"cumulative_sum", "x, axis = -1", "The sums of the first element, the first two, ... along an axis.",
     cumulative_sum},
    {"int", "x", "The whole part of a number; 1 and 0 of a condition.", whole},
    {"float", "x", "A whole number as a real one; 1 and 0 of a condition.", real},
    {"f32", "x", "The nearest number of 32 bits.", of_type<DType::f32>},
    {"f64", "x", "The same as a number of 64 bits.", of_type<DType::f64>},
};

}  // namespace

std::span<const Builtin> index_builtins() { return table; }

}  // namespace descent::frontend
