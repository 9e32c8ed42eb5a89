// How an operand of a contraction lies that is copied before.
#pragma once

#include "ir/graph.h"

namespace descent::passes {

/// A contraction with an operand that has padding, and so is copied anyway, with that copy as a matrix: its free axes
/// are one. The same node where there is none, or where it has one free axis.
const ir::Node* copied_operand_as_matrix(ir::Graph& graph, const ir::Node* node);

}  // namespace descent::passes
