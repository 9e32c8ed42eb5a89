// Sizes as plans are made for them, before a batch is known.
#pragma once

#include "ir/dimension.h"

namespace descent::passes {

constexpr std::int64_t kUnknownSize = 128;  ///< assumed for a size that is known only at run time: a batch

inline std::int64_t estimate(const ir::Dimension& size) { return size.is_constant() ? size.constant() : kUnknownSize; }

/// Of the elements of a shape.
inline std::int64_t estimate(const ir::Shape& shape) {
  std::int64_t count = 1;
  for (const ir::Dimension& axis : shape) count *= estimate(axis);
  return count;
}

}  // namespace descent::passes
