// Several threads or one: what is measured decides.
#include "runtime/faster_way.h"

#include <algorithm>
#include <catch2/catch.hpp>

using descent::runtime::FasterWay;

namespace {

struct Counts {
  std::int64_t together = 0, alone = 0, changes = 0;
};

/// So many runs, each of which takes as long as it is said.
Counts run(FasterWay& way, std::int64_t runs, double together_us, double alone_us) {
  Counts counts;
  bool before = way.together();
  for (std::int64_t i = 0; i < runs; ++i) {
    const bool together = way.together();
    ++(together ? counts.together : counts.alone);
    if (together != before) ++counts.changes;
    before = together;
    way.ran(1, way.is_timed() ? (together ? together_us : alone_us) : 0);
  }
  return counts;
}

}  // namespace

TEST_CASE("the faster way makes nearly all runs") {
  constexpr std::int64_t runs = 20000;
  FasterWay together, alone;
  CHECK(run(together, runs, 1, 2).alone < runs / 100);
  CHECK(run(alone, runs, 2, 1).together < runs / 50);
}

TEST_CASE("what becomes slower is left") {
  FasterWay way;
  run(way, 50000, 1, 2);
  CHECK(run(way, 20000, 3, 2).together < 5000);
  CHECK(run(way, 20000, 1, 2).alone < 5000);
}

TEST_CASE("threads that must wake up first are not taken for slow") {
  FasterWay way;
  run(way, 400, 2, 1);
  CHECK_FALSE(way.together());
  std::int64_t together = 0;
  for (int i = 0; i < 20000; ++i) {
    together = way.together() ? together + 1 : 0;  // in a row
    way.ran(1, way.together() ? (together < 3 ? 50 : 1) : 2);
  }
  CHECK(way.together());
}

TEST_CASE("ways that are about as fast do not take turns") {
  FasterWay way;
  run(way, 1000, 1, 1.01);
  const bool before = way.together();
  run(way, 20000, 1.01, 1);
  CHECK(way.together() == before);
}

TEST_CASE("few runs are not timed, and a way that is settled never") {
  FasterWay few, settled(true);
  for (int i = 0; i < FasterWay::kFirst; ++i) {
    CHECK_FALSE(few.is_timed());
    few.ran(1, 0);
  }
  CHECK(few.is_timed());
  CHECK(run(settled, 20000, 2, 1).alone == 0);
}

TEST_CASE("runs are counted in pieces of any length") {
  FasterWay way;
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t runs = std::min<std::int64_t>(way.runs_left(), 5);
    CHECK(runs > 0);
    way.ran(runs, way.together() ? 2.0 * static_cast<double>(runs) : static_cast<double>(runs));
  }
  CHECK_FALSE(way.together());
}
