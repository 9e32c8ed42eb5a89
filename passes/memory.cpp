#include "passes/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace descent::passes {

std::int64_t bytes_of(const Buffer& buffer, const ir::DimensionValues& sizes) {
  return ir::element_count(buffer.shape, sizes) * ir::element_bytes(buffer.dtype);
}

int BufferTable::buffer(const std::string& name) const {
  auto at = names.find(name);
  return at == names.end() ? -1 : at->second;
}

namespace {

/// Whether two buffers hold something at the same time: one walk along both.
bool live_together(const Buffer& a, const Buffer& b) {
  for (auto p = a.lives.begin(), q = b.lives.begin(); p != a.lives.end() && q != b.lives.end();) {
    if (p->last < q->first) {
      ++p;
    } else if (q->last < p->first) {
      ++q;
    } else {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string memory_text(std::int64_t bytes) {
  constexpr std::pair<const char*, std::int64_t> units[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}};
  for (const auto& [name, size] : units) {
    if (bytes < size) continue;
    const std::int64_t tenths = bytes / size * 10 + (bytes % size * 10 + size - 1) / size;
    return fmt::format("{}{} {}", tenths / 10, tenths % 10 == 0 ? "" : "." + std::to_string(tenths % 10), name);
  }
  return fmt::format("{:.1f} KiB", std::ceil(static_cast<double>(bytes) * 10 / 1024) / 10);
}

std::int64_t arena_bytes(const Buffer& buffer, const ir::DimensionValues& sizes) {
  return (bytes_of(buffer, sizes) + 63) / 64 * 64;
}

MemoryPlan plan_memory(const BufferTable& table, const ir::DimensionValues& sizes) {
  MemoryPlan memory;
  memory.offsets.assign(table.buffers.size(), -1);
  std::vector<std::int64_t> bytes(table.buffers.size(), 0);
  std::vector<std::size_t> by_size;
  for (std::size_t i = 0; i < table.buffers.size(); ++i) {
    const auto kind = table.buffers[i].kind;
    if (kind != Buffer::Kind::temporary && kind != Buffer::Kind::result) continue;
    bytes[i] = arena_bytes(table.buffers[i], sizes);
    by_size.push_back(i);
  }
  std::stable_sort(by_size.begin(), by_size.end(), [&](std::size_t a, std::size_t b) { return bytes[a] > bytes[b]; });
  // What is looked at for every pair of buffers stands together; `whole` is from the first life to the last.
  struct Placed {
    std::int64_t begin, end;
    Life whole;
    const Buffer* buffer;
  };
  std::vector<Placed> placed;  // by offset
  placed.reserve(by_size.size());
  for (std::size_t i : by_size) {
    const Buffer& buffer = table.buffers[i];
    Placed place{0, bytes[i], {0, -1}, &buffer};
    if (!buffer.lives.empty()) place.whole = {buffer.lives.front().first, buffer.lives.back().last};
    for (const Placed& other : placed) {
      if (place.whole.last < other.whole.first || other.whole.last < place.whole.first) continue;
      if (!live_together(buffer, *other.buffer)) continue;
      if (place.end <= other.begin) break;
      place.begin = std::max(place.begin, other.end);
      place.end = place.begin + bytes[i];
    }
    memory.offsets[i] = place.begin;
    memory.bytes = std::max(memory.bytes, place.end);
    const auto behind = std::upper_bound(placed.begin(), placed.end(), place.begin,
                                         [](std::int64_t value, const Placed& other) { return value < other.begin; });
    placed.insert(behind, place);
  }
  return memory;
}

}  // namespace descent::passes
