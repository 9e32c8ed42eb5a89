// The code in the documents is true: blocks marked ```descent are files without mistakes, and formatted; in blocks
// ```eval every line is an expression and, behind =>, its value; blocks marked ```cpp or ```c stand in a program of
// examples/embed, which the tests run. Blocks marked ```shell are run by end_to_end/documents.sh.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "frontend/format.h"
#include "frontend/frontend.h"
#include "ir/interpreter.h"
#include "passes/passes.h"

using namespace descent;
namespace fs = std::filesystem;

namespace {

struct Block {
  std::string marker, text;
  std::string place;  ///< "language.md:12"
};

std::vector<Block> blocks(const fs::path& path) {
  std::vector<Block> found;
  std::ifstream file(path);
  bool inside = false;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) found.push_back({line.substr(3), "", path.filename().string() + ":" + std::to_string(number)});
    } else if (inside) {
      found.back().text += line + "\n";
    }
  }
  return found;
}

std::vector<Block> all_blocks() {
  const fs::path root = SOURCE_DIR;
  std::vector<Block> found = blocks(root / "README.md");
  for (const auto& entry : fs::directory_iterator(root / "docs")) {
    if (entry.path().extension() != ".md") continue;
    const std::vector<Block> more = blocks(entry.path());
    found.insert(found.end(), more.begin(), more.end());
  }
  return found;
}

std::string value(const std::string& expression) {
  const ir::Program program = passes::run_pipeline(frontend::load_expression(expression, {}));
  const ir::Tensor result = ir::interpret({program.function("predict").results[0].node}, {})[0];
  std::string text;
  for (double v : result.values) {
    text += fmt::format("{}{:.6f}", text.empty() ? "" : " ", v);
  }
  return text;
}

}  // namespace

TEST_CASE("every_block_of_code_says_what_it_is") {
  for (const Block& block : all_blocks()) {
    INFO(block.place);
    const bool known = block.marker == "descent" || block.marker == "eval" || block.marker == "shell" ||
                       block.marker == "cpp" || block.marker == "c" || block.marker == "text";
    CHECK(known);
  }
}

TEST_CASE("files_in_the_documents_have_no_mistakes_and_are_formatted") {
  int files = 0;
  for (const Block& block : all_blocks()) {
    if (block.marker != "descent") continue;
    CHECK_NOTHROW(frontend::load_model(block.text, block.place));
    CHECK(frontend::format(block.text, block.place) == block.text);
    ++files;
  }
  CHECK(files >= 10);
}

TEST_CASE("expressions_in_the_documents_have_the_values_that_are_written") {
  int lines = 0;
  for (const Block& block : all_blocks()) {
    if (block.marker != "eval") continue;
    std::istringstream text(block.text);
    for (std::string line; std::getline(text, line);) {
      INFO(block.place << ": " << line);
      const std::size_t arrow = line.find("=>");
      REQUIRE(arrow != std::string::npos);
      CHECK(value(line.substr(0, arrow)) == line.substr(arrow + 3));
      ++lines;
    }
  }
  CHECK(lines >= 20);
}

namespace {

/// The lines without the blanks before them, each between line ends.
std::string without_indentation(std::istream& text) {
  std::string lines = "\n";
  for (std::string line; std::getline(text, line);) {
    lines += line.substr(std::min(line.find_first_not_of(' '), line.size())) + "\n";
  }
  return lines;
}

}  // namespace

TEST_CASE("programs_in_the_documents_are_parts_of_those_that_the_tests_run") {
  std::string programs;
  for (const auto& entry : fs::directory_iterator(fs::path(SOURCE_DIR) / "examples" / "embed")) {
    std::ifstream file(entry.path());
    programs += without_indentation(file);
  }
  int parts = 0;
  for (const Block& block : all_blocks()) {
    if (block.marker != "cpp" && block.marker != "c") continue;
    INFO(block.place);
    std::istringstream text(block.text);
    CHECK(programs.find(without_indentation(text)) != std::string::npos);
    ++parts;
  }
  CHECK(parts >= 3);
}

TEST_CASE("the_grammar_for_editors_knows_every_word_of_the_language") {
  const auto read = [](const char* path) {
    std::ostringstream text;
    text << std::ifstream(fs::path(SOURCE_DIR) / path).rdbuf();
    return text.str();
  };
  const std::string reference = read("docs/language.md"),
                    editors = read("editors/vscode/syntaxes/descent.tmLanguage.json");
  const std::string grammar = reference.substr(reference.find("## Grammar"));
  std::vector<std::string> words = {"f32", "f64", "int", "bool", "KiB", "MiB", "GiB", "KB", "MB", "GB"};
  // Known names, up to those of collections.
  const std::size_t known = reference.find("Known names are");
  const std::string names = reference.substr(known, reference.find("the collections", known) - known);
  for (const auto& [text, pattern] : {std::pair(grammar, "\"([a-z]+)\""), std::pair(names, "`([a-z]+)`")}) {
    const std::regex word(pattern);
    for (auto at = std::sregex_iterator(text.begin(), text.end(), word); at != std::sregex_iterator(); ++at) {
      words.push_back((*at)[1]);
    }
  }
  CHECK(words.size() >= 45);
  for (const std::string& word : words) {
    INFO(word);
    CHECK(std::regex_search(editors, std::regex("[(|b ]" + word + "[|)(\\\\]")));
  }
}
