// docs/gradients.md is true: the formulas under each model are those that the compiler derives, and every gradient
// `by_...` equals the one of the literature, `written_...`, on random values in float64. Tolerance: 1e-9 relative to
// 1 + |value|; both are a few hundred roundings of numbers near 1.
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <sstream>

#include "frontend/frontend.h"
#include "ir/formula.h"
#include "ir/interpreter.h"
#include "ir/threefry.h"
#include "passes/passes.h"

using namespace descent;

namespace {

struct Entry {
  std::string title, model, formulas;
};

/// The headings with a model, and the block of formulas behind it.
std::vector<Entry> entries() {
  std::ifstream file(std::string(SOURCE_DIR) + "/docs/gradients.md");
  std::vector<Entry> found;
  std::string title, line;
  std::string* into = nullptr;
  while (std::getline(file, line)) {
    if (into != nullptr) {
      if (line == "```")
        into = nullptr;
      else
        *into += line + "\n";
    } else if (line.starts_with("## ")) {
      title = line.substr(3);
    } else if (line == "```descent") {
      found.push_back({title, "", ""});
      into = &found.back().model;
    } else if (line == "```text") {
      into = &found.back().formulas;
    }
  }
  return found;
}

/// The model without the formulas of the literature.
std::string without_written(const std::string& model) {
  std::istringstream lines(model);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("    output written_")) text += line + "\n";
  }
  return text;
}

ir::Environment environment_of(const ir::Program& program) {
  ir::Environment e;
  e.dimensions = {{"n", 5}};
  std::uint32_t stream = 0;
  for (const ir::Input& input : program.inputs) {
    ir::Tensor t{ir::evaluate(input.shape, e.dimensions), {}};
    const std::int64_t count = ir::element_count(input.shape, e.dimensions);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto bits = ir::threefry2x32(4, stream, static_cast<std::uint32_t>(i), 0);
      t.values.push_back(2 * static_cast<double>(ir::uniform_from_bits(bits[0])) - 1);
    }
    e.tensors[input.name] = t;
    ++stream;
  }
  return e;
}

}  // namespace

TEST_CASE("gradients_in_the_document_are_what_is_derived_and_what_the_literature_says") {
  const std::vector<Entry> all = entries();
  CHECK(all.size() >= 10);
  for (const Entry& entry : all) {
    INFO(entry.title);
    ir::Program derived;
    const auto keep = [&](const std::string& stage, const ir::Program& p) {
      if (stage == "derived") derived = p;
    };
    passes::run_pipeline(*frontend::load_model(without_written(entry.model), "gradients.md").program, keep);
    std::vector<std::pair<std::string, const ir::Node*>> named;
    for (const ir::Binding& b : derived.function("predict").results) named.emplace_back(b.name, b.node);
    CHECK(ir::formulas(named) == entry.formulas);

    const ir::Program optimized = passes::run_pipeline(*frontend::load_model(entry.model, "gradients.md").program);
    std::map<std::string, const ir::Node*> results;
    for (const ir::Binding& b : optimized.function("predict").results) results[b.name] = b.node;
    const ir::Environment e = environment_of(optimized);
    int compared = 0;
    for (const auto& [name, node] : results) {
      if (!name.starts_with("by_")) continue;
      INFO(name);
      REQUIRE(results.contains("written_" + name.substr(3)));
      const auto values = ir::interpret({node, results.at("written_" + name.substr(3))}, e);
      REQUIRE(values[0].values.size() == values[1].values.size());
      for (std::size_t i = 0; i < values[0].values.size(); ++i) {
        CHECK(std::fabs(values[0].values[i] - values[1].values[i]) <= 1e-9 * (1 + std::fabs(values[1].values[i])));
        ++compared;
      }
    }
    CHECK(compared > 0);
  }
}
