#include "frontend/source.h"

#include <algorithm>

namespace descent::frontend {

Location locate(const Span& span) {
  if (span.source == nullptr) return {};
  const std::string& text = span.source->text;
  const std::size_t begin = std::min(span.begin, text.size());
  const std::size_t line_begin = begin == 0 ? 0 : text.rfind('\n', begin - 1) + 1;
  std::size_t line_end = text.find('\n', begin);
  if (line_end == std::string::npos) line_end = text.size();
  Location location;
  location.file = span.source->name;
  location.line =
      1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(begin), '\n'));
  location.column = static_cast<int>(begin - line_begin) + 1;
  location.length =
      static_cast<int>(std::max<std::size_t>(1, std::min(span.end, line_end) - std::min(begin, line_end)));
  location.source_line = text.substr(line_begin, line_end - line_begin);
  if (!location.source_line.empty() && location.source_line.back() == '\r') location.source_line.pop_back();
  return location;
}

Diagnostic diagnostic(const Span& span, const std::string& message, const std::string& hint) {
  const Location at = locate(span);
  return {at.file, at.line, at.column, at.length, message, hint, at.source_line};
}

}  // namespace descent::frontend
