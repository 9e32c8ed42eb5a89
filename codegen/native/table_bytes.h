// What belongs to compiled code, as bytes: what an entry of the object cache has beside it.
#pragma once

#include <map>
#include <string>

#include "codegen/kernel_table.h"
#include "passes/memory.h"

namespace descent::codegen {

using BufferTables = std::map<std::string, passes::BufferTable>;  ///< by function

std::string to_bytes(const BufferTables& tables);
std::string to_bytes(const KernelTable& table);

/// Inverse of to_bytes. Throws descent::Error for what that does not write.
BufferTables buffer_tables(std::string_view bytes);
KernelTable kernel_table(std::string_view bytes);

}  // namespace descent::codegen
