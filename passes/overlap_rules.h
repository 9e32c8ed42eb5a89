// The adjoint of windows over a contraction, as a contraction.
#pragma once

#include "ir/graph.h"

namespace descent::passes {

/// reduce_sum of a diagonal of views of a contraction, where the diagonal pairs an axis of one operand with one of the
/// other: one more contracted pair. The same node where it is not that.
const ir::Node* diagonal_sum_of_contraction(ir::Graph& graph, const ir::Node* node);

}  // namespace descent::passes
