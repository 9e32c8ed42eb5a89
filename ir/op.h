// What the compiler knows of each primitive op: one entry of ir/ops.def, as data.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ir/expr.h"
#include "ir/graph.h"
#include "ir/scalar.h"

namespace descent::ir {

enum class OpKind { leaf, elementwise, view, structural };

/// What types of operands an elementwise op takes and gives. All shapes are equal.
enum class Signature {
  arithmetic,  ///< f32, f64 or i32, all the same, to that
  real,        ///< f32 or f64, all the same, to that
  comparison,  ///< f32, f64 or i32, all the same, to a boolean
  logical,     ///< booleans to a boolean
  selection,   ///< a boolean and two of any dtype to that
  conversion,  ///< any dtype to that of the attributes
};

/// The arity of ops that take any number of operands from 1.
constexpr int variadic = -1;

/// The adjoints of an op's operands, nothing where no gradient flows.
using Adjoints = std::vector<std::optional<Expr>>;

/// Where a view reads one axis of its operand: at start + the sum of coefficients[i] * index i of the result.
struct AxisMap {
  Dimension start;
  std::vector<Dimension> coefficients;  ///< one for each axis of the result
  bool bounded = false;                 ///< may lie outside of the axis; the element is then 0
  int spacing = 1;                      ///< the place is this many times the index; what lies between is 0
};
using IndexMap = std::vector<AxisMap>;  ///< one for each axis of the operand

struct Tensor;  // ir/interpreter.h

struct OpInfo {
  const char* name;
  OpKind kind;
  int arity;
  bool commutative;
  Signature signature;

  /// The type of the result; throws descent::Error where the operands do not fit. Elementwise ops share one rule.
  Type (*infer)(const OpInfo& info, std::span<const Node* const> operands, const Attributes& attributes);
  /// The adjoints of the operands a, b, c where y is the op's result and g its adjoint; null: no gradient flows.
  Adjoints (*derivative)(Expr y, Expr g, std::span<const Expr> operands);
  /// Elementwise: the meaning, in float64.
  double (*meaning)(double a, double b, double c);
  /// Elementwise: the meaning of `count` elements, without a call for each.
  void (*meanings)(const double* a, const double* b, const double* c, double* y, std::size_t count);
  /// Elementwise: the same for float32 lanes, as instructions.
  Lane (*code)(Lane a, Lane b, Lane c, LaneKind kind);
  /// Structural: the meaning, in float64.
  void (*evaluate)(const Node& node, std::span<const Tensor* const> operands, Tensor& result);
  /// View: which element of the operand each element is.
  IndexMap (*index_map)(const Node& node);
};

/// The number as the dtype holds it: what the op convert means.
double converted(double value, DType dtype);
/// The result of an elementwise node for these elements of its operands.
double element_value(const Node& node, double a, double b, double c);

const OpInfo& info(Op op);
inline const OpInfo& info(const Node* node) { return info(node->op); }
std::optional<Op> find_op(std::string_view name);
std::span<const OpInfo> all_ops();

/// Elementwise: how many instructions of ir/scalar.h the node's code is made of.
int instruction_count(const Node* node);
/// As what elements lie in the lanes of a vector.
LaneKind kind_of(DType dtype);
inline bool is_elementwise(const Node* node) { return info(node).kind == OpKind::elementwise; }
/// Whether the elements are those of the operand, in another order or place: a view, or a reshape.
inline bool is_view(const Node* node) { return info(node).kind == OpKind::view || node->op == Op::reshape; }
inline bool is_leaf(const Node* node) { return info(node).kind == OpKind::leaf; }

}  // namespace descent::ir
