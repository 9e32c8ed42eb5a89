// Weights files: https://github.com/huggingface/safetensors (8 bytes of header length, a JSON header, the data).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace descent::runtime {

struct SavedTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  ///< row-major
};

struct TensorFile {
  std::map<std::string, SavedTensor> tensors;
  std::map<std::string, std::string> metadata;
};

void save_tensors(const std::string& path, const TensorFile& file);  ///< atomically; throws descent::Error
TensorFile load_tensors(const std::string& path);  ///< F32 only; throws descent::Error for anything malformed

}  // namespace descent::runtime
