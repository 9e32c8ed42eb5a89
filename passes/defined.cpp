// Which values are numbers, and which of those finite: what NaN and infinities come from over the real numbers. A NaN
// comes from inf - inf, 0 * inf, 0 / 0, inf / inf, and from roots, powers and logarithms of negative numbers; an
// infinity from a division by 0 and a logarithm of 0.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/op.h"
#include "passes/facts.h"

namespace descent::passes {

using ir::Node;
using ir::Op;

namespace {

Defined both(const Facts& a, const Facts& b) { return std::min(a.defined, b.defined); }

bool can_be_positive_infinity(const Facts& a) {
  return !a.finite() && a.high == std::numeric_limits<double>::infinity();
}
bool can_be_negative_infinity(const Facts& a) {
  return !a.finite() && a.low == -std::numeric_limits<double>::infinity();
}

Defined sum(const Facts& a, const Facts& b, bool subtracts) {
  const bool opposite_b = subtracts ? can_be_positive_infinity(b) : can_be_negative_infinity(b);
  const bool same_b = subtracts ? can_be_negative_infinity(b) : can_be_positive_infinity(b);
  if ((can_be_positive_infinity(a) && opposite_b) || (can_be_negative_infinity(a) && same_b)) return Defined::anything;
  return both(a, b);
}

Defined product(const Facts& a, const Facts& b) {
  const bool zero_times_infinity = (!a.finite() && !b.nonzero()) || (!b.finite() && !a.nonzero());
  return zero_times_infinity ? Defined::anything : both(a, b);
}

Defined quotient(const Facts& a, const Facts& b) {
  if (!a.number() || !b.number()) return Defined::anything;
  if (!b.nonzero()) return a.nonzero() ? Defined::number : Defined::anything;
  return a.finite() ? Defined::finite : b.finite() ? Defined::number : Defined::anything;
}

Defined power(const Facts& a, const Facts& b) {
  if (!a.number() || !b.number() || !(a.nonnegative() || b.whole)) return Defined::anything;
  const bool infinite_at_zero = !a.nonzero() && !b.nonnegative();
  return infinite_at_zero ? Defined::number : both(a, b);
}

/// Growing functions of what is more than `least`, where they are -inf.
Defined logarithm(const Facts& a, double least) {
  if (!a.number() || a.low < least) return Defined::anything;
  return a.low > least || a.low_open ? a.defined : Defined::number;
}

}  // namespace

Defined defined(const Node* node, const std::vector<Facts>& x) {
  if (!is_real(node->type.dtype)) return Defined::finite;
  switch (node->op) {
    case Op::constant:
      return std::isnan(node->attributes.value)      ? Defined::anything
             : std::isfinite(node->attributes.value) ? Defined::finite
                                                     : Defined::number;
    case Op::add:
      return sum(x[0], x[1], false);
    case Op::subtract:
      return sum(x[0], x[1], true);
    case Op::multiply:
      return product(x[0], x[1]);
    case Op::divide:
      return quotient(x[0], x[1]);
    case Op::power:
      return power(x[0], x[1]);
    case Op::log:
      return logarithm(x[0], 0);
    case Op::log_plus_one:
      return logarithm(x[0], -1);
    case Op::sqrt:
      return x[0].nonnegative() ? x[0].defined : Defined::anything;
    case Op::sign:
    case Op::logistic:
    case Op::tanh:
    case Op::erf:
    case Op::scaled_erfc:
      return x[0].number() ? Defined::finite : Defined::anything;
    case Op::sine:
    case Op::cosine:
      return x[0].finite() ? Defined::finite : Defined::anything;
    case Op::remainder:
      return x[0].finite() && x[1].number() && x[1].nonzero() ? Defined::finite : Defined::anything;
    case Op::select:
      return both(x[1], x[2]);
    case Op::gather:
    case Op::convert:
      return x[0].defined;
    case Op::scatter_add:
    case Op::reduce_sum: {
      const Facts& terms = x[node->op == Op::scatter_add ? 1 : 0];
      const bool meet = can_be_positive_infinity(terms) && can_be_negative_infinity(terms);
      return meet ? Defined::anything : terms.defined;
    }
    case Op::reduce_max:
    case Op::reduce_min:  // of no elements an infinity
      return of_size(reduced_count(node)).positive() ? x[0].defined : std::min(x[0].defined, Defined::number);
    case Op::scatter:
      return both(x[0], x[2]);
    case Op::dot_general:
      return x[0].finite() && x[1].finite() ? Defined::finite : Defined::anything;
    case Op::gradient:
      return Defined::anything;
    default: {  // leaves; what is nothing of its own where its operands are: views, choices, exponentials
      Defined least = Defined::finite;
      for (const Facts& operand : x) least = std::min(least, operand.defined);
      return least;
    }
  }
}

}  // namespace descent::passes
