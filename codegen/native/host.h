// The machine that this process runs on.
#pragma once

#include <string>

namespace descent::codegen {

/// A text that differs between machines whose native code may differ: processor, stepping and features.
std::string host_identity();

/// How many processors this process may use at once: those it is bound to, and no more than the quota of its control
/// groups, as containers have them.
int host_processors();

}  // namespace descent::codegen
