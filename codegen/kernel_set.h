// What of a program's functions becomes machine code: equal kernels are compiled once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "codegen/addresses.h"
#include "passes/kernels.h"
#include "passes/signature.h"

namespace descent::codegen {

using Plans = std::map<std::string, passes::KernelPlan>;  ///< by function

/// Kernels that differ in code, each with the plan it comes from, and for every function which of them run in order.
struct KernelSet {
  struct Entry {
    const passes::KernelPlan* plan;
    const passes::Kernel* kernel;
    passes::Signature signature;
  };
  struct Call {
    std::size_t kernel;       ///< of `kernels`
    std::vector<Slot> slots;  ///< buffers from where the kernel begins, then streams of random numbers
  };
  std::vector<Entry> kernels;
  std::map<std::string, std::vector<Call>> calls;  ///< by function
};
std::string kernel_name(std::size_t index);
/// The constant of a function's code that holds its slots: their number, 0, and each as Slot has it.
std::string slots_name(const std::string& function);
KernelSet collect_kernels(const Plans& plans);

}  // namespace descent::codegen
