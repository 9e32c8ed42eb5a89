// The frontend as a whole: text in, model out.
#pragma once

#include <map>
#include <string>

#include "frontend/model.h"

namespace descent::frontend {

struct File;

/// The tree of the prelude, parsed once.
const File& prelude();

/// Compiles the text of a .descent file to its model. `file` is the name used in messages.
/// Throws descent::Error with every mistake of the text.
Model load_model(const std::string& text, const std::string& file);

/// A program whose function "predict" has the value of `expression` (scalars in the names of `values`) as result
/// "value".
ir::Program load_expression(const std::string& expression, const std::map<std::string, double>& values);

}  // namespace descent::frontend
