// What of the machine decides how kernels are planned and written.
#pragma once

#include <cstdint>

namespace descent::passes {

struct Machine {
  std::int64_t lanes = 8;                              ///< numbers of `element` bytes in a vector register
  std::int64_t element = 4;                            ///< bytes of a number
  std::int64_t registers = 16;                         ///< vector registers
  bool scales = false;                                 ///< one instruction multiplies a vector by powers of two
  std::int64_t level1 = 32 << 10, level2 = 512 << 10;  ///< bytes of the data caches of one core
  bool fuses = true;                                   ///< one instruction multiplies and adds, rounding once
  bool rounds = true;                                  ///< one instruction rounds to the nearest whole number

  // The same on every machine of the last ten years, to within what matters here: what a core does in a cycle.
  static constexpr std::int64_t multiply_adds = 2;  ///< vector multiply-adds started
  static constexpr std::int64_t loads = 2;          ///< vectors or repeated numbers loaded
  static constexpr std::int64_t latency = 4;        ///< cycles until the sum of a multiply-add can be used
};

/// The vectors of a processor: x86-64 has SSE2 at least, SSE4.1 since 2008, AVX2 with FMA since 2013; AArch64's are
/// NEON's on every machine.
enum class Vectors { sse2, sse4, avx2, avx512, neon };

inline void set_vectors(Machine& machine, Vectors vectors) {
  const bool wide = vectors == Vectors::avx512;
  machine.lanes = wide ? 16 : vectors == Vectors::avx2 ? 8 : 4;
  machine.registers = wide || vectors == Vectors::neon ? 32 : 16;
  machine.scales = wide;
  machine.fuses = vectors != Vectors::sse2 && vectors != Vectors::sse4;
  machine.rounds = vectors != Vectors::sse2;
}

/// The machine as it is for numbers of so many bytes.
inline Machine for_elements(Machine machine, std::int64_t bytes) {
  machine.lanes = machine.lanes * machine.element / bytes;
  machine.element = bytes;
  return machine;
}

}  // namespace descent::passes
