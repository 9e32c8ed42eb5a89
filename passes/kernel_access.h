// What the planner asks of nodes and views while a plan is made; what of a plan others may ask is in passes/kernels.h.
#pragma once

#include <optional>

#include "passes/kernels.h"

namespace descent::passes {

/// Whether a node's elements are those of its operand, found by a view (passes/views.h).
bool is_access(const ir::Node* node);
bool is_tensor_leaf(const ir::Node* node);
/// Whether a kernel accumulates it over its space.
bool is_accumulated(const ir::Node* node);

/// The view of a node; nothing where it cannot be said as one: of a reshape or gather whose operand is in another
/// order.
std::optional<View> find_view(const ir::Node* node, const KernelPlan& plan, bool itself_stored);

/// Whether the kernel writes this node to a buffer.
bool writes(const Kernel& kernel, const ir::Node* node);

}  // namespace descent::passes
