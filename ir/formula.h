// A node as a formula: "max(z, 0) - y * z + log1p(exp(-abs(z)))".
//
// For people: messages, documents and tests. It is not parsed back; that is what ir/text.h is for. Repetitions are not
// shown, as in a textbook; a contraction is shown as a product `a @ b`, with ' for a transposed operand, or as an
// einsum where that does not say which axes it is over.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace descent::ir {

/// Nodes with names of their own are shown by them. What is nested deeper than `depth` ops is shown as "...".
std::string formula(const Node* node, const std::unordered_map<const Node*, std::string>& names = {}, int depth = 24);

/// Nodes, each with its name, as lines "name = formula", and lines before them for what is computed once and used more
/// than once: t1 = ..., t2 = ... A name that stands for nothing but an input is left out.
std::string formulas(const std::vector<std::pair<std::string, const Node*>>& named);

}  // namespace descent::ir
