#pragma once

#include "ir/stage_times.h"

namespace descent::cli {

/// A line for every stage. What several threads do at the same time counts for each of them.
void print_stage_times(const StageTimes& times);

}  // namespace descent::cli
