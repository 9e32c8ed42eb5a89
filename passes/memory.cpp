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
  std::vector<std::size_t> placed;  // by offset
  placed.reserve(by_size.size());
  for (std::size_t i : by_size) {
    const Buffer& buffer = table.buffers[i];
    std::int64_t offset = 0;
    for (std::size_t j : placed) {
      const Buffer& other = table.buffers[j];
      if (other.first > buffer.last || buffer.first > other.last) continue;  // they never live together
      if (offset + bytes[i] <= memory.offsets[j]) break;
      offset = std::max(offset, memory.offsets[j] + bytes[j]);
    }
    memory.offsets[i] = offset;
    memory.bytes = std::max(memory.bytes, offset + bytes[i]);
    const auto behind = std::upper_bound(placed.begin(), placed.end(), offset,
                                         [&](std::int64_t value, std::size_t j) { return value < memory.offsets[j]; });
    placed.insert(behind, i);
  }
  return memory;
}

}  // namespace descent::passes
