// Rules for ops that move, repeat, reduce and contract elements. What such an op does is in its attributes (axes,
// shapes), which a row of passes/rules.cpp cannot name; each rule here is a function of one op, small and by itself.
#pragma once

#include <vector>

#include "ir/graph.h"

namespace descent::passes {

struct StructuralRule {
  const char* name;                                                  ///< what it does, in words
  const ir::Node* (*apply)(ir::Graph& graph, const ir::Node* node);  ///< the same node where it does not apply
};

/// Rules for nodes of this op, in the order in which they are tried.
const std::vector<StructuralRule>& structural_rules(ir::Op op);

/// Rules that replace forms kept for differentiation by those that are computed.
const std::vector<StructuralRule>& structural_lowering_rules(ir::Op op);

/// Rules that take repetitions out of elementwise nodes.
const std::vector<StructuralRule>& repetition_rules();

/// An elementwise op of these operands; known at once where they are constants, or where one is neutral.
const ir::Node* folded(ir::Graph& graph, ir::Op op, std::vector<const ir::Node*> operands,
                       ir::Attributes attributes = {});

}  // namespace descent::passes
