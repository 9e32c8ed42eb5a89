#include "runtime/faster_way.h"

#include <algorithm>

namespace descent::runtime {

void FasterWay::begin(Turn turn, std::int64_t runs) {
  turn_ = turn;
  left_ = runs;
  us_ = 0;
}

void FasterWay::ran(std::int64_t runs, double microseconds) {
  if (settled_) return;
  us_ += microseconds;
  left_ -= runs;
  if (left_ > 0) return;
  switch (turn_) {
    case Turn::untimed:
      return begin(Turn::as_before, kTimed);
    case Turn::as_before:
      before_us_ = us_;
      together_ = !together_;
      return begin(Turn::warming, kWarming);
    case Turn::warming:
      return begin(Turn::other_way, kTimed);
    case Turn::other_way: {
      constexpr double clearly = 0.97;  // what is about as fast stays as it is
      const bool changes = us_ < clearly * before_us_;
      if (!changes) together_ = !together_;
      untimed_ = changes ? 8 * kFirst : std::min(2 * untimed_, kLongest);
      return begin(Turn::untimed, untimed_);
    }
  }
}

}  // namespace descent::runtime
