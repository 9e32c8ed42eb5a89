// What makes two kernels the same code: everything about a kernel but which buffers it reads and writes and which
// streams its random numbers come from.
#pragma once

#include "passes/kernels.h"

namespace descent::passes {

struct Signature {
  std::string key;              ///< equal keys: the code of one kernel is the code of the other
  std::vector<int> buffers;     ///< of the plan, by slot: in the order in which the kernel meets them
  std::vector<double> streams;  ///< of rng_uniform nodes, likewise
};

Signature signature_of(const Kernel& kernel, const KernelPlan& plan);

}  // namespace descent::passes
