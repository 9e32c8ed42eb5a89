#include "runtime/table.h"

#include <csv.h>
#include <fast_float/fast_float.h>

#include <cmath>

#include "descent/error.h"
#include "runtime/file.h"

namespace descent::runtime {

namespace {

Diagnostic at_line(const std::string& path, int line, const std::string& message, const std::string& hint = "") {
  return {path, line, 0, 1, message, hint, ""};
}

/// What libcsv's callbacks fill.
struct Reader {
  Table table;
  std::vector<Table::Cell> row;
  std::vector<Diagnostic> mistakes;
  const std::string* content = nullptr;
  int line = 1;
  std::size_t counted = 0;

  void field(const void* data, std::size_t length) {
    row.push_back({table.bytes.size(), length});
    table.bytes.append(static_cast<const char*>(data), length);
  }

  void end_row() {
    const bool blank = row.empty() || (row.size() == 1 && row[0].length == 0);
    if (!blank && table.names.empty()) {
      for (const Table::Cell& cell : row) {
        std::string name = table.bytes.substr(cell.begin, cell.length);
        if (table.column(name) >= 0) {
          mistakes.push_back(at_line(table.path, line, "two columns are named \"" + name + "\"", "give every column a name of its own"));
        }
        table.names.push_back(std::move(name));
      }
    } else if (!blank) {
      if (row.size() != table.names.size() && mistakes.size() < 10) {
        mistakes.push_back(at_line(table.path, line, "expected " + std::to_string(table.names.size()) + " cells as in the header, found " + std::to_string(row.size())));
      }
      row.resize(table.names.size());
      table.cells.insert(table.cells.end(), row.begin(), row.end());
      table.lines.push_back(line);
    }
    row.clear();
  }
};

}  // namespace

int Table::column(const std::string& name) const {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<int>(i);
  }
  return -1;
}

std::string Table::text(std::size_t row, int at) const {
  const Cell& cell = cells[row * names.size() + static_cast<std::size_t>(at)];
  return bytes.substr(cell.begin, cell.length);
}

float Table::number(std::size_t row, int at) const {
  const Cell& cell = cells[row * names.size() + static_cast<std::size_t>(at)];
  const char *begin = bytes.data() + cell.begin, *end = begin + cell.length;
  while (begin < end && (*begin == ' ' || *begin == '\t')) ++begin;
  while (end > begin && (end[-1] == ' ' || end[-1] == '\t')) --end;
  const std::string& name = names[static_cast<std::size_t>(at)];
  if (begin == end) {
    throw Error(at_line(path, lines[row], "column \"" + name + "\" has no value in this row", "fill it in or leave the row out"));
  }
  float value = 0;
  const auto [stop, error] = fast_float::from_chars(begin, end, value);
  if (error != std::errc() || stop != end) {
    throw Error(at_line(path, lines[row], "column \"" + name + "\" holds the text \"" + std::string(begin, end) + "\" where a number is expected", "to make 0 and 1 of a text column write column(\"" + name + "\") == \"" + std::string(begin, end) + "\""));
  }
  if (!std::isfinite(value)) {
    throw Error(at_line(path, lines[row], "column \"" + name + "\" holds " + std::string(begin, end) + ", which is not a finite number", "fill in a value or leave the row out"));
  }
  return value;
}

Table load_csv(const std::string& path) {
  std::string content = read_file(path);
  if (content.compare(0, 3, "\xEF\xBB\xBF") == 0) content.erase(0, 3);  // a byte order mark
  Reader reader;
  reader.table.path = path;
  reader.table.bytes.reserve(content.size());
  csv_parser parser;
  if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0) throw std::bad_alloc();
  // Line by line, so that every row knows where it stands; quoted cells may span lines.
  const auto on_field = [](void* data, std::size_t length, void* r) { static_cast<Reader*>(r)->field(data, length); };
  const auto on_row = [](int, void* r) { static_cast<Reader*>(r)->end_row(); };
  std::size_t begin = 0;
  int line = 1;
  bool bad = false;
  while (begin < content.size() && !bad) {
    std::size_t end = content.find('\n', begin);
    end = end == std::string::npos ? content.size() : end + 1;
    reader.line = line++;
    bad = csv_parse(&parser, content.data() + begin, end - begin, on_field, on_row, &reader) != end - begin;
    begin = end;
  }
  bad = bad || csv_fini(&parser, on_field, on_row, &reader) != 0;
  csv_free(&parser);
  if (bad) {
    throw Error(at_line(path, reader.line, "a quote is not closed, or stands inside a cell without quotes", "write a quote inside quotes twice: \"\""));
  }
  if (!reader.mistakes.empty()) throw Error(reader.mistakes);
  if (reader.table.names.empty()) {
    throw Error(Diagnostic{path, 0, 0, 1, "the file is empty: expected a header row and at least one row of data", "", ""});
  }
  if (reader.table.rows() == 0) {
    throw Error(Diagnostic{path, 0, 0, 1, "the file has a header row but no row of data", "", ""});
  }
  return std::move(reader.table);
}

}  // namespace descent::runtime
