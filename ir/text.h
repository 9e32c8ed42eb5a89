// The text form of a program: what `descent dump` prints and the tests of the passes read.
#pragma once

#include <string>

#include "ir/program.h"

namespace descent::ir {

std::string print(const Program& program);

/// Inverse of print: gives the same graph. Throws descent::Error with the line of the mistake.
Program parse(const std::string& text);

/// Checks what every program must satisfy: names resolve, updates have the variables' types, results exist.
/// Throws descent::Error that names the pass.
void verify(const Program& program, const std::string& pass);

}  // namespace descent::ir
