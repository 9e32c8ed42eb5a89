// How threads share a kernel: each makes the elements of its own part of one axis of the space.
//
// The axis is one along which nothing is summed, so each number is made by one thread, in the order in which one thread
// alone would make it: results do not depend on how many threads there are.
#pragma once

#include "passes/kernels.h"

namespace descent::passes {

struct Partition {
  enum class Axis {
    none,     ///< made by one thread
    first,    ///< the first axis of the space
    outer,    ///< the first axis of a contraction's space: a batch axis, or one of several of rows
    rows,     ///< the last row axis of a contraction
    columns,  ///< its last column axis
  } axis = Axis::none;
  std::size_t space_axis = 0;  ///< its place in the space, not counting axes of size 1
  ir::Dimension size = 1;      ///< of the axis
  std::int64_t unit = 1;       ///< parts begin at multiples of this
};

/// Whether what a contraction's kernel sums takes its rows away, but not its columns.
bool shares_columns_alone(const Kernel& kernel, const KernelPlan& plan, const ContractionAxes& axes);

Partition partition_of(const Kernel& kernel, const KernelPlan& plan, const Machine& machine);

}  // namespace descent::passes
