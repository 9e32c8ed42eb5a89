#include "ir/elements.h"

#include <type_traits>

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
  set_elements(static_cast<std::byte*>(memory) + index * static_cast<std::size_t>(element_bytes(dtype)), dtype,
               {&value, 1});
}

std::vector<double> elements(const void* memory, DType dtype, std::size_t count) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = element(memory, dtype, i);
  return values;
}

void set_elements(void* memory, DType dtype, std::span<const double> values) {
  const auto set = [&](auto* to) {
    for (const double value : values) *to++ = static_cast<std::remove_pointer_t<decltype(to)>>(value);
  };
  switch (dtype) {
    case DType::f64:
      return set(static_cast<double*>(memory));
    case DType::i32:
      return set(static_cast<std::int32_t*>(memory));
    case DType::f32:
    case DType::boolean:
      return set(static_cast<float*>(memory));
  }
}

}  // namespace descent::ir
