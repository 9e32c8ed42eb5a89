// Sums over the batch and more are made in two stages: first over all other axes, then over the batch.
//
//   sum over [0, 1] of x[n, 64, 256]  ->  sum over [0] of (sum over [1] of x)
//
// The first stage belongs to the kernel that makes x, as the whole sum did, but keeps the batch's axis, by which
// threads share that kernel: a bias after a product for each row of a sequence has such a gradient, a normalisation's
// scale, a convolution's bias. The second stage is over few numbers. Sums over the batch alone, as those of plain
// layers, stay: their first stage would be all the numbers again. So do sums of everything, which have a code of their
// own (codegen/reductions.cpp).
#include <algorithm>
#include <unordered_map>

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

/// The same sum in stages.
const Node* staged(Graph& graph, const Node* sum, int batch) {
  ir::Attributes rows = sum->attributes, rest = sum->attributes;
  std::erase_if(rows.axes, [&](int axis) { return axis == batch; });
  const auto before = std::count_if(rows.axes.begin(), rows.axes.end(), [&](int axis) { return axis < batch; });
  rest.axes = {batch - static_cast<int>(before)};
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
      const int batch = batch_axis(made);
      rebuilt[node] = batch < 0 ? made : staged(graph, made, batch);
    }
    std::vector<const Node*> changed;
    for (const Node* root : roots) changed.push_back(rebuilt.at(root));
    return changed;
  });
}

}  // namespace descent::passes
