#include "ir/formula.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_set>

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
    if (node->op == Op::transpose && node->shape().size() == 2) return operand(0, atoms) + "'";
    if (node->op == Op::slice) return operand(0, atoms) + indices(*node);
    std::string text = function_name(node) + "(";
    for (std::size_t i = 0; i < node->operands.size(); ++i) text += (i > 0 ? ", " : "") + operand(i, compares);
    if (node->op == Op::reduce_sum || node->op == Op::reduce_max) {
      if (node->attributes.axes.size() < node->operands[0]->shape().size()) {
        text += fmt::format(", {}", fmt::join(node->attributes.axes, ", "));
      }
    }
    if (node->op == Op::windows) {
      text += fmt::format(", {}, {}", node->attributes.axes[0], fmt::join(node->attributes.window, ", "));
    }
    if (node->op == Op::transpose || node->op == Op::reverse) {
      text += fmt::format(", {}", fmt::join(node->attributes.axes, ", "));
    }
    return text + ")";
  }

 private:
  std::string contraction(const Node* node, int context, int depth) const {
    const Attributes& a = node->attributes;
    const std::size_t ranks[] = {node->operands[0]->shape().size(), node->operands[1]->shape().size()};
    const auto is_only = [](const std::vector<int>& axes, std::size_t axis) {
      return axes.size() == 1 && axes[0] == static_cast<int>(axis);
    };
    const bool lhs_plain = is_only(a.lhs_contract, ranks[0] - 1), rhs_plain = is_only(a.rhs_contract, 0);
    const bool is_product =
        a.lhs_batch.empty() && a.lhs_contract.size() == 1 && (lhs_plain || ranks[0] == 2) && ranks[1] <= 2;
    if (!is_product) return einsum(node, depth);
    const std::string text = print(node->operands[0], atoms, depth - 1) + (lhs_plain ? "" : "'") + " @ " +
                             print(node->operands[1], atoms, depth - 1) + (rhs_plain ? "" : "'");
    return products < context ? "(" + text + ")" : text;
  }

  /// einsum("ij,jk->ik", a, b)
  std::string einsum(const Node* node, int depth) const {
    const Attributes& a = node->attributes;
    std::string letters[] = {std::string(node->operands[0]->shape().size(), ' '),
                             std::string(node->operands[1]->shape().size(), ' ')};
    char next = 'i';
    std::string result;
    const auto place = [&](std::size_t side, int axis) -> char& {
      return letters[side][static_cast<std::size_t>(axis)];
    };
    for (std::size_t i = 0; i < a.lhs_batch.size(); ++i)
      result += place(0, a.lhs_batch[i]) = place(1, a.rhs_batch[i]) = next++;
    for (std::size_t i = 0; i < a.lhs_contract.size(); ++i)
      place(0, a.lhs_contract[i]) = place(1, a.rhs_contract[i]) = next++;
    for (std::string& side : letters) {
      for (char& letter : side) {
        if (letter == ' ') result += letter = next++;
      }
    }
    return fmt::format("einsum(\"{},{}->{}\", {}, {})", letters[0], letters[1], result,
                       print(node->operands[0], compares, depth - 1), print(node->operands[1], compares, depth - 1));
  }

  /// [:, 2:4]
  static std::string indices(const Node& node) {
    const Attributes& a = node.attributes;
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < a.starts.size(); ++i) {
      const std::string start = a.starts[i] == Dimension(0) ? "" : a.starts[i].to_string();
      const std::string limit = a.limits[i] == node.operands[0]->shape()[i] ? "" : a.limits[i].to_string();
      const std::string stride = a.strides[i] == 1 ? "" : ":" + std::to_string(a.strides[i]);
      parts.push_back(start + ":" + limit + stride);
    }
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }

  const std::unordered_map<const Node*, std::string>& names_;
};

}  // namespace

namespace {

/// What a formula does not show: it is read through.
const Node* shown(const Node* node) {
  while (node->op == Op::broadcast_in_dim || node->op == Op::reshape) node = node->operands[0];
  return node;
}

/// What the roots are made of, operands before users and in the order of the roots, and how often each is used.
std::vector<const Node*> in_order(const std::vector<const Node*>& roots, std::unordered_map<const Node*, int>& uses) {
  std::vector<const Node*> nodes;
  std::vector<std::pair<const Node*, std::size_t>> stack;  // a node and the operand that is next
  std::unordered_set<const Node*> seen;
  const auto enter = [&](const Node* node) {
    if (seen.insert(node).second) stack.emplace_back(node, 0);
  };
  for (const Node* root : roots) {
    enter(root);
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (next == node->operands.size()) {
        nodes.push_back(node);
        stack.pop_back();
        continue;
      }
      const Node* operand = shown(node->operands[next++]);
      ++uses[operand];
      enter(operand);
    }
  }
  return nodes;
}

}  // namespace

std::string formulas(const std::vector<std::pair<std::string, const Node*>>& named) {
  std::unordered_map<const Node*, std::string> names;
  std::vector<const Node*> roots;
  for (const auto& [name, node] : named) {
    roots.push_back(shown(node));
    if (!is_leaf(shown(node))) names.try_emplace(shown(node), name);
  }
  std::unordered_map<const Node*, int> uses;
  const auto nodes = in_order(roots, uses);
  std::string text;
  int count = 0;
  const auto line = [&](const Node* node, const std::string& name) {
    std::unordered_map<const Node*, std::string> others = names;
    others.erase(node);
    text += name + " = " + formula(node, others, 1000) + "\n";
  };
  for (const Node* node : nodes) {
    const bool is_named = names.contains(node);
    if (!is_named && (uses[node] < 2 || is_leaf(node) || node->op == Op::negate)) continue;
    if (!is_named) names[node] = "t" + std::to_string(++count);
    line(node, names.at(node));
  }
  for (const auto& [name, node] : named) {  // the same value under another name
    if (auto at = names.find(shown(node)); at != names.end() && at->second != name)
      text += name + " = " + at->second + "\n";
  }
  return text;
}

std::string formula(const Node* node, const std::unordered_map<const Node*, std::string>& names, int depth) {
  return Printer(names).print(node, compares, depth);
}

}  // namespace descent::ir
