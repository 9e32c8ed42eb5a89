// A slice of a contraction.
#pragma once

#include "ir/graph.h"
#include "passes/pattern.h"

namespace descent::passes {

/// A slice of a product as the product of slices of its operands, which computes what is kept and nothing else (the
/// adjoint of a padded convolution, without that of the padding); else `node`. A product that is used elsewhere too
/// stays: it is computed anyway.
const ir::Node* sliced_product(ir::Graph& graph, const ir::Node* node, const UseCounts& uses);

}  // namespace descent::passes
