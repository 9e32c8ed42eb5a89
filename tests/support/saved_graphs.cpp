#include "tests/support/saved_graphs.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "descent/error.h"
#include "ir/text.h"
#include "runtime/file.h"

namespace descent::test {

std::string print(const ir::Program& program, const ir::Environment& environment) {
  std::string text = ir::print(program) + "values\n";
  for (const auto& [symbol, value] : environment.dimensions) text += fmt::format("size {} = {}\n", symbol, value);
  for (const auto& [counter, value] : environment.counters) text += fmt::format("counter {} = {}\n", counter, value);
  if (environment.seed != 0) text += fmt::format("seed = {}\n", environment.seed);
  for (const ir::Input& input : program.inputs) {
    const auto at = environment.tensors.find(input.name);
    if (at != environment.tensors.end())
      text += fmt::format("{} = {}\n", input.name, fmt::join(at->second.values, ", "));
  }
  return text;
}

RandomGraph parse_graph(const std::string& text) {
  const std::string heading = "\nvalues\n";
  const std::size_t end = text.find(heading);
  if (end == std::string::npos) throw Error("a saved graph has no line 'values'", "save what a failing test prints");
  RandomGraph graph{ir::parse(text.substr(0, end + 1)), {}};
  ir::Environment& e = graph.environment;
  e.counters = {{"step", 1}, {"epoch", 0}};
  std::map<std::string, std::string> tensors;
  std::istringstream lines(text.substr(end + heading.size()));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find(" = ");
    const std::string name = line.substr(0, equals), value = line.substr(equals + 3);
    if (name.starts_with("size "))
      e.dimensions[name.substr(5)] = std::stoll(value);
    else if (name.starts_with("counter "))
      e.counters[name.substr(8)] = std::stod(value);
    else if (name == "seed")
      e.seed = static_cast<std::uint32_t>(std::stoul(value));
    else
      tensors[name] = value;
  }
  for (const ir::Input& input : graph.program.inputs) {
    ir::Tensor tensor{ir::evaluate(input.shape, e.dimensions), {}};
    std::istringstream values(tensors[input.name]);
    for (std::string value; std::getline(values, value, ',');) tensor.values.push_back(std::stod(value));
    tensor.values.resize(static_cast<std::size_t>(ir::element_count(input.shape, e.dimensions)));
    e.tensors[input.name] = std::move(tensor);
  }
  return graph;
}

std::vector<SavedGraph> saved_graphs() {
  std::vector<SavedGraph> graphs;
  for (const auto& file : std::filesystem::directory_iterator(std::string(SOURCE_DIR) + "/tests/graphs")) {
    graphs.push_back({file.path().filename(), parse_graph(runtime::read_file(file.path()))});
  }
  std::sort(graphs.begin(), graphs.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return graphs;
}

}  // namespace descent::test
