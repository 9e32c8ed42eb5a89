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
};

Location locate(const Span& span);
Diagnostic diagnostic(const Span& span, const std::string& message, const std::string& hint = "");

}  // namespace descent::frontend
