// A node as a formula: "max(z, 0) - y * z + log1p(exp(-abs(z)))".
//
// For people: messages, documents and tests. It is not parsed back; that is what ir/text.h is for. Repetitions are not
// shown, as in a textbook; a contraction is shown as a product `a @ b`, with its axes where they are not the inner
// ones.
#pragma once

#include <string>
#include <unordered_map>

#include "ir/graph.h"

namespace descent::ir {

/// Nodes with names of their own are shown by them. What is nested deeper than `depth` ops is shown as "...".
std::string formula(const Node* node, const std::unordered_map<const Node*, std::string>& names = {}, int depth = 24);

}  // namespace descent::ir
