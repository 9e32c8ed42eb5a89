#include "runtime/dataset.h"

#include <span>

#include "descent/error.h"
#include "ir/edit_distance.h"

namespace descent::runtime {

namespace {

[[noreturn]] void fail(const frontend::Location& at, const std::string& message, const std::string& hint = "") {
  throw Error(Diagnostic{at.file, at.line, at.column, at.length, message, hint, at.source_line});
}

int find_column(const Table& table, const std::string& name, const frontend::Location& at) {
  const int column = table.column(name);
  if (column < 0) {
    const auto meant = ir::nearest(name, table.names);
    fail(at, table.path + " has no column \"" + name + "\"", meant ? "did you mean \"" + *meant + "\"?" : "");
  }
  return column;
}

float value_of(const Table& table, std::size_t row, int column, const frontend::ColumnBinding& b) {
  if (b.equals_text) return table.text(row, column) == *b.equals_text ? 1.0f : 0.0f;
  const float x = table.number(row, column);
  const double y = b.compare_value;
  const std::string& op = b.compare_operator;
  if (op.empty()) return x;
  const bool holds = op == "==" ? x == y : op == "!=" ? x != y : op == "<" ? x < y : op == "<=" ? x <= y : op == ">" ? x > y : x >= y;
  return holds ? 1.0f : 0.0f;
}

std::int64_t width_of(const ir::Input& input) {
  std::int64_t width = 1;
  for (std::size_t i = 1; i < input.shape.size(); ++i) width *= input.shape[i].constant();
  return width;
}

}  // namespace

Dataset Dataset::select(const std::vector<std::uint32_t>& which) const {
  Dataset part;
  part.rows = static_cast<std::int64_t>(which.size());
  for (const auto& tensor : tensors) {
    const std::size_t width = tensor.size() / static_cast<std::size_t>(rows);
    std::vector<float> chosen;
    chosen.reserve(which.size() * width);
    for (std::uint32_t row : which) {
      const auto begin = tensor.begin() + static_cast<std::ptrdiff_t>(row * width);
      chosen.insert(chosen.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
    }
    part.tensors.push_back(std::move(chosen));
  }
  return part;
}

std::vector<std::span<const float>> Dataset::spans(bool with_targets, const ir::Program& program) const {
  std::vector<std::span<const float>> result;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (with_targets || !program.inputs[i].is_target) result.emplace_back(tensors[i]);
  }
  return result;
}

Dataset make_dataset(const Table& table, const frontend::Model& model, bool with_targets) {
  const ir::Program& program = *model.program;
  Dataset data;
  data.rows = static_cast<std::int64_t>(table.rows());
  int next_column = 0;
  for (const ir::Input& input : program.inputs) {
    data.tensors.emplace_back();
    const frontend::ColumnBinding* binding = nullptr;
    if (model.data) {
      for (const auto& b : model.data->bindings) if (b.tensor == input.name) binding = &b;
    }
    const std::int64_t width = width_of(input);
    if (input.is_target && !with_targets) continue;
    if (model.data && binding == nullptr) {
      fail(model.data->location, "the data block does not say where '" + input.name + "' comes from", "write " + input.name + " = columns(\"first\" .. \"last\")");
    }
    std::vector<int> columns;
    frontend::ColumnBinding plain;
    if (binding == nullptr) {
      for (std::int64_t i = 0; i < width; ++i) columns.push_back(next_column++);
      if (next_column > static_cast<int>(table.names.size())) {
        throw Error(Diagnostic{table.path, 0, 0, 1, "the model needs " + std::to_string(next_column) + " columns or more, found " + std::to_string(table.names.size()), "name the columns in a data block", ""});
      }
      binding = &plain;
    } else {
      for (const frontend::ColumnRange& range : binding->columns) {
        const int first = find_column(table, range.first, range.location), last = find_column(table, range.last, range.location);
        if (last < first) fail(range.location, "the column \"" + range.last + "\" stands before \"" + range.first + "\"", "write the earlier one first");
        for (int c = first; c <= last; ++c) columns.push_back(c);
      }
      if (static_cast<std::int64_t>(columns.size()) != width) {
        fail(binding->location, "'" + input.name + "' has " + std::to_string(width) + " columns in the model, but these are " + std::to_string(columns.size()));
      }
    }
    auto& values = data.tensors.back();
    values.reserve(table.rows() * columns.size());
    for (std::size_t row = 0; row < table.rows(); ++row) {
      for (int column : columns) values.push_back(value_of(table, row, column, *binding));
    }
  }
  return data;
}

}  // namespace descent::runtime
