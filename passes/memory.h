// The memory of a compiled function: which buffers there are, and where temporaries lie.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"

namespace descent::passes {

/// The kernels from the one that begins to write a buffer to the last that reads it.
struct Life {
  int first = 0, last = 0;
  friend bool operator==(const Life&, const Life&) = default;
};

/// Memory that kernels read and write.
struct Buffer {
  enum class Kind { input, variable, temporary, result } kind;
  std::string name;  ///< of the input, variable or result; empty for a temporary
  ir::Shape shape;
  ir::DType dtype = ir::DType::f32;  ///< of its elements: how long each is (ir::element_bytes), and what it holds
  std::vector<Life> lives = {};      ///< of a temporary or result, in order: several where it is computed again
};
/// What its elements take.
std::int64_t bytes_of(const Buffer& buffer, const ir::DimensionValues& sizes);

/// All memory of a function: what its callers have to provide.
struct BufferTable {
  std::vector<Buffer> buffers;
  std::unordered_map<std::string, int> names;  ///< of inputs, variables and results: their buffers
  std::int64_t limit = 0;                      ///< bytes that a plan of the memory keeps to; 0: there is none
  ir::DimensionValues limit_sizes;             ///< for these sizes
  int buffer(const std::string& name) const;   ///< of an input, variable or result; -1 if there is none
};

/// A size of memory as a person writes it, never less than it is: "1.5 MiB".
std::string memory_text(std::int64_t bytes);

/// Where each buffer lies in one block of memory; only temporaries and results have a place.
struct MemoryPlan {
  std::vector<std::int64_t> offsets;  ///< in bytes, multiples of 64; -1 for buffers that lie elsewhere
  std::int64_t bytes = 0;
};
/// What a buffer takes in it: whole lines of the cache.
std::int64_t arena_bytes(const Buffer& buffer, const ir::DimensionValues& sizes);
/// Places temporaries that do not live at the same time over each other: largest first, at the lowest offset that is
/// free during its life (best-fit by decreasing size, as in Pisarchyk and Lee, "Efficient memory management", 2020).
MemoryPlan plan_memory(const BufferTable& table, const ir::DimensionValues& sizes);

}  // namespace descent::passes
