// Simplification of the ops that pick and place elements: slice, reverse, pad, concatenate.
#pragma once

#include "ir/expr.h"

namespace descent::passes {

/// A simpler node of the same value, or `node` itself.
const ir::Node* simplify_view(ir::Graph& graph, const ir::Node* node);

/// Padding between elements as padding of an axis of its own, which is a view; or `node` itself.
const ir::Node* lower_pad(ir::Graph& graph, const ir::Node* node);

/// A part of windows over padding, without the padding that it does not reach; or `node` itself.
const ir::Node* lower_slice(ir::Graph& graph, const ir::Node* node);

}  // namespace descent::passes
