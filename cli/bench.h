// The training step on made-up data of the model's shapes.
#pragma once

#include "descent/descent.h"

namespace descent::cli {

struct BenchResult {
  std::int64_t batch, parameters, flops, arena_bytes, kernels;
  double step_us_min, step_us_median, gflops, compile_ms;
};

/// Steps for so many seconds. `batch` 0: the train block's. flops: 2 for each multiply-add of the step's contractions.
BenchResult run_bench(const Model& model, std::int64_t batch, double seconds);

}  // namespace descent::cli
