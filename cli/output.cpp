#include "cli/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "runtime/file.h"

namespace descent::cli {

namespace {

int failure = 0;  // the system's number of the first error on standard output

}  // namespace

void write_result(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && failure == 0) failure = errno;
}

void write_message(std::string_view text) { (void)!std::fwrite(text.data(), 1, text.size(), stderr); }

void occupy_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is this one. Neither can be read, or written, as if it were open.
    if (::fcntl(stream, F_GETFD) == -1) (void)!::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

void finish_results() {
  if (std::fflush(stdout) != 0 && failure == 0) failure = errno;
  if (failure == 0 && std::ferror(stdout) != 0) failure = EIO;
  if (failure == 0) return;
  throw runtime::file_error("standard output", "cannot be written: " + std::generic_category().message(failure));
}

}  // namespace descent::cli
