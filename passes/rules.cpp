// One rule a line: pattern, replacement, justification. "exact": the same float for every operand. "real": the same
// over the real numbers, with rounding that is no worse; where an operand is infinite or NaN the result may differ (0 *
// inf).
#include "passes/rules.h"

namespace descent::passes {

const std::vector<Rule>& simplification_rules() {
  static const P a = P::letter('a'), b = P::letter('b'), c = P::letter('c'), x = P::letter('x');
  static const P k = P::constant('k'), l = P::constant('l');
  static const std::vector<Rule> rules = {
      // Neutral and absorbing elements.
      {a + 0, a, "exact but for -0 + 0"},
      {a - 0, a, "exact"},
      {0 - a, -a, "exact but for the sign of 0"},
      {a - a, 0, "real"},
      {a * 1, a, "exact"},
      {a * 0, 0, "real"},
      {a * -1, -a, "exact"},
      {a / 1, a, "exact"},
      {0 / a, 0, "real, a != 0"},
      {a / a, 1, "real, a != 0"},
      // Signs move outwards, where they meet and vanish.
      {-(-a), a, "exact"},
      {(-a) * b, -(a * b), "exact"},
      {(-a) / b, -(a / b), "exact"},
      {a / (-b), -(a / b), "exact"},
      {a + (-b), a - b, "exact"},
      {a - (-b), a + b, "exact"},
      {(-a) - b, -(a + b), "exact"},
      {-(a - b), b - a, "exact but for the sign of 0"},
      // Constants meet.
      {k * (l * a), (k * l) * a, "real"},
      {k + (l + a), (k + l) + a, "real"},
      {(k * a) / l, (k / l) * a, "real"},
      {-(k * a), (-k) * a, "exact"},
      {a - k, a + (-k), "exact"},
      // Sums of multiples.
      {a + a, 2 * a, "exact"},
      {a + k * a, (k + 1) * a, "real"},
      {a * b + a * c, a * (b + c), "real: one multiplication less"},
      {a * b - a * c, a * (b - c), "real: one multiplication less"},
      {a / c + b / c, (a + b) / c, "real: one division less"},
      {a / c - b / c, (a - b) / c, "real: one division less"},
      {(a + b) - b, a, "real: nothing is left to cancel"},
      {(a - b) + b, a, "real: nothing is left to cancel"},
      {a - (a - b), b, "real: nothing is left to cancel"},
      // Fractions.
      {a * (1 / b), a / b, "real: one rounding less"},
      {(a / b) * b, a, "real, b != 0"},
      {(a * b) / b, a, "real, b != 0"},
      {(a / b) / c, a / (b * c), "real"},
      {a * (b / c), (a * b) / c, "real: fractions move outwards"},
      {a / (b / c), (a * c) / b, "real"},
      // Powers.
      {pow(a, 0), 1, "exact"},
      {pow(a, 1), a, "exact"},
      {pow(a, 2), a * a, "exact to 1 ULP"},
      {pow(a, 3), a * a * a, "exact to 1 ULP"},
      {pow(a, 0.5), sqrt(a), "exact to 1 ULP, a > -inf"},
      {pow(a, -1), 1 / a, "exact to 1 ULP"},
      {sqrt(a * a), abs(a), "real: no overflow on the way"},
      {abs(-a), abs(a), "exact"},
      {abs(abs(a)), abs(a), "exact"},
      // Exponentials and logarithms.
      {log(exp(a)), a, "real: no overflow on the way"},
      {exp(log(a)), a, "real, a > 0"},
      {exp(a) * exp(b), exp(a + b), "real"},
      {exp(a) - 1, expm1(a), "real: no cancellation at small a"},
      {exp(a) + -1, expm1(a), "real: no cancellation at small a"},
      {log(1 + exp(a)), softplus(a), "real: no overflow"},
      {log(1 + a), log1p(a), "real: no cancellation at small a"},
      {log1p(exp(a)), softplus(a), "real: no overflow"},
      {log1p(-logistic(x)), -softplus(x), "real: the argument does not reach -1 by rounding"},
      // The logistic function.
      {1 / (1 + exp(-a)), logistic(a), "real: the definition"},
      {1 / (1 + exp(a)), logistic(-a), "real: the definition"},
      {exp(a) / (1 + exp(a)), logistic(a), "real: no inf / inf"},
      {1 - logistic(a), logistic(-a), "real: no cancellation at large a"},
      {log(logistic(-a)), -softplus(a), "real: no log(0)"},
      {log(logistic(a)), -softplus(-a), "real: no log(0)"},
      {log(1 / a), -log(a), "real"},
      {a * softplus(-x) + (1 - a) * softplus(x), softplus(x) - a * x, "real: softplus(-x) = softplus(x) - x"},
      {a * softplus(x) + (1 - a) * softplus(-x), softplus(-x) + a * x, "real: softplus(x) = softplus(-x) + x"},
      // The hyperbolic tangent.
      {(exp(a) - exp(-a)) / (exp(a) + exp(-a)), tanh(a), "real: no overflow"},
      {2 * logistic(2 * a) + -1, tanh(a), "real: no cancellation at small a"},
      {tanh(-a), -tanh(a), "exact"},
      // Choices.
      {max(a, a), a, "exact"},
      {min(a, a), a, "exact"},
      {max(-a, 0), -min(a, 0), "exact but for the sign of 0"},
      {select(a, b, b), b, "exact"},
      {select(!a, b, c), select(a, c, b), "exact"},
      {!(!a), a, "exact"},
      {select(a, b, 0) * c, select(a, b * c, 0), "real: what is not chosen has no influence"},
      {select(a, 0, b) * c, select(a, 0, b * c), "real: what is not chosen has no influence"},
      {select(a, b, 0) / c, select(a, b / c, 0), "real: what is not chosen has no influence"},
      {-select(a, b, 0), select(a, -b, 0), "exact but for the sign of 0"},
  };
  return rules;
}

const std::vector<Rule>& lowering_rules() {
  static const P a = P::letter('a'), b = P::letter('b'), x = P::letter('x');
  static const std::vector<Rule> rules = {
      {softplus(x), max(x, 0) + log1p(exp(-abs(x))), "real: neither term overflows"},
      {(max(x, 0) + b) - a * x, (max(x, 0) - a * x) + b, "real: the terms that can cancel meet before the small one"},
      {(max(x, 0) + b) - x, b - min(x, 0), "real: max(x, 0) - x = -min(x, 0) without cancellation"},
      {(b - min(x, 0)) + a * x, (a * x - min(x, 0)) + b, "real: the terms that can cancel meet before the small one"},
      {stop_gradient(x), x, "exact: derivatives have been taken"},
  };
  return rules;
}

}  // namespace descent::passes
