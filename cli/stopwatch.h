// Time of a piece of work. On a busy machine the wall clock counts other programs too, and for the work of one thread
// that thread's own clock is right; of less than some hundred microseconds that clock is too coarse, and may say nothing
// at all. Such short work is timed by the wall clock, and whoever measures takes the shortest of many times. So is the
// work of several threads, which wait for each other and may sleep meanwhile.
#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>

namespace descent::cli {

class Stopwatch {
 public:
  explicit Stopwatch(int threads = 1) : threads_(threads) {}
  double microseconds() const {
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - wall_;
    const double thread = thread_seconds() - thread_;
    constexpr double coarse = 100e-6;
    return 1e6 * (threads_ == 1 && thread > coarse ? std::min(wall.count(), thread) : wall.count());
  }

 private:
  static double thread_seconds() {
    std::timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
  int threads_;
  double thread_ = thread_seconds();
  std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
};

}  // namespace descent::cli
