// What the machine can do at most with the instructions that code is made of, measured: the scale for everything else.
#pragma once

#include <cstddef>

namespace descent::cli {

/// Single-precision fused multiply-adds of one core, 2 operations each, in GFLOP/s; the best of several rounds, some
/// 40 ms in all.
double peak_gflops();

/// Bandwidth of one core in GB/s for tensors of `bytes` in all, which stay in the caches that are large enough for
/// them: a[i] = b[i] + s * c[i], as STREAM's triad counts it (12 bytes an element). The best of several rounds.
double triad_gbytes_per_second(std::size_t bytes);

}  // namespace descent::cli
