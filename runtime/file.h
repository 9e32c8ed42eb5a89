// Whole files, read and written: every failure is a descent::Error that names the path and the reason, and a file that
// is written is either the old one or the new one, never half of it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "codegen/native/descriptor.h"
#include "descent/error.h"

namespace descent::runtime {

/// An error about a whole file: "PATH: error: MESSAGE".
Error file_error(const std::string& path, const std::string& message, const std::string& hint = "");

/// The error for a path that cannot be opened or read, from the system's error number. A missing file's hint is the
/// name in the same folder that is nearest to it.
Error unreadable_file(const std::string& path, int error_number);

/// A file opened to read; throws descent::Error where that cannot be, and for a folder.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  /// Reads up to `size` bytes, fewer only at the end of the file; returns how many. Throws descent::Error.
  std::size_t read(char* into, std::size_t size);
  /// Goes to a byte of the file; false where it has no positions (a pipe).
  bool seek(std::size_t offset);

 private:
  std::string path_;
  codegen::Descriptor descriptor_;
};

/// All bytes of a file. Throws descent::Error.
std::string read_file(const std::string& path);

/// Writes the pieces one after the other to a new file beside `path`, makes it durable (fsync) and renames it to
/// `path`: a reader, or a crash at any moment, meets the old file or the new one. A link is followed; what is not a
/// regular file (a terminal, a pipe) is written directly. Throws descent::Error and leaves the old file as it was.
void write_file_atomically(const std::string& path, std::span<const std::string_view> pieces);

/// Throws descent::Error where `write_file_atomically` could not begin, so that hours of work are not done in vain for
/// a file that cannot be written. Changes nothing.
void check_writable(const std::string& path);

}  // namespace descent::runtime
