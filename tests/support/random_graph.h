// Random graphs from a seeded generator, and the smallest part of one that still shows a mistake.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ir/interpreter.h"
#include "ir/program.h"

namespace descent::test {

struct RandomGraph {
  ir::Program program;  ///< a function "predict" with three results
  ir::Environment environment;
};

/// Every op but `gradient` and `scatter`, which are of the passes alone, over shapes of rank 0 to 3 with sizes of 0 and
/// 1, odd ones, and a symbol among them; a third of the nodes are patterns of the rewrite rules, so that every rule
/// meets every neighbour. Values are near 1 with zeros, ones, and very small and large ones among them; all are float32
/// numbers.
RandomGraph random_graph(std::uint32_t seed);

/// Whether a graph's roots, with these values of the inputs, show the mistake.
using Fails = std::function<bool(ir::Graph&, const ir::Node* root, const ir::Environment&)>;

/// A part of the graph below `root` that still fails, with inputs in place of what does not matter: its text, and the
/// values of its inputs.
std::string shrink(ir::Graph& graph, const ir::Node* root, const ir::Environment& environment, const Fails& fails);

/// The function "predict" with one result "root", and what it reads.
ir::Program program_of(ir::Graph& graph, const ir::Node* root);

}  // namespace descent::test
