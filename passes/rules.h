// The rewrite rules, as data.
#pragma once

#include <vector>

#include "passes/pattern.h"

namespace descent::passes {

struct Rule {
  P pattern;
  P replacement;
  const char* justification;  ///< why it is right, and what it does to rounding, overflow and NaN
};

/// Rules that always hold and always pay; applied until none does.
const std::vector<Rule>& simplification_rules();

/// Rules that turn the forms used while differentiating into the forms that are computed; applied once derivatives are
/// there, together with the simplifications.
const std::vector<Rule>& lowering_rules();

}  // namespace descent::passes
