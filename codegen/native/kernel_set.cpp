#include "codegen/kernel_set.h"

#include <unordered_map>

#include "ir/stage_times.h"

namespace descent::codegen {

std::string kernel_name(std::size_t index) { return "kernel" + std::to_string(index); }
std::string slots_name(const std::string& function) { return "descent_" + function + "_slots"; }

KernelSet collect_kernels(const Plans& plans) {
  const StageTimer timer(Stage::plan);
  KernelSet set;
  std::unordered_map<std::string, std::size_t> known;
  for (const auto& [name, plan] : plans) {
    auto& calls = set.calls[name];
    for (const passes::Kernel& kernel : plan.kernels) {
      passes::Signature signature = passes::signature_of(kernel, plan);
      std::vector<Slot> slots;
      for (const passes::BufferSlot& slot : signature.buffers) {
        const ir::DType dtype = plan.buffers[static_cast<std::size_t>(slot.buffer)].dtype;
        slots.push_back({slot.buffer, slot.first * ir::element_bytes(dtype)});
      }
      for (double stream : signature.streams) slots.push_back({Slot::kNumber, static_cast<std::int64_t>(stream)});
      const auto [at, is_new] = known.try_emplace(signature.key, set.kernels.size());
      if (is_new) set.kernels.push_back({&plan, &kernel, std::move(signature)});
      calls.push_back({at->second, std::move(slots)});
    }
  }
  return set;
}

}  // namespace descent::codegen
