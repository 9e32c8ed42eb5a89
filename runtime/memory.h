// Memory for tensors: aligned to cache lines, and on large pages where it is large, since a processor keeps the
// addresses of few pages at hand.
#pragma once

#include <cstddef>
#include <vector>

namespace descent::runtime {

void* allocate_tensor(std::size_t bytes);  ///< throws std::bad_alloc
void free_tensor(void* memory) noexcept;

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

using Floats = std::vector<float, TensorAllocator<float>>;

}  // namespace descent::runtime
