#include "cli/interruption.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace descent::cli {

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
volatile sig_atomic_t noted = 0;
bool deferred = false;

void note(int signal_number) {
  const int error = errno;
  noted = signal_number;
  // Any further one does what it does in other programs.
  for (const int number : kSignals) {
    struct sigaction now = {};
    if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler == note) ::signal(number, SIG_DFL);
  }
  constexpr std::string_view kText = "\ninterrupted: saving the weights; once more ends at once\n";
  (void)!::write(STDERR_FILENO, kText.data(), kText.size());
  errno = error;
}

}  // namespace

void defer_interruptions() {
  if (deferred) return;
  deferred = true;
  // In `descent train ... 2>&1 | tee log`, Ctrl-C ends the reader too: nothing more is said, and the weights are saved.
  ::signal(SIGPIPE, SIG_IGN);
  for (const int number : kSignals) {
    struct sigaction before = {};
    if (::sigaction(number, nullptr, &before) != 0 || before.sa_handler == SIG_IGN) continue;
    struct sigaction action = {};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    ::sigaction(number, &action, nullptr);
  }
}

int pending_signal() { return noted; }

}  // namespace descent::cli
