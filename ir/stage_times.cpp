#include "ir/stage_times.h"

namespace descent {

namespace {
thread_local StageTimes* collected = nullptr;
thread_local StageTimer* running = nullptr;
}  // namespace

const char* title(Stage stage) {
  switch (stage) {
    case Stage::parse:
      return "parse";
    case Stage::lower:
      return "shapes";
    case Stage::simplify:
      return "simplify";
    case Stage::differentiate:
      return "differentiate";
    case Stage::plan:
      return "plan";
    case Stage::cache:
      return "cache";
    case Stage::load_backend:
      return "load LLVM";
    case Stage::llvm_ir:
      return "LLVM IR";
    case Stage::optimize:
      return "optimise";
    case Stage::select:
      return "select";
    case Stage::link:
      return "link";
  }
  return "";
}

CollectStageTimes::CollectStageTimes(StageTimes* times) : outer_(collected) { collected = times; }
CollectStageTimes::~CollectStageTimes() { collected = outer_; }
StageTimes* CollectStageTimes::current() { return collected; }

StageTimer::StageTimer(Stage stage) : times_(collected), stage_(stage) {
  if (times_ == nullptr) return;
  since_ = Clock::now();
  outer_ = running;
  if (outer_ != nullptr) outer_->pause(since_);
  running = this;
}

StageTimer::~StageTimer() {
  if (times_ == nullptr) return;
  const auto now = Clock::now();
  pause(now);
  running = outer_;
  if (outer_ != nullptr) outer_->since_ = now;
}

/// Counts what has passed since it was started or the timer inside of it ended.
void StageTimer::pause(Clock::time_point now) { times_->add(stage_, now - since_); }

}  // namespace descent
