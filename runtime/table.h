// A CSV file in memory, its cells as text, turned into numbers a column at a time.
//
// The file is read in one pass, a block at a time, and split by libcsv. The text of all cells is one string, and a cell
// costs its text and four bytes: a file of 1 GB takes little more than that in memory. For each row its line and byte
// in the file are kept; when a cell turns out to be wrong, the file is opened again to show the place.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "descent/error.h"

namespace descent::runtime {

class Table {
 public:
  const std::string& path() const { return path_; }
  std::size_t rows() const { return row_places_.size(); }               ///< at least one; the header row is not counted
  const std::vector<std::string>& columns() const { return columns_; }  ///< names in the order of the file
  std::optional<std::size_t> find_column(const std::string& name) const;

  /// The text of a cell, without quotes and, where it has none, without blanks around it. Valid as long as the table.
  std::string_view text(std::size_t row, std::size_t column) const {
    const RowPlace& place = row_places_[row];
    const std::uint32_t* ends = cell_ends_.data() + row * columns_.size();
    const std::uint32_t begin = column == 0 ? 0 : ends[column - 1];
    return std::string_view(text_).substr(place.text_begin + begin, ends[column] - begin);
  }
  std::vector<std::string_view> texts(std::size_t column) const;

  /// The numbers of several columns, row-major: rows() x columns.size(). Blanks around a number and a plus sign before
  /// it are allowed. Throws descent::Error that shows the first cells that hold no finite number. Number: float or
  /// double.
  template <class Number>
  std::vector<Number> numbers(std::span<const std::size_t> columns) const;
  std::vector<float> numbers(std::size_t column) const { return numbers<float>(std::span(&column, 1)); }

  /// Whether a cell that is read as a number has none: it is empty, or holds NaN, NA, null, none, ?, - or the like.
  bool is_missing(std::size_t row, std::size_t column) const;
  /// Leaves the rows out for which this says so.
  void leave_out(const std::vector<bool>& rows);

  /// A mistake in a cell, shown with its place in the file: line and column (in characters of that line), and the line
  /// if the cell stands near enough to its beginning.
  Diagnostic diagnose(std::size_t row, std::size_t column, const std::string& message, const std::string& hint) const;

 private:
  friend class TableReader;
  struct RowPlace {
    std::uint64_t file_begin;  // byte of the file
    std::uint64_t text_begin;  // byte of text_
    std::uint64_t line;        // from 1
  };

  std::string path_;
  char separator_ = ',', decimal_ = '.';
  std::vector<std::string> columns_;
  std::unordered_map<std::string, std::size_t> column_index_;
  std::string text_;                      // of all cells, row after row
  std::vector<std::uint32_t> cell_ends_;  // rows x columns, counted from the row's text_begin
  std::vector<RowPlace> row_places_;
};

/// Reads a CSV file as RFC 4180 describes it: a header row, cells separated by commas, in quotes where they hold
/// commas, quotes (written twice) or line ends; lines end with LF or CRLF. A UTF-8 byte order mark and blank lines are
/// passed over. Where the header has more semicolons, tabs or vertical bars than commas, they separate the cells. What
/// stands before the decimals of a number is `decimal`. Throws descent::Error with the place of the mistake.
Table load_csv(const std::string& path, char decimal = '.');

}  // namespace descent::runtime
