#include "codegen/kernel_table.h"

#include "ir/stage_times.h"

namespace descent::codegen {

KernelTable kernel_table(const KernelSet& set, const passes::Machine& machine) {
  const StageTimer timer(Stage::plan);
  KernelTable table;
  for (const KernelSet::Entry& entry : set.kernels) {
    table.kernels.push_back(passes::outline_of(*entry.kernel, *entry.plan, entry.signature, machine));
  }
  for (const auto& [function, calls] : set.calls) {
    auto& made = table.calls[function];
    for (const KernelSet::Call& call : calls) table.add_call(made, call.kernel);
  }
  return table;
}

}  // namespace descent::codegen
