// A CSV file in memory: RFC 4180, with a header row.
#pragma once

#include <string>
#include <vector>

namespace descent::runtime {

/// Cells stay text until a column is asked for. `cells` has rows * columns entries that point into `bytes`.
struct Table {
  struct Cell { std::size_t begin, length; };
  std::string path;
  std::vector<std::string> names;
  std::string bytes;  ///< the unquoted cells, one after the other
  std::vector<Cell> cells;
  std::vector<int> lines;  ///< of the file, by row

  std::size_t rows() const { return lines.size(); }
  int column(const std::string& name) const;  ///< -1 if there is none
  std::string text(std::size_t row, int column) const;
  /// The cell as a number. Throws descent::Error with the place for text, for a missing value, NaN and infinity.
  float number(std::size_t row, int column) const;
};

/// Throws descent::Error if the file cannot be read or is no table.
Table load_csv(const std::string& path);

}  // namespace descent::runtime
