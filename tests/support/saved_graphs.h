// Graphs that once showed a mistake, kept as tests: the files of tests/graphs, in the form in which shrinking prints
// them.
#pragma once

#include <string>
#include <vector>

#include "tests/support/random_graph.h"

namespace descent::test {

struct SavedGraph {
  std::string name;  ///< of its file
  RandomGraph graph;
};

/// The text of a program and, below it, the values of its sizes, counters, seed and inputs: what `shrink` prints.
std::string print(const ir::Program& program, const ir::Environment& environment);
RandomGraph parse_graph(const std::string& text);

/// All files of tests/graphs, by name. Each random graph's test goes through them too.
std::vector<SavedGraph> saved_graphs();

}  // namespace descent::test
