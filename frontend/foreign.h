// What other languages and libraries write, and how it is written here: hints for what is not known.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace descent::frontend {

// Each gives a hint, which is empty where nothing is known.

std::string foreign_name(std::string_view name);
/// Of an argument; `own` are the names that can be given.
std::string foreign_argument(std::string_view name, const std::vector<std::string>& own);
std::string foreign_type(std::string_view name);
/// Of a word or sign where a statement or an expression does not go on with it; `before` is what stands before it.
std::string foreign_syntax(std::string_view before, std::string_view found);

}  // namespace descent::frontend
