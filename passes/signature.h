// What makes two kernels the same code: everything about a kernel but which buffers it reads and writes, where in them
// it begins, and which streams its random numbers come from. The steps of a recurrent network read slices of one
// tensor: they are one kernel, called with other beginnings.
#pragma once

#include "passes/kernels.h"

namespace descent::passes {

/// A buffer as a kernel sees it: from the element `first` on, which is the least that any of its views begins with.
struct BufferSlot {
  int buffer;  ///< of the plan
  std::int64_t first;
  friend bool operator==(const BufferSlot&, const BufferSlot&) = default;
};

struct Signature {
  std::string key;                  ///< equal keys: the code of one kernel is the code of the other
  std::vector<BufferSlot> buffers;  ///< in the order in which the kernel meets them
  std::vector<double> streams;      ///< of rng_uniform nodes, likewise
};

Signature signature_of(const Kernel& kernel, const KernelPlan& plan);

}  // namespace descent::passes
