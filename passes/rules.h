// The rewrite rules, as data: tables of rows that read as algebra.
//
// How a row is read: the pattern becomes the replacement, where the conditions hold. The justification says why that is
// right, and `effect` and its text what happens to floats: `exact`, the same float for all operands (but for the sign
// of a zero, where the text says so); `real`, the same over the real numbers, with the text saying what it does to
// rounding, overflow, infinities and NaN. docs/numerics.md states the policy that all rows keep.
#pragma once

#include <vector>

#include "passes/facts.h"
#include "passes/pattern.h"

namespace descent::passes {

/// What a rule may ask of the nodes that its letters stand for.
enum class Property {
  positive,
  negative,
  nonnegative,
  nonpositive,
  nonzero,
  number,  ///< never NaN, as long as data are finite and nothing overflows
  can_be_zero,
  can_be_minus_one,
  unbounded,           ///< has no upper bound: its exponential can overflow
  at_least,            ///< the first is never smaller than the second
  above,               ///< the first is always larger than the second
  power_of_two,        ///< a constant whose reciprocal is exact
  counts,              ///< the number of elements that the pattern's reduction makes one of
  of_several,          ///< the pattern's reduction makes one of two elements or more
  square_of,           ///< the first is the second times itself
  repeated,            ///< one number in the place of every element, known when the function runs
  carries_derivative,  ///< not held by stop_gradient
};
struct Requirement {
  Property property;
  char first, second = 0;
};
using Conditions = std::vector<Requirement>;

bool holds(const Conditions& conditions, const Match& match, FactTable& facts);

enum class Effect { exact, real };

struct Rule {
  P pattern;
  P replacement;
  Effect effect;
  const char* justification;
  Conditions when = {};
};

/// Signs move outwards, where they meet and vanish; fractions too. Matched as written.
const std::vector<Rule>& normal_form_rules();
/// Laws of sums and products, matched in any order and grouping, as the tables below.
const std::vector<Rule>& algebra_rules();
/// Laws of functions, choices and reductions.
const std::vector<Rule>& function_rules();
/// Naive forms become stable ones. They bring forms that are easy to differentiate (softplus, held maxima).
const std::vector<Rule>& stability_rules();
/// The forms kept for differentiation become those that are computed; matched as written.
const std::vector<Rule>& lowering_rules();

}  // namespace descent::passes
