// Elementwise nodes as a function of the tensors that they are computed of.
#pragma once

#include <algorithm>
#include <vector>

#include "ir/expr.h"

namespace descent::passes {

/// A tensor that something is made of. Its axes have names: tensors that are walked together have an axis in common.
struct Part {
  const ir::Node* whole;  ///< of an elementwise node: the operand in it
  ir::Expr tensor;        ///< what that repeats along the axes that are not its own
  std::vector<int> names;
};

inline bool contains(const std::vector<int>& names, int name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Where `name` stands among the names, which have it.
inline std::size_t place_of(int name, const std::vector<int>& names) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

/// Sets `parts` to what the elementwise nodes up to `node` are computed of, with the axes of `node` as names; false
/// where they are so many that they should not be computed again.
bool open_elementwise(ir::Graph& graph, const ir::Node* node, std::vector<Part>& parts);

/// Whether the node is 0 wherever the parts with this axis are.
bool vanishes(const ir::Node* node, const std::vector<Part>& parts, int name);

/// The node computed of other tensors, `with`, in the place of the parts.
const ir::Node* rebuilt(ir::Graph& graph, const ir::Node* node, const std::vector<Part>& parts,
                        const std::vector<const ir::Node*>& with);

}  // namespace descent::passes
