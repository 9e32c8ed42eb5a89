#include "cli/peak.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "codegen/compile.h"

namespace descent::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Keeps the compiler from assuming anything about the memory behind p.
void escape(void* p) { asm volatile("" : : "g"(p) : "memory"); }

// Two units that each take 4 to 5 cycles need 8 to 10 multiply-adds under way; 12 accumulators cover them, and with the
// two factors still fit the 16 registers of AVX2.
constexpr int accumulators = 12;

/// The loops for one kind of processor: the program itself is compiled for all. A function for each, since a template
/// or an inlined function would be compiled for the oldest.
#define DESCENT_LOOPS(name, lanes, target)                                                        \
  struct name {                                                                                   \
    static constexpr int width = lanes;                                                           \
    using Register = float __attribute__((vector_size(4 * (lanes))));                             \
    target static void multiply_adds(int steps, const float* factors, float* result) {            \
      Register sums[accumulators] = {};                                                           \
      const Register a = Register{} + factors[0], b = Register{} + factors[1];                    \
      for (int i = 0; i < steps; ++i) {                                                           \
        for (int k = 0; k < accumulators; ++k) sums[k] = sums[k] * a + b; /* contracted */        \
      }                                                                                           \
      for (int k = 0; k < accumulators; ++k) __builtin_memcpy(result, &sums[k], sizeof(sums[k])); \
    }                                                                                             \
    target static void triad(float* to, const float* from, const float* scaled, long count) {     \
      for (long i = 0; i < count; i += lanes) {                                                   \
        Register b, c;                                                                            \
        __builtin_memcpy(&b, from + i, sizeof(b));                                                \
        __builtin_memcpy(&c, scaled + i, sizeof(c));                                              \
        b = b + c * 3.0F;                                                                         \
        __builtin_memcpy(to + i, &b, sizeof(b));                                                  \
      }                                                                                           \
    }                                                                                             \
  };

#if defined(__x86_64__)
DESCENT_LOOPS(Avx512, 16, __attribute__((target("avx512f"))))
DESCENT_LOOPS(Avx2, 8, __attribute__((target("avx2,fma"))))
#endif
DESCENT_LOOPS(Plain, 4, )
#undef DESCENT_LOOPS

struct Loops {
  int width;
  void (*multiply_adds)(int, const float*, float*);
  void (*triad)(float*, const float*, const float*, long);
};

template <class Kind>
Loops loops_of() {
  return {Kind::width, Kind::multiply_adds, Kind::triad};
}

Loops loops() {
#if defined(__x86_64__)
  const std::int64_t lanes = codegen::chosen_machine().machine.lanes;
  if (lanes == Avx512::width) return loops_of<Avx512>();
  if (lanes == Avx2::width) return loops_of<Avx2>();
#endif
  return loops_of<Plain>();
}

}  // namespace

double peak_gflops() {
  constexpr int steps = 1'000'000;
  const Loops machine = loops();
  std::array<float, 2> factors = {0.999F, 1e-3F};
  std::array<float, 16> result{};
  double best = 0;
  for (int round = 0; round < 10; ++round) {
    escape(factors.data());
    const auto start = Clock::now();
    machine.multiply_adds(steps, factors.data(), result.data());
    escape(result.data());
    best = std::max(best, 2.0 * machine.width * accumulators * steps / seconds_since(start) * 1e-9);
  }
  return best;
}

double triad_gbytes_per_second(std::size_t bytes) {
  constexpr std::size_t together = 64, whole = std::size_t{16} << 20U;
  const Loops machine = loops();
  const std::size_t count = std::max(bytes / (3 * sizeof(float)) / together, std::size_t{1}) * together;
  std::vector<float> a(count, 0.0F), b(count, 1.0F), c(count, 2.0F);
  // Small tensors many times over, so that the clock does not count.
  const std::size_t times = std::max<std::size_t>(1, whole / (3 * sizeof(float) * count));
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const auto start = Clock::now();
    for (std::size_t t = 0; t < times; ++t) {
      machine.triad(a.data(), b.data(), c.data(), static_cast<long>(count));
      escape(a.data());
    }
    best = std::max(best, static_cast<double>(3 * sizeof(float) * count * times) / seconds_since(start) * 1e-9);
  }
  return best;
}

}  // namespace descent::cli
