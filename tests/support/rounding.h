// What a graph's values are worth: how far they can be off by rounding alone.
#pragma once

#include <optional>

#include "ir/interpreter.h"

namespace descent::test {

/// The largest magnitude of what `roots` are computed from; infinity where there is a NaN.
double largest_on_the_way(const std::vector<const ir::Node*>& roots, const ir::Environment& environment);
/// Beyond it no bound means anything.
constexpr double kLargest = 1e8;

struct Expected {
  std::vector<double> values;
  std::vector<double> bounds;  ///< of the error, for each value
};

struct Precision {
  double epsilon;       ///< every op rounds to this part of its result
  std::uint32_t draws;  ///< of noise
};

/// The values of `root` by the interpreter, and how far those of another way of computing the same over the real
/// numbers may be from them: 10 epsilon of the largest value on the way, and 20 times what the value moves by when
/// every element on the way is moved by epsilon of itself, up or down, in any of the draws. A sum that cancels is not
/// known better than its terms; a comparison of what rounding decides is not known at all.
///
/// Nothing where a value on the way is beyond kLargest: rules are right over the real numbers (docs/numerics.md).
std::optional<Expected> expected(ir::Graph& graph, const ir::Node* root, const ir::Environment& environment,
                                 const Precision& precision);

/// The values of `root` where magnitudes that are no normal float32 become 0 or infinite on the way.
std::vector<double> in_float32_range(ir::Graph& graph, const ir::Node* root, const ir::Environment& environment);

/// What of `got` is out of bounds, as text; empty if nothing is.
std::string out_of_bounds(const Expected& expected, const std::vector<double>& got);

/// A number from the environment of the process, for more graphs than by default.
std::uint32_t setting(const char* name, std::uint32_t fallback);

}  // namespace descent::test
