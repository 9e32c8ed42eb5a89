// Reshapes between elementwise ops: a pooled image's windows are [n, 14, 2, 14, 2], the image is [n, 28, 28]. A kernel
// goes through one of the two, so that what one makes the other would have to load. Where a tensor is made in the finer
// shape and its only use is in the coarser one, that use is moved in front of the reshape: all its other operands must
// be there in the finer shape too, or numbers. Reductions of what has been moved follow; each can be done in the finer
// shape.
#include <algorithm>
#include <optional>
#include <unordered_map>

#include "ir/expr.h"
#include "ir/op.h"
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/views.h"

namespace descent::passes {

namespace {

using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;
using ir::Shape;

/// For each axis of `coarse` the axes of `fine` that it consists of; nothing where `fine` is no finer.
std::optional<std::vector<std::vector<int>>> parts_of(const Shape& coarse, const Shape& fine) {
  if (coarse.empty()) return std::nullopt;
  std::vector<std::vector<int>> parts(coarse.size());
  for (const Block& block : matching_blocks(coarse, fine)) {
    std::size_t whole = std::min(block.from_begin, coarse.size() - 1);  // the only axis of more than one element
    for (std::size_t axis = block.from_begin; axis < block.from_end; ++axis) {
      if (coarse[axis].is_one()) continue;
      if (!coarse[whole].is_one() && whole != axis) return std::nullopt;
      whole = axis;
    }
    for (std::size_t axis = block.to_begin; axis < block.to_end; ++axis) parts[whole].push_back(static_cast<int>(axis));
  }
  return parts;
}

class Reshapes {
 public:
  Reshapes(Graph& graph, const std::vector<const Node*>& roots) : graph_(graph), nodes_(ir::reachable(roots)) {
    for (const Node* root : roots) ++uses_[root];
    for (const Node* node : nodes_) {
      for (const Node* operand : node->operands) ++uses_[operand];
      if (node->op == Op::reshape) shapes_[node->operands[0]].push_back(node->shape());
    }
  }

  const std::unordered_map<const Node*, const Node*>& rebuilt() {
    for (const Node* node : nodes_) {
      std::vector<const Node*> operands;
      for (const Node* operand : node->operands) operands.push_back(rebuilt_.at(operand));
      const Node* moved = nullptr;
      if (ir::is_elementwise(node)) moved = elementwise(node, operands);
      if (is_reduction(node->op)) moved = reduction(node, operands[0]);
      rebuilt_[node] = moved != nullptr ? moved : graph_.with_operands(node, std::move(operands));
    }
    return rebuilt_;
  }

 private:
  /// What a reshape to a coarser shape was made of, if kernels make it and nothing else uses it.
  const Node* finer(const Node* node, const Node* rebuilt) const {
    if (rebuilt->op != Op::reshape || uses_.at(node) != 1) return nullptr;
    if (node->op == Op::reshape && uses_.at(node->operands[0]) != 1) return nullptr;
    const Node* made = rebuilt->operands[0];
    return !ir::is_leaf(made) && parts_of(rebuilt->shape(), made->shape()) ? made : nullptr;
  }

  const Node* elementwise(const Node* node, const std::vector<const Node*>& operands) const {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const Node* made = finer(node->operands[i], operands[i]);
      if (made == nullptr) continue;
      std::vector<const Node*> in_shape;
      for (std::size_t k = 0; k < operands.size(); ++k) {
        in_shape.push_back(seen_in(made->shape(), node->operands[k], operands[k], 0));
        if (in_shape.back() == nullptr) return nullptr;
      }
      const Node* moved = graph_.make(node->op, std::move(in_shape), node->attributes);
      return ir::reshape(Expr(graph_, moved), node->shape()).node;
    }
    return nullptr;
  }

  /// A node in another shape, where that needs nothing that is not there; otherwise null.
  const Node* seen_in(const Shape& shape, const Node* node, const Node* rebuilt, int depth) const {
    constexpr int kDeepest = 4, kCheapest = 4;
    if (rebuilt->is_constant()) return graph_.constant(rebuilt->attributes.value, ir::Type{rebuilt->type.dtype, shape});
    if (rebuilt->op == Op::reshape && rebuilt->operands[0]->shape() == shape) return rebuilt->operands[0];
    if (rebuilt->op == Op::broadcast_in_dim && rebuilt->attributes.axes.empty())
      return ir::broadcast(Expr(graph_, rebuilt->operands[0]), shape, {}).node;
    if (const auto at = shapes_.find(node); at != shapes_.end()) {
      if (std::find(at->second.begin(), at->second.end(), shape) != at->second.end())
        return ir::reshape(Expr(graph_, rebuilt), shape).node;
    }
    if (!ir::is_elementwise(node) || rebuilt->op != node->op || depth == kDeepest ||
        ir::instruction_count(node) > kCheapest) {
      return nullptr;
    }
    std::vector<const Node*> operands;
    for (std::size_t i = 0; i < node->operands.size(); ++i) {
      operands.push_back(seen_in(shape, node->operands[i], rebuilt->operands[i], depth + 1));
      if (operands.back() == nullptr) return nullptr;
    }
    return graph_.make(node->op, std::move(operands), node->attributes);
  }

  /// Over the axes that the reduced ones consist of.
  const Node* reduction(const Node* node, const Node* x) const {
    if (x->op != Op::reshape || ir::is_leaf(x->operands[0])) return nullptr;
    const auto parts = parts_of(x->shape(), x->operands[0]->shape());
    if (!parts) return nullptr;
    ir::Attributes attributes = node->attributes;
    attributes.axes.clear();
    for (int axis : node->attributes.axes) {
      const auto& finer = (*parts)[static_cast<std::size_t>(axis)];
      attributes.axes.insert(attributes.axes.end(), finer.begin(), finer.end());
    }
    if (attributes.axes.empty()) return nullptr;
    const Node* reduced = graph_.make(node->op, {x->operands[0]}, std::move(attributes));
    return reduced->shape() == node->shape() ? reduced : ir::reshape(Expr(graph_, reduced), node->shape()).node;
  }

  Graph& graph_;
  std::vector<const Node*> nodes_;
  std::unordered_map<const Node*, int> uses_;
  std::unordered_map<const Node*, std::vector<Shape>> shapes_;  ///< in which a node is seen
  std::unordered_map<const Node*, const Node*> rebuilt_;
};

}  // namespace

ir::Program move_reshapes(const ir::Program& program) {
  return map_roots(program, [&](const std::vector<const Node*>& roots) {
    Reshapes reshapes(*program.graph, roots);
    const auto& rebuilt = reshapes.rebuilt();
    std::vector<const Node*> moved;
    for (const Node* root : roots) moved.push_back(rebuilt.at(root));
    return moved;
  });
}

}  // namespace descent::passes
