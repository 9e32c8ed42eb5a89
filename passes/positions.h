// What is made of constants and positions alone, in a shape that the batch is part of: a table of the axes along which
// it varies, repeated along the others.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"

namespace descent::passes {

class Positions {
 public:
  explicit Positions(ir::Graph& graph) : graph_(graph) {}

  /// The axes along which the node varies, ascending; nothing where it is made of anything but constants, positions,
  /// their repetitions and elementwise functions of these.
  const std::optional<std::vector<int>>& varying_axes(const ir::Node* node);

  /// The node's values as a tensor of the axes along which it varies alone: a repetition of that is the node. Null
  /// where it is none of those, or one of these axes has no fixed size.
  const ir::Node* table_of(const ir::Node* node);

 private:
  std::optional<std::vector<int>> find_axes(const ir::Node* node);
  const ir::Node* over(const ir::Node* node, const std::vector<int>& axes);

  ir::Graph& graph_;
  std::unordered_map<const ir::Node*, std::optional<std::vector<int>>> axes_;
};

}  // namespace descent::passes
