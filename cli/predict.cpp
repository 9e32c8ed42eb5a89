// Writes the model's outputs for every row of a table as CSV.
#include <fmt/format.h>

#include "cli/commands.h"
#include "runtime/file.h"
#include "runtime/model.h"

namespace descent::cli {

int predict(const PredictArguments& a) {
  const Model model = Model::from_file(a.file);
  Trainer trainer(model);
  trainer.load(a.weights);
  const runtime::Dataset data = runtime::load_dataset(model, a.file, a.data, false);
  const std::vector<float> p = trainer.predict(data.spans(false, model.implementation()->program), data.rows);
  const std::string name = model.outputs()[0];
  const std::size_t width = p.size() / static_cast<std::size_t>(data.rows);
  std::string text;
  for (std::size_t j = 0; j < width; ++j)
    text += (j > 0 ? "," : "") + (width > 1 ? fmt::format("{}.{}", name, j) : name);
  for (std::size_t i = 0; i < p.size(); ++i) text += fmt::format("{}{}", i % width == 0 ? "\n" : ",", p[i]);
  text += "\n";
  if (a.output.empty()) {
    fmt::print("{}", text);
  } else {
    const std::string_view pieces[] = {text};
    runtime::write_file_atomically(a.output, pieces);
  }
  return 0;
}

}  // namespace descent::cli
