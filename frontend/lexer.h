// Text to tokens.
#pragma once

#include <string_view>

#include "frontend/source.h"

namespace descent::frontend {

struct Token {
  enum class Kind { name, number, string, symbol, comment, end } kind;
  std::string_view text;  ///< as written; of a string without its quotes
  double number = 0;
  Span span;
  bool first_on_line = false;
};

/// The tokens of a source, closed by one of kind `end`; comments are tokens too. Mistakes are added to `mistakes`; what
/// is wrong is left out.
std::vector<Token> tokenize(const Source& source, std::vector<Diagnostic>& mistakes);

}  // namespace descent::frontend
