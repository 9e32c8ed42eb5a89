// Row-wise fusion: kernels that need each other's sums along the last axes, row by row, become phases of one kernel.
//
//   softmax:  m = reduce_max(x)   then  s = reduce_sum(exp(x - m))   then  exp(x - m) / s
//
// Each of these must have finished a row before the next can begin with it, so they cannot share a loop over the whole
// tensor; but they can share the loop over its rows: all phases of a row, then the next row, which the cache still
// holds. Two kernels may be phases of one when their spaces begin with the same axes (the rows) and whatever the later
// one reads of the earlier one lies in the row at hand: written and read with the same strides along the row axes.
#pragma once

#include "passes/kernels.h"

namespace descent::passes {

/// Puts kernels together as phases (Kernel::phases); the order of the others is kept where it matters.
void fuse_rows(KernelPlan& plan);

}  // namespace descent::passes
