// Products that read the same matrix, in one pass over it: logistic regression, say, makes
//
//   z = x w,   then r = sigmoid(z) - y row by row,   then x^T r
//
// Each number of x is used once in either product, so that most of their time goes into reading x. Where what the
// second product needs of the first is made row by row, both are made block of rows by block of rows: the second adds
// the rows to its sums while the first-level cache holds them, and the rest of its kernel (the update of w) follows
// when all rows are done.
#pragma once

#include "passes/kernels.h"

namespace descent::passes {

/// Puts such kernels together: one with two phases and `in_blocks` (Kernel).
void fuse_products(KernelPlan& plan, const Machine& machine);

}  // namespace descent::passes
