#include "ir/formula.h"

#include <fmt/format.h>

#include <optional>

#include "ir/op.h"

namespace descent::ir {

namespace {

/// How tightly an operator binds; 4 is a name or a call.
enum Precedence { compares = 0, sums = 1, products = 2, signs = 3, atoms = 4 };

struct Infix {
  const char* text;
  Precedence precedence;
};
std::optional<Infix> infix_of(Op op) {
  switch (op) {
    case Op::add:
      return Infix{" + ", sums};
    case Op::subtract:
      return Infix{" - ", sums};
    case Op::multiply:
      return Infix{" * ", products};
    case Op::divide:
      return Infix{" / ", products};
    case Op::compare_lt:
      return Infix{" < ", compares};
    case Op::compare_le:
      return Infix{" <= ", compares};
    case Op::compare_eq:
      return Infix{" == ", compares};
    case Op::compare_ne:
      return Infix{" != ", compares};
    default:
      return std::nullopt;
  }
}

/// The name by which the language knows an op.
std::string function_name(const Node* node) {
  switch (node->op) {
    case Op::exponential:
      return "exp";
    case Op::exponential_minus_one:
      return "expm1";
    case Op::log_plus_one:
      return "log1p";
    case Op::logistic:
      return "sigmoid";
    case Op::maximum:
    case Op::reduce_max:
      return "max";
    case Op::minimum:
      return "min";
    case Op::reduce_sum:
      return "sum";
    case Op::sine:
      return "sin";
    case Op::cosine:
      return "cos";
    default:
      return info(node).name;
  }
}

class Printer {
 public:
  explicit Printer(const std::unordered_map<const Node*, std::string>& names) : names_(names) {}

  std::string print(const Node* node, int context, int depth) const {
    if (auto at = names_.find(node); at != names_.end()) return at->second;
    if (node->is_constant()) {
      if (node->type.dtype == DType::boolean) return node->attributes.value != 0 ? "true" : "false";
      return fmt::format("{}", node->attributes.value);
    }
    if (node->op == Op::dimension) return node->attributes.shape[0].to_string();
    if (is_leaf(node)) return node->attributes.name.empty() ? info(node).name : node->attributes.name;
    if (depth == 0) return "...";
    const auto operand = [&](std::size_t i, int inner) { return print(node->operands[i], inner, depth - 1); };
    if (node->op == Op::broadcast_in_dim || node->op == Op::reshape) return print(node->operands[0], context, depth);
    if (const auto infix = infix_of(node->op)) {
      // The second operand binds tighter: a - (b - c).
      const std::string text = operand(0, infix->precedence) + infix->text + operand(1, infix->precedence + 1);
      return infix->precedence < context ? "(" + text + ")" : text;
    }
    if (node->op == Op::negate) {
      const std::string text = "-" + operand(0, signs);
      return context > sums ? "(" + text + ")" : text;
    }
    if (node->op == Op::dot_general) return contraction(node, context, depth);
    if (node->op == Op::transpose) return operand(0, atoms) + "'";
    std::string text = function_name(node) + "(";
    for (std::size_t i = 0; i < node->operands.size(); ++i) text += (i > 0 ? ", " : "") + operand(i, compares);
    if (node->op == Op::reduce_sum || node->op == Op::reduce_max) {
      if (node->attributes.axes.size() < node->operands[0]->shape().size()) {
        text += fmt::format(", {}", fmt::join(node->attributes.axes, ", "));
      }
    }
    return text + ")";
  }

 private:
  /// A product of matrices, with ' for a transposed operand.
  std::string contraction(const Node* node, int context, int depth) const {
    const Attributes& a = node->attributes;
    const auto side = [&](std::size_t i, const std::vector<int>& contract, bool inner_is_last) {
      const Node* operand = node->operands[i];
      const int inner = inner_is_last ? static_cast<int>(operand->shape().size()) - 1 : 0;
      const bool matrix = operand->shape().size() == 2 && contract.size() == 1;
      const std::string text = print(operand, atoms, depth - 1);
      return matrix && contract[0] != inner ? text + "'" : text;
    };
    const std::string text = side(0, a.lhs_contract, true) + " @ " + side(1, a.rhs_contract, false);
    return products < context ? "(" + text + ")" : text;
  }

  const std::unordered_map<const Node*, std::string>& names_;
};

}  // namespace

std::string formula(const Node* node, const std::unordered_map<const Node*, std::string>& names, int depth) {
  return Printer(names).print(node, compares, depth);
}

}  // namespace descent::ir
