// Nodes written as algebra: a * b + 1 builds the graph of that expression.
//
// Both operands of an elementwise operator have the same shape; a number takes the shape of the other operand.
#pragma once

#include "ir/graph.h"

namespace descent::ir {

struct Expr {
  Graph* graph;
  const Node* node;
  Expr(Graph& g, const Node* n) : graph(&g), node(n) {}
  const Shape& shape() const { return node->type.shape; }
};

Expr elementwise(Op op, std::initializer_list<Expr> operands);
Expr like(Expr e, double value);  ///< a constant of e's type

#define DESCENT_BINARY(op_symbol, op_name)                                                               \
  inline Expr operator op_symbol(Expr a, Expr b) { return elementwise(Op::op_name, {a, b}); }            \
  inline Expr operator op_symbol(Expr a, double b) { return elementwise(Op::op_name, {a, like(a, b)}); } \
  inline Expr operator op_symbol(double a, Expr b) { return elementwise(Op::op_name, {like(b, a), b}); }
DESCENT_BINARY(+, add)
DESCENT_BINARY(-, subtract)
DESCENT_BINARY(*, multiply)
DESCENT_BINARY(/, divide)
DESCENT_BINARY(<, compare_lt)
DESCENT_BINARY(<=, compare_le)
DESCENT_BINARY(==, compare_eq)
DESCENT_BINARY(!=, compare_ne)
#undef DESCENT_BINARY
inline Expr operator>(Expr a, Expr b) { return b < a; }
inline Expr operator>(Expr a, double b) { return like(a, b) < a; }
inline Expr operator>=(Expr a, Expr b) { return b <= a; }
inline Expr operator>=(Expr a, double b) { return like(a, b) <= a; }
inline Expr operator-(Expr a) { return elementwise(Op::negate, {a}); }
inline Expr operator!(Expr a) { return elementwise(Op::logical_not, {a}); }

#define DESCENT_UNARY(function, op_name) \
  inline Expr function(Expr a) { return elementwise(Op::op_name, {a}); }
DESCENT_UNARY(exp, exponential)
DESCENT_UNARY(expm1, exponential_minus_one)
DESCENT_UNARY(log, log)
DESCENT_UNARY(log1p, log_plus_one)
DESCENT_UNARY(logistic, logistic)
DESCENT_UNARY(softplus, softplus)
DESCENT_UNARY(tanh, tanh)
DESCENT_UNARY(sqrt, sqrt)
DESCENT_UNARY(abs, abs)
DESCENT_UNARY(sign, sign)
DESCENT_UNARY(sin, sine)
DESCENT_UNARY(cos, cosine)
DESCENT_UNARY(erf, erf)
DESCENT_UNARY(scaled_erfc, scaled_erfc)
DESCENT_UNARY(floor, floor)
DESCENT_UNARY(round, round_nearest_even)
DESCENT_UNARY(is_finite, is_finite)
#undef DESCENT_UNARY
inline Expr max(Expr a, Expr b) { return elementwise(Op::maximum, {a, b}); }
inline Expr min(Expr a, Expr b) { return elementwise(Op::minimum, {a, b}); }
inline Expr remainder(Expr a, Expr b) { return elementwise(Op::remainder, {a, b}); }
inline Expr operator&&(Expr a, Expr b) { return elementwise(Op::logical_and, {a, b}); }
inline Expr operator||(Expr a, Expr b) { return elementwise(Op::logical_or, {a, b}); }
Expr convert(Expr a, DType dtype);
inline Expr pow(Expr a, Expr b) { return elementwise(Op::power, {a, b}); }
inline Expr pow(Expr a, double b) { return pow(a, like(a, b)); }
Expr select(Expr condition, Expr a, Expr b);
inline Expr select(Expr condition, Expr a, double b) { return select(condition, a, like(a, b)); }

/// The operand's axis i becomes axis axes[i] of a tensor of this shape; the operand is repeated along the others, and
/// along those where its own size is 1.
Expr broadcast(Expr a, const Shape& shape, std::vector<int> axes);
Expr reshape(Expr a, const Shape& shape);
Expr transpose(Expr a, std::vector<int> permutation);  ///< axis i of the result is axis permutation[i] of the operand
/// Every axis from its start to before its limit, every stride-th element.
Expr slice(Expr a, Shape starts, Shape limits, std::vector<int> strides);
Expr reverse(Expr a, std::vector<int> axes);  ///< from the last to the first along these axes
/// Zeros before, after and between the elements of every axis.
Expr pad(Expr a, Shape low, Shape high, std::vector<int> interior);
/// Axis `axis` as two axes: overlapping windows, and the elements of each (ir/ops.def).
Expr windows(Expr a, int axis, int size, int stride = 1, int dilation = 1);
Expr diagonal(Expr a, int first, int second);
Expr iota(Graph& graph, const Shape& shape, int axis);
Expr gather(Expr table, Expr indices, int axis);
Expr scatter_add(Expr indices, Expr updates, const Shape& shape, int axis);
Expr concatenate(const std::vector<Expr>& parts, int axis);
Expr reduce_sum(Expr a, std::vector<int> axes);  ///< the axes are removed
Expr reduce_max(Expr a, std::vector<int> axes);
Expr reduce_min(Expr a, std::vector<int> axes);
Expr dot_general(Expr a, Expr b, Attributes axes);
Expr gradient(Expr e, Expr x);
/// The derivative of e, of any shape, in the direction v of x (of x's shape): what forward mode computes. Reverse mode
/// gives u' J, which is linear in u; its own derivative with respect to u in the direction v is J v, whatever u is. So
/// every op that has a reverse rule has a forward one (Townsend, "A new trick for calculating Jacobian vector
/// products", 2017).
Expr jvp(Expr e, Expr x, Expr v);

}  // namespace descent::ir
