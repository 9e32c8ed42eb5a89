// Sums over the batch and more are made in two stages: first over all other axes, then over the batch.
//
//   sum over [0, 1] of x[n, 64, 256]  ->  sum over [0] of (sum over [1] of x)
//
// The first stage belongs to the kernel that makes x, as the whole sum did, but keeps the batch's axis, by which
// threads share that kernel: a bias after a product for each row of a sequence has such a gradient, a normalisation's
// scale, a convolution's bias. The second stage is over few numbers. Sums over the batch alone, as those of plain
// layers, stay: their first stage would be all the numbers again. So do sums of everything, which have a code of their
// own (codegen/reductions.cpp), unless they are of what is made of a product of matrices: the squares of a weight's
// gradient, whose norm is limited. That is summed by rows first, by which threads share the product.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/op.h"
#include "passes/passes.h"

namespace descent::passes {

using ir::Dimension;
using ir::Graph;
using ir::Node;
using ir::Op;

namespace {

constexpr std::int64_t kRow = 256;   ///< numbers of each row of the batch from which on its sum is worth a place
constexpr std::int64_t kSummed = 8;  ///< of which so many are summed to one

/// The axis of the batch, if the sum is over it and enough others; otherwise -1.
int batch_axis(const Node* node) {
  if (node->op != Op::reduce_sum || node->attributes.axes.size() < 2 || node->shape().empty()) return -1;
  const ir::Shape& shape = node->operands[0]->shape();
  int first = 0;
  while (shape[static_cast<std::size_t>(first)].is_one()) {
    if (++first == static_cast<int>(shape.size())) return -1;
  }
  const auto is_summed = [&](int axis) {
    const auto& axes = node->attributes.axes;
    return std::find(axes.begin(), axes.end(), axis) != axes.end();
  };
  if (!is_summed(first) || shape[static_cast<std::size_t>(first)].is_constant()) return -1;
  std::int64_t row = 1, summed = 1;
  for (int axis = first + 1; axis < static_cast<int>(shape.size()); ++axis) {
    const Dimension& size = shape[static_cast<std::size_t>(axis)];
    if (!size.is_constant()) return -1;
    row *= size.constant();
    if (is_summed(axis)) summed *= size.constant();
  }
  return row >= kRow && summed >= kSummed ? first : -1;
}

/// Whether the node is made, number by number, of a product of matrices.
bool follows_product(const Node* node) {
  std::unordered_set<const Node*> seen;
  std::vector<const Node*> left{node};
  while (!left.empty()) {  // not recursive: graphs are thousands of nodes deep
    const Node* at = left.back();
    left.pop_back();
    if (!(at->shape() == node->shape()) || !seen.insert(at).second) continue;
    if (at->op == Op::dot_general) return true;
    if (ir::is_elementwise(at)) left.insert(left.end(), at->operands.begin(), at->operands.end());
  }
  return false;
}

/// The rows of a product, if the sum is over all that is made of it; otherwise -1.
int row_axis(const Node* node) {
  if (node->op != Op::reduce_sum || !node->shape().empty()) return -1;
  const Node* summed = node->operands[0];
  const ir::Shape& shape = summed->shape();
  const auto rows = std::find_if(shape.begin(), shape.end(), [](const Dimension& size) { return !size.is_one(); });
  if (std::any_of(shape.begin(), shape.end(), [](const Dimension& size) { return !size.is_constant(); }) ||
      ir::element_count(shape).constant() < kSummed * kSummed || rows->constant() < kSummed || !follows_product(summed))
    return -1;
  const bool is_matrix = std::any_of(rows + 1, shape.end(), [](const Dimension& size) { return !size.is_one(); });
  return is_matrix ? static_cast<int>(rows - shape.begin()) : -1;
}

/// The same sum in stages, the last one over this axis.
const Node* staged(Graph& graph, const Node* sum, int last) {
  ir::Attributes rows = sum->attributes, rest = sum->attributes;
  std::erase_if(rows.axes, [&](int axis) { return axis == last; });
  const auto before = std::count_if(rows.axes.begin(), rows.axes.end(), [&](int axis) { return axis < last; });
  rest.axes = {last - static_cast<int>(before)};
  return graph.make(Op::reduce_sum, {graph.make(Op::reduce_sum, sum->operands, std::move(rows))}, std::move(rest));
}

}  // namespace

ir::Program staged_sums(const ir::Program& program) {
  Graph& graph = *program.graph;
  return map_roots(program, [&](const std::vector<const Node*>& roots) {
    std::unordered_map<const Node*, const Node*> rebuilt;
    for (const Node* node : ir::reachable(roots)) {
      std::vector<const Node*> operands;
      for (const Node* operand : node->operands) operands.push_back(rebuilt.at(operand));
      const Node* made = graph.with_operands(node, std::move(operands));
      const int last = std::max(batch_axis(made), row_axis(made));
      rebuilt[node] = last < 0 ? made : staged(graph, made, last);
    }
    std::vector<const Node*> changed;
    for (const Node* root : roots) changed.push_back(rebuilt.at(root));
    return changed;
  });
}

}  // namespace descent::passes
