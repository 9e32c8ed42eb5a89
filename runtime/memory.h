// Memory for tensors: aligned to cache lines, and on large pages where it is large, since a processor keeps the
// addresses of few pages at hand.
#pragma once

#include <cstddef>
#include <vector>

#include "ir/elements.h"

namespace descent::runtime {

void* allocate_tensor(std::size_t bytes);  ///< throws std::bad_alloc
void free_tensor(void* memory) noexcept;
/// The bytes of memory that the machine has.
double machine_memory();

template <typename T>
struct TensorAllocator {
  using value_type = T;
  TensorAllocator() = default;
  template <typename U>
  TensorAllocator(const TensorAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(allocate_tensor(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t) noexcept { free_tensor(memory); }
  template <typename U>
  bool operator==(const TensorAllocator<U>&) const {
    return true;
  }
};

using Bytes = std::vector<std::byte, TensorAllocator<std::byte>>;

/// A tensor that is kept: its elements as native code reads them.
struct Elements {
  ir::DType dtype = ir::DType::f32;
  Bytes bytes;

  Elements() = default;
  Elements(ir::DType type, std::size_t count)
      : dtype(type), bytes(count * static_cast<std::size_t>(ir::element_bytes(type))) {}
  std::size_t size() const { return bytes.size() / static_cast<std::size_t>(ir::element_bytes(dtype)); }
  std::vector<double> values() const { return ir::elements(bytes.data(), dtype, size()); }
  /// Sets the elements from the `first` one on.
  void set(std::span<const double> values, std::size_t first = 0) {
    ir::set_elements(bytes.data() + first * static_cast<std::size_t>(ir::element_bytes(dtype)), dtype, values);
  }
  friend bool operator==(const Elements&, const Elements&) = default;
};

}  // namespace descent::runtime
