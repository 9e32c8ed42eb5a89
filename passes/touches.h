// Which memory a part of a kernel reads and writes, where threads share the kernel (passes/partition.h).
#pragma once

#include "passes/partition.h"
#include "passes/signature.h"

namespace descent::passes {

/// Elements of a buffer, from where the kernel's slot in it begins (passes/signature.h): equal kernels touch the same
/// elements of their slots.
struct Touch {
  struct Axis {
    ir::Dimension stride, size;
    friend bool operator==(const Axis&, const Axis&) = default;
  };
  int slot;  ///< of the signature
  bool written;
  bool whole = true;                     ///< which elements is not known: the whole buffer
  ir::Dimension offset = 0, stride = 0;  ///< of the first element; along the axis that threads share
  std::vector<Axis> axes = {};           ///< the others
  friend bool operator==(const Touch&, const Touch&) = default;

  /// For the indices [begin, end) of the shared axis all elements lie between first + begin * stride and
  /// last + (end - 1) * stride, both included.
  struct Reach {
    std::int64_t first, last, stride;
  };
  Reach reach(const ir::DimensionValues& sizes) const;
};

/// All that the kernel touches but its workspace. What a part touches may be less.
std::vector<Touch> touches(const Kernel& kernel, const KernelPlan& plan, const Partition& partition,
                           const std::vector<BufferSlot>& slots);

}  // namespace descent::passes
