// Arithmetic of sizes that the frontend needs.
#pragma once

#include <optional>

#include "ir/dimension.h"

namespace descent::frontend {

/// size / divisor where nothing remains, for all values of the symbols.
inline std::optional<ir::Dimension> divide_exactly(const ir::Dimension& size, std::int64_t divisor) {
  if (divisor == 0) return std::nullopt;
  if (divisor < 0) return divide_exactly(ir::Dimension(-1) * size, -divisor);
  const auto quotient = size.divided_by(divisor);
  return quotient && *quotient * ir::Dimension(divisor) == size ? quotient : std::nullopt;
}

}  // namespace descent::frontend
