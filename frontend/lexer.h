// Text to tokens.
#pragma once

#include "frontend/source.h"

namespace descent::frontend {

struct Token {
  enum class Kind { name, number, string, symbol, end } kind;
  std::string text;
  double number = 0;
  Span span;
  bool first_on_line = false;
};

/// The tokens of a source, closed by one of kind `end`. Mistakes are added to `mistakes`; what is wrong is left out.
std::vector<Token> tokenize(const Source& source, std::vector<Diagnostic>& mistakes);

}  // namespace descent::frontend
