// From the columns of a table to the tensors of a model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "frontend/model.h"
#include "runtime/categories.h"
#include "runtime/table.h"

namespace descent::runtime {

struct Dataset {
  std::int64_t rows = 0;
  std::vector<std::vector<float>>
      tensors;  ///< as Program::inputs, row-major, rows x width; empty where a target is left out

  /// The rows of these indexes, in their order.
  Dataset select(const std::vector<std::uint32_t>& which) const;
  /// The tensors as the trainer takes them; without the targets if `with_targets` is false.
  std::vector<std::span<const float>> spans(bool with_targets, const ir::Program& program) const;
};

/// Fills the tensors as the data block says. Without a data block the inputs take the first columns and the targets the
/// next ones, in the order of the model. Without targets, the table need not have their columns. The categories of
/// columns of texts are taken from `categories`; where it has none for a tensor they are found in the table and added.
/// Throws descent::Error: at the data block's line for an unknown column, a range written backwards, another number of
/// columns or categories than the model declares, or a text that no row holds; at the table's line for a cell that is
/// no number or no category.
Dataset make_dataset(const Table& table, const frontend::Model& model, bool with_targets,
                     CategoriesByTensor& categories);

}  // namespace descent::runtime
