#include "descent/error.h"

#include <algorithm>

namespace descent {

std::string Diagnostic::to_string() const {
  std::string text = file;
  if (line > 0) {
    text += (text.empty() ? "" : ":") + std::to_string(line);
    if (column > 0) text += ":" + std::to_string(column);
  }
  text += (text.empty() ? "error: " : ": error: ") + message;
  std::string gutter = "  ";
  if (!source_line.empty()) {
    const std::string number = std::to_string(line);
    gutter += std::string(number.size(), ' ');
    text += "\n  " + number + " | " + source_line;
    if (column > 0) {
      // Tabs are kept, so that the caret stands under the range whatever the tab width.
      std::string indent = source_line.substr(0, std::min<size_t>(source_line.size(), static_cast<size_t>(column) - 1));
      for (char& c : indent) c = c == '\t' ? '\t' : ' ';
      text += "\n" + gutter + " | " + indent + std::string(static_cast<size_t>(std::max(1, length)), '^');
    }
    gutter += " ";
  }
  if (!hint.empty()) text += "\n" + gutter + "= help: " + hint;
  return text;
}

namespace {
std::string join(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& d : diagnostics) text += (text.empty() ? "" : "\n") + d.to_string();
  return text;
}
}  // namespace

Error::Error(std::vector<Diagnostic> diagnostics)
    : std::runtime_error(join(diagnostics)), diagnostics_(std::move(diagnostics)) {}

Error::Error(Diagnostic diagnostic) : Error(std::vector<Diagnostic>{std::move(diagnostic)}) {}

Error::Error(const std::string& message, const std::string& hint) : Error(Diagnostic{"", 0, 0, 1, message, hint, ""}) {}

}  // namespace descent
