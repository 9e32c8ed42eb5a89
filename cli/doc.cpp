// Documentation and source of what comes with Descent.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/output.h"
#include "descent/error.h"
#include "frontend/documentation.h"
#include "ir/edit_distance.h"

namespace descent::cli {

namespace {

using frontend::Entry;

void print_list(const std::vector<Entry>& entries) {
  std::size_t width = 0;
  for (const Entry& e : entries) width = std::max(width, e.name.size());
  std::string section;
  for (const Entry& e : entries) {
    if (e.section != section) print("{}{}\n", section.empty() ? "" : "\n", e.section);
    section = e.section;
    print("  {:<{}}  {}\n", e.name, width, e.summary());
  }
}

std::string indented(const std::string& text) {
  std::string result = "    ";
  for (const char c : text) {
    result += c;
    if (c == '\n') result += "    ";
  }
  return result;
}

}  // namespace

int doc(const DocArguments& a) {
  const std::vector<Entry>& entries = frontend::documentation();
  if (a.name.empty()) {
    print_list(entries);
    return 0;
  }
  const auto entry = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.name == a.name; });
  if (entry == entries.end()) {
    std::vector<std::string> names;
    for (const Entry& e : entries) names.push_back(e.name);
    const auto meant = ir::nearest(a.name, names);
    throw Error(fmt::format("nothing is called '{}'", a.name),
                meant ? fmt::format("did you mean '{}'?", *meant) : "descent doc lists everything");
  }
  print("{}\n\n{}", entry->signature, entry->documentation);
  if (!entry->source.empty()) print("\n{}\n", indented(entry->source));
  return 0;
}

}  // namespace descent::cli
