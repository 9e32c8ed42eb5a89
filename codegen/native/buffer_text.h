// The buffers of compiled functions as text: what an entry of the object cache has beside the code.
#pragma once

#include <map>
#include <string>

#include "passes/memory.h"

namespace descent::codegen {

using BufferTables = std::map<std::string, passes::BufferTable>;  ///< by function

std::string print_buffers(const BufferTables& tables);
/// Inverse of print_buffers. Throws std::runtime_error for what that does not write.
BufferTables parse_buffers(const std::string& text);

}  // namespace descent::codegen
