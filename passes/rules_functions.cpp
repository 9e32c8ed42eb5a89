// Rules of functions, choices, comparisons and reductions; and the stable forms.
#include "passes/rules.h"

namespace descent::passes {

using enum Effect;

const std::vector<Rule>& function_rules() {
  static const P a = P::letter('a'), b = P::letter('b'), c = P::letter('c'), s = P::letter('s');
  static const P k = P::constant('k'), l = P::constant('l');
  static const P truth = P(0) < P(1), falsehood = P(1) < P(0);
  static const std::vector<Rule> rules = {
      // Powers.
      {pow(a, 0), 1, exact, "by definition, also where a is 0 or NaN"},
      {pow(a, 1), a, exact, "by definition"},
      {pow(a, 2), a * a, exact, "a square; correctly rounded, as the power is not always"},
      {pow(a, 3), a * a * a, real, "a cube; two roundings"},
      {pow(a, 4), (a * a) * (a * a), real, "a square's square; two roundings"},
      {pow(a, 0.5), sqrt(a), real, "a root; correctly rounded; -inf gives NaN, not inf"},
      {pow(a, -0.5), 1 / sqrt(a), real, "a root's reciprocal; two roundings; -inf gives NaN, not 0"},
      {pow(a, -1), 1 / a, exact, "a reciprocal; correctly rounded"},
      {pow(a, -2), 1 / (a * a), real, "a square's reciprocal; two roundings; a * a may overflow where the result is 0"},
      {pow(exp(a), b), exp(a * b), real, "one exponential; overflows only where the result does"},
      {pow(pow(a, k), l),
       pow(a, k * l),
       real,
       "one power; overflows only where the result does",
       {{Property::positive, 'a'}}},
      {sqrt(a * a), abs(a), real, "the root of a square; no overflow on the way"},
      {sqrt(exp(a)), exp(0.5 * a), real, "the exponent of a root; no overflow on the way"},
      // Logarithms and exponentials.
      {log(exp(a)), a, real, "the inverse; no overflow on the way and no -inf for e^a = 0"},
      {exp(log(a)), a, real, "the inverse; no rounding is left", {{Property::nonnegative, 'a'}}},
      {log(exp(a) * b), a + log(b), real, "the logarithm of a product; no overflow on the way"},
      {log(exp(a) / b), a - log(b), real, "the logarithm of a quotient; no overflow on the way"},
      {log(b / exp(a)), log(b) - a, real, "the logarithm of a quotient; no overflow on the way"},
      {log(1 / a), -log(a), real, "the logarithm of a reciprocal; one division and rounding less"},
      {log(sqrt(a)), 0.5 * log(a), real, "the logarithm of a root"},
      {log(pow(a, b)),
       b * log(a),
       real,
       "the logarithm of a power; no overflow on the way",
       {{Property::positive, 'a'}}},
      {log(a * a), 2 * log(abs(a)), real, "the logarithm of a square; no overflow on the way"},
      {exp(log1p(a)), 1 + a, real, "the inverse; no rounding is left", {{Property::nonnegative, 'a'}}},
      {expm1(log1p(a)), a, real, "the inverse; no rounding is left", {{Property::nonnegative, 'a'}}},
      {log1p(expm1(a)), a, real, "the inverse; no overflow on the way"},
      // What the sign and the range of an operand say.
      {abs(a), a, exact, "not negative", {{Property::nonnegative, 'a'}}},
      {abs(a), -a, exact, "not positive", {{Property::nonpositive, 'a'}}},
      {sign(a), 1, exact, "positive", {{Property::positive, 'a'}, {Property::number, 'a'}}},
      {sign(a), -1, exact, "negative", {{Property::negative, 'a'}, {Property::number, 'a'}}},
      {max(a, a), a, exact, "equal operands"},
      {min(a, a), a, exact, "equal operands"},
      {max(a, b), a, exact, "never the smaller", {{Property::at_least, 'a', 'b'}, {Property::number, 'b'}}},
      {min(a, b), b, exact, "never the larger", {{Property::at_least, 'a', 'b'}, {Property::number, 'a'}}},
      {a < b,
       truth,
       exact,
       "known; NaN would compare false",
       {{Property::above, 'b', 'a'}, {Property::number, 'a'}, {Property::number, 'b'}}},
      {a < b, falsehood, exact, "known, also for NaN", {{Property::at_least, 'a', 'b'}}},
      {a <= b,
       truth,
       exact,
       "known; NaN would compare false",
       {{Property::at_least, 'b', 'a'}, {Property::number, 'a'}, {Property::number, 'b'}}},
      {a <= b, falsehood, exact, "known, also for NaN", {{Property::above, 'a', 'b'}}},
      // What the smaller and the larger of two are compared with.
      {min(a, k) < a, k < a, exact, "smaller than a only where it is k"},
      {a < max(a, k), a < k, exact, "larger than a only where it is k"},
      // Choices.
      {select(a, b, select(a, c, s)), select(a, b, s), exact, "one choice: c is never chosen"},
      {select(a, select(a, b, c), s), select(a, b, s), exact, "one choice: c is never chosen"},
      {select(a, b, b), b, exact, "equal choices"},
      {select(!a, b, c), select(a, c, b), exact, "the other way around"},
      {select(a < b, a, b), min(a, b), real, "the smaller; NaN in a gives NaN, not b"},
      {select(a < b, b, a), max(b, a), real, "the larger; NaN in b gives NaN, not a"},
      {!(!a), a, exact, "twice not"},
      // Reductions: a factor that is the same along the axes is applied once, after the sum.
      {sum(k * a), k * sum(a), real, "one product for many; rounds less; the sum may overflow where k is small"},
      {sum(a / k), sum(a) / k, real, "one division for many; rounds less; the sum may overflow where k is large"},
      {sum(spread(s) * a), s * sum(a), real, "one product for many; rounds less; an infinite s times 0 is NaN in both"},
      {sum(a / spread(s)), sum(a) / s, real, "one division for many; rounds less"},
  };
  return rules;
}

const std::vector<Rule>& stability_rules() {
  static const P a = P::letter('a'), b = P::letter('b'), c = P::letter('c'), x = P::letter('x');
  static const P top = stop_gradient(largest(a));  // its derivative is 0: log(sum(exp)) does not depend on the shift
  static const P shifted = exp(a - spread(top));
  static const std::vector<Rule> rules = {
      // Exponentials and logarithms near 0 and far from it.
      {1 - exp(-softplus(a)), logistic(a), real, "1 - 1 / (1 + e^a); no cancellation at small e^a"},
      {exp(a) - 1, expm1(a), real, "by definition; no cancellation at small a"},
      {log1p(exp(a)), softplus(a), real, "by definition; no overflow"},
      {log(1 + exp(a)), softplus(a), real, "by definition; no overflow"},
      {log(exp(a) + exp(b)), a + softplus(b - a), real, "one e^a taken out; no overflow"},
      {log(1 + a), log1p(a), real, "by definition; no cancellation at small a"},
      {a * log(a),
       a * log(select(a == 0, 1, a)),
       real,
       "0 log 0 is 0, its limit, instead of NaN",
       {{Property::can_be_zero, 'a'}}},
      {a * (log(a) - b),
       a * (log(select(a == 0, 1, a)) - b),
       real,
       "0 log 0 is 0, its limit, instead of NaN",
       {{Property::can_be_zero, 'a'}}},
      // The logistic function.
      {exp(a) / (1 + exp(a)), logistic(a), real, "by definition; no inf / inf"},
      {expm1(a) / (1 + exp(a)), tanh(0.5 * a), real, "by definition; no inf / inf"},
      {b / (1 + exp(a)), b * logistic(-a), real, "by definition; e^a does not overflow on the way"},
      {1 - logistic(a), logistic(-a), real, "a symmetry; no cancellation at large a"},
      {log(logistic(a)), -softplus(-a), real, "the logarithm of 1 / (1 + e^-a); no log(0)"},
      {softplus(x) - softplus(-x), x, real, "softplus(-x) = softplus(x) - x"},
      {softplus(x) - x, softplus(-x), real, "softplus(-x) = softplus(x) - x; no cancellation at large x"},
      {a * softplus(-x) + (1 - a) * softplus(x), softplus(x) - a * x, real, "softplus(-x) = softplus(x) - x"},
      // The hyperbolic tangent.
      {(exp(a) - exp(-a)) / (exp(a) + exp(-a)), tanh(a), real, "by definition; no inf / inf"},
      {2 * logistic(a) - 1, tanh(0.5 * a), real, "by definition; no cancellation at small a"},
      // Softmax and the logarithm of a sum of exponentials do not change when all exponents are shifted. The largest
      // exponent becomes 0, so that nothing overflows and the sum is at least 1.
      {log(sum(exp(a - spread(b)))),
       log(sum(exp(a))) - b,
       real,
       "a shift made by hand is undone: the next rows do it",
       {{Property::carries_derivative, 'b'}}},
      {exp(a - spread(b)) / spread(sum(exp(a - spread(b)))),
       exp(a) / spread(sum(exp(a))),
       real,
       "a shift made by hand is undone: the next rows do it",
       {{Property::carries_derivative, 'b'}}},
      {log(sum(exp(a))),
       top + log(sum(shifted)),
       real,
       "shifted; no overflow, no log(0)",
       {{Property::unbounded, 'a'}}},
      {exp(a) / spread(sum(exp(a))),
       shifted / spread(sum(shifted)),
       real,
       "shifted; no inf / inf, no 0 / 0",
       {{Property::unbounded, 'a'}}},
      // The variance.
      {sum(a * a) / b - (sum(a) * sum(a)) / c,
       sum((a - spread(sum(a) / b)) * (a - spread(sum(a) / b))) / b,
       real,
       "the mean of squared deviations; no cancellation, never negative",
       {{Property::counts, 'b'}, {Property::square_of, 'c', 'b'}}},
  };
  return rules;
}

const std::vector<Rule>& lowering_rules() {
  static const P a = P::letter('a'), b = P::letter('b'), x = P::letter('x'), k = P::constant('k');
  static const std::vector<Rule> rules = {
      {softplus(x), max(x, 0) + log1p(exp(-abs(x))), real, "neither term overflows, and they do not cancel"},
      {(max(x, 0) + log1p(b)) - a, (max(x, 0) - a) + log1p(b), real, "terms that can cancel meet before the small one"},
      {(log1p(b) - min(x, 0)) + a * x, (a * x - min(x, 0)) + log1p(b), real,
       "terms that can cancel meet before the small one"},
      {stop_gradient(x), x, exact, "derivatives have been taken"},
      {a / k, (1 / k) * a, exact, "the reciprocal of a power of two is exact", {{Property::power_of_two, 'k'}}},
  };
  return rules;
}

}  // namespace descent::passes
