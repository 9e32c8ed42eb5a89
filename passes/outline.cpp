#include "passes/outline.h"

#include <algorithm>

namespace descent::passes {

KernelOutline outline_of(const Kernel& kernel, const KernelPlan& plan, const Signature& signature,
                         const Machine& machine) {
  KernelOutline outline;
  outline.slots = signature.buffers.size() + signature.streams.size();
  if (kernel.workspace >= 0) {
    const auto at = std::find_if(signature.buffers.begin(), signature.buffers.end(),
                                 [&](const BufferSlot& slot) { return slot.buffer == kernel.workspace; });
    outline.workspace = static_cast<int>(at - signature.buffers.begin());
  }
  outline.work = work_of(kernel, plan);
  outline.partition = partition_of(kernel, plan, machine);
  outline.touches = touches(kernel, plan, outline.partition, signature.buffers);
  return outline;
}

}  // namespace descent::passes
