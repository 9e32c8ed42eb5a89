// Writes the model's outputs for every row of a table as CSV. What is the same for all rows stands in the first.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/commands.h"
#include "cli/output.h"
#include "runtime/file.h"
#include "runtime/model.h"

namespace descent::cli {

namespace {

/// A name as a cell of CSV: in quotes where it holds a comma, a quote or a line end.
std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

/// The numbers of one row after the name of the output: by category where the only target with categories has as many,
/// else by index.
std::vector<std::string> column_names(const std::string& output, std::size_t width,
                                      const runtime::CategoriesByTensor& categories) {
  if (width == 1) return {output};
  const bool named = categories.size() == 1 && categories.begin()->second.size() == width;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < width; ++i) {
    names.push_back(output + "." + (named ? categories.begin()->second[i] : std::to_string(i)));
  }
  return names;
}

/// An output in the table.
struct Columns {
  std::vector<std::string> names;
  TensorView numbers;
  bool has_rows;  ///< else it is the same for all of them, and stands in the first alone
};

std::vector<Columns> columns_of(const std::vector<Trainer::Output>& outputs, const ir::Interface& program,
                                std::int64_t rows, const runtime::CategoriesByTensor& categories) {
  std::vector<Columns> columns;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const ir::Shape& shape = program.results_of("predict")[i].shape;
    const bool has_rows = program.has_rows(shape);
    if (!has_rows && std::ranges::any_of(shape, [](const ir::Dimension& d) { return !d.is_constant(); })) {
      throw Error(fmt::format("the output '{}' is {}, which is no row of a table for each row of the data",
                              outputs[i].name, ir::to_string(shape)),
                  "give it the batch as its first axis");
    }
    const TensorView numbers = outputs[i].view();
    const std::size_t width = numbers.size() / (has_rows ? static_cast<std::size_t>(rows) : 1);
    columns.push_back({column_names(outputs[i].name, width, categories), numbers, has_rows});
  }
  return columns;
}

/// As short as it is read back: the shortest text of a float is not that of the same number as a double.
void append_number(std::string& text, const TensorView& numbers, std::size_t i) {
  const auto to = std::back_inserter(text);
  if (numbers.type() == TensorView::Type::f32) {
    fmt::format_to(to, "{}", numbers.floats()[i]);
  } else {
    fmt::format_to(to, "{}", numbers[i]);
  }
}

}  // namespace

int predict(const PredictArguments& a) {
  const Model model = Model::from_file(a.file);
  Trainer trainer(model);
  trainer.load(a.weights);
  if (!a.output.empty()) runtime::check_writable(a.output);
  const ir::Interface& program = model.implementation()->interface;
  const bool with_targets = program.predicts_from_targets;
  const runtime::Dataset data = runtime::load_dataset(trainer, model, a.file, a.data, with_targets, true);
  const auto outputs = trainer.predict_all(data.views(with_targets, program), data.rows);
  const std::vector<Columns> columns = columns_of(outputs, program, data.rows, trainer.implementation().categories);
  std::string text;
  for (const Columns& c : columns) {
    for (const std::string& name : c.names) text += (text.empty() ? "" : ",") + cell(name);
  }
  const bool any_rows = std::ranges::any_of(columns, &Columns::has_rows);
  for (std::int64_t row = 0; row < (any_rows ? data.rows : 1); ++row) {
    char separator = '\n';
    for (const Columns& c : columns) {
      const std::size_t width = c.names.size(), first = c.has_rows ? static_cast<std::size_t>(row) * width : 0;
      for (std::size_t i = first; i < first + width; ++i) {
        text += separator;
        if (c.has_rows || row == 0) append_number(text, c.numbers, i);
        separator = ',';
      }
    }
  }
  text += "\n";
  if (a.output.empty()) {
    write_result(text);
  } else {
    const std::string_view pieces[] = {text};
    runtime::write_file_atomically(a.output, pieces);
  }
  return 0;
}

}  // namespace descent::cli
