// Tokens to syntax tree.
#pragma once

#include "frontend/source.h"

namespace descent::frontend {

/// The tree of a file. Mistakes are added to `mistakes`; what could not be understood is marked as broken in the tree,
/// so that the rest can still be checked.
std::unique_ptr<File> parse_file(const Source& source, std::vector<Diagnostic>& mistakes);
/// The tree of one expression, owned by `file`.
ExpressionPtr parse_expression(const Source& source, File& file, std::vector<Diagnostic>& mistakes);

}  // namespace descent::frontend
