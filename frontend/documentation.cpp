#include "frontend/documentation.h"

#include <algorithm>

#include "frontend/builtins.h"
#include "frontend/frontend.h"

namespace descent::frontend {

namespace {

/// Sections of the prelude begin with a line "// ======== Title", and how far each goes.
struct Section {
  std::size_t begin;
  std::string title;
};

std::vector<Section> sections(const std::string& text) {
  std::vector<Section> found;
  for (std::size_t at = 0; (at = text.find("// ====", at)) != std::string::npos;) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string title = text.substr(at, end - at);
    title.erase(0, title.find_last_of("= ", title.find_first_not_of("/= ")) + 1);
    title.erase(title.find_last_not_of(" =") + 1);
    found.push_back({at, title});
    at = end;
  }
  return found;
}

/// "fn sigmoid(x)" of "fn sigmoid(x) = ...": as far as the parenthesis that closes the parameters.
std::string signature(const std::string& source) {
  int open = 0;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '(') ++open;
    if (source[i] == ')' && --open == 0) return source.substr(0, i + 1);
  }
  return source.substr(0, source.find('\n'));
}

std::vector<Entry> make_documentation() {
  std::vector<Entry> entries;
  const File& file = prelude();
  const std::string& text = file.source->text;
  const std::vector<Section> titles = sections(text);
  for (const Definition* d : file.definitions) {
    Entry e;
    for (const Section& s : titles) {
      if (s.begin < d->span.begin) e.section = s.title;
    }
    e.name = d->name;
    e.source = text.substr(d->span.begin, d->span.end - d->span.begin);
    e.signature = signature(e.source);
    e.documentation = d->documentation;
    entries.push_back(std::move(e));
  }
  for (const Builtin* b : all_builtins()) {
    entries.push_back({"Primitive functions", b->name, std::string(b->name) + "(" + b->parameters + ")",
                       std::string(b->meaning) + "\n", ""});
  }
  return entries;
}

}  // namespace

std::string Entry::summary() const {
  constexpr std::size_t longest = 100;
  std::string text = documentation.substr(0, documentation.find("\nShapes: "));
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (const std::size_t end = text.find(". "); end != std::string::npos) text.resize(end + 1);
  while (text.ends_with(' ')) text.pop_back();
  if (text.size() <= longest) return text;
  text.resize(text.rfind(' ', longest));
  return text + " ...";
}

const std::vector<Entry>& documentation() {
  static const std::vector<Entry> entries = make_documentation();
  return entries;
}

}  // namespace descent::frontend
