// Which memory a part of a kernel reads and writes, where threads share the kernel (passes/partition.h).
#pragma once

#include "passes/partition.h"

namespace descent::passes {

/// A piece of a buffer, in elements: for the indices [begin, end) of the shared axis it lies between
/// first + begin * stride and last + (end - 1) * stride, both included. Where that is not known it is the whole buffer.
struct Touch {
  int buffer;
  bool written;
  bool whole = true;
  std::int64_t first = 0, last = 0, stride = 0;
};

/// All that the kernel touches but its workspace. What a part touches may be less.
std::vector<Touch> touches(const Kernel& kernel, const KernelPlan& plan, const Partition& partition,
                           const ir::DimensionValues& sizes);

}  // namespace descent::passes
