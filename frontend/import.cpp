#include "frontend/import.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "frontend/parser.h"
#include "ir/stage_times.h"

namespace descent::frontend {

namespace {

namespace fs = std::filesystem;

std::optional<std::string> read(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) return std::nullopt;
  return text.str();
}

class Loader {
 public:
  explicit Loader(std::vector<Diagnostic>& mistakes) : mistakes_(mistakes) {}

  std::unique_ptr<SourceTree> load(const std::string& text, const std::string& name) {
    tree_->main = parse(text, name);
    return std::move(tree_);
  }

 private:
  const File* parse(const std::string& text, const std::string& name) {
    const auto number = static_cast<std::uint32_t>(tree_->sources.size() + 1);
    Source& source = *tree_->sources.emplace_back(std::make_unique<Source>(Source{name, text, number}));
    const std::string key = key_of(name);
    File* const file = tree_->files.emplace_back(parse_file(source, mistakes_)).get();
    files_[key] = file;
    active_.push_back(key);
    for (Import& import : file->imports) import.file = resolve(import, name);
    active_.pop_back();
    return file;
  }

  const File* resolve(const Import& import, const std::string& importing) {
    const fs::path path = fs::path(importing).parent_path() / import.path;
    const std::string key = key_of(path.string());
    if (std::find(active_.begin(), active_.end(), key) != active_.end()) {
      mistakes_.push_back(diagnostic(import.span, "this import goes round in a circle: " + circle(key),
                                     "move what both files need into a third"));
      return nullptr;
    }
    if (const auto known = files_.find(key); known != files_.end()) return known->second;
    constexpr std::size_t deepest = 100;
    if (active_.size() >= deepest) {
      mistakes_.push_back(diagnostic(import.span, "imports are nested more than 100 deep"));
      return nullptr;
    }
    if (mistakes_.size() >= most_mistakes) return nullptr;
    const auto text = read(path);
    if (!text) {
      mistakes_.push_back(diagnostic(import.span, "there is no file " + path.string(),
                                     "the path is relative to the folder of this file"));
      return nullptr;
    }
    const File* file = parse(*text, path.string());
    for (const Definition* d : file->definitions) {
      if (d->is_callable()) continue;
      mistakes_.push_back(diagnostic(d->name_span, "a file that is imported holds no model, data or train block",
                                     "only functions, layers and optimizers can be imported"));
    }
    return file;
  }

  /// The same for all ways of writing one path.
  static std::string key_of(const std::string& path) {
    std::error_code error;
    const fs::path canonical = fs::weakly_canonical(path, error);
    return error ? path : canonical.string();
  }

  std::string circle(const std::string& key) const {
    std::string text;
    for (auto at = std::find(active_.begin(), active_.end(), key); at != active_.end(); ++at) {
      text += fs::path(*at).filename().string() + " imports ";
    }
    return text + fs::path(key).filename().string();
  }

  std::vector<Diagnostic>& mistakes_;
  std::unique_ptr<SourceTree> tree_ = std::make_unique<SourceTree>();
  std::map<std::string, const File*> files_;
  std::vector<std::string> active_;  // from the main file to the one being read
};

}  // namespace

std::unique_ptr<SourceTree> load_source_tree(const std::string& text, const std::string& name,
                                             std::vector<Diagnostic>& mistakes) {
  const StageTimer timer(Stage::parse);
  return Loader(mistakes).load(text, name);
}

}  // namespace descent::frontend
