// A model of the cycles that a tile of a matrix product takes, by which its rows and vectors are chosen, and of what
// caches keep.
#pragma once

#include "passes/machine.h"

namespace descent::passes {

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Independent sums that keep the multiply-add units busy when a tile has only few of them.
std::int64_t splits_for(std::int64_t sums, std::int64_t vectors, const Machine& machine);

/// Whether the sums, the second operand's vectors and one repeated number are in registers: used more than once, it is
/// in one too.
inline bool fits_registers(std::int64_t rows, std::int64_t vectors, const Machine& machine) {
  return rows * vectors + vectors + 1 <= machine.registers;
}

/// Cycles of a tile for `depth` contracted elements.
double tile_cycles(std::int64_t rows, std::int64_t vectors, std::int64_t depth, const Machine& machine);

/// Whether reading `lines` pieces of memory, `stride` numbers apart and `length` numbers long, over and over finds them
/// in a cache of `bytes`: pieces a power of two apart share few of its sets and push each other out.
bool stays_in(std::int64_t bytes, std::int64_t lines, std::int64_t stride, std::int64_t length, const Machine& machine);

}  // namespace descent::passes
