// The passes over a program's graph. Each takes a program and gives a new one over the same, grown, graph.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/program.h"

namespace descent::passes {

/// Applies the simplification rules, the structural rules and constant folding until nothing changes.
ir::Program simplify(const ir::Program& program);

/// Keeps what gradients are taken with respect to from being dissolved by rules; before the first simplification.
ir::Program isolate(const ir::Program& program);

/// Replaces every gradient node by the symbolic derivative (reverse mode), inner ones first.
ir::Program differentiate(const ir::Program& program);

/// Replaces the forms kept for differentiation by those that are computed (passes/rules.h), and simplifies.
ir::Program lower(const ir::Program& program);

/// Replaces updates of tables that leave all rows alone but those that a batch names by updates of these rows
/// (passes/sparse_updates.cpp).
ir::Program sparse_updates(const ir::Program& program);
/// Elementwise work on both sides of a reshape comes to one side, so that one kernel can do it (passes/reshapes.cpp).
ir::Program move_reshapes(const ir::Program& program);
/// Sums over the batch and more in two stages, the batch last (passes/staged_sums.cpp).
ir::Program staged_sums(const ir::Program& program);

/// Makes variables of what follows from constants alone and takes longer to compute than to load; `initial` gives them
/// their values (passes/precompute.cpp).
ir::Program precompute(const ir::Program& program);

/// The adjoints of a scalar with respect to several nodes, by reverse-mode accumulation (Griewank and Walther,
/// "Evaluating Derivatives", 2008, chapter 3). A node that `e` does not depend on has the adjoint 0.
std::vector<const ir::Node*> gradients(ir::Graph& graph, const ir::Node* e, const std::vector<const ir::Node*>& x);

/// `simplify` for single nodes, up to barriers: these remain the nodes that they are. `exhausted` is set to whether the
/// limit on rewrites was reached (it should not be).
std::vector<const ir::Node*> simplify_nodes(ir::Graph& graph, const std::vector<const ir::Node*>& roots,
                                            bool* exhausted = nullptr);

/// `lower` for single nodes.
std::vector<const ir::Node*> lower_nodes(ir::Graph& graph, const std::vector<const ir::Node*>& roots);

/// Replaces nodes: every root rebuilt with `replacements` in place of the keys.
std::vector<const ir::Node*> substitute(ir::Graph& graph, const std::vector<const ir::Node*>& roots,
                                        const std::unordered_map<const ir::Node*, const ir::Node*>& replacements);

/// The pipeline in order; `observe` is called with each stage's name and result.
using Observer = std::function<void(const std::string& stage, const ir::Program&)>;
ir::Program run_pipeline(const ir::Program& program, const Observer& observe = nullptr);

/// The program with `change` applied to the roots of every function.
ir::Program map_roots(const ir::Program& program,
                      const std::function<std::vector<const ir::Node*>(const std::vector<const ir::Node*>&)>& change);

}  // namespace descent::passes
