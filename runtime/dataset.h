// From the columns of a table to the tensors of a model.
#pragma once

#include <span>

#include "frontend/model.h"
#include "runtime/table.h"

namespace descent::runtime {

struct Dataset {
  std::int64_t rows = 0;
  std::vector<std::vector<float>> tensors;  ///< as Program::inputs, rows x width; empty where a target is left out
  Dataset select(const std::vector<std::uint32_t>& which) const;
  std::vector<std::span<const float>> spans(bool with_targets, const ir::Program& program) const;
};

/// Fills the tensors as the data block says. Without a data block the inputs take the first columns and the targets the
/// next ones, in the order of the model. Throws descent::Error, at the data block's line where that is to blame.
Dataset make_dataset(const Table& table, const frontend::Model& model, bool with_targets);

}  // namespace descent::runtime
