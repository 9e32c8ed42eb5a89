// What is known of a node's values before any input is: an interval they lie in, whether they are whole numbers, and
// whether they are numbers at all.
//
// Facts are derived from the operands' facts, operands first: interval arithmetic (R. Moore, "Interval Analysis", 1966)
// with open and closed ends, since exp(x) > 0 matters and exp(x) >= 0 does not say it. Two lemmas see further than
// single ops: x - max(x) is at most 0, and the sum of exp(x - max(x)) at least 1.
//
// Inputs, parameters and states are taken as finite, of which nothing else is known. An interval speaks of the values
// that are numbers: sqrt(x) lies in [0, inf), and is NaN where x is negative. What is infinite or NaN only because it
// leaves the range of the type counts as if it did not (docs/numerics.md).
#pragma once

#include <cstdint>
#include <limits>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"

namespace descent::passes {

/// What values can be besides finite numbers.
enum class Defined : std::uint8_t {
  anything,  ///< infinite or NaN
  number,    ///< infinite
  finite,    ///< neither
};

struct Facts {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false, high_open = false;  ///< whether the end itself is not a value
  bool whole = false;                        ///< every value is a whole number
  Defined defined = Defined::anything;

  bool number() const { return defined != Defined::anything; }  ///< never NaN
  bool finite() const { return defined == Defined::finite; }
  bool positive() const { return low > 0 || (low == 0 && low_open); }
  bool negative() const { return high < 0 || (high == 0 && high_open); }
  bool nonnegative() const { return low >= 0; }
  bool nonpositive() const { return high <= 0; }
  bool nonzero() const { return positive() || negative(); }
  bool contains(double value) const {
    return (low < value || (low == value && !low_open)) && (value < high || (value == high && !high_open));
  }
  friend bool operator==(const Facts&, const Facts&) = default;
};

class FactTable {
 public:
  /// Over the real numbers exp(x) is never 0; in float32 it is, and so is a product of small numbers, and sigmoid(x)
  /// reaches 1. Rewrite rules ask about the former, warnings about the latter.
  enum class Arithmetic { real, float32 };
  explicit FactTable(Arithmetic arithmetic = Arithmetic::real) : arithmetic_(arithmetic) {}

  const Facts& of(const ir::Node* node);

  /// States it: of a leaf, before anything is asked.
  void assume(const ir::Node* leaf, const Facts& facts) { facts_.insert_or_assign(leaf, facts); }

 private:
  Facts derive(const ir::Node* node) const;
  Facts interval(const ir::Node* node) const;
  const Facts& known(const ir::Node* node) const { return facts_.at(node); }
  Arithmetic arithmetic_;
  std::unordered_map<const ir::Node*, Facts> facts_;
};

/// What an op's values can be, from the facts of its operands.
Defined defined(const ir::Node* node, const std::vector<Facts>& operands);

/// `f` where the condition says more of the value: v is positive where `v > 0` holds, and not where it does not.
Facts refined(Facts f, const ir::Node* value, const ir::Node* condition, bool holds);

/// The values of a size. A symbol is 1 or more: with no rows there is nothing to compute.
Facts of_size(const ir::Dimension& size);
/// The number of elements of which a reduction makes one.
ir::Dimension reduced_count(const ir::Node* reduction);

}  // namespace descent::passes
