#include "codegen/native/descriptor.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace descent::codegen {

namespace {
constexpr std::size_t kMost = std::size_t{1} << 30;  // in one call: more than the system takes at once elsewhere
}  // namespace

int Descriptor::close() {
  if (number_ < 0) return 0;
  const int result = ::close(number_);
  number_ = -1;
  return result == 0 ? 0 : errno;
}

std::optional<std::size_t> read_all(int descriptor, char* into, std::size_t size) {
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t count = ::read(descriptor, into + filled, std::min(size - filled, kMost));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return filled;
}

int write_all(int descriptor, std::span<const std::string_view> pieces) {
  for (std::string_view piece : pieces) {
    while (!piece.empty()) {
      const ssize_t written = ::write(descriptor, piece.data(), std::min(piece.size(), kMost));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno;
      piece.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  return 0;
}

}  // namespace descent::codegen
