#include "passes/tile_cycles.h"

#include <algorithm>
#include <numeric>

namespace descent::passes {

std::int64_t splits_for(std::int64_t sums, std::int64_t vectors, const Machine& m) {
  const std::int64_t wanted = divide_up(m.multiply_adds * m.latency, sums);
  const std::int64_t fitting = std::max<std::int64_t>(1, (m.registers - vectors - 1) / sums);
  return std::min<std::int64_t>({wanted, fitting, 4});
}

/// Multiply-adds, loads, or waiting for sums, beside which each step counts and moves on; and the tile begins and ends.
/// A panel of the second operand that the first-level cache does not hold comes from the second: a quarter of a cycle
/// for each line (measured on Zen 3).
double tile_cycles(std::int64_t rows, std::int64_t vectors, std::int64_t depth, const Machine& m) {
  const std::int64_t sums = rows * vectors, splits = splits_for(sums, vectors, m);
  const double loads = static_cast<double>(vectors + rows) / m.loads;
  const double busy = std::max({static_cast<double>(sums) / m.multiply_adds, loads,
                                static_cast<double>(m.latency) / static_cast<double>(splits)});
  const std::int64_t bytes = vectors * m.lanes * m.element;
  const double fetched = bytes * depth > m.level1 * 3 / 4 ? 0.25 * static_cast<double>(bytes) / 64 : 0;
  return static_cast<double>(depth) * (busy + fetched + 0.1 / static_cast<double>(splits)) + 8 +
         0.5 * static_cast<double>(rows) + 1.5 * static_cast<double>(sums);
}

bool stays_in(std::int64_t bytes, std::int64_t lines, std::int64_t stride, std::int64_t length, const Machine& m) {
  const std::int64_t line = 64 / m.element, ways = 8;  // numbers of a line
  const std::int64_t sets = bytes / m.element / line / ways;
  const std::int64_t step = std::max<std::int64_t>(1, stride / line);
  const std::int64_t reached = stride % line == 0 ? sets / std::gcd(sets, step) : sets;
  const std::int64_t each = divide_up(length, line);
  return lines * each <= std::min(sets, reached * each) * ways * 3 / 4;
}

}  // namespace descent::passes
