// Memory against time: what a function has computed is given up and computed again when it is next needed.
//
// Gradients need what the forward pass has made in the opposite order, so that without this all of it is in memory at
// once. A kernel that runs again is the same code on the same numbers: results are bitwise what they were.
#pragma once

#include "passes/kernels.h"

namespace descent::passes {

/// Memory is not used again at once: on several threads, what uses it next would have to wait.
constexpr int kRest = 2;

/// Sets the lives of buffers as the kernels use them in order. What was in use last by kernel k is free for others from
/// kernel k + rest + 1 on.
void set_lives(KernelPlan& plan, int rest);

/// Sets the lives of buffers so that plan_memory keeps to the limit; if that needs it, kernels run again. Throws
/// descent::Error, at the limit's place, where no such plan is found.
void fit_memory(KernelPlan& plan, const ir::MemoryLimit& limit);

}  // namespace descent::passes
