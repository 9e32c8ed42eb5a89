// The text form of a program: what `descent dump` prints and the tests of the passes read.
#pragma once

#include <string>

#include "ir/program.h"

namespace descent::ir {

std::string print(const Program& program);

/// Inverse of print: gives the same graph. Throws descent::Error with the line of the mistake.
Program parse(const std::string& text);

/// An interface as text: the declarations and the function `initial` as print writes them, and the results of all
/// functions. What parse_interface reads back is the same; it throws as parse does.
std::string print(const Interface& interface);
Interface parse_interface(const std::string& text);

/// Checks what every program must satisfy: names resolve, updates have the variables' types, results exist.
/// Throws descent::Error that names the pass.
void verify(const Program& program, const std::string& pass);

}  // namespace descent::ir
