// Tokens to syntax tree, by recursive descent with precedence climbing.
#pragma once

#include "frontend/source.h"

namespace descent::frontend {

/// The syntax tree; mistakes are added to `mistakes`, and parsing goes on at the next line that can begin a statement.
File parse_file(const Source& source, std::vector<Diagnostic>& mistakes);

/// A single expression, as in `descent eval`; null if it is wrong.
ExpressionPtr parse_expression(const Source& source, std::vector<Diagnostic>& mistakes);

}  // namespace descent::frontend
