#include "codegen/kernel_calls.h"

namespace descent::codegen {

KernelCalls kernel_calls(const ir::Program& program, const CompiledProgram& compiled) {
  const passes::Machine machine = this_machine();
  KernelCalls result;
  for (const std::string& name : compiled.functions()) {
    result.plans[name] = passes::plan_kernels(program, program.function(name), machine);
  }
  const KernelSet set = collect_kernels(result.plans);
  for (const auto& [name, calls] : set.calls) {
    const passes::KernelPlan& plan = result.plans.at(name);
    auto& made = result.calls[name];
    std::size_t slots = 0;
    for (const KernelSet::Call& call : calls) {
      made.push_back({compiled.kernel(call.kernel), kernel_name(call.kernel), slots,
                      passes::partition_of(plan.kernels[made.size()], plan, machine)});
      slots += call.slots.size();
    }
  }
  return result;
}

}  // namespace descent::codegen
