#include "runtime/sizes.h"

#include <fmt/format.h>

namespace descent::runtime {

namespace {

std::vector<std::string> unknown_symbols(const ir::Shape& shape, const ir::DimensionValues& known) {
  std::vector<std::string> symbols, unknown;
  for (const ir::Dimension& d : shape) d.collect_symbols(symbols);
  for (const std::string& symbol : symbols) {
    if (!known.contains(symbol)) unknown.push_back(symbol);
  }
  return unknown;
}

/// The size with which the shape has `count` elements: element counts grow with every size, so bisection finds it.
bool solve(const ir::Shape& shape, const std::string& symbol, std::int64_t count, ir::DimensionValues& known) {
  std::int64_t low = 1, high = std::max<std::int64_t>(1, count);
  ir::DimensionValues trial = known;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    trial[symbol] = middle;
    if (ir::element_count(shape, trial) < count) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  trial[symbol] = low;
  if (ir::element_count(shape, trial) != count) return false;
  known = std::move(trial);
  return true;
}

[[noreturn]] void wrong_length(const ir::Input& input, const std::string& expected, std::int64_t rows,
                               std::size_t found) {
  throw Error(
      fmt::format("the tensor '{}' must have {} numbers for {} rows, found {}", input.name, expected, rows, found));
}

}  // namespace

ir::DimensionValues sizes_of_call(const ir::Declarations& program, const Tensors& tensors, std::int64_t rows,
                                  bool with_targets) {
  if (rows < 1) throw Error("there must be at least one row");
  std::vector<const ir::Input*> given;
  std::size_t needed = 0;
  for (const ir::Input& input : program.inputs) {
    needed += with_targets || !input.is_target;
    if (!input.is_target || tensors.size() == program.inputs.size()) given.push_back(&input);
  }
  if (tensors.size() != needed && tensors.size() != program.inputs.size()) {
    throw Error(fmt::format("the model takes {} tensors, found {}", needed, tensors.size()));
  }
  ir::DimensionValues sizes;
  const std::vector<std::string> symbols = program.dimensions();
  if (!symbols.empty()) sizes[symbols[0]] = rows;
  for (bool learned = true; learned;) {
    learned = false;
    for (std::size_t i = 0; i < given.size(); ++i) {
      const auto unknown = unknown_symbols(given[i]->shape, sizes);
      if (unknown.size() != 1) continue;
      if (!solve(given[i]->shape, unknown[0], static_cast<std::int64_t>(tensors[i].size()), sizes)) {
        wrong_length(*given[i], "a multiple of " + std::to_string(rows), rows, tensors[i].size());
      }
      learned = true;
    }
  }
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto unknown = unknown_symbols(given[i]->shape, sizes);
    if (!unknown.empty()) {
      throw Error(fmt::format("the size '{}' of the tensor '{}' does not follow from the tensors' lengths", unknown[0],
                              given[i]->name),
                  "give one of its sizes as a number in the model");
    }
    const std::int64_t expected = ir::element_count(given[i]->shape, sizes);
    if (static_cast<std::int64_t>(tensors[i].size()) != expected) {
      wrong_length(*given[i], std::to_string(expected), rows, tensors[i].size());
    }
  }
  for (const std::string& symbol : symbols) sizes.emplace(symbol, 1);
  return sizes;
}

std::vector<std::int64_t> in_order(const ir::Declarations& program, const ir::DimensionValues& sizes) {
  std::vector<std::int64_t> values;
  for (const std::string& symbol : program.dimensions()) values.push_back(sizes.at(symbol));
  return values;
}

std::int64_t row_width(const ir::Input& input, const ir::DimensionValues& sizes) {
  std::int64_t width = 1;
  for (std::size_t i = 1; i < input.shape.size(); ++i) width *= input.shape[i].evaluate(sizes);
  return width;
}

}  // namespace descent::runtime
