// Sums of tensors that are padded with zeros, as the adjoints of slices are.
#pragma once

#include "passes/pattern.h"

namespace descent::passes {

/// A sum whose terms are padded along one axis, where the elements of one begin where those of another end: these terms
/// as a concatenation. The same node where there are no such terms.
const ir::Node* join_parts(ir::Graph& graph, const ir::Node* node, const UseCounts& uses);

}  // namespace descent::passes
