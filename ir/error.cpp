#include "descent/error.h"

#include <algorithm>

#include "ir/utf8.h"

namespace descent {

namespace {

using ir::continues_character;

/// Where the character of that number begins, from 0.
std::size_t character_offset(const std::string& text, std::size_t number) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (continues_character(text[at])) continue;
    if (number-- == 0) break;
  }
  return at;
}

/// A line too long for a terminal is shown around the range, with "..." where something is left out.
struct Excerpt {
  std::string text;
  std::size_t column;  // of the range in it, from 0, in characters
  std::size_t length;
};

Excerpt excerpt(const std::string& line, int column, int length) {
  constexpr std::size_t longest = 160, before = 60;
  Excerpt e{line, static_cast<std::size_t>(std::max(1, column)) - 1, static_cast<std::size_t>(std::max(1, length))};
  if (line.size() <= longest) return e;
  const std::size_t skipped = e.column > before ? e.column - before : 0;
  e.length = std::min(e.length, longest - before);
  const std::size_t begin = character_offset(line, skipped), end = character_offset(line, skipped + longest);
  e.text = (begin > 0 ? "..." : "") + line.substr(begin, end - begin) + (end < line.size() ? "..." : "");
  e.column = e.column - skipped + (begin > 0 ? 3 : 0);
  return e;
}

/// What a terminal cannot show, as one sign each: bytes that are no text, and control characters but the tab.
std::string shown_text(const std::string& text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = ir::character_length(std::string_view(text).substr(i));
    const bool is_control = (byte < ' ' && byte != '\t') || byte == 0x7F;
    if (length > 0 && !is_control) {
      shown.append(text, i, length);
    } else if (!continues_character(text[i])) {  // which counts for no column
      shown += "\uFFFD";
    }
    i += std::max<std::size_t>(1, length);
  }
  return shown;
}

}  // namespace

std::string Diagnostic::to_string() const {
  std::string text = file;
  if (line > 0) {
    text += (text.empty() ? "" : ":") + std::to_string(line);
    if (column > 0) text += ":" + std::to_string(column);
  }
  text += std::string(text.empty() ? "" : ": ") + (is_warning ? "warning: " : "error: ") + message;
  std::string gutter = "  ";
  if (!source_line.empty()) {
    const std::string number = std::to_string(line);
    const Excerpt shown = excerpt(source_line, column, length);
    gutter += std::string(number.size(), ' ');
    text += "\n  " + number + " | " + shown_text(shown.text);
    if (column > 0) {
      // A blank for each character before the range; tabs are kept, so that the caret stands right whatever their
      // width.
      std::string indent;
      for (char c : shown.text.substr(0, character_offset(shown.text, shown.column))) {
        if (!continues_character(c)) indent += c == '\t' ? '\t' : ' ';
      }
      text += "\n" + gutter + " | " + indent + std::string(shown.length, '^');
    }
    gutter += " ";
  }
  for (const Note& note : notes) {
    text += "\n" + gutter + "= note: ";
    if (note.line > 0) {
      text += note.file + (note.file.empty() ? "" : ":") + std::to_string(note.line) + ":" +
              std::to_string(note.column) + ": ";
    }
    text += note.message;
  }
  if (!hint.empty()) text += "\n" + gutter + "= help: " + hint;
  // A text with a byte 0, such as a path that it was found in, would end there for whoever reads what().
  for (std::size_t at = 0; (at = text.find('\0', at)) != std::string::npos;) text.replace(at, 1, "\uFFFD");
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
