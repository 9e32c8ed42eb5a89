// The buffers of a compiled function, each with bytes behind it that no kernel may write.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "ir/elements.h"
#include "passes/memory.h"

namespace descent::test {

class GuardedMemory {
 public:
  /// Buffers all 0, but for what inputs and variables hold: `values_of` gives that by name.
  template <typename ValuesOf>
  GuardedMemory(const passes::BufferTable& table, const ir::DimensionValues& sizes, ValuesOf values_of) {
    for (const passes::Buffer& buffer : table.buffers) {
      const auto bytes = static_cast<std::size_t>(passes::bytes_of(buffer, sizes));
      std::vector<std::byte>& memory = buffers_.emplace_back(bytes, std::byte{0});
      dtypes_.push_back(buffer.dtype);
      if (buffer.kind == passes::Buffer::Kind::input || buffer.kind == passes::Buffer::Kind::variable) {
        const std::vector<double>& values = values_of(buffer.name);
        const auto count = bytes / static_cast<std::size_t>(ir::element_bytes(buffer.dtype));
        ir::set_elements(memory.data(), buffer.dtype, std::span(values).first(std::min(count, values.size())));
      }
      memory.resize(bytes + kGuard, kUntouched);
    }
  }

  std::vector<void*> addresses() {
    std::vector<void*> result;
    for (auto& memory : buffers_) result.push_back(memory.data());
    return result;
  }

  /// The first buffer that was written beyond its end.
  std::optional<std::size_t> overrun() const {
    for (std::size_t b = 0; b < buffers_.size(); ++b) {
      const auto is_touched = [](std::byte byte) { return byte != kUntouched; };
      if (std::any_of(buffers_[b].end() - kGuard, buffers_[b].end(), is_touched)) return b;
    }
    return std::nullopt;
  }

  std::vector<double> values(int buffer) const {
    const auto b = static_cast<std::size_t>(buffer);
    const std::size_t bytes = buffers_[b].size() - kGuard;
    return ir::elements(buffers_[b].data(), dtypes_[b],
                        bytes / static_cast<std::size_t>(ir::element_bytes(dtypes_[b])));
  }

 private:
  static constexpr std::ptrdiff_t kGuard = 64;
  static constexpr std::byte kUntouched{0x5A};
  std::vector<std::vector<std::byte>> buffers_;
  std::vector<ir::DType> dtypes_;
};

}  // namespace descent::test
