// Sizes as plans are made for them, before a batch is known.
#pragma once

#include "ir/dimension.h"

namespace descent::passes {

constexpr std::int64_t kUnknownSize = 128;  ///< assumed for a size that is known only at run time: a batch

inline std::int64_t estimate(const ir::Dimension& size) { return size.is_constant() ? size.constant() : kUnknownSize; }

/// The same with every symbol known: a sum over 64 positions of a batch has 64 times as many terms.
inline double estimated_length(const ir::Dimension& size) {
  auto sum = static_cast<double>(size.constant());
  for (const ir::Dimension::Term& term : size.terms()) {
    auto product = static_cast<double>(term.coefficient);
    for (std::size_t i = 0; i < term.symbols.size(); ++i) product *= static_cast<double>(kUnknownSize);
    sum += product;
  }
  return sum;
}

/// Of the elements of a shape.
inline std::int64_t estimate(const ir::Shape& shape) {
  std::int64_t count = 1;
  for (const ir::Dimension& axis : shape) count *= estimate(axis);
  return count;
}

}  // namespace descent::passes
