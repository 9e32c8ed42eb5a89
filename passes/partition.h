// How threads share a kernel: each makes the elements of its own part of one axis of the space, or of several.
//
// The axes are such along which nothing is summed, so each number is made by one thread, in the order in which one
// thread alone would make it: results do not depend on how many threads there are.
#pragma once

#include <vector>

#include "passes/kernels.h"

namespace descent::passes {

/// An axis that is cut in parts.
struct Cut {
  enum class Axis {
    first,    ///< the first axis of the space
    outer,    ///< the first axis of a contraction's space: a batch axis, or one of several of rows
    rows,     ///< the last row axis of a contraction
    columns,  ///< its last column axis
  } axis = Axis::first;
  std::size_t space_axis = 0;  ///< its place in the space, not counting axes of size 1
  ir::Dimension size = 1;      ///< of the axis
  std::int64_t unit = 1;       ///< parts begin at multiples of this
};

/// None: made by one thread. Two or three threads share the first axis; of more, which would have little of it each and
/// read the same other operand all, some share another too. At most kMostCuts.
using Partition = std::vector<Cut>;
constexpr std::size_t kMostCuts = 3;

/// Whether what a contraction's kernel sums takes its rows away, but not its columns.
bool shares_columns_alone(const Kernel& kernel, const KernelPlan& plan, const ContractionAxes& axes);

Partition partition_of(const Kernel& kernel, const KernelPlan& plan, const Machine& machine);

}  // namespace descent::passes
