// The kernels of a compiled function one by one: for threads that share them, and to time them.
//
// A function that is run as a whole needs none of this, and code from the cache comes without it: the kernels are
// planned again from the program.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/compile.h"
#include "codegen/kernel_set.h"
#include "passes/partition.h"

namespace descent::codegen {

/// One kernel of a function, as the function calls it.
struct KernelCall {
  KernelCode code;
  std::string name;        ///< of the code; equal kernels have one
  std::size_t first_slot;  ///< where its addresses begin among those of the function
  passes::Partition partition;
};

struct KernelCalls {
  Plans plans;                                           ///< of all functions that were compiled together
  std::map<std::string, std::vector<KernelCall>> calls;  ///< by function, in the order of its plan's kernels
};

/// Of all functions of `compiled`, which was made of the program for this machine.
KernelCalls kernel_calls(const ir::Program& program, const CompiledProgram& compiled);

}  // namespace descent::codegen
