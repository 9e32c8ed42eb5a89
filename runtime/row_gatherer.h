// The parts of a function of all rows (passes/by_rows.h), gathered from one chunk of rows after the other.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/interpreter.h"
#include "passes/by_rows.h"

namespace descent::runtime {

class RowGatherer {
 public:
  explicit RowGatherer(const std::vector<passes::RowPart>& parts) : parts_(parts), tensors_(parts.size()) {}

  /// Takes in what a chunk gives; `values` says where the values of a part lie, and `sizes` are those of the chunk.
  template <typename Values>
  void add(const ir::DimensionValues& sizes, Values values) {
    for (std::size_t i = 0; i < parts_.size(); ++i) add(i, sizes, values(parts_[i].value));
  }
  /// All parts, by name.
  std::map<std::string, ir::Tensor> take();

 private:
  void add(std::size_t part, const ir::DimensionValues& sizes, const void* values);
  const std::vector<passes::RowPart>& parts_;
  std::vector<ir::Tensor> tensors_;
};

}  // namespace descent::runtime
