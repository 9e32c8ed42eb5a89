// What a kernel is to those who run it, without its graph: how threads share it, how much work it is, what it touches.
// For any sizes, and in terms of its slots (passes/signature.h), so that equal kernels have one outline.
#pragma once

#include "passes/touches.h"

namespace descent::passes {

struct KernelOutline {
  std::size_t slots = 0;  ///< how many a call of its code takes
  int workspace = -1;     ///< the slot of it, if there is one
  Work work;
  Partition partition;
  std::vector<Touch> touches;
};

KernelOutline outline_of(const Kernel& kernel, const KernelPlan& plan, const Signature& signature,
                         const Machine& machine);

}  // namespace descent::passes
