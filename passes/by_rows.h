// Functions of all rows of the data that are computed some rows at a time.
//
// A metric such as 2 * sum(p * y) / (sum(p) + sum(y)) is a number of all rows together: the mean of what chunks of rows
// give would be another one. Yet the sums themselves may be taken chunk by chunk. The function is therefore divided:
// what can be told from the rows of a chunk alone, and the sums, largest and smallest values over them, are computed
// for each chunk, and the rest once from what has been gathered.
#pragma once

#include <string>
#include <vector>

#include "ir/program.h"

namespace descent::passes {

/// A tensor that is computed for every chunk, and how those of all chunks become one.
struct RowPart {
  ir::Binding value;
  enum class Gather {
    same,      ///< every chunk gives the same
    rows,      ///< one after the other along `axis`
    sum,       ///< added up, element by element
    largest,   ///< the largest of each element
    smallest,  ///< the smallest
  } gather;
  int axis = 0;  ///< of `rows`
};

struct DividedFunction {
  std::vector<RowPart> parts;
  /// The results, of what was gathered: leaves of the op input with the names of the parts.
  ir::Function rest;
};

/// Divides a function whose inputs have the symbolic size `rows` as first axis. A node that needs several rows at once
/// other than by a sum or extreme is left to the rest, which then has all rows of what it needs.
DividedFunction divide_by_rows(ir::Graph& graph, const ir::Function& function, const std::string& rows);

/// Whether every result has a row for each row of the inputs, along its first axis, that is known from that row alone:
/// then they can be computed for some rows at a time.
bool rows_are_independent(ir::Graph& graph, const ir::Function& function, const std::string& rows);

}  // namespace descent::passes
