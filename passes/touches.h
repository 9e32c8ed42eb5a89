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
  bool whole = true;                        ///< which elements is not known: the whole buffer
  ir::Dimension offset = 0;                 ///< of the first element
  std::vector<ir::Dimension> strides = {};  ///< along each axis that threads share
  std::vector<Axis> axes = {};              ///< the others
  friend bool operator==(const Touch&, const Touch&) = default;

  /// At the first index of each shared axis all elements lie between first and last, both included; each further one
  /// adds its stride.
  struct Reach {
    std::int64_t first, last;
    std::vector<std::int64_t> strides;
  };
  Reach reach(const ir::DimensionValues& sizes) const;
};

/// All that the kernel touches but its workspace. What a part touches may be less.
std::vector<Touch> touches(const Kernel& kernel, const KernelPlan& plan, const Partition& partition,
                           const std::vector<BufferSlot>& slots);

}  // namespace descent::passes
