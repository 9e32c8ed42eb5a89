#include "passes/by_rows.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "ir/op.h"

namespace descent::passes {

using ir::Dimension;
using ir::DType;
using ir::Expr;
using ir::Node;
using ir::Op;

namespace {

constexpr int none = -1;

bool contains(const std::vector<int>& axes, int axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

class RowDivider {
 public:
  RowDivider(ir::Graph& graph, const std::string& rows)
      : graph_(graph), rows_(Dimension::symbol(rows)), symbol_(rows) {}

  bool results_are_rows(const ir::Function& function) {
    find_local(function);
    return std::all_of(function.results.begin(), function.results.end(), [&](const ir::Binding& result) {
      return local_.at(result.node) && rows_axis(result.node) == 0;
    });
  }

  DividedFunction run(const ir::Function& function) {
    find_local(function);
    divided_.rest.name = function.name;
    for (const ir::Binding& result : function.results) {
      divided_.rest.results.push_back({result.name, gathered(result.node)});
    }
    return std::move(divided_);
  }

 private:
  void find_local(const ir::Function& function) {
    for (const Node* node : ir::reachable(function.roots())) local_[node] = is_local(node);
  }

  bool mentions_rows(const Dimension& d) const {
    std::vector<std::string> symbols;
    d.collect_symbols(symbols);
    return std::find(symbols.begin(), symbols.end(), symbol_) != symbols.end();
  }

  /// The axis that is the rows; `none` if no size depends on them, nothing if sizes do in another way.
  std::optional<int> rows_axis(const Node* node) const {
    int axis = none;
    for (std::size_t i = 0; i < node->shape().size(); ++i) {
      if (!mentions_rows(node->shape()[i])) continue;
      if (axis != none || node->shape()[i] != rows_) return std::nullopt;
      axis = static_cast<int>(i);
    }
    return axis;
  }

  /// Whether every row of the node is known from the same row of the inputs, or all of it without them.
  bool is_local(const Node* node) const {
    const std::optional<int> axis = rows_axis(node);
    if (!axis) return false;
    for (const Node* operand : node->operands) {
      if (!local_.at(operand)) return false;
    }
    switch (ir::info(node).kind) {
      case ir::OpKind::leaf:
        return is_local_leaf(node, *axis);
      case ir::OpKind::elementwise:
        return true;
      case ir::OpKind::view:
        return is_local_view(node, *axis);
      case ir::OpKind::structural:
        return is_local_structural(node, *axis);
    }
    return false;
  }

  bool is_local_leaf(const Node* node, int axis) const {
    switch (node->op) {
      case Op::input:
        return axis == 0 || axis == none;
      case Op::dimension:
        return !mentions_rows(node->attributes.shape[0]);
      case Op::iota:
        return node->attributes.axes[0] != axis || axis == none;
      case Op::rng_uniform:
        return false;
      default:
        return true;
    }
  }

  bool is_local_view(const Node* node, int axis) const {
    const int from = *rows_axis(node->operands[0]);
    const ir::IndexMap map = ir::info(node).index_map(*node);
    for (int i = 0; i < static_cast<int>(map.size()); ++i) {
      const ir::AxisMap& m = map[static_cast<std::size_t>(i)];
      if (mentions_rows(m.start)) return false;
      for (int j = 0; j < static_cast<int>(m.coefficients.size()); ++j) {
        const Dimension& c = m.coefficients[static_cast<std::size_t>(j)];
        // Row i of the result reads row i of the operand, and no other axis depends on i.
        const bool on_both = i == from && j == axis;
        if (c != Dimension(on_both ? 1 : 0) && (i == from || j == axis)) return false;
      }
      if (i == from && (axis == none || m.start != Dimension(0) || m.spacing != 1)) return false;
    }
    return true;
  }

  bool is_local_structural(const Node* node, int axis) const {
    const int from = *rows_axis(node->operands[0]);
    switch (node->op) {
      case Op::reshape:  // row-major: the first axis stays the first, or none is the rows
        return from == axis && axis <= 0;
      case Op::reduce_sum:
      case Op::reduce_max:
      case Op::reduce_min:
        return from == none || !contains(node->attributes.axes, from);
      case Op::concatenate:
        return axis == none || node->attributes.axes[0] != axis;
      case Op::gather:
        return from == none;
      case Op::dot_general:
        return is_local_product(node);
      default:
        return axis == none && std::all_of(node->operands.begin(), node->operands.end(),
                                           [&](const Node* x) { return rows_axis(x) == none; });
    }
  }

  bool is_local_product(const Node* node) const {
    const ir::Attributes& a = node->attributes;
    const int left = *rows_axis(node->operands[0]), right = *rows_axis(node->operands[1]);
    if (contains(a.lhs_contract, left) || contains(a.rhs_contract, right)) return false;
    if (left == none || right == none) return true;
    const auto l = std::find(a.lhs_batch.begin(), a.lhs_batch.end(), left);
    const auto r = std::find(a.rhs_batch.begin(), a.rhs_batch.end(), right);
    return l != a.lhs_batch.end() && r != a.rhs_batch.end() && l - a.lhs_batch.begin() == r - a.rhs_batch.begin();
  }

  /// How the values of chunks make that of all rows, where they do.
  std::optional<RowPart::Gather> gather_of(const Node* node) const {
    using enum RowPart::Gather;
    if (local_.at(node)) return rows_axis(node) == none ? same : rows;
    const bool operands_are_local =
        std::all_of(node->operands.begin(), node->operands.end(), [&](const Node* x) { return local_.at(x); });
    if (!operands_are_local || rows_axis(node) != none || node->operands.empty()) return std::nullopt;
    switch (node->op) {
      case Op::reduce_sum:
      case Op::scatter_add:
        return sum;
      case Op::dot_general:  // the rows of both are contracted with each other
        return is_contraction_of_rows(node) ? std::optional(sum) : std::nullopt;
      case Op::reduce_max:
        return largest;
      case Op::reduce_min:
        return smallest;
      default:
        return std::nullopt;
    }
  }

  bool is_contraction_of_rows(const Node* node) const {
    const ir::Attributes& a = node->attributes;
    const auto l = std::find(a.lhs_contract.begin(), a.lhs_contract.end(), *rows_axis(node->operands[0]));
    const auto r = std::find(a.rhs_contract.begin(), a.rhs_contract.end(), *rows_axis(node->operands[1]));
    return l != a.lhs_contract.end() && r != a.rhs_contract.end() &&
           l - a.lhs_contract.begin() == r - a.rhs_contract.begin();
  }

  /// The node as the rest computes it.
  const Node* gathered(const Node* root) {
    for (const Node* node : ir::reachable({root})) {
      if (local_.at(node) || rebuilt_.contains(node)) continue;
      if (const auto gather = gather_of(node)) {
        rebuilt_[node] = part(node, *gather);
        continue;
      }
      std::vector<const Node*> operands;
      for (const Node* operand : node->operands) operands.push_back(gathered_operand(operand));
      rebuilt_[node] = graph_.with_operands(node, std::move(operands));
    }
    return gathered_operand(root);
  }

  const Node* gathered_operand(const Node* node) {
    if (const auto at = rebuilt_.find(node); at != rebuilt_.end()) return at->second;
    // What the caller has anyway is read from there.
    const bool is_read = ir::is_leaf(node) && node->op != Op::input;
    return rebuilt_[node] = is_read ? node : part(node, *gather_of(node));
  }

  const Node* part(const Node* node, RowPart::Gather gather) {
    const std::string name = "rows." + std::to_string(divided_.parts.size());  // no name of the language has a dot
    const DType dtype = node->type.dtype == DType::boolean ? DType::f32 : node->type.dtype;
    const Expr value = ir::convert({graph_, node}, dtype);
    divided_.parts.push_back({{name, value.node}, gather, std::max(*rows_axis(node), 0)});
    return ir::convert({graph_, graph_.leaf(Op::input, name, node->shape(), dtype)}, node->type.dtype).node;
  }

  ir::Graph& graph_;
  const Dimension rows_;
  const std::string symbol_;
  std::unordered_map<const Node*, bool> local_;
  std::unordered_map<const Node*, const Node*> rebuilt_;
  DividedFunction divided_;
};

}  // namespace

DividedFunction divide_by_rows(ir::Graph& graph, const ir::Function& function, const std::string& rows) {
  return RowDivider(graph, rows).run(function);
}

bool rows_are_independent(ir::Graph& graph, const ir::Function& function, const std::string& rows) {
  return RowDivider(graph, rows).results_are_rows(function);
}

}  // namespace descent::passes
