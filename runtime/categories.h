// Columns of texts as categories: which texts there are, and each cell's place among them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/table.h"

namespace descent::runtime {

/// The texts that a column may hold, each once. A text's code is its index. Without any, cells are the codes
/// themselves.
using Categories = std::vector<std::string>;
/// By the name of the input or target. Learned from the training data, and kept with the weights: new data are encoded
/// in the same way.
using CategoriesByTensor = std::map<std::string, Categories>;

/// The number that a whole cell is; nothing if it is none.
std::optional<double> number_of(std::string_view text);

/// The texts of a column in order: as numbers where all are numbers, else by their bytes. Throws descent::Error for an
/// empty cell.
Categories find_categories(const Table& table, std::size_t column);

/// The code of every cell. Throws descent::Error that shows, once each, the first texts that are no
/// category.
std::vector<std::uint32_t> encode(const Table& table, std::size_t column, const Categories& categories);

/// For weights files: a JSON list of texts, and back. `from_text` throws descent::Error that names `path`.
std::string to_text(const Categories& categories);
Categories from_text(const std::string& text, const std::string& path);

}  // namespace descent::runtime
