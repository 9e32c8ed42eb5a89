// The time on the wall and not a thread's own: members of a team wait for each other and for processors.
#pragma once

#include <chrono>

namespace descent::runtime {

class WallClock {
 public:
  /// Since it was made.
  double microseconds() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace descent::runtime
