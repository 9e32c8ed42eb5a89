// The same cut for products that differ in sizes alone, where it costs hardly anything: their kernels are then one
// function, called with other sizes (codegen/module.cpp).
#pragma once

#include <vector>

#include "passes/kernels.h"

namespace descent::passes {

/// A kernel with a contraction, as it has been cut for itself.
struct CutProduct {
  Kernel* kernel;
  ContractionAxes axes;
  bool by_columns;  ///< as choose_blocking has been asked
};

/// Large products whose kernels compute the same are cut the same way, as far as none takes more than a hundredth
/// longer so (of few rows, a tenth).
void make_blockings_equal(const std::vector<CutProduct>& products, const KernelPlan& plan, const Machine& machine);

}  // namespace descent::passes
