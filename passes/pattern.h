// Patterns of elementwise expressions, written as algebra: P a{"a"}; log(logistic(a)) is a pattern.
//
// A letter stands for any node, and for the same node wherever it appears again. A number stands for a constant of that
// value, of any shape. The matcher tries both orders of the operands of a commutative op, so no rule stands twice.
#pragma once

#include <memory>
#include <vector>

#include "ir/expr.h"

namespace descent::passes {

struct Pattern {
  enum class Kind { letter, constant, number, op } kind;
  int letter = 0;  ///< 'a' is 0
  double number = 0;
  ir::Op op{};
  std::vector<std::shared_ptr<const Pattern>> operands;
};

struct P {
  std::shared_ptr<const Pattern> pattern;
  P(double number) : pattern(std::make_shared<Pattern>(Pattern{Pattern::Kind::number, 0, number, {}, {}})) {}  // NOLINT
  P(ir::Op op, std::initializer_list<P> operands);
  static P letter(char name);    ///< any node
  static P constant(char name);  ///< any constant
 private:
  explicit P(std::shared_ptr<const Pattern> p) : pattern(std::move(p)) {}
};

inline P operator+(P a, P b) { return {ir::Op::add, {a, b}}; }
inline P operator-(P a, P b) { return {ir::Op::subtract, {a, b}}; }
inline P operator*(P a, P b) { return {ir::Op::multiply, {a, b}}; }
inline P operator/(P a, P b) { return {ir::Op::divide, {a, b}}; }
inline P operator<(P a, P b) { return {ir::Op::compare_lt, {a, b}}; }
inline P operator<=(P a, P b) { return {ir::Op::compare_le, {a, b}}; }
inline P operator-(P a) { return {ir::Op::negate, {a}}; }
inline P operator!(P a) { return {ir::Op::logical_not, {a}}; }
inline P exp(P a) { return {ir::Op::exponential, {a}}; }
inline P expm1(P a) { return {ir::Op::exponential_minus_one, {a}}; }
inline P log(P a) { return {ir::Op::log, {a}}; }
inline P log1p(P a) { return {ir::Op::log_plus_one, {a}}; }
inline P logistic(P a) { return {ir::Op::logistic, {a}}; }
inline P softplus(P a) { return {ir::Op::softplus, {a}}; }
inline P tanh(P a) { return {ir::Op::tanh, {a}}; }
inline P sqrt(P a) { return {ir::Op::sqrt, {a}}; }
inline P abs(P a) { return {ir::Op::abs, {a}}; }
inline P pow(P a, P b) { return {ir::Op::power, {a, b}}; }
inline P max(P a, P b) { return {ir::Op::maximum, {a, b}}; }
inline P min(P a, P b) { return {ir::Op::minimum, {a, b}}; }
inline P stop_gradient(P a) { return {ir::Op::stop_gradient, {a}}; }
inline P select(P c, P a, P b) { return {ir::Op::select, {c, a, b}}; }

/// What the letters of a pattern stand for.
using Letters = std::vector<const ir::Node*>;

/// Whether `node` has the form of `pattern`; fills `letters` (26 entries).
bool match(const Pattern& pattern, const ir::Node* node, Letters& letters);

/// The pattern with its letters replaced; numbers get `shape`.
const ir::Node* instantiate(const Pattern& pattern, const Letters& letters, ir::Graph& graph, const ir::Shape& shape);

}  // namespace descent::passes
