#include "bench/peak.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <vector>

namespace descent::bench {
namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
#elif defined(__AVX__)
constexpr int lanes = 8;
#else
constexpr int lanes = 4;
#endif
using Register = float __attribute__((vector_size(4 * lanes)));

// Two units that each take 4 to 5 cycles need 8 to 10 multiply-adds under way; 12 accumulators cover them, and with the
// two factors still fit the 16 registers of AVX2.
constexpr int accumulators = 12;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Keeps the compiler from assuming anything about the memory behind p.
void escape(void* p) { asm volatile("" : : "g"(p) : "memory"); }

}  // namespace

double peak_gflops() {
  constexpr int steps = 1'000'000;
  float factor = 0.999F;
  float addend = 1e-3F;
  escape(&factor);
  escape(&addend);
  double best = 0;
  for (int round = 0; round < 10; ++round) {
    std::array<Register, accumulators> sums{};
    const Register a = Register{} + factor;
    const Register b = Register{} + addend;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < steps; ++i)
#pragma GCC unroll 12
      for (Register& sum : sums) sum = sum * a + b;  // contracted: this file is compiled with -ffp-contract=fast
    escape(sums.data());
    best = std::max(best, 2.0 * lanes * accumulators * steps / seconds_since(start) * 1e-9);
  }
  return best;
}

double triad_gbytes_per_second() {
  constexpr std::size_t count = (std::size_t{256} << 20U) / (3 * sizeof(float));
  std::vector<float> a(count, 0.0F);
  std::vector<float> b(count, 1.0F);
  std::vector<float> c(count, 2.0F);
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    float* __restrict to = a.data();
    const float* __restrict from = b.data();
    const float* __restrict scaled = c.data();
    for (std::size_t i = 0; i < count; ++i) to[i] = from[i] + 3.0F * scaled[i];
    escape(to);
    best = std::max(best, 3.0 * sizeof(float) * count / seconds_since(start) * 1e-9);
  }
  return best;
}

}  // namespace descent::bench
