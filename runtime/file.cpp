#include "runtime/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "descent/error.h"

namespace descent::runtime {

namespace {
[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(Diagnostic{path, 0, 0, 1, what + ": " + std::strerror(errno), "", ""});
}
}  // namespace

std::string read_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail(path, "the file cannot be opened");
  std::string content;
  char block[1 << 16];
  while (true) {
    const ssize_t n = ::read(file, block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int reason = errno;
      ::close(file);
      errno = reason;
      fail(path, "the file cannot be read");
    }
    if (n == 0) break;
    content.append(block, static_cast<std::size_t>(n));
  }
  ::close(file);
  return content;
}

void write_file(const std::string& path, const std::string& content) {
  const std::string temporary = path + "." + std::to_string(::getpid()) + ".part";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) fail(path, "the file cannot be written");
  std::size_t written = 0;
  bool good = true;
  while (good && written < content.size()) {
    const ssize_t n = ::write(file, content.data() + written, content.size() - written);
    if (n < 0 && errno == EINTR) continue;
    good = n > 0;
    if (good) written += static_cast<std::size_t>(n);
  }
  good = good && ::fsync(file) == 0;
  good = ::close(file) == 0 && good;
  if (!good || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    errno = reason;
    fail(path, "the file cannot be written");
  }
}

}  // namespace descent::runtime
