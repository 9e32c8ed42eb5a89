// What kernels read and write, and so which of them must stay in their order.
#pragma once

#include <set>

#include "passes/kernels.h"

namespace descent::passes {

/// The buffers that a kernel reads, and those that it writes.
struct Traffic {
  std::set<int> reads, writes;
};

Traffic traffic_of(const Kernel& kernel, const KernelPlan& plan);

bool intersects(const std::set<int>& a, const std::set<int>& b);

/// Whether `later` must stay behind `earlier`.
bool must_follow(const Traffic& later, const Traffic& earlier);

}  // namespace descent::passes
