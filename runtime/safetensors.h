// Named tensors in a safetensors file: what weights and checkpoints are saved as.
//
// The format: 8 bytes, little-endian, the length of the header; the header, a JSON object
// {"name": {"dtype": "F32", "shape": [30, 16], "data_offsets": [begin, end]}, ..., "__metadata__": {"key": "text"}};
// then the data, which the offsets count from its start, without gaps or overlaps. Descent's are F32
// or F64.
// Source: https://github.com/huggingface/safetensors
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ir/graph.h"

namespace descent::runtime {

struct SavedTensor {
  std::vector<std::int64_t> shape;                               ///< empty for a scalar
  std::variant<std::vector<float>, std::vector<double>> values;  ///< row-major: F32 or F64

  ir::DType dtype() const { return values.index() == 0 ? ir::DType::f32 : ir::DType::f64; }
  std::size_t size() const;
  std::span<const std::byte> bytes() const;  ///< of the values
  void set_bytes(std::span<const std::byte> bytes);

  friend bool operator==(const SavedTensor&, const SavedTensor&) = default;
};

struct TensorFile {
  std::vector<std::pair<std::string, SavedTensor>> tensors;  ///< in the order of the file; every name once
  std::map<std::string, std::string> metadata;

  const SavedTensor* find(const std::string& name) const;  ///< null if there is none
  friend bool operator==(const TensorFile&, const TensorFile&) = default;
};

/// Writes the file atomically (runtime/file.h), the tensors in their order. Throws descent::Error if the file cannot be
/// written, if a tensor is called "__metadata__" or as another, if a shape does not fit its values, or if a text is not
/// UTF-8.
void save_tensors(const std::string& path, const TensorFile& file);

/// Throws descent::Error for a file that cannot be read, is malformed in any way, or holds another dtype than F32 and
/// F64.
TensorFile load_tensors(const std::string& path);

/// The same from bytes in memory; `path` is for the messages.
TensorFile parse_tensors(const std::string& bytes, const std::string& path);

}  // namespace descent::runtime
