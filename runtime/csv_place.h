// Where a cell of a CSV file stands: found again from its row's first byte, when a message has to show it.
#pragma once

#include <cstdint>
#include <string>

#include "descent/error.h"

namespace descent::runtime {

/// The diagnostic for cell `cell` (from 0) of the record that begins at byte `record_begin` of the file, in line
/// `line`. A cell beyond the record's last stands for its end. Without line and column if the file cannot be read
/// again.
Diagnostic diagnose_csv_cell(const std::string& path, std::uint64_t record_begin, std::uint64_t line, std::size_t cell,
                             char separator, const std::string& message, const std::string& hint);

}  // namespace descent::runtime
