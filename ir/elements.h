// The elements of a tensor as they lie in memory (ir::element_bytes): what native code reads and writes.
#pragma once

#include <span>
#include <vector>

#include "ir/graph.h"

namespace descent::ir {

/// Every dtype's elements are numbers that a double holds.
double element(const void* memory, DType dtype, std::size_t index);
std::vector<double> elements(const void* memory, DType dtype, std::size_t count);
/// Rounded to what the dtype holds.
void set_element(void* memory, DType dtype, std::size_t index, double value);
void set_elements(void* memory, DType dtype, std::span<const double> values);

}  // namespace descent::ir
