#include "runtime/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <new>

namespace descent::runtime {

void* allocate_tensor(std::size_t bytes) {
  constexpr std::size_t line = 64, page = std::size_t{2} << 20;
  // Vectors are read whole: rounded up, the last one lies inside.
  const std::size_t alignment = bytes >= page ? page : line;
  const std::size_t rounded = (bytes + line) / alignment * alignment + alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  // Only what fills large pages, so that no memory is spent on it; where the system has none, nothing changes.
  if (bytes >= page) (void)::madvise(memory, bytes / page * page, MADV_HUGEPAGE);
#endif
  return memory;
}

double machine_memory() {
  return static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGE_SIZE));
}

void free_tensor(void* memory) noexcept { std::free(memory); }

}  // namespace descent::runtime
