// What the machine can do at most, measured: the scale for everything else.
#pragma once

namespace descent::bench {

/// Single-precision fused multiply-adds of one core, 2 operations each, in GFLOP/s; the best of several rounds.
double peak_gflops();

/// Memory bandwidth of one core in GB/s: a[i] = b[i] + s * c[i] over 256 MB, as STREAM's triad counts it (12 bytes an
/// element).
double triad_gbytes_per_second();

}  // namespace descent::bench
