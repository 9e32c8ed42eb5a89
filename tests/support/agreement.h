// Compiled code against the float64 interpreter, on programs of any kind, and the smallest program that shows a
// difference.
#pragma once

#include <optional>
#include <string>

#include "codegen/compile.h"
#include "ir/interpreter.h"

namespace descent::test {

/// A program with a function "predict" and everything that it reads.
struct Case {
  ir::Program program;
  ir::Environment environment;
};

/// Runs "predict", compiled after all passes, and compares its results and updates with what the interpreter makes of
/// the program as it is. Empty if all are within `tolerance` * (1 + |value|), and nothing is written beside its place;
/// else what differs. With a machine, by the code for that one.
std::string disagreement(const Case& test, double tolerance,
                         const std::optional<codegen::OlderMachine>& older = std::nullopt);

/// A smaller program that disagrees too: nodes replaced by their operands and by leaves, results dropped.
Case shrunk(const Case& failing, double tolerance);

}  // namespace descent::test
