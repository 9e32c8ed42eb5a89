// From the columns of a table to the tensors of a model.
#pragma once

#include <cstdint>
#include <vector>

#include "descent/tensor.h"
#include "frontend/model.h"
#include "runtime/categories.h"
#include "runtime/table.h"

namespace descent::runtime {

/// The numbers of one input or target, row-major: floats, or doubles or whole numbers where it is declared as those.
struct Numbers {
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<std::int32_t> whole;

  Numbers() = default;
  Numbers(std::vector<float> values) : floats(std::move(values)) {}        // NOLINT: floats are numbers
  Numbers(std::vector<double> values) : doubles(std::move(values)) {}      // NOLINT
  Numbers(std::vector<std::int32_t> values) : whole(std::move(values)) {}  // NOLINT
  std::size_t size() const { return view().size(); }
  TensorView view() const {
    return !whole.empty() ? TensorView(whole) : !doubles.empty() ? TensorView(doubles) : TensorView(floats);
  }
  std::vector<float> as_floats() const {
    if (!whole.empty()) return {whole.begin(), whole.end()};
    if (!doubles.empty()) return {doubles.begin(), doubles.end()};
    return floats;
  }
  friend bool operator==(const Numbers&, const Numbers&) = default;
};

struct Dataset {
  std::int64_t rows = 0;
  std::int64_t left_out = 0;     ///< rows of the table, since they lack a value
  std::vector<Numbers> tensors;  ///< as Program::inputs, rows x width; empty where a target is left out

  /// The rows of these indexes, in their order.
  Dataset select(const std::vector<std::uint32_t>& which) const;
  /// The tensors as the trainer takes them; without the targets if `with_targets` is false.
  Tensors views(bool with_targets, const ir::Declarations& program) const;
};

/// Leaves the rows out that lack a value which the data block of the model names: a number, or a text of a category.
/// Returns how many they are; throws descent::Error where no row is left.
std::size_t leave_out_missing(Table& table, const frontend::Model& model);

/// Fills the tensors of the program as the data block of the model says. Without a data block the inputs take the first
/// columns and the targets the next ones, in the order of the model. Without targets, the table need not have their
/// columns. The categories of columns of texts are taken from `categories`; where it has none for a tensor they are
/// found in the table and added. Throws descent::Error: at the data block's line for an unknown column, a range written
/// backwards, another number of columns or categories than the model declares, or a text that no row holds; at the
/// table's line for a cell that is no number or no category, or that the input cannot hold.
Dataset make_dataset(const Table& table, const ir::Declarations& program, const frontend::Model& model,
                     bool with_targets, CategoriesByTensor& categories);

}  // namespace descent::runtime
