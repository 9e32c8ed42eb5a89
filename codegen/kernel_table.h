// The kernels of compiled functions one by one: for threads that share them, and to time them. It is made with the code
// and kept beside it in the cache; who runs functions as a whole needs none of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/kernel_set.h"
#include "passes/outline.h"

namespace descent::codegen {

struct KernelTable {
  struct Call {
    std::size_t kernel;      ///< of `kernels`
    std::size_t first_slot;  ///< where its addresses begin among those of the function
  };
  std::vector<passes::KernelOutline> kernels;      ///< each code once, as in the KernelSet
  std::map<std::string, std::vector<Call>> calls;  ///< by function, in the order in which they run

  /// Another call of a function, behind those that there are.
  void add_call(std::vector<Call>& to, std::size_t kernel) const {
    const std::size_t first = to.empty() ? 0 : to.back().first_slot + kernels[to.back().kernel].slots;
    to.push_back({kernel, first});
  }
};

KernelTable kernel_table(const KernelSet& set, const passes::Machine& machine);

}  // namespace descent::codegen
