#include "passes/traffic.h"

#include <algorithm>

namespace descent::passes {

bool intersects(const std::set<int>& a, const std::set<int>& b) {
  return std::any_of(a.begin(), a.end(), [&](int x) { return b.contains(x); });
}

Traffic traffic_of(const Kernel& kernel, const KernelPlan& plan) {
  Traffic t;
  const auto read = buffers_read(kernel, plan);
  t.reads.insert(read.begin(), read.end());
  const auto written = buffers_written(kernel);
  t.writes.insert(written.begin(), written.end());
  return t;
}

bool must_follow(const Traffic& later, const Traffic& earlier) {
  return intersects(later.reads, earlier.writes) || intersects(later.writes, earlier.reads) ||
         intersects(later.writes, earlier.writes);
}

}  // namespace descent::passes
