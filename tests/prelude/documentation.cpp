// Every entry of the prelude says what it is, shows a use that compiles, and is compared with the reference data: a new
// entry cannot come without.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "descent/error.h"
#include "frontend/frontend.h"
#include "frontend/prelude.h"
#include "tests/prelude/reference.h"

using namespace descent;

namespace {

struct Entry {
  std::string kind, name;                             ///< "layer", "dense"
  std::vector<std::string> lines;                     ///< of the docstring, without "/// "
  std::string line(const std::string& label) const {  ///< what follows "Example: "; empty if there is no such line
    for (const std::string& text : lines)
      if (text.rfind(label, 0) == 0) return text.substr(label.size());
    return "";
  }
};

/// The definitions of the prelude, each with the lines of "///" right above it.
std::vector<Entry> entries() {
  std::vector<Entry> found;
  std::vector<std::string> documentation;
  std::istringstream prelude{std::string(frontend::prelude_source)};
  for (std::string text; std::getline(prelude, text);) {
    std::istringstream words(text);
    std::string kind, name;
    words >> kind >> name;
    if (text.rfind("/// ", 0) == 0) {
      documentation.push_back(text.substr(4));
      continue;
    }
    if (kind == "fn" || kind == "layer" || kind == "optimizer") {
      found.push_back({kind, name.substr(0, name.find('(')), documentation});
    }
    documentation.clear();
  }
  return found;
}

/// A model that uses the example of a docstring: a setting of the train block, a loss, a metric, or the value of an
/// expression.
std::string model_with(const std::string& example) {
  std::string model =
      "    input  x: [n, 8]\n    target y: [n, 1]\n    target t: [n, 3]\n"
      "    input  kind: [n]\n    input line: [n, 8, 2]\n    input image: [n, 8, 8, 2]\n    input steps: [n, 6, 8]\n    "
      "output p = sigmoid(dense(x, "
      "1))\n";
  std::string train;
  const bool setting = example.rfind("optimizer =", 0) == 0 || example.rfind("gradients =", 0) == 0 ||
                       example.rfind("average =", 0) == 0;
  if (setting) train = "train { " + example + " }\n";
  const bool statement = example.rfind("loss =", 0) == 0 || example.rfind("metric ", 0) == 0;
  if (example.rfind("metric ", 0) == 0) model += "    loss = bce(p, y)\n";
  model += statement ? "    " + example + "\n" : "    loss = bce(p, y)\n";
  if (!setting && !statement) model += "    output example = " + example + "\n";
  return "model documented {\n" + model + "}\n" + train;
}

}  // namespace

TEST_CASE("the_prelude_has_each_name_once") {
  std::set<std::string> names;
  for (const Entry& entry : entries()) {
    INFO(entry.name);
    CHECK(names.insert(entry.name).second);
  }
  CHECK(names.size() > 40);
}

TEST_CASE("every_entry_of_the_prelude_is_documented") {
  for (const Entry& entry : entries()) {
    INFO(entry.kind << " " << entry.name);
    CHECK(!entry.lines.empty());
    for (const char* label : {"Shapes: ", "Source: ", "Example: "}) {
      INFO(label);
      CHECK(!entry.line(label).empty());
    }
  }
}

TEST_CASE("the_example_of_every_entry_compiles_and_uses_it") {
  for (const Entry& entry : entries()) {
    const std::string example = entry.line("Example: ");
    INFO(entry.name << ": " << example);
    CHECK(example.find(entry.name) != std::string::npos);
    std::string mistakes;
    try {
      frontend::load_model(model_with(example), entry.name);
    } catch (const Error& error) {
      mistakes = error.what();
    }
    CHECK(mistakes == "");
  }
}

TEST_CASE("every_entry_of_the_prelude_is_compared_with_the_reference") {
  std::set<std::string> compared;
  for (const std::string& file : test::reference_files()) {
    for (const auto& c : test::reference_cases(file)) compared.insert(c["entry"].get<std::string>());
  }
  for (const Entry& entry : entries()) {
    INFO(entry.name);
    CHECK(compared.contains(entry.name));
  }
}
