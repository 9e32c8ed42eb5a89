// The reference interpreter: what a graph means, in float64. Everything compiled is compared with it.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ir/program.h"

namespace descent::ir {

/// A dense tensor in row-major order. Booleans are 0 and 1.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
  std::int64_t count() const;
};

/// What a call of a function reads: the values of the leaves.
struct Environment {
  std::map<std::string, Tensor> tensors;   ///< inputs, parameters, states by name
  std::map<std::string, double> counters;  ///< "step", "epoch"
  DimensionValues dimensions;              ///< values of the symbolic sizes
  std::uint64_t seed = 0;                  ///< of rng_uniform; its low 32 bits are the key
};

/// The values of `roots`. Throws descent::Error where a leaf has no value or one of another shape than it declares,
/// and for the op gradient, which has no value before passes/differentiate has replaced it.
std::vector<Tensor> interpret(const std::vector<const Node*>& roots, const Environment& environment);

/// The value of one root, piece by piece in row-major order: `take` gets the index of a piece's first element and its
/// elements. Where every element follows from constants and random numbers at its own place, as most parameters' first
/// values do, the pieces are so small that they stay in the cache, whatever the tensor's size. Throws as interpret.
void interpret_in_pieces(const Node* root, const Environment& environment,
                         const std::function<void(std::size_t first, std::span<const double> values)>& take);

/// Row-major strides of a shape, in elements.
std::vector<std::int64_t> strides_of(const std::vector<std::int64_t>& shape);

}  // namespace descent::ir
