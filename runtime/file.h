// Whole files: read, and written so that a reader sees the old content or the new one, never a part.
#pragma once

#include <string>

namespace descent::runtime {

std::string read_file(const std::string& path);  ///< throws descent::Error naming the path and the reason
/// Writes beside `path`, flushes to the disk and renames. Throws descent::Error; then `path` is as it was.
void write_file(const std::string& path, const std::string& content);

}  // namespace descent::runtime
