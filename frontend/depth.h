// How far evaluation may go: a clear error instead of a full stack or an endless wait.
#pragma once

#include "frontend/lower.h"

namespace descent::frontend {

/// Counts a level of evaluation for as long as it lives, and every evaluation.
class Lowering::Depth {
 public:
  static constexpr int most_levels = 1000;
  static constexpr std::int64_t most_evaluations = 1'000'000;

  Depth(Lowering& lowering, const Span& span) : lowering_(lowering) {
    if (lowering_.depth_ >= most_levels) {
      throw Exhausted{lowering_.located(span, "calls and expressions are nested too deep here",
                                        "a function that calls itself, even through another, never ends", {})};
    }
    if (lowering_.evaluations_ >= most_evaluations) {
      throw Exhausted{lowering_.located(span, "the loops and calls of this model are too many to unroll", "", {})};
    }
    ++lowering_.depth_;
    ++lowering_.evaluations_;
  }
  ~Depth() { --lowering_.depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  Lowering& lowering_;
};

}  // namespace descent::frontend
