// The table of ops: ir/ops.def expanded into data.
#include "ir/op.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>

#include "descent/error.h"
#include "ir/structural.h"

namespace descent::ir {

namespace {

using enum Signature;
constexpr std::nullopt_t none = std::nullopt;

bool both_real(Expr a, Expr b) { return is_real(a.node->type.dtype) && is_real(b.node->type.dtype); }

/// The dtype of the result; throws descent::Error if those of the operands do not fit.
DType infer_dtype(const OpInfo& op, std::span<const Node* const> operands, const Attributes& attributes) {
  const auto expect = [&](std::size_t i, bool fits, const std::string& wanted) {
    if (fits) return;
    throw Error(std::string(op.name) + " takes " + wanted + " as operand " + std::to_string(i + 1) + ", not " +
                to_string(operands[i]->type));
  };
  const auto dtype = [&](std::size_t i) { return operands[i]->type.dtype; };
  if (op.signature == conversion) return attributes.dtype;
  // Of a selection the operands from the second on are alike, of the others all.
  const std::size_t first = op.signature == selection ? 1 : 0;
  if (first == 1) expect(0, dtype(0) == DType::boolean, "bool");
  for (std::size_t i = first; i < operands.size(); ++i) {
    if (op.signature == logical) expect(i, dtype(i) == DType::boolean, "bool");
    if (op.signature == real) expect(i, is_real(dtype(i)), "f32");
    if (op.signature == arithmetic || op.signature == comparison) {
      expect(i, dtype(i) != DType::boolean, i > first ? to_string(dtype(first)) : "f32");
    }
    expect(i, dtype(i) == dtype(first), to_string(dtype(first)));
  }
  return op.signature == comparison || op.signature == logical ? DType::boolean : dtype(first);
}

Type infer_elementwise(const OpInfo& op, std::span<const Node* const> operands, const Attributes& attributes) {
  for (const Node* operand : operands) {
    if (operand->type.shape != operands[0]->type.shape) {
      throw Error(std::string(op.name) + " takes operands of equal shape, not " + to_string(operands[0]->type.shape) +
                  " and " + to_string(operand->type.shape));
    }
  }
  return {infer_dtype(op, operands, attributes), operands[0]->type.shape};
}

/// e^(a^2) (1 - erf(|a|)); where that is a product of a large number with a small one, its continued fraction
/// (Abramowitz and Stegun, 7.1.14).
double erfc_by_density(double a) {
  const double x = std::fabs(a);
  if (!(x > 5)) return std::exp(x * x) * std::erfc(x);
  double rest = 0;
  for (int k = 60; k > 0; --k) rest = 0.5 * k / (x + rest);
  return 0.56418958354775629 / (x + rest);
}

// The three columns of an elementwise entry, as functions. a, b and c are the operands; unary ops have only a.
#define MEANS(...) \
  []([[maybe_unused]] double a, [[maybe_unused]] double b, [[maybe_unused]] double c) -> double { return __VA_ARGS__; }
#define CODE(...)                                                               \
  []([[maybe_unused]] Lane a, [[maybe_unused]] Lane b, [[maybe_unused]] Lane c, \
     [[maybe_unused]] LaneKind kind) -> Lane { return __VA_ARGS__; }
#define DERIVATIVE(...)                                                                             \
  []([[maybe_unused]] Expr y, [[maybe_unused]] Expr g, std::span<const Expr> x) -> Adjoints {       \
    [[maybe_unused]] const Expr a = x[0], b = x.size() > 1 ? x[1] : a, c = x.size() > 2 ? x[2] : a; \
    return Adjoints{__VA_ARGS__};                                                                   \
  }

/// A function that does for many elements what a lambda without captures does for one.
template <typename Meaning>
constexpr auto each(Meaning) {
  return +[](const double* a, const double* b, const double* c, double* y, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) y[i] = Meaning{}(a[i], b[i], c[i]);
  };
}

constexpr OpInfo table[] = {
#define ELEMENTWISE(name, arity, commutative, signature, means, derivative, code)            \
  {#name, OpKind::elementwise, arity, commutative, signature, infer_elementwise, derivative, \
   means, each(means),         code,  nullptr,     nullptr},
#define STRUCTURAL(name, arity)                                                                               \
  {#name,   OpKind::structural, arity,  false, arithmetic, infer_##name, derivative_##name, nullptr, nullptr, \
   nullptr, evaluate_##name,    nullptr},
#define VIEW(name)                                                                            \
  {#name,   OpKind::view, 1,       false,   arithmetic,      infer_##name, derivative_##name, \
   nullptr, nullptr,      nullptr, nullptr, index_map_##name},
#define LEAF(name) \
  {#name, OpKind::leaf, 0, false, arithmetic, infer_##name, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr},
#include "ir/ops.def"
#undef ELEMENTWISE
#undef VIEW
#undef STRUCTURAL
#undef LEAF
};

}  // namespace

double converted(double value, DType dtype) {
  if (dtype == DType::boolean) return value != 0;
  if (is_real(dtype)) return value;
  return std::isnan(value) ? 0 : std::trunc(std::clamp(value, -2147483648.0, 2147483647.0));
}

double element_value(const Node& node, double a, double b, double c) {
  const double value = info(node.op).meaning(a, b, c);
  if (node.op == Op::convert || node.type.dtype != DType::i32) return converted(value, node.type.dtype);
  // Arithmetic of whole numbers wraps around; the product of two needs more digits than a double has.
  const auto bits = [](double v) { return static_cast<std::uint64_t>(static_cast<std::int64_t>(v)); };
  return static_cast<std::int32_t>(
      static_cast<std::uint32_t>(node.op == Op::multiply ? bits(a) * bits(b) : bits(value)));
}

LaneKind kind_of(DType dtype) {
  switch (dtype) {
    case DType::i32:
      return LaneKind::i32;
    case DType::boolean:
      return LaneKind::mask;
    case DType::f64:
      return LaneKind::f64;
    case DType::f32:
      break;
  }
  return LaneKind::f32;
}

namespace {

/// Counts the instructions of an op's code.
class Counter : public ScalarEmitter {
 public:
  LaneHandle emit(Instruction, LaneHandle, LaneHandle, LaneHandle) override {
    ++count;
    return nullptr;
  }
  LaneHandle f32(float) override { return nullptr; }
  LaneHandle f64(double) override { return nullptr; }
  LaneHandle i32(std::int32_t) override { return nullptr; }
  LaneHandle i64(std::int64_t) override { return nullptr; }
  int count = 0;
};

}  // namespace

int instruction_count(const Node* node) {
  Counter counter;
  Lane lanes[3];
  for (std::size_t i = 0; i < node->operands.size(); ++i) {
    lanes[i] = {&counter, nullptr, kind_of(node->operands[i]->type.dtype)};
  }
  info(node).code(lanes[0], lanes[1], lanes[2], kind_of(node->type.dtype));
  return counter.count;
}

const OpInfo& info(Op op) { return table[static_cast<std::size_t>(op)]; }
std::span<const OpInfo> all_ops() { return table; }

std::optional<Op> find_op(std::string_view name) {
  static const auto by_name = [] {
    std::unordered_map<std::string_view, Op> ops;
    for (std::size_t i = 0; i < std::size(table); ++i) ops.emplace(table[i].name, static_cast<Op>(i));
    return ops;
  }();
  const auto found = by_name.find(name);
  return found == by_name.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace descent::ir
