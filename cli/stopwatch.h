// Time of a piece of work. On a busy machine the wall clock counts other programs too, and for the work of one thread
// that thread's own clock is right; of less than some hundred microseconds that clock is too coarse, and may say
// nothing at all. Such short work is timed by the wall clock, and whoever measures takes the shortest of many times. So
// is the work of several threads, which wait for each other and may sleep meanwhile.
#pragma once

#include <algorithm>
#include <ctime>

#include "runtime/wall_clock.h"

namespace descent::cli {

class Stopwatch {
 public:
  explicit Stopwatch(int threads = 1) : threads_(threads) {}
  double microseconds() const {
    const double wall = wall_.microseconds(), thread = thread_microseconds() - thread_;
    constexpr double coarse = 100;
    return threads_ == 1 && thread > coarse ? std::min(wall, thread) : wall;
  }

 private:
  static double thread_microseconds() {
    std::timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e6 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_nsec);
  }
  int threads_;
  double thread_ = thread_microseconds();
  runtime::WallClock wall_;
};

}  // namespace descent::cli
