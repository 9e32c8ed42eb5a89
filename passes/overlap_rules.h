// The adjoint of windows over a contraction, as a contraction; over products of elements, as a sum of such products.
#pragma once

#include "ir/graph.h"

namespace descent::passes {

/// reduce_sum of a diagonal of views of a contraction, where the diagonal pairs an axis of one operand with one of the
/// other: one more contracted pair. Of views of elementwise nodes, or of a sum of them: views of what they are computed
/// of. The same node where it is not that.
const ir::Node* diagonal_sum(ir::Graph& graph, const ir::Node* node);

}  // namespace descent::passes
