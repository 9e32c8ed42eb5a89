// Where the time goes between a text and the first step of its training: `--time-passes`.
//
// A stage is timed by a StageTimer on the stack. A timer that starts inside of another one (the simplification inside
// of differentiation) stops the outer one meanwhile, so that the times of all stages add up. Nothing is measured unless
// someone collects.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace descent {

/// In the order of the compiler.
enum class Stage : std::uint8_t {
  parse,
  lower,  ///< names, shapes and types resolved: syntax tree to graph
  simplify,
  differentiate,
  plan,
  cache,         ///< keys, files, and loading what they hold
  load_backend,  ///< the library with LLVM
  llvm_ir,
  optimize,
  select,  ///< instruction selection, register allocation, the object file
  link,
};
constexpr std::size_t kStages = static_cast<std::size_t>(Stage::link) + 1;
const char* title(Stage stage);

class StageTimes {
 public:
  using Duration = std::chrono::steady_clock::duration;
  void add(Stage stage, Duration time) {
    const std::lock_guard lock(mutex_);
    times_[static_cast<std::size_t>(stage)] += time;
  }
  double milliseconds(Stage stage) const {
    const std::lock_guard lock(mutex_);
    return std::chrono::duration<double, std::milli>(times_[static_cast<std::size_t>(stage)]).count();
  }

 private:
  mutable std::mutex mutex_;
  std::array<Duration, kStages> times_{};
};

/// While it lives, the stages that this thread runs are added to `times`; null: to none.
class CollectStageTimes {
 public:
  explicit CollectStageTimes(StageTimes* times);
  ~CollectStageTimes();
  CollectStageTimes(const CollectStageTimes&) = delete;
  CollectStageTimes& operator=(const CollectStageTimes&) = delete;
  /// What this thread collects into, for threads that work for it and for the library with LLVM, which has its own.
  static StageTimes* current();

 private:
  StageTimes* outer_;
};

class StageTimer {
 public:
  explicit StageTimer(Stage stage);
  ~StageTimer();
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  void pause(Clock::time_point now);

  StageTimes* times_;
  Stage stage_;
  StageTimer* outer_ = nullptr;
  Clock::time_point since_;
};

}  // namespace descent
