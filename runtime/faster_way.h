// Which of two ways to make the same numbers is the faster one here and now: on several threads, or on one.
//
// What members of a team wait for depends on where the processors lie, and on what else they have to do: two cores of
// one chip hand each other a line in 20 ns, cores of different chips in 120, and a processor that another program uses
// comes back after milliseconds. So it is measured: after a number of runs some are timed, then as many of the other
// way, and the faster one goes on. The more often that is the same, the longer it goes on. The first runs of the other
// way are not timed: threads that sleep must wake up, which can take as long as some runs.
#pragma once

#include <cstdint>

namespace descent::runtime {

class FasterWay {
 public:
  /// On several threads at first; `settled`: always.
  explicit FasterWay(bool settled = false) : settled_(settled), left_(settled ? kForever : kFirst) {}

  /// How the next runs are made.
  bool together() const { return together_; }
  /// How many until that may change; of those it is asked how long they took, if they are timed.
  std::int64_t runs_left() const { return left_; }
  bool is_timed() const { return turn_ == Turn::as_before || turn_ == Turn::other_way; }
  /// So many of them have been made, all in so many microseconds.
  void ran(std::int64_t runs, double microseconds);

  static constexpr std::int64_t kTimed = 8, kWarming = 4, kFirst = 32, kLongest = 4096;  ///< runs

 private:
  static constexpr std::int64_t kForever = std::int64_t{1} << 62;
  enum class Turn { untimed, as_before, warming, other_way };
  void begin(Turn turn, std::int64_t runs);

  bool settled_, together_ = true;
  Turn turn_ = Turn::untimed;
  std::int64_t left_, untimed_ = 8 * kFirst;
  double us_ = 0, before_us_ = 0;
};

}  // namespace descent::runtime
