// The syntax tree as text, one node a line, for `descent dump --stage=ast`.
#pragma once

#include <string>

namespace descent::frontend {

/// Parses `text` and prints its tree. Throws descent::Error with every syntax error.
std::string print_syntax_tree(const std::string& text, const std::string& file);

}  // namespace descent::frontend
