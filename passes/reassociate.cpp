// A contraction of a contraction sums over two sets of axes, and either may be summed first:
//
//   sum over k of (sum over j of a[i, j] b[j, k]) c[k, m]   =   sum over j of a[i, j] (sum over k of b[j, k] c[k, m])
//
// For matrices that is (a @ b) @ c = a @ (b @ c), with i j k + i k m multiplications against j k m + i j m. The operand
// of the inner contraction whose free axes the outer one sums over is the near one (here b), the other the far one (a).
// All of the near operand's axes but those keep their order, so that no transposition is needed.
//
// Sizes that are known only when a function is called (the batch) count as kUnknownSize. Every step makes the number of
// multiplications smaller, so that it ends; of a chain of products it finds an order that no exchange of two makes
// cheaper, which is not always the cheapest (Hu and Shing, "Computation of Matrix Chain Products", 1982).
#include "passes/reassociate.h"

#include <algorithm>

#include "ir/expr.h"
#include "passes/estimate.h"

namespace descent::passes {

using ir::Attributes;
using ir::Dimension;
using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;

namespace {

double size_of(const Dimension& d) {
  std::vector<std::string> symbols;
  d.collect_symbols(symbols);
  ir::DimensionValues values;
  for (const std::string& symbol : symbols) values[symbol] = kUnknownSize;
  return static_cast<double>(std::max<std::int64_t>(d.evaluate(values), 1));
}

/// Multiplications of a contraction without batch axes: all axes of the first operand, and the free ones of the second.
double cost(const Node* product) {
  double count = 1;
  for (const Dimension& d : product->shape()) count *= size_of(d);
  for (int axis : product->attributes.lhs_contract)
    count *= size_of(product->operands[0]->shape()[static_cast<std::size_t>(axis)]);
  return count;
}

/// A product of two tensors, seen from one of them.
struct Side {
  const Node* tensor;
  std::vector<int> contracted;
};

const Node* contract(Graph& graph, const Side& lhs, const Side& rhs) {
  Attributes a;
  a.lhs_contract = lhs.contracted, a.rhs_contract = rhs.contracted;
  return ir::dot_general({graph, lhs.tensor}, {graph, rhs.tensor}, a).node;
}

/// The inner product is operand `side` of the outer one; nothing where the axes do not allow another order.
const Node* other_order(Graph& graph, const Node* outer, std::size_t side) {
  const Node *inner = outer->operands[side], *third = outer->operands[1 - side];
  if (!inner->attributes.lhs_batch.empty() || !outer->attributes.lhs_batch.empty()) return nullptr;
  const bool inner_first = side == 0;
  const auto& summed = inner_first ? outer->attributes.lhs_contract : outer->attributes.rhs_contract;
  const auto& paired = inner_first ? outer->attributes.rhs_contract : outer->attributes.lhs_contract;
  const Side operands[] = {{inner->operands[0], inner->attributes.lhs_contract},
                           {inner->operands[1], inner->attributes.rhs_contract}};
  // Where each axis of the inner product comes from.
  std::vector<std::pair<std::size_t, int>> origin;
  for (std::size_t o : {0, 1}) {
    for (int axis : other_axes(operands[o].tensor->shape().size(), operands[o].contracted))
      origin.emplace_back(o, axis);
  }
  if (summed.empty()) return nullptr;
  const std::size_t near = origin[static_cast<std::size_t>(summed[0])].first;
  std::vector<int> near_summed;
  for (int axis : summed) {
    const auto& [operand, own] = origin[static_cast<std::size_t>(axis)];
    if (operand != near) return nullptr;
    near_summed.push_back(own);
  }
  const Side &n = operands[near], &far = operands[1 - near];
  // What is left of the near operand must stand between the far one's axes and the third's: where it comes first in the
  // inner product of a first operand, or last in that of a second one, nothing may be left.
  const std::size_t rest = n.tensor->shape().size() - n.contracted.size() - near_summed.size();
  if (near == side && rest > 0) return nullptr;
  // The axes paired with the far operand, as they lie in the new inner product.
  const std::vector<int> kept = other_axes(n.tensor->shape().size(), near_summed);
  const int before = inner_first ? 0 : static_cast<int>(third->shape().size() - paired.size());
  std::vector<int> places;
  for (int axis : n.contracted)
    places.push_back(before + static_cast<int>(std::find(kept.begin(), kept.end(), axis) - kept.begin()));
  const Side first{n.tensor, near_summed}, second{third, paired};
  if (inner_first) return contract(graph, far, {contract(graph, first, second), places});
  return contract(graph, {contract(graph, second, first), places}, far);
}

}  // namespace

const Node* reassociate(Graph& graph, const Node* node, const UseCounts& uses) {
  if (node->op != Op::dot_general) return node;
  for (const std::size_t side : {0, 1}) {
    const Node* inner = node->operands[side];
    if (inner->op != Op::dot_general || uses.of(inner) > 1) continue;
    const Node* other = other_order(graph, node, side);
    if (other == nullptr) continue;
    const bool first = other->operands[1]->op == Op::dot_general && side == 0;
    const Node* other_inner = other->operands[first ? 1 : 0];
    if (cost(other) + cost(other_inner) < cost(node) + cost(inner)) return other;
  }
  return node;
}

}  // namespace descent::passes
