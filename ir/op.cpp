// The table of ops: ir/ops.def expanded into data.
#include "ir/op.h"

#include <cmath>
#include <string_view>

#include "descent/error.h"
#include "ir/structural.h"

namespace descent::ir {

namespace {

using enum Signature;
constexpr std::nullopt_t none = std::nullopt;

Type infer_elementwise(const OpInfo& op, std::span<const Node* const> operands, const Attributes&) {
  const auto expect = [&](std::size_t i, DType dtype) {
    if (operands[i]->type.dtype != dtype) {
      throw Error(std::string(op.name) + " takes " + to_string(dtype) + " as operand " + std::to_string(i + 1) +
                  ", not " + to_string(operands[i]->type));
    }
  };
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i]->type.shape != operands[0]->type.shape) {
      throw Error(std::string(op.name) + " takes operands of equal shape, not " + to_string(operands[0]->type.shape) +
                  " and " + to_string(operands[i]->type.shape));
    }
    const bool boolean = op.signature == logical || op.signature == conversion || (op.signature == selection && i == 0);
    expect(i, boolean ? DType::boolean : DType::f32);
  }
  const bool gives_boolean = op.signature == comparison || op.signature == logical;
  return {gives_boolean ? DType::boolean : DType::f32, operands[0]->type.shape};
}

// The three columns of an elementwise entry, as functions. a, b and c are the operands; unary ops have only a.
#define MEANS(...) \
  []([[maybe_unused]] double a, [[maybe_unused]] double b, [[maybe_unused]] double c) -> double { return __VA_ARGS__; }
#define CODE(...) \
  []([[maybe_unused]] Lane a, [[maybe_unused]] Lane b, [[maybe_unused]] Lane c) -> Lane { return __VA_ARGS__; }
#define DERIVATIVE(...)                                                                             \
  []([[maybe_unused]] Expr y, [[maybe_unused]] Expr g, std::span<const Expr> x) -> Adjoints {       \
    [[maybe_unused]] const Expr a = x[0], b = x.size() > 1 ? x[1] : a, c = x.size() > 2 ? x[2] : a; \
    return Adjoints{__VA_ARGS__};                                                                   \
  }

constexpr OpInfo table[] = {
#define ELEMENTWISE(name, arity, commutative, signature, means, derivative, code)                                   \
  {#name,  OpKind::elementwise, arity, commutative, signature, infer_elementwise, derivative, means, code, nullptr, \
   nullptr},
#define STRUCTURAL(name, arity)                                                                      \
  {#name,   OpKind::structural, arity,  false, arithmetic, infer_##name, derivative_##name, nullptr, \
   nullptr, evaluate_##name,    nullptr},
#define VIEW(name)                                                                               \
  {#name,   OpKind::view, 1,       false,           arithmetic, infer_##name, derivative_##name, \
   nullptr, nullptr,      nullptr, index_map_##name},
#define LEAF(name) \
  {#name, OpKind::leaf, 0, false, arithmetic, infer_##name, nullptr, nullptr, nullptr, nullptr, nullptr},
#include "ir/ops.def"
#undef ELEMENTWISE
#undef VIEW
#undef STRUCTURAL
#undef LEAF
};

}  // namespace

const OpInfo& info(Op op) { return table[static_cast<std::size_t>(op)]; }
std::span<const OpInfo> all_ops() { return table; }

std::optional<Op> find_op(std::string_view name) {
  for (std::size_t i = 0; i < std::size(table); ++i) {
    if (name == table[i].name) return static_cast<Op>(i);
  }
  return std::nullopt;
}

}  // namespace descent::ir
