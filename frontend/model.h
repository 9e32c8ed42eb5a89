// What the frontend makes of a .descent file: the program (graphs) and the settings of its data and train blocks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ir/program.h"

namespace descent::frontend {

struct SourceTree;

/// Where in a source file something stands, so that a mistake found later (a missing column) points at it.
struct Location {
  std::string file;
  int line = 0;
  int column = 0;
  int length = 1;
  std::string source_line;
};

/// One item of `columns("a", "b" .. "f")`: a column, or the range of columns from `first` to `last` in the file's
/// order.
struct ColumnRange {
  std::string first;
  std::string last;  ///< equal to `first` for a single column
  Location location;
};

/// How one input or target is filled from the columns of the table.
struct ColumnBinding {
  std::string tensor;  ///< name of the input or target
  std::vector<ColumnRange> columns;
  /// `column("diagnosis") == "M"`: 1 where the cell's text equals this, else 0.
  std::optional<std::string> equals_text;
  /// `column("grade") >= 3`: one of == != < <= > >=, compared with `compare_value`; empty: the number itself.
  std::string compare_operator;
  double compare_value = 0;
  /// `one_hot(column("kind"))`: one number for each category, 1 for the cell's own and 0 for the others.
  bool one_hot = false;
  /// `one_hot(column("kind"), ["a", "b"])`: the categories in their order; empty: those of the training data, sorted.
  std::vector<std::string> categories;
  Location location;
};

struct SplitSpec {
  double fraction = 0.2;                ///< share of the rows held out, in (0, 1)
  std::optional<std::string> stratify;  ///< target whose classes keep their shares in both parts
  std::uint64_t seed = 0;
  Location location;
};

struct DataSpec {
  std::string source;  ///< path as written: relative to the model file's folder
  Location source_location;
  char decimal = '.';  ///< what stands before the decimals of its numbers: a point or a comma
  std::vector<ColumnBinding> bindings;
  bool skips_missing = false;  ///< rows that lack a number or a text which the model reads are left out
  std::optional<SplitSpec> validation;
  Location location;  ///< of the block
};

struct EarlyStopping {
  std::string figure = "loss";  ///< of the validation data: a loss, a metric, accuracy, auc or brier
  bool largest_is_best = false;
  int patience = 10;  ///< epochs without improvement
  Location location;
};

/// The most that what a training step computes on the way may take.
struct MemorySpec {
  std::int64_t bytes = 0;
  Location location;
};

struct TrainSpec {
  std::int64_t batch = 32;
  std::optional<MemorySpec> memory;
  std::int64_t epochs = 100;
  std::uint64_t seed = 0;
  std::optional<EarlyStopping> stop;
};

struct Model {
  std::string name;
  std::shared_ptr<const ir::Program> program;
  std::shared_ptr<const SourceTree> sources;            ///< of which the nodes of the program stem
  std::map<std::string, std::int64_t> category_counts;  ///< of inputs declared as `[n] category(12)`: numbers from 0
  std::map<std::string, std::int64_t> index_counts;     ///< of these, and of inputs that name the rows of a table
  std::optional<DataSpec> data;
  TrainSpec train;
};

}  // namespace descent::frontend
