// Writes the model's outputs for every row of a table as CSV.
#include <fmt/format.h>

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

}  // namespace

int predict(const PredictArguments& a) {
  const Model model = Model::from_file(a.file);
  Trainer trainer(model);
  trainer.load(a.weights);
  if (!a.output.empty()) runtime::check_writable(a.output);
  const ir::Interface& program = model.implementation()->interface;
  const bool with_targets = program.predicts_from_targets;
  const runtime::Dataset data = runtime::load_dataset(trainer, model, a.file, a.data, with_targets);
  const auto rows = static_cast<std::size_t>(data.rows);
  const auto outputs = trainer.predict_all(data.views(with_targets, program), data.rows);
  std::string text;
  for (const Trainer::Output& output : outputs) {
    const std::size_t size = output.view().size();
    if (size % rows != 0 || size < rows) {
      throw Error(fmt::format("the output '{}' has {} numbers for {} rows, which are no rows of a table", output.name,
                              size, rows),
                  "give every output the batch as its first axis");
    }
    for (const std::string& name : column_names(output.name, size / rows, trainer.implementation().categories)) {
      text += (text.empty() ? "" : ",") + cell(name);
    }
  }
  for (std::size_t row = 0; row < rows; ++row) {
    char separator = '\n';
    for (const Trainer::Output& output : outputs) {
      const TensorView numbers = output.view();
      const std::size_t width = numbers.size() / rows;
      for (std::size_t i = row * width; i < (row + 1) * width; ++i) {
        // As short as it is read back: the shortest text of a float is not that of the same number as a double.
        if (numbers.type() == TensorView::Type::f32) {
          fmt::format_to(std::back_inserter(text), "{}{}", separator, numbers.floats()[i]);
        } else {
          fmt::format_to(std::back_inserter(text), "{}{}", separator, numbers[i]);
        }
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
