// The order of kernels: what a kernel has made is used soon, while the caches hold it, and its memory is free early.
#pragma once

#include "passes/kernels.h"

namespace descent::passes {

/// Puts the kernels into another order that computes the same. Of those that may run next, the one that leaves the
/// least memory in use does: an update of weights comes before the next gradient, which would keep this one's alive.
void schedule(KernelPlan& plan);

}  // namespace descent::passes
