// The order of two contractions in a row, by cost.
#pragma once

#include "ir/graph.h"
#include "passes/pattern.h"

namespace descent::passes {

/// (a @ b) @ c as a @ (b @ c) where that takes fewer multiplications, and the other way around; else `node`. A product
/// that is used elsewhere too stays: it is computed anyway.
const ir::Node* reassociate(ir::Graph& graph, const ir::Node* node, const UseCounts& uses);

}  // namespace descent::passes
