#include "runtime/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>

#include "descent/error.h"
#include "ir/edit_distance.h"
#include "runtime/quote.h"

namespace descent::runtime {

namespace {

[[noreturn]] void fail(const frontend::Location& at, const std::string& message, const std::string& hint = "") {
  throw Error(Diagnostic{at.file, at.line, at.column, at.length, message, hint, at.source_line});
}

const std::string kOneEach = "declare an input for each column: a: [n] category(3)";

std::string count(std::size_t number, const std::string& noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::size_t find_column(const Table& table, const std::string& name, const frontend::Location& at) {
  if (const auto column = table.find_column(name)) return *column;
  constexpr std::size_t shown = 8;
  const auto& known = table.columns();
  std::string hint;
  if (const auto meant = ir::nearest(name, known)) {
    hint = "did you mean " + in_quotes(*meant) + "?";
  } else {
    for (std::size_t i = 0; i < std::min(shown, known.size()); ++i)
      hint += (i > 0 ? ", " : "its columns are ") + in_quotes(known[i]);
    if (known.size() > shown) hint += fmt::format(" and {} more", known.size() - shown);
  }
  fail(at, table.path() + " has no column " + in_quotes(name), hint);
}

std::vector<std::size_t> columns_of(const Table& table, const frontend::ColumnBinding& binding) {
  std::vector<std::size_t> columns;
  for (const frontend::ColumnRange& range : binding.columns) {
    const std::size_t first = find_column(table, range.first, range.location);
    const std::size_t last = find_column(table, range.last, range.location);
    if (last < first) {
      fail(range.location,
           fmt::format("column {} stands after {} in {}", in_quotes(range.first), in_quotes(range.last), table.path()),
           fmt::format("write {} .. {}", in_quotes(range.last), in_quotes(range.first)));
    }
    for (std::size_t column = first; column <= last; ++column) columns.push_back(column);
  }
  return columns;
}

/// The numbers in one row of the tensor, or nothing if that depends on a symbol.
std::optional<std::size_t> row_width(const ir::Input& input) {
  std::int64_t width = 1;
  for (std::size_t axis = 1; axis < input.shape.size(); ++axis) {
    if (!input.shape[axis].is_constant()) return std::nullopt;
    width *= input.shape[axis].constant();
  }
  return static_cast<std::size_t>(width);
}

bool compare(double cell, const std::string& op, double value) {
  if (op == "==") return cell == value;
  if (op == "!=") return cell != value;
  if (op == "<") return cell < value;
  if (op == "<=") return cell <= value;
  if (op == ">") return cell > value;
  return cell >= value;
}

/// The numbers of cells where only some fit: an error that shows the first cells that do not.
template <typename Fits>
std::vector<double> read_fitting(const Table& table, const std::vector<std::size_t>& columns,
                                 const std::string& expected, Fits fits) {
  constexpr std::size_t shown = 5;
  std::vector<double> values = table.numbers<double>(columns);
  std::vector<Diagnostic> mistakes;
  std::size_t unshown = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (fits(values[i])) continue;
    if (mistakes.size() == shown) {
      ++unshown;
      continue;
    }
    const std::size_t row = i / columns.size(), column = columns[i % columns.size()];
    mistakes.push_back(table.diagnose(
        row, column,
        fmt::format("column {} holds {}, expected {}", in_quotes(table.columns()[column]), values[i], expected), ""));
  }
  if (unshown > 0) {
    mistakes.push_back({table.path(), 0, 0, 1,
                        fmt::format("{} like {}", count(unshown, "more cell"), unshown == 1 ? "it" : "these"), "", ""});
  }
  if (!mistakes.empty()) throw Error(std::move(mistakes));
  return values;
}

/// Numbers as the input is declared: real, whole, 0 or 1; `index_count`: of how many things each names one, or null.
Numbers read_numbers(const Table& table, const std::vector<std::size_t>& columns, const ir::Input& input,
                     const std::int64_t* index_count) {
  std::vector<double> values;
  if (index_count != nullptr) {
    const auto most = static_cast<double>(*index_count - 1);
    values = read_fitting(table, columns, fmt::format("a whole number from 0 to {}", most),
                          [most](double v) { return v == std::floor(v) && v >= 0 && v <= most; });
  } else if (input.dtype == ir::DType::boolean) {
    values = read_fitting(table, columns, "0 or 1", [](double v) { return v == 0 || v == 1; });
  } else if (input.dtype == ir::DType::i32) {
    values = read_fitting(table, columns, "a whole number from -2147483648 to 2147483647",
                          [](double v) { return v == std::floor(v) && v >= -0x1p31 && v < 0x1p31; });
  } else if (input.dtype == ir::DType::f64) {
    return table.numbers<double>(columns);
  } else {
    return table.numbers<float>(columns);
  }
  if (input.dtype == ir::DType::i32) return std::vector<std::int32_t>(values.begin(), values.end());
  return std::vector<float>(values.begin(), values.end());
}

/// 0 and 1 as the input is declared.
Numbers as_declared(const ir::Input& input, std::vector<float> truths) {
  if (input.dtype == ir::DType::i32) return std::vector<std::int32_t>(truths.begin(), truths.end());
  if (input.dtype == ir::DType::f64) return std::vector<double>(truths.begin(), truths.end());
  return truths;
}

/// Whether each cell is as the binding says.
std::vector<float> compare_cells(const Table& table, const std::vector<std::size_t>& columns,
                                 const frontend::ColumnBinding& binding) {
  std::vector<float> values;
  values.reserve(table.rows() * columns.size());
  if (binding.equals_text) {
    const bool differs = binding.compare_operator == "!=";
    for (std::size_t row = 0; row < table.rows(); ++row) {
      for (const std::size_t column : columns)
        values.push_back((table.text(row, column) == *binding.equals_text) != differs);
    }
    return values;
  }
  // In float64, as the value in the model file: a cell 0.1 equals 0.1.
  for (const double cell : table.numbers<double>(columns)) {
    values.push_back(compare(cell, binding.compare_operator, binding.compare_value));
  }
  return values;
}

/// A text that no cell holds makes every value equal. Where the cells differ it is taken for a misspelling, which would
/// go unseen; where they do not, the data may well be rows of the other class alone.
void fail_if_cells_differ(const Table& table, const std::vector<std::size_t>& columns,
                          const frontend::ColumnBinding& binding) {
  std::vector<std::string> found;
  for (std::size_t row = 0; row < table.rows() && found.size() < 5; ++row) {
    for (const std::size_t column : columns) {
      const std::string text(table.text(row, column));
      if (std::find(found.begin(), found.end(), text) == found.end()) found.push_back(text);
    }
  }
  if (found.size() < 2) return;
  std::string texts;
  for (std::size_t i = 0; i < found.size(); ++i) texts += (i > 0 ? ", " : "") + in_quotes(found[i]);
  fail(binding.location, fmt::format("no row of {} has {} there", table.path(), in_quotes(*binding.equals_text)),
       "the column holds " + texts);
}

bool begins_with_a_text(const Table& table, std::size_t column) {
  const std::string_view cell = table.text(0, column);
  double number = 0;
  return !cell.empty() && std::from_chars(cell.data(), cell.data() + cell.size(), number).ptr == cell.data();
}

Numbers fill_as_bound(const Table& table, const ir::Input& input, const frontend::ColumnBinding& binding,
                      const std::int64_t* index_count) {
  const std::vector<std::size_t> columns = columns_of(table, binding);
  const auto width = row_width(input);
  if (width && columns.size() != *width) {
    fail(binding.location,
         fmt::format("{} takes {}, but {} bound to it", input.name, count(*width, "column"),
                     columns.size() == 1 ? "1 is" : fmt::format("{} are", columns.size())),
         columns.size() == 1 && begins_with_a_text(table, columns[0])
             ? fmt::format("write {} = one_hot(column({}))", input.name, in_quotes(table.columns()[columns[0]]))
             : fmt::format("bind {}, or declare {}: [n, {}]", count(*width, "column"), input.name, columns.size()));
  }
  if (!binding.equals_text && binding.compare_operator.empty()) {
    return read_numbers(table, columns, input, index_count);
  }
  std::vector<float> values = compare_cells(table, columns, binding);
  if (binding.equals_text && std::all_of(values.begin(), values.end(), [&](float v) { return v == values[0]; }) &&
      (values[0] != 0) == (binding.compare_operator == "!=")) {
    fail_if_cells_differ(table, columns, binding);
  }
  return as_declared(input, std::move(values));
}

/// One number for each category: 1 for the cell's own.
Numbers fill_one_hot(const Table& table, const ir::Input& input, const frontend::ColumnBinding& binding,
                     CategoriesByTensor& known) {
  const std::vector<std::size_t> columns = columns_of(table, binding);
  if (columns.size() != 1)
    fail(binding.location, "only one column has categories, but several are bound here", kOneEach);
  if (!known.contains(input.name)) {
    known[input.name] = binding.categories.empty() ? find_categories(table, columns[0]) : binding.categories;
  }
  const Categories& categories = known.at(input.name);
  if (const auto width = row_width(input); width && *width != categories.size()) {
    std::string names;
    for (std::size_t i = 0; i < std::min<std::size_t>(categories.size(), 8); ++i) {
      names += (i > 0 ? ", " : "") + in_quotes(categories[i]);
    }
    fail(binding.location,
         fmt::format("{} takes {}, but the column has {}: {}{}", input.name, count(*width, "number"),
                     categories.size() == 1 ? "1 category" : fmt::format("{} categories", categories.size()), names,
                     categories.size() > 8 ? ", ..." : ""),
         fmt::format("declare {}: [n, {}]", input.name, categories.size()));
  }
  std::vector<float> values(table.rows() * categories.size(), 0.0f);
  const std::vector<std::uint32_t> codes = encode(table, columns[0], categories);
  for (std::size_t row = 0; row < codes.size(); ++row) values[row * categories.size() + codes[row]] = 1;
  return as_declared(input, std::move(values));
}

/// Whether a column holds the numbers of categories themselves, and not their names. Where the data block does not name
/// the column, any number is taken for one, so that one out of range is seen.
bool holds_codes(const Table& table, std::size_t column, std::int64_t most, bool is_named) {
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto number = number_of(table.text(row, column));
    if (!number) return false;
    if (is_named && !(*number == std::floor(*number) && *number >= 0 && *number < static_cast<double>(most)))
      return false;
  }
  return true;
}

/// Of an input declared as a category: each cell's place among the texts of its column, or the number that it is.
Numbers fill_codes(const Table& table, const ir::Input& input, const std::vector<std::size_t>& columns,
                   const frontend::Location* named_at, std::int64_t most, CategoriesByTensor& known) {
  const auto fail_here = [&](const std::string& message, const std::string& hint) {
    if (named_at != nullptr) fail(*named_at, message, hint);
    throw Error(Diagnostic{table.path(), 0, 0, 1, message, hint, ""});
  };
  if (columns.size() != 1) fail_here("only one column has categories, but several are bound here", kOneEach);
  if (!known.contains(input.name)) {
    const bool codes = holds_codes(table, columns[0], most, named_at != nullptr);
    known[input.name] = codes ? Categories{} : find_categories(table, columns[0]);
  }
  const Categories& categories = known.at(input.name);
  if (categories.empty()) return read_numbers(table, columns, input, &most);
  if (categories.size() > static_cast<std::size_t>(most)) {
    fail_here(fmt::format("{} has {}, but the column has {}", input.name,
                          most == 1 ? "1 category" : fmt::format("{} categories", most), categories.size()),
              fmt::format("declare {}: [n] category({})", input.name, categories.size()));
  }
  const std::vector<std::uint32_t> codes = encode(table, columns[0], categories);
  return std::vector<std::int32_t>(codes.begin(), codes.end());
}

/// Without a data block: the next columns of the file.
std::vector<std::size_t> next_columns(const Table& table, const ir::Input& input, std::size_t& next_column) {
  const auto width = row_width(input);
  if (!width) throw Error("the width of " + input.name + " is not fixed", "say in a data block which columns it takes");
  if (next_column + *width > table.columns().size()) {
    throw Error(Diagnostic{table.path(), 0, 0, 1,
                           fmt::format("the file has {}, but the model takes {} or more",
                                       count(table.columns().size(), "column"), next_column + *width),
                           "say in a data block which columns they are", ""});
  }
  std::vector<std::size_t> columns(*width);
  std::iota(columns.begin(), columns.end(), next_column);
  next_column += *width;
  return columns;
}

/// A table has rows, and so must what is read from it.
void check_rows(const ir::Input& input, const ir::Declarations& program) {
  const std::vector<std::string> symbols = program.dimensions();
  const std::string rows = symbols.empty() ? "n" : symbols[0];
  if (!input.shape.empty() && input.shape[0] == ir::Dimension::symbol(rows)) return;
  ir::Shape shape = input.shape;
  if (!shape.empty() && !shape[0].is_constant()) shape.erase(shape.begin());
  shape.insert(shape.begin(), ir::Dimension::symbol(rows));
  throw Error(fmt::format("what is read from a table begins with the size '{}', its rows, but {} is {}", rows,
                          input.name, ir::to_string(input.shape)),
              fmt::format("declare {}: {}", input.name, ir::to_string(shape)));
}

template <typename Number>
std::vector<Number> select_rows(const std::vector<Number>& values, std::size_t width,
                                const std::vector<std::uint32_t>& which) {
  std::vector<Number> chosen;
  if (values.empty()) return chosen;
  chosen.reserve(which.size() * width);
  for (const std::uint32_t row : which) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * width);
    chosen.insert(chosen.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
  }
  return chosen;
}

}  // namespace

Dataset Dataset::select(const std::vector<std::uint32_t>& which) const {
  Dataset part;
  part.rows = static_cast<std::int64_t>(which.size());
  for (const Numbers& numbers : tensors) {
    const std::size_t width = numbers.size() / static_cast<std::size_t>(rows);
    Numbers& chosen = part.tensors.emplace_back();
    chosen.floats = select_rows(numbers.floats, width, which);
    chosen.doubles = select_rows(numbers.doubles, width, which);
    chosen.whole = select_rows(numbers.whole, width, which);
  }
  return part;
}

Tensors Dataset::views(bool with_targets, const ir::Declarations& program) const {
  Tensors result;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (with_targets || !program.inputs[i].is_target) result.push_back(tensors[i].view());
  }
  return result;
}

std::size_t leave_out_missing(Table& table, const frontend::Model& model) {
  std::vector<bool> lacks(table.rows());
  for (const frontend::ColumnBinding& binding : model.data->bindings) {
    // "none" and "-" may well be texts.
    const bool are_texts = binding.one_hot || binding.equals_text || model.category_counts.contains(binding.tensor);
    for (const std::size_t column : columns_of(table, binding)) {
      for (std::size_t row = 0; row < lacks.size(); ++row) {
        if (are_texts ? table.text(row, column).empty() : table.is_missing(row, column)) lacks[row] = true;
      }
    }
  }
  const auto count = static_cast<std::size_t>(std::count(lacks.begin(), lacks.end(), true));
  if (count == lacks.size()) fail(model.data->source_location, "every row of " + table.path() + " lacks a value");
  if (count > 0) table.leave_out(lacks);
  return count;
}

Dataset make_dataset(const Table& table, const ir::Declarations& program, const frontend::Model& model,
                     bool with_targets, CategoriesByTensor& categories) {
  Dataset data;
  data.rows = static_cast<std::int64_t>(table.rows());
  std::size_t next_column = 0;
  for (const ir::Input& input : program.inputs) {
    Numbers& values = data.tensors.emplace_back();
    if (input.is_target && !with_targets) continue;
    check_rows(input, program);
    const auto index = model.index_counts.find(input.name);
    const std::int64_t* index_count = index == model.index_counts.end() ? nullptr : &index->second;
    const auto counted = model.category_counts.find(input.name);
    const bool is_category = counted != model.category_counts.end();
    if (!model.data) {
      const std::vector<std::size_t> columns = next_columns(table, input, next_column);
      values = is_category ? fill_codes(table, input, columns, nullptr, counted->second, categories)
                           : read_numbers(table, columns, input, index_count);
      continue;
    }
    const auto& bindings = model.data->bindings;
    const auto binding =
        std::find_if(bindings.begin(), bindings.end(), [&](const auto& b) { return b.tensor == input.name; });
    if (binding == bindings.end()) {
      fail(model.data->location, "the data block does not say where " + input.name + " comes from",
           "write " + input.name + " = columns(\"first\" .. \"last\")");
    }
    const bool is_compared = binding->equals_text || !binding->compare_operator.empty();
    values = binding->one_hot              ? fill_one_hot(table, input, *binding, categories)
             : is_category && !is_compared ? fill_codes(table, input, columns_of(table, *binding), &binding->location,
                                                        counted->second, categories)
                                           : fill_as_bound(table, input, *binding, index_count);
  }
  return data;
}

}  // namespace descent::runtime
