#include "frontend/source.h"

#include <algorithm>

#include "ir/utf8.h"

namespace descent::frontend {

namespace {

/// Characters of UTF-8 text; a byte that belongs to none counts as one.
int characters(std::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) { return !ir::continues_character(c); }));
}

}  // namespace

std::string text_of(const Span& span) { return span.source->text.substr(span.begin, span.end - span.begin); }

Location locate(const Span& span) {
  if (span.source == nullptr) return {};
  const std::string_view text = span.source->text;
  const std::size_t begin = std::min(span.begin, text.size());
  const std::size_t line_begin = begin == 0 ? 0 : text.rfind('\n', begin - 1) + 1;
  std::size_t line_end = text.find('\n', begin);
  if (line_end == std::string::npos) line_end = text.size();
  if (line_end > line_begin && text[line_end - 1] == '\r') --line_end;
  const std::size_t end = std::min(std::max(span.end, begin), line_end);  // a longer range is shown to its line's end
  Location location;
  location.file = span.source->name;
  location.line =
      1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(begin), '\n'));
  location.column = characters(text.substr(line_begin, begin - line_begin)) + 1;
  location.length = end <= begin ? 1 : std::max(1, characters(text.substr(begin, end - begin)));
  location.source_line = text.substr(line_begin, line_end - line_begin);
  return location;
}

Diagnostic diagnostic(const Span& span, const std::string& message, const std::string& hint) {
  const Location at = locate(span);
  return {at.file, at.line, at.column, at.length, message, hint, at.source_line};
}

Note note(const Span& span, const std::string& message) {
  const Location at = locate(span);
  return {message, at.file, at.line, at.column, at.length};
}

}  // namespace descent::frontend
