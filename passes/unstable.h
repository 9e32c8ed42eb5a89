// Warnings: places where, after all rules, a form remains that rounding or overflow can turn into an infinity or NaN.
#pragma once

#include <string>
#include <vector>

#include "ir/program.h"

namespace descent::passes {

struct Unstable {
  const ir::Node* node;
  std::string place;   ///< the result that it makes: "loss"
  std::string what;    ///< "log(max(s, 0))"
  std::string reason;  ///< "the argument can be 0, and log(0) is -inf"
  std::string advice;  ///< what to write instead
};

/// What remains unstable in the results of the functions "evaluate" and "predict" of an optimized program, each place
/// once. Only what is computed is judged: an input or parameter itself is taken to be as it should be.
std::vector<Unstable> find_unstable(const ir::Program& program);

}  // namespace descent::passes
