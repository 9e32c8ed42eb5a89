// File descriptors: what reads and writes whole files, with diagnostics (runtime/file) or silently (object_cache), is
// made of these.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace descent::codegen {

/// An open file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  int close();  ///< 0, or the system's error number

 private:
  int number_;
};

/// Reads up to `size` bytes, fewer only at the end of the file, however many calls it takes. Nothing where that fails,
/// with the reason in errno.
std::optional<std::size_t> read_all(int descriptor, char* into, std::size_t size);

/// Writes everything, however many calls it takes; 0 or the system's error number.
int write_all(int descriptor, std::span<const std::string_view> pieces);

}  // namespace descent::codegen
