#include "passes/memory.h"

#include <algorithm>

namespace descent::passes {

int BufferTable::buffer(const std::string& name) const {
  auto at = names.find(name);
  return at == names.end() ? -1 : at->second;
}

MemoryPlan plan_memory(const BufferTable& table, const ir::DimensionValues& sizes) {
  MemoryPlan memory;
  memory.offsets.assign(table.buffers.size(), -1);
  std::vector<std::int64_t> bytes(table.buffers.size(), 0);
  std::vector<std::size_t> by_size;
  for (std::size_t i = 0; i < table.buffers.size(); ++i) {
    const auto kind = table.buffers[i].kind;
    if (kind != Buffer::Kind::temporary && kind != Buffer::Kind::result) continue;
    bytes[i] = (ir::element_count(table.buffers[i].shape, sizes) * 4 + 63) / 64 * 64;
    by_size.push_back(i);
  }
  std::stable_sort(by_size.begin(), by_size.end(), [&](std::size_t a, std::size_t b) { return bytes[a] > bytes[b]; });
  for (std::size_t i : by_size) {
    std::vector<std::pair<std::int64_t, std::int64_t>> taken;
    for (std::size_t j : by_size) {
      const bool together =
          table.buffers[j].first <= table.buffers[i].last && table.buffers[i].first <= table.buffers[j].last;
      if (memory.offsets[j] >= 0 && together) taken.emplace_back(memory.offsets[j], memory.offsets[j] + bytes[j]);
    }
    std::sort(taken.begin(), taken.end());
    std::int64_t offset = 0;
    for (const auto& [begin, end] : taken) {
      if (offset + bytes[i] <= begin) break;
      offset = std::max(offset, end);
    }
    memory.offsets[i] = offset;
    memory.bytes = std::max(memory.bytes, offset + bytes[i]);
  }
  return memory;
}

}  // namespace descent::passes
