// Threads that work together: a fork-join team with barriers of a fraction of a microsecond.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "runtime/progress.h"

namespace descent::runtime {

/// Members wait for each other by watching memory for some tens of microseconds, and then sleep.
class Team {
 public:
  /// Starts `size - 1` threads; the thread that calls `run` is the first member.
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }
  /// Calls work(0) .. work(size - 1), each on its thread, and returns when all have. `work` must not throw.
  void run(const std::function<void(int member)>& work);
  /// Inside of `run`: returns when all members have called it as often as this one.
  void barrier();

 private:
  void serve(int member);

  alignas(128) std::atomic<std::uint32_t> arrived_ = 0;  // at the barrier
  const int size_;
  const std::function<void(int)>* work_ = nullptr;
  std::vector<std::thread> threads_;
  bool stops_ = false;
  Progress barriers_, forks_;
};

}  // namespace descent::runtime
