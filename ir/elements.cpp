#include "ir/elements.h"

namespace descent::ir {

double element(const void* memory, DType dtype, std::size_t index) {
  switch (dtype) {
    case DType::f64:
      return static_cast<const double*>(memory)[index];
    case DType::i32:
      return static_cast<const std::int32_t*>(memory)[index];
    case DType::f32:
    case DType::boolean:
      break;
  }
  return static_cast<double>(static_cast<const float*>(memory)[index]);
}

void set_element(void* memory, DType dtype, std::size_t index, double value) {
  switch (dtype) {
    case DType::f64:
      static_cast<double*>(memory)[index] = value;
      return;
    case DType::i32:
      static_cast<std::int32_t*>(memory)[index] = static_cast<std::int32_t>(value);
      return;
    case DType::f32:
    case DType::boolean:
      static_cast<float*>(memory)[index] = static_cast<float>(value);
  }
}

std::vector<double> elements(const void* memory, DType dtype, std::size_t count) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = element(memory, dtype, i);
  return values;
}

void set_elements(void* memory, DType dtype, std::span<const double> values) {
  for (std::size_t i = 0; i < values.size(); ++i) set_element(memory, dtype, i, values[i]);
}

}  // namespace descent::ir
