// Every file of wrong/ gives exactly the messages that stand at its end, behind the line "// ---- expected".
//
// DESCENT_BLESS=1 writes what is said now into the files: for review, line by line, in the diff.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "descent/error.h"
#include "frontend/frontend.h"

using namespace descent;
namespace fs = std::filesystem;

namespace {

const std::string expected_line = "// ---- expected\n";

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// The messages as comment lines.
std::string commented(const std::string& messages) {
  std::istringstream lines(messages);
  std::string text;
  for (std::string line; std::getline(lines, line);) text += "// " + line + "\n";
  return text;
}

std::string messages(const std::string& text, const std::string& file) {
  try {
    frontend::load_model(text, file);
  } catch (const Error& error) {
    return error.what();
  }
  return "no mistake was found";
}

}  // namespace

TEST_CASE("every_wrong_file_gives_its_exact_messages") {
  const fs::path folder = fs::path(SOURCE_DIR) / "tests" / "frontend" / "wrong";
  const fs::path before = fs::current_path();
  fs::current_path(folder);  // so that the messages name files without their folder
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path().filename().string());
  }
  std::sort(files.begin(), files.end());
  CHECK(files.size() >= 120);
  for (const std::string& file : files) {
    const std::string whole = read(file);
    const std::size_t end = std::min(whole.find(expected_line), whole.size());
    const std::string text = whole.substr(0, end);
    const std::string found = expected_line + commented(messages(text, file));
    if (std::getenv("DESCENT_BLESS") != nullptr) {
      std::ofstream(file, std::ios::binary) << text << found;
    } else {
      INFO(file);
      CHECK(found == whole.substr(end));
    }
  }
  fs::current_path(before);
}
