// What the files with the functions of structural ops share.
#pragma once

#include <algorithm>
#include <array>
#include <string>

#include "descent/error.h"
#include "ir/interpreter.h"
#include "ir/structural.h"

namespace descent::ir {

[[noreturn]] inline void fail(const std::string& op, const std::string& what) { throw Error(op + ": " + what); }

inline bool contains(const std::vector<int>& axes, int axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

/// The entry of one axis in a list with an entry for each.
template <typename List>
auto& along(List& list, int axis) {
  return list[static_cast<std::size_t>(axis)];
}

/// The axes of a tensor of this rank that are in neither list, in order.
std::vector<int> remaining_axes(std::size_t rank, const std::vector<int>& a, const std::vector<int>& b = {});

/// Throws descent::Error unless the axes are different ones of a tensor of this rank.
void check_axes(const char* op, const std::vector<int>& axes, std::size_t rank);

/// Walks the indices of `shape` in row-major order, keeping for each set of strides the offset of the current index.
template <std::size_t N, typename Body>
void walk(const std::vector<std::int64_t>& shape, const std::array<std::vector<std::int64_t>, N>& strides, Body body) {
  std::vector<std::int64_t> index(shape.size(), 0);
  std::array<std::int64_t, N> offsets{};
  for (std::int64_t size : shape) {
    if (size == 0) return;
  }
  while (true) {
    body(offsets);
    std::size_t axis = shape.size();
    while (axis > 0) {
      --axis;
      for (std::size_t i = 0; i < N; ++i) offsets[i] += strides[i][axis];
      if (++index[axis] < shape[axis]) break;
      for (std::size_t i = 0; i < N; ++i) offsets[i] -= strides[i][axis] * shape[axis];
      index[axis] = 0;
      if (axis == 0) return;
    }
    if (shape.empty()) return;
  }
}

}  // namespace descent::ir
