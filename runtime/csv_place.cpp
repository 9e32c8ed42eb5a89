#include "runtime/csv_place.h"

#include <algorithm>
#include <string_view>

#include "runtime/file.h"
#include "runtime/quote.h"

namespace descent::runtime {

namespace {

constexpr std::size_t longest_record = 1 << 20;  // bytes looked at
constexpr std::size_t longest_shown_line = 100;  // characters

std::string read_record(const std::string& path, std::uint64_t begin) {
  InputFile file(path);
  if (!file.seek(begin)) return "";
  std::string bytes(longest_record, '\0');
  bytes.resize(file.read(bytes.data(), bytes.size()));
  return bytes;
}

struct CellPlace {
  std::size_t line_begin;  // byte of the line in which the cell begins
  std::size_t begin, end;  // bytes of the cell, with its quotes, without the blanks around it
  std::uint64_t line;
};

CellPlace find_cell(std::string_view bytes, std::uint64_t line, std::size_t cell, char separator) {
  CellPlace place{0, 0, 0, line};
  const auto blank = [&](std::size_t i) { return bytes[i] == ' ' || (bytes[i] == '\t' && separator != '\t'); };
  bool quoted = false, cell_start = true;
  std::size_t at = 0;
  for (; at < bytes.size(); ++at) {
    const char byte = bytes[at];
    if (quoted) {
      if (byte == '"') quoted = false;  // the second quote of a pair opens it again
      if (byte == '\n' && cell > 0) place.line_begin = at + 1, ++place.line;
      continue;
    }
    if (byte == '"' && (cell_start || bytes[at - 1] == '"')) quoted = true;
    cell_start = cell_start && blank(at);
    if (byte == '\n' || byte == '\r' || (byte == separator && cell == 0)) break;
    if (byte == separator) --cell, place.begin = at + 1, cell_start = true;
  }
  if (cell > 0) place.begin = at;  // the record's end
  // Of a cell that goes over several lines, show what is in the first.
  place.end = std::min(at, bytes.find_first_of("\r\n", place.begin));
  while (place.begin < place.end && blank(place.begin)) ++place.begin;
  while (place.begin < place.end && blank(place.end - 1)) --place.end;
  return place;
}

}  // namespace

Diagnostic diagnose_csv_cell(const std::string& path, std::uint64_t record_begin, std::uint64_t line, std::size_t cell,
                             char separator, const std::string& message, const std::string& hint) {
  Diagnostic diagnostic{path, static_cast<int>(line), 0, 1, message, hint, ""};
  std::string bytes;
  try {
    bytes = read_record(path, record_begin);
  } catch (const Error&) {
    return diagnostic;  // the file is gone; what was wrong with it still holds
  }
  if (bytes.empty()) return diagnostic;
  const CellPlace place = find_cell(bytes, line, cell, separator);
  const std::string_view text = std::string_view(bytes).substr(place.line_begin);
  const std::size_t before = count_characters(text.substr(0, place.begin - place.line_begin));
  const std::size_t inside = count_characters(std::string_view(bytes).substr(place.begin, place.end - place.begin));
  diagnostic.line = static_cast<int>(place.line);
  diagnostic.column = static_cast<int>(before + 1);
  diagnostic.length = static_cast<int>(std::max<std::size_t>(inside, 1));
  // The caret stands under `column`, so the line can be cut after the cell but not before it.
  if (before + inside <= longest_shown_line) {
    diagnostic.source_line = shorten(text.substr(0, text.find_first_of("\r\n")), longest_shown_line);
  }
  return diagnostic;
}

}  // namespace descent::runtime
