// The machine that this process runs on.
#pragma once

#include <string>

namespace descent::codegen {

/// A text that differs between machines whose native code may differ: processor, stepping and features.
std::string host_identity();

}  // namespace descent::codegen
