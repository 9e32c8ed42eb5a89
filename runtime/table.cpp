#include "runtime/table.h"

#include <csv.h>
#include <fast_float/fast_float.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <filesystem>
#include <limits>
#include <new>
#include <set>
#include <utility>

#include "runtime/csv_place.h"
#include "runtime/file.h"
#include "runtime/quote.h"

namespace descent::runtime {

namespace {

constexpr std::size_t shown_mistakes = 5;

std::string_view without_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

enum class Found { number, text, missing, infinite, too_large };

bool equal_without_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

bool means_missing(std::string_view cell) {
  constexpr std::string_view marks[] = {"", "nan", "na", "n/a", "#n/a", "null", "none", "?", "-"};
  if (!cell.empty() && (cell[0] == '-' || cell[0] == '+') && equal_without_case(cell.substr(1), "nan")) return true;
  return std::any_of(std::begin(marks), std::end(marks), [&](auto mark) { return equal_without_case(cell, mark); });
}

/// Reads a cell as a number with these decimals; says what else it holds.
template <class Number>
Found parse_number(std::string_view cell, char decimal, Number& number) {
  cell = without_blanks(cell);
  const bool plus = cell.size() > 1 && cell[0] == '+' && cell[1] != '-';
  const char* begin = cell.data() + plus;
  const char* end = cell.data() + cell.size();
  const auto [rest, failure] = fast_float::from_chars_advanced(
      begin, end, number, fast_float::parse_options(fast_float::chars_format::general, decimal));
  if (failure == std::errc() && rest == end && std::isfinite(number)) return Found::number;
  if (means_missing(cell)) return Found::missing;
  if (failure == std::errc::result_out_of_range && rest == end) return Found::too_large;
  if (failure != std::errc() || rest != end) return Found::text;
  return std::any_of(begin, end, [](char c) { return c >= '0' && c <= '9'; }) ? Found::too_large : Found::infinite;
}

/// "1,5" or "1,234,567": digits with commas between.
bool is_number_with_commas(std::string_view cell) {
  cell = without_blanks(cell);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return !cell.empty() && is_digit(cell.back()) && cell.find(',') != std::string_view::npos &&
         std::all_of(cell.begin(), cell.end(), [&](char c) { return is_digit(c) || c == ',' || c == '.' || c == '-'; });
}

/// "2024-01-31", "31.1.2024", "1/31/24 12:00": numbers with the same sign between the first three.
bool is_date(std::string_view cell) {
  std::string signs;
  bool in_number = false;
  for (const char c : without_blanks(cell).substr(0, 10)) {
    if (c == ' ' || c == 'T') break;  // the time
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && !in_number) return false;
    if (!is_digit) signs += c;
    in_number = is_digit;
  }
  return signs.size() == 2 && signs[0] == signs[1] && std::string_view("-./").find(signs[0]) != std::string_view::npos;
}

/// What to say about a cell that holds no number.
struct Complaint {
  std::string message, hint;
};

Complaint complain(Found found, const std::string& column, std::string_view cell, std::size_t row,
                   bool commas_are_decimal) {
  const std::string name = "column " + in_quotes(column);
  const std::string fill = "write the number there, or leave the row out: missing = skip in the data block does so";
  switch (found) {
    case Found::missing:
      return {fmt::format("missing value: {} {} in row {}", name,
                          without_blanks(cell).empty() ? "is empty" : "holds " + in_quotes(cell), row + 1),
              fill};
    case Found::infinite:
      return {fmt::format("{} holds {} in row {} where a finite number is expected", name, in_quotes(cell), row + 1),
              fill};
    case Found::too_large:
      return {fmt::format("{} holds {} in row {}, which is too large for a number of the model", name, in_quotes(cell),
                          row + 1),
              "scale the column: the largest number is 3.4e38"};
    default:
      return {fmt::format("{} holds the text {} where a number is expected", name, in_quotes(cell)),
              is_number_with_commas(cell) && !commas_are_decimal
                  ? std::string("write numbers with a decimal point and without commas, 1234.5, or say that commas "
                                "are decimal: source = csv(..., decimal = \",\")")
              : is_date(cell)
                  ? std::string("a date is no number: give what matters of it, such as the day of the week, "
                                "columns of their own")
                  : fmt::format("write a number there, or compare the column with a text: column({}) == {}",
                                in_quotes(column), in_quotes(cell))};
  }
}

}  // namespace

std::optional<std::size_t> Table::find_column(const std::string& name) const {
  const auto found = column_index_.find(name);
  if (found == column_index_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string_view> Table::texts(std::size_t column) const {
  std::vector<std::string_view> cells(rows());
  for (std::size_t row = 0; row < cells.size(); ++row) cells[row] = text(row, column);
  return cells;
}

bool Table::is_missing(std::size_t row, std::size_t column) const {
  return means_missing(without_blanks(text(row, column)));
}

void Table::leave_out(const std::vector<bool>& rows) {
  const std::size_t width = columns_.size();
  std::size_t kept = 0;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (rows[row]) continue;
    row_places_[kept] = row_places_[row];
    for (std::size_t i = 0; i < width; ++i) cell_ends_[kept * width + i] = cell_ends_[row * width + i];
    ++kept;
  }
  row_places_.resize(kept);
  cell_ends_.resize(kept * width);
}

template <class Number>
std::vector<Number> Table::numbers(std::span<const std::size_t> columns) const {
  std::vector<Number> values(rows() * columns.size());
  std::vector<Diagnostic> mistakes;
  std::size_t unshown = 0;
  std::set<std::size_t> columns_of_texts;  // of each the first is shown: the others mostly are alike
  auto value = values.begin();
  for (std::size_t row = 0; row < rows(); ++row) {
    for (const std::size_t column : columns) {
      const Found found = parse_number(text(row, column), decimal_, *value++);
      if (found == Found::number) continue;
      const bool is_text = found == Found::text;
      if (mistakes.size() == shown_mistakes || (is_text && !columns_of_texts.insert(column).second)) {
        ++unshown;
        continue;
      }
      const Complaint complaint = complain(found, columns_[column], text(row, column), row, decimal_ == ',');
      mistakes.push_back(diagnose(row, column, complaint.message, complaint.hint));
    }
  }
  if (mistakes.empty()) return values;
  if (unshown > 0) {
    const std::string cells = unshown == 1 ? "cell is" : "cells are";
    mistakes.push_back({path_, 0, 0, 1, fmt::format("{} more {} not numbers", unshown, cells), "", ""});
  }
  throw Error(std::move(mistakes));
}

template std::vector<float> Table::numbers<float>(std::span<const std::size_t>) const;
template std::vector<double> Table::numbers<double>(std::span<const std::size_t>) const;

Diagnostic Table::diagnose(std::size_t row, std::size_t column, const std::string& message,
                           const std::string& hint) const {
  return diagnose_csv_cell(path_, row_places_[row].file_begin, row_places_[row].line, column, separator_, message,
                           hint);
}

/// Fills a table from a file: gives libcsv one line after the other, so that the place of every record is known.
class TableReader {
 public:
  TableReader(const std::string& path, char decimal) {
    table_.path_ = path;
    table_.decimal_ = decimal;
    csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI);
    csv_set_blk_size(&parser_, 1 << 12);
  }
  ~TableReader() { csv_free(&parser_); }
  TableReader(const TableReader&) = delete;
  TableReader& operator=(const TableReader&) = delete;

  Table read() {
    std::error_code unknown;
    const std::uintmax_t size = std::filesystem::file_size(table_.path_, unknown);
    InputFile file(table_.path_);
    if (!unknown) table_.text_.reserve(size);
    std::string buffer(block_bytes, '\0');
    std::size_t kept = 0;  // bytes of a line whose end has not been read yet
    for (bool first = true, more = true; more; first = false) {
      if (kept == buffer.size()) buffer.resize(2 * buffer.size());
      const std::size_t filled = kept + file.read(buffer.data() + kept, buffer.size() - kept);
      more = filled == buffer.size();
      std::string_view bytes(buffer.data(), filled);
      if (first) check_beginning(bytes);
      for (std::size_t end; (end = bytes.find('\n')) != std::string_view::npos; bytes.remove_prefix(end + 1)) {
        take_line(bytes.substr(0, end + 1));
      }
      kept = bytes.size();
      if (more) {
        std::memmove(buffer.data(), bytes.data(), kept);
      } else if (kept > 0) {
        take_line(bytes);
      }
    }
    finish();
    return std::move(table_);
  }

 private:
  static constexpr std::size_t block_bytes = 1 << 18;

  /// A mistake in a cell of the record that is being read.
  [[noreturn]] void fail(std::size_t cell, const std::string& message, const std::string& hint) const {
    throw Error(
        diagnose_csv_cell(table_.path_, record_.file_begin, record_.line, cell, table_.separator_, message, hint));
  }

  void check_beginning(std::string_view& bytes) {
    if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
      throw file_error(table_.path_, "the file is UTF-16: expected UTF-8", "save it as CSV UTF-8");
    }
    if (bytes.substr(0, 1 << 12).find('\0') != std::string_view::npos) {
      throw file_error(table_.path_, "the file is no text: expected a table as CSV", "");
    }
    if (bytes.starts_with("\xEF\xBB\xBF")) {
      bytes.remove_prefix(3);
      file_position_ = 3;
    }
    const std::size_t begin = std::min(bytes.find_first_not_of("\r\n"), bytes.size());
    find_separator(bytes.substr(begin, bytes.substr(begin).find_first_of("\r\n")));
  }

  /// The one that the header has most of outside of quotes; a comma where there is none.
  void find_separator(std::string_view header) {
    std::ptrdiff_t most = 0;
    for (const char candidate : {',', ';', '\t', '|'}) {
      bool quoted = false;
      std::ptrdiff_t count = 0;
      for (const char c : header) {
        if (c == '"') quoted = !quoted;
        if (c == candidate && !quoted) ++count;
      }
      if (count > most) table_.separator_ = candidate, most = count;
    }
    csv_set_delim(&parser_, static_cast<unsigned char>(table_.separator_));
  }

  std::string separator() const {
    switch (table_.separator_) {
      case ',':
        return "a comma";
      case ';':
        return "a semicolon";
      case '\t':
        return "a tab";
      default:
        return "a vertical bar";
    }
  }

  void take_line(std::string_view line) {
    ++line_;
    if (!in_record_) record_ = {file_position_, table_.text_.size(), line_};
    file_position_ += line.size();
    records_in_line_ = 0;
    const std::size_t taken = csv_parse(&parser_, line.data(), line.size(), on_cell, on_record, this);
    if (taken < line.size()) {
      if (csv_error(&parser_) != CSV_EPARSE) throw std::bad_alloc();
      fail(cells_, "a quote stands inside a cell",
           "write the whole cell in quotes, and a quote in it twice: \"6\"\" pipe\"");
    }
    const bool ends_record = line.back() == '\n' || line.back() == '\r';
    if (records_in_line_ > 1 || (records_in_line_ == 1 && !ends_record)) {
      fail(table_.columns_.size(), "a carriage return stands inside the line",
           "save the file with line ends LF or CRLF");
    }
    if (failure_) std::rethrow_exception(failure_);
    // A line that ended no record is blank, unless a quote is open in it.
    in_record_ = records_in_line_ == 0 && (in_record_ || line.find_first_not_of(" \t\r\n") != std::string_view::npos);
  }

  void finish() {
    if (csv_fini(&parser_, on_cell, on_record, this) != 0) {
      fail(cells_, "the quote that begins this cell is not closed",
           "end the cell with a quote; a quote in it is written twice");
    }
    if (failure_) std::rethrow_exception(failure_);
    if (table_.columns_.empty()) {
      throw file_error(table_.path_, "the file is empty: expected a header row and at least one row of data");
    }
    if (table_.row_places_.empty()) {
      throw file_error(table_.path_, "the file has a header row but no data: expected at least one row below it");
    }
  }

  void add_cell(std::string_view text) {
    ++cells_;
    if (table_.columns_.empty() || in_header_) {
      in_header_ = true;
      table_.columns_.emplace_back(text);
      return;
    }
    table_.text_ += text;
    const std::uint64_t end = table_.text_.size() - record_.text_begin;
    if (end > std::numeric_limits<std::uint32_t>::max())
      fail(0, "this row has more than 4 GB", "is a quote not closed?");
    table_.cell_ends_.push_back(static_cast<std::uint32_t>(end));
  }

  void end_record() {
    ++records_in_line_;
    const std::size_t found = std::exchange(cells_, 0), expected = table_.columns_.size();
    if (std::exchange(in_header_, false)) return check_header();
    if (found == expected) return table_.row_places_.push_back(record_);
    fail(std::min(found, expected),
         fmt::format("row {} has {} cell{}, but the header has {}", table_.rows() + 1, found, found == 1 ? "" : "s",
                     expected),
         found < expected ? "every row must have a cell for every column, which may be empty"
                          : "a cell that holds " + separator() + " must stand in quotes");
  }

  void check_header() {
    const std::vector<std::string>& names = table_.columns_;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto [first, is_new] = table_.column_index_.emplace(names[i], i);
      if (is_new) continue;
      fail(i, fmt::format("two columns are named {}: columns {} and {}", in_quotes(names[i]), first->second + 1, i + 1),
           "give every column a name of its own");
    }
    // 0, 1, 2 are what tools give columns without names; 17.99, 10.38 are data.
    float value = 0;
    const bool data = std::all_of(names.begin(), names.end(), [&](const std::string& name) {
      return parse_number(name, table_.decimal_, value) == Found::number;
    });
    const bool whole = std::all_of(names.begin(), names.end(), [](const std::string& name) {
      return name.find_first_not_of("0123456789") == std::string::npos;
    });
    if (data && !whole)
      fail(0, "the first row holds numbers: expected a header row", "write the columns' names above the data");
  }

  // libcsv is C: what goes wrong in its callbacks waits until it has returned.
  template <class Action>
  void guarded(Action action) {
    if (failure_) return;
    try {
      action();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  static void on_cell(void* text, std::size_t size, void* self) {
    auto& reader = *static_cast<TableReader*>(self);
    reader.guarded([&] { reader.add_cell({static_cast<const char*>(text), size}); });
  }
  static void on_record(int, void* self) {
    auto& reader = *static_cast<TableReader*>(self);
    reader.guarded([&] { reader.end_record(); });
  }

  Table table_;
  csv_parser parser_;
  Table::RowPlace record_ = {0, 0, 1};  // of the record that is being read
  std::uint64_t file_position_ = 0;     // of the next line
  std::uint64_t line_ = 0;
  std::size_t cells_ = 0;  // of the record so far
  std::size_t records_in_line_ = 0;
  bool in_record_ = false, in_header_ = false;
  std::exception_ptr failure_;
};

Table load_csv(const std::string& path, char decimal) { return TableReader(path, decimal).read(); }

}  // namespace descent::runtime
