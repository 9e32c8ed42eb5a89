// Rules of algebra, and what rules may ask.
#include "passes/rules.h"

#include <cmath>

#include "ir/op.h"

namespace descent::passes {

using enum Effect;

namespace {

/// The number that a node is, where it is the same everywhere: a constant or a size, also a repeated one.
const ir::Node* repeated_number(const ir::Node* node) {
  while (node->op == ir::Op::broadcast_in_dim) node = node->operands[0];
  return node;
}

/// Of how many elements the pattern's reduction makes one.
ir::Dimension reduced_count(const Match& match) {
  ir::Dimension count(1);
  for (int axis : match.axes) count = count * match.full_shape[static_cast<std::size_t>(axis)];
  return count;
}

bool counts(const ir::Node* node, const Match& match) {
  const ir::Dimension count = reduced_count(match);
  const ir::Node* number = repeated_number(node);
  if (number->op == ir::Op::dimension) return number->attributes.shape[0] == count;
  return count.is_constant() && number->is_constant(static_cast<double>(count.constant()));
}

bool square_of(const ir::Node* square, const ir::Node* node) {
  const ir::Node *s = repeated_number(square), *n = repeated_number(node);
  if (s->is_constant() && n->is_constant()) return s->attributes.value == n->attributes.value * n->attributes.value;
  return s->op == ir::Op::multiply && repeated_number(s->operands[0]) == n && repeated_number(s->operands[1]) == n;
}

bool is_power_of_two(double value) {
  int exponent = 0;
  return std::frexp(std::fabs(value), &exponent) == 0.5 && std::abs(exponent) < 120;
}

bool holds(const Requirement& r, const Match& match, FactTable& facts) {
  const ir::Node* node = match[r.first];
  const Facts f = facts.of(node);
  switch (r.property) {
    case Property::positive:
      return f.positive();
    case Property::negative:
      return f.negative();
    case Property::nonnegative:
      return f.nonnegative();
    case Property::nonpositive:
      return f.nonpositive();
    case Property::nonzero:
      return f.nonzero();
    case Property::number:
      return f.number();
    case Property::can_be_zero:
      return f.contains(0);
    case Property::can_be_minus_one:
      return f.contains(-1);
    case Property::unbounded:
      return std::isinf(f.high);
    case Property::at_least:
      return f.low >= facts.of(match[r.second]).high;
    case Property::above: {
      const Facts other = facts.of(match[r.second]);
      return f.low > other.high || (f.low == other.high && (f.low_open || other.high_open));
    }
    case Property::power_of_two:
      return is_power_of_two(node->attributes.value);
    case Property::counts:
      return counts(node, match);
    case Property::of_several:
      return of_size(reduced_count(match)).low >= 2;
    case Property::square_of:
      return square_of(node, match[r.second]);
    case Property::repeated:
      return node->op == ir::Op::broadcast_in_dim && ir::element_count(node->operands[0]->shape()).is_one();
    case Property::carries_derivative:
      return node->op != ir::Op::stop_gradient;
  }
  return false;
}

}  // namespace

bool holds(const Conditions& conditions, const Match& match, FactTable& facts) {
  for (const Requirement& r : conditions) {
    if (!holds(r, match, facts)) return false;
  }
  return true;
}

const std::vector<Rule>& normal_form_rules() {
  static const P a = P::letter('a'), b = P::letter('b'), c = P::letter('c'), k = P::constant('k');
  static const std::vector<Rule> rules = {
      // Signs move outwards, where they meet and vanish.
      {-(-a), a, exact, "a sign twice is none"},
      {(-a) * b, -(a * b), exact, "the sign of a product"},
      {(-a) / b, -(a / b), exact, "the sign of a quotient"},
      {a / (-b), -(a / b), exact, "the sign of a quotient"},
      {a + (-b), a - b, exact, "subtraction is adding the negative"},
      {a - (-b), a + b, exact, "subtraction is adding the negative"},
      {(-a) - b, -(a + b), exact, "the sign of a sum"},
      {-(a - b), b - a, exact, "the sign of a difference; a zero difference may change its sign"},
      {a - k, a + (-k), exact, "constants are added"},
      {-(k * a), (-k) * a, exact, "the constant takes the sign"},
      {select(c, -a, -b), -select(c, a, b), exact, "the sign of a choice"},
      {sum(-a), -sum(a), exact, "the sign of a sum"},
      {max(-a, -b), -min(a, b), exact, "signs turn the order around"},
      {min(-a, -b), -max(a, b), exact, "signs turn the order around"},
      {max(-a, 0), -min(a, 0), exact, "signs turn the order around; zeros may change their sign"},
      {min(-a, 0), -max(a, 0), exact, "signs turn the order around; zeros may change their sign"},
      {tanh(-a), -tanh(a), exact, "tanh is odd"},
      {sign(-a), -sign(a), exact, "sign is odd; zeros may change their sign"},
      {sin(-a), -sin(a), exact, "sine is odd"},
      {cos(-a), cos(a), exact, "cosine is even"},
      {abs(-a), abs(a), exact, "the absolute value is even"},
      // Fractions move outwards, where they meet.
      {a * (b / c), (a * b) / c, real, "one fraction; rounds as often, a * b may overflow where b / c does not"},
      {a / (b / c), (a * c) / b, real,
       "one division less and one rounding; a * c may overflow; c = 0 gives 0, not NaN"},
      {(a / b) / c, a / (b * c), real,
       "one division less; b * c may overflow or underflow where both quotients do not"},
  };
  return rules;
}

const std::vector<Rule>& algebra_rules() {
  static const P a = P::letter('a'), b = P::letter('b'), c = P::letter('c'), x = P::letter('x');
  static const P k = P::constant('k'), l = P::constant('l');
  static const P m = P::coefficient('m'), n = P::coefficient('n');
  static const std::vector<Rule> rules = {
      // Neutral and absorbing elements.
      {a + 0, a, exact, "0 is neutral; -0 + 0 is -0"},
      {a * 1, a, exact, "1 is neutral"},
      {a * 0, 0, real, "0 absorbs; also what is infinite or NaN"},
      {a * -1, -a, exact, "-1 is a sign"},
      // Constants meet.
      {k + l, k + l, real, "the sum of two constants is known; rounded once instead of twice"},
      {k * l, k * l, real, "the product of two constants is known; rounded once instead of twice"},
      {k / l, k / l, real, "the quotient of two constants is known; rounded once instead of twice"},
      // Sums of multiples: a + a, a - a, a + 3 * a, 5 * a - 3 * a, ...
      {m * a + n * a, (m + n) * a, real, "one term; rounded once; where a is infinite or NaN, a - a is 0 all the same"},
      {a * b + a * c, a * (b + c), real, "one product less and one rounding"},
      {a / c + b / c, (a + b) / c, real, "one division less and one rounding; a + b may overflow"},
      // Fractions.
      {a / a, 1, real, "nothing is left of a factor above and below; where it is 0, 1 is the limit instead of NaN"},
      // Exponentials.
      {exp(a) * exp(b), exp(a + b), real, "one exponential; overflows only where the product does"},
      {exp(a) / exp(b), exp(a - b), real, "one exponential; no inf / inf where both are large"},
      {b / exp(a), b * exp(-a), real, "one division less; overflows only where the quotient does"},
      {exp(a) * logistic(-a), logistic(a), real, "e^a / (1 + e^a); no inf * 0 where a is large"},
      // Roots and magnitudes.
      {sqrt(a) * sqrt(a), a, real, "a root's square; no rounding is left", {{Property::nonnegative, 'a'}}},
      {a / sqrt(a), sqrt(a), real, "a is its root's square; where a is 0, the limit instead of NaN"},
      {abs(a) * abs(a), a * a, exact, "a square has no sign"},
      {a * sign(a), abs(a), exact, "a with its sign taken away"},
      {abs(a) * sign(a), a, exact, "a with its sign given back"},
      // Choices.
      {select(a, b, 0) * c, select(a, b * c, 0), real, "what is not chosen has no influence, not even 0 * inf"},
      {select(a, 0, b) * c, select(a, 0, b * c), real, "what is not chosen has no influence, not even 0 * inf"},
      {select(a, b, 0) / c, select(a, b / c, 0), real, "what is not chosen has no influence, not even 0 / 0"},
      {select(a, 0, b) / c, select(a, 0, b / c), real, "what is not chosen has no influence, not even 0 / 0"},
      {select(a, b, 0) + select(a, 0, c), select(a, b, c), exact, "one choice; adding 0 changes nothing"},
      {select(a, b, 0) + select(a, c, 0), select(a, b + c, 0), exact, "one choice; 0 + 0 is 0"},
      // Positive and negative part.
      {max(x, 0) + min(x, 0), x, exact, "one part is 0"},
      {max(x, 0) - min(x, 0), abs(x), exact, "one part is 0"},
      {max(x, 0) - x, -min(x, 0), real, "no cancellation: the larger minus x; no inf - inf"},
      {x - min(x, 0), max(x, 0), real, "no cancellation: x minus the smaller; no inf - inf"},
  };
  return rules;
}

}  // namespace descent::passes
