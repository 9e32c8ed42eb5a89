// --time-passes: a table of what each stage of the compiler took, on standard error.
#include "cli/time_passes.h"

#include <cstdio>

#include "cli/output.h"

namespace descent::cli {

void print_stage_times(const StageTimes& times) {
  double total = 0;
  for (std::size_t i = 0; i < kStages; ++i) total += times.milliseconds(static_cast<Stage>(i));
  say("{:<14}{:>10}{:>8}\n", "stage", "ms", "share");
  const auto row = [&](const char* name, double ms) {
    say("{:<14}{:>10.2f}{:>7.1f}%\n", name, ms, total > 0 ? 100 * ms / total : 0);
  };
  for (std::size_t i = 0; i < kStages; ++i) {
    const auto stage = static_cast<Stage>(i);
    row(title(stage), times.milliseconds(stage));
  }
  row("all", total);
}

}  // namespace descent::cli
