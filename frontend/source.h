// A source text, and the mistakes found in it.
#pragma once

#include <string>
#include <vector>

#include "descent/error.h"
#include "frontend/ast.h"
#include "frontend/model.h"

namespace descent::frontend {

struct Source {
  std::string name;
  std::string text;
  std::uint32_t number = 0;  ///< among the sources of a model, from 1
  bool is_library = false;   ///< comes with Descent: a mistake in it is shown where the user's text called it
};

/// A file that has as many mistakes is of another language, or none: no others are looked for.
constexpr std::size_t most_mistakes = 100;

/// What stands there.
std::string text_of(const Span& span);

/// The place of a span: columns and lengths count characters, not bytes.
Location locate(const Span& span);
Diagnostic diagnostic(const Span& span, const std::string& message, const std::string& hint = "");
Note note(const Span& span, const std::string& message);

}  // namespace descent::frontend
