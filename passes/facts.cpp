#include "passes/facts.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ir/op.h"
#include "passes/pattern.h"

namespace descent::passes {

using ir::Node;
using ir::Op;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLargestSize = 0x1p63;

Facts exactly(double value) {
  if (std::isnan(value)) return {};
  return {value, value, false, false, std::isfinite(value) && value == std::floor(value)};
}
Facts between(double low, double high) { return {low, high}; }
Facts open_between(double low, double high) { return {low, high, true, true}; }
Facts whole(Facts f) {
  f.whole = true;
  return f;
}

/// One end of an interval.
struct End {
  double value;
  bool open;
};
End low_end(const Facts& f) { return {f.low, f.low_open}; }
End high_end(const Facts& f) { return {f.high, f.high_open}; }
End lower(End a, End b) { return a.value < b.value || (a.value == b.value && !a.open) ? a : b; }
End higher(End a, End b) { return a.value > b.value || (a.value == b.value && !a.open) ? a : b; }
Facts from_ends(End low, End high) {
  if (std::isnan(low.value)) low = {-kInfinity, false};
  if (std::isnan(high.value)) high = {kInfinity, false};
  return {low.value, high.value, low.open, high.open};
}

Facts negated(const Facts& a) { return {-a.high, -a.low, a.high_open, a.low_open, a.whole}; }

Facts sum(const Facts& a, const Facts& b) {
  Facts f = from_ends({a.low + b.low, a.low_open || b.low_open}, {a.high + b.high, a.high_open || b.high_open});
  f.whole = a.whole && b.whole;
  return f;
}

/// The union of both: what a choice between them can be.
Facts either(const Facts& a, const Facts& b) {
  Facts f = from_ends(lower(low_end(a), low_end(b)), higher(high_end(a), high_end(b)));
  f.whole = a.whole && b.whole;
  return f;
}

/// A product of two ends. 0 times an infinite end is 0: an end at infinity is a bound, not a value.
End product(End a, End b) {
  if (a.value == 0 || b.value == 0) return {0, (a.value == 0 ? a.open : true) && (b.value == 0 ? b.open : true)};
  return {a.value * b.value, a.open || b.open};
}

/// What an operation that rises or falls all along each operand makes of two intervals: its ends are among those of
/// the four pairs of ends. `of_ends` must round as the operation itself does, as then no value between lies outside
/// (x * (1 / x) may be less than 1, x / x is not).
template <typename OfEnds>
Facts of_corners(const Facts& a, const Facts& b, OfEnds of_ends) {
  const End ends[] = {of_ends(low_end(a), low_end(b)), of_ends(low_end(a), high_end(b)),
                      of_ends(high_end(a), low_end(b)), of_ends(high_end(a), high_end(b))};
  End least = ends[0], most = ends[0];
  for (const End& end : ends) least = lower(least, end), most = higher(most, end);
  return from_ends(least, most);
}

Facts product(const Facts& a, const Facts& b) {
  Facts f = of_corners(a, b, [](End x, End y) { return product(x, y); });
  f.whole = a.whole && b.whole;
  return f;
}

Facts quotient(const Facts& a, const Facts& b) {
  if (!b.nonzero()) return {};
  const double at_zero = b.positive() ? kInfinity : -kInfinity;
  return of_corners(a, b, [&](End x, End y) {
    if (y.value == 0) return product(x, {at_zero, true});
    if (std::isinf(y.value)) return product(x, {0, true});
    if (x.value == 0) return x;
    return End{x.value / y.value, x.open || y.open};
  });
}

Facts magnitude(const Facts& a) {
  if (a.nonnegative()) return a;
  if (a.nonpositive()) return negated(a);
  Facts f = from_ends({0, false}, higher({-a.low, a.low_open}, high_end(a)));
  f.whole = a.whole;
  return f;
}

/// A function that grows everywhere.
template <typename Function>
Facts increasing(const Facts& a, Function f) {
  return from_ends({f(a.low), a.low_open}, {f(a.high), a.high_open});
}

/// A function that grows in steps to whole numbers: it reaches the ends of its interval also where `a` does not reach
/// its own. (floor is 0 all over the open interval from 0 to 1.)
template <typename Function>
Facts in_steps(const Facts& a, Function f) {
  return whole(from_ends({f(a.low), false}, {f(a.high), false}));
}

/// The conversion to i32, which holds on to its range and is 0 of NaN.
Facts truncated(const Facts& a) {
  const auto whole_part = [](double v) { return ir::converted(v, ir::DType::i32); };
  const Facts f = in_steps(a, whole_part);
  return a.number() ? f : either(f, exactly(0));
}

Facts exponential(const Facts& a) {
  Facts f = increasing(a, [](double x) { return std::exp(x); });
  if (f.low == 0) f.low_open = true;
  return f;
}

Facts larger(const Facts& a, const Facts& b) {
  // The low end is the higher of both; open where the end that gives it is.
  const End low = a.low > b.low || (a.low == b.low && a.low_open) ? low_end(a) : low_end(b);
  Facts f = from_ends(low, higher(high_end(a), high_end(b)));
  f.whole = a.whole && b.whole;
  return f;
}

Facts power(const Facts& a, const Facts& b) {
  const bool whole_exponent = b.whole && b.low == b.high;
  if (whole_exponent && std::fmod(b.low, 2) == 0) {
    const Facts m = magnitude(a);
    if (b.low > 0) return increasing(m, [&](double x) { return std::pow(x, b.low); });
    return m.positive() ? between(0, kInfinity) : Facts{0, kInfinity};
  }
  if (a.positive()) {
    Facts f = of_corners(a, b, [](End x, End y) {
      const double base = std::fabs(x.value);                                          // 0, not -0
      return End{std::pow(base, y.value), product({std::log(base), x.open}, y).open};  // e^(y log(x))
    });
    if (f.low == 0) f.low_open = true;
    return f;
  }
  if (!a.nonnegative()) return {};
  if (b.positive() && a.high <= 1) {  // falls as the exponent grows; 0 where a is
    return from_ends({0, false}, {std::pow(a.high, b.low), a.high_open || b.low_open});
  }
  if (b.low == b.high && b.low > 0) return increasing(a, [&](double x) { return std::pow(x, b.low); });
  return {0, kInfinity, a.positive(), false};
}

/// What `node` is repeated from, where it is a repetition of a reduction along the reduced axes: max(x) seen in x's
/// shape.
const Node* reduction_repeated(const Node* node, Op reduction) {
  while (node->op == Op::stop_gradient) node = node->operands[0];
  if (node->op != Op::broadcast_in_dim) return nullptr;
  const Node* inner = node->operands[0];
  while (inner->op == Op::stop_gradient) inner = inner->operands[0];
  if (inner->op != reduction || inner->operands[0]->shape() != node->shape()) return nullptr;
  std::vector<int> kept;
  for (int axis = 0; axis < static_cast<int>(node->shape().size()); ++axis) {
    const auto& reduced = inner->attributes.axes;
    if (std::find(reduced.begin(), reduced.end(), axis) == reduced.end()) kept.push_back(axis);
  }
  return node->attributes.axes == kept ? inner : nullptr;
}

/// max(x) where `node` is x - max(x), with the maximum taken over some axes; else null. Both are compared as sums of
/// terms, since the terms of x may have been rearranged: -(y + max(-y)) is one too.
const Node* distance_from_largest(const Node* node) {
  if (node->op != Op::subtract && node->op != Op::negate && node->op != Op::add) return nullptr;
  std::vector<ItemView::Item> terms = sum_view(node, nullptr, true).items;
  for (auto term = terms.begin(); term != terms.end(); ++term) {
    const Node* largest = term->inverse ? reduction_repeated(term->node, Op::reduce_max) : nullptr;
    if (largest == nullptr) continue;
    const std::vector<ItemView::Item> expected = sum_view(largest->operands[0], nullptr, true).items;
    std::vector<ItemView::Item> others(terms.begin(), term);
    others.insert(others.end(), term + 1, terms.end());
    const auto equal = [](const ItemView::Item& a, const ItemView::Item& b) {
      return a.node == b.node && a.inverse == b.inverse;
    };
    if (std::is_permutation(others.begin(), others.end(), expected.begin(), expected.end(), equal)) return largest;
  }
  return nullptr;
}

/// `f`, and at most 0 where `node` is x - max(x).
Facts at_most_zero_if_shifted(Facts f, const Node* node) {
  if (f.high > 0 && distance_from_largest(node) != nullptr) f.high = 0, f.high_open = false;
  return f;
}

/// What rounding does to an open end: exp(-200) is 0 in float32, and sigmoid(20) is 1.
Facts rounded(Facts f) {
  f.low_open = f.high_open = false;
  return f;
}

}  // namespace

ir::Dimension reduced_count(const Node* reduction) {
  ir::Dimension count(1);
  for (int axis : reduction->attributes.axes) {
    count = count * reduction->operands[0]->shape()[static_cast<std::size_t>(axis)];
  }
  return count;
}

Facts refined(Facts f, const Node* value, const Node* condition, bool holds) {
  if (value->op == Op::negate) return negated(refined(negated(f), value->operands[0], condition, holds));
  if (condition->op != Op::compare_lt && condition->op != Op::compare_le) return f;
  const bool strict = (condition->op == Op::compare_lt) == holds;
  const Node *smaller = condition->operands[holds ? 0 : 1], *greater = condition->operands[holds ? 1 : 0];
  if (greater == value && smaller->is_constant() && smaller->attributes.value >= f.low) {
    f.low_open = strict || (f.low_open && f.low == smaller->attributes.value);
    f.low = smaller->attributes.value;
  }
  if (smaller == value && greater->is_constant() && greater->attributes.value <= f.high) {
    f.high_open = strict || (f.high_open && f.high == greater->attributes.value);
    f.high = greater->attributes.value;
  }
  return f;
}

Facts of_size(const ir::Dimension& size) {
  if (size.is_constant()) return exactly(static_cast<double>(size.constant()));
  std::int64_t least = size.constant();
  for (const auto& term : size.terms()) {
    if (term.coefficient < 0) return whole(between(0, kLargestSize));
    least += term.coefficient;
  }
  return whole(between(static_cast<double>(std::max<std::int64_t>(least, 0)), kLargestSize));
}

const Facts& FactTable::of(const Node* node) {
  if (auto at = facts_.find(node); at != facts_.end()) return at->second;
  std::vector<const Node*> stack{node};
  while (!stack.empty()) {  // not recursive: graphs are thousands of nodes deep
    const Node* top = stack.back();
    bool ready = true;
    for (const Node* operand : top->operands) {
      if (!facts_.contains(operand)) stack.push_back(operand), ready = false;
    }
    if (!ready) continue;
    stack.pop_back();
    facts_.try_emplace(top, derive(top));
  }
  return facts_.at(node);
}

Facts FactTable::derive(const Node* node) const {
  std::vector<Facts> operands;
  for (const Node* operand : node->operands) operands.push_back(known(operand));
  Facts f = interval(node);
  f.defined = defined(node, operands);
  return f;
}

Facts FactTable::interval(const Node* node) const {
  const auto x = [&](std::size_t i) -> const Facts& { return known(node->operands[i]); };
  const auto monotone = [&](auto f) { return increasing(x(0), f); };
  const bool rounds = arithmetic_ == Arithmetic::float32;
  const auto inexact = [&](const Facts& f) { return rounds ? rounded(f) : f; };
  switch (node->op) {
    // Leaves.
    case Op::constant:
      return exactly(node->attributes.value);
    case Op::dimension:
      return of_size(node->attributes.shape[0]);
    case Op::counter:
      return node->attributes.name == "step" ? whole(between(1, kInfinity)) : between(0, kInfinity);
    case Op::rng_uniform:
      return {0, 1, false, true};
    // Arithmetic.
    case Op::add:
      return at_most_zero_if_shifted(sum(x(0), x(1)), node);
    case Op::subtract: {
      if (node->operands[0] == node->operands[1]) return exactly(0);
      return at_most_zero_if_shifted(sum(x(0), negated(x(1))), node);
    }
    case Op::multiply: {
      Facts f = product(x(0), x(1));
      if (node->operands[0] == node->operands[1]) {
        const Facts m = magnitude(x(0));
        f = product(m, m);
      }
      return inexact(f);
    }
    case Op::divide:
      return inexact(quotient(x(0), x(1)));
    case Op::maximum:
      return larger(x(0), x(1));
    case Op::minimum:
      return negated(larger(negated(x(0)), negated(x(1))));
    case Op::power:
      return inexact(power(x(0), x(1)));
    case Op::negate:
      return at_most_zero_if_shifted(negated(x(0)), node);
    case Op::abs:
      return magnitude(x(0));
    case Op::sign:
      return whole(x(0).positive() ? exactly(1) : x(0).negative() ? exactly(-1) : between(-1, 1));
    // Functions that grow.
    case Op::exponential:
      return inexact(exponential(x(0)));
    case Op::exponential_minus_one:
      return inexact(monotone([](double v) { return std::expm1(v); }));
    case Op::log:
      return x(0).nonnegative() ? monotone([](double v) { return std::log(v); }) : Facts{};
    case Op::log_plus_one:
      return x(0).low >= -1 ? monotone([](double v) { return std::log1p(v); }) : Facts{};
    case Op::sqrt:
      return x(0).nonnegative() ? monotone([](double v) { return std::sqrt(v); }) : between(0, kInfinity);
    case Op::logistic:
      return rounds ? between(0, 1) : open_between(0, 1);
    case Op::softplus:
      return inexact({0, kInfinity, true, false});
    case Op::tanh:
      return rounds ? between(-1, 1) : open_between(-1, 1);
    case Op::erf:
      return rounds ? between(-1, 1) : open_between(-1, 1);
    case Op::scaled_erfc:
      return between(0, 1.000001);  // rounded
    case Op::concatenate: {
      Facts f = x(0);
      for (std::size_t i = 1; i < node->operands.size(); ++i) f = either(f, x(i));
      return f;
    }
    case Op::sine:
    case Op::cosine:
      return between(-1, 1);
    case Op::stop_gradient:
    case Op::optimization_barrier:
    case Op::broadcast_in_dim:
    case Op::reshape:
    case Op::transpose:
    case Op::slice:
    case Op::reverse:
    case Op::windows:
    case Op::diagonal:
    case Op::gather:
      return x(0);
    case Op::pad:
      return either(x(0), exactly(0));
    // Truth values are 0 and 1.
    case Op::compare_lt:
    case Op::compare_le:
    case Op::compare_eq:
    case Op::compare_ne:
    case Op::logical_and:
    case Op::logical_or:
    case Op::logical_not:
    case Op::is_finite:
      return whole(between(0, 1));
    // Whole numbers.
    case Op::convert:
      return node->type.dtype == ir::DType::i32 ? truncated(x(0)) : x(0);
    case Op::floor:
      return in_steps(x(0), [](double v) { return std::floor(v); });
    case Op::round_nearest_even:
      return in_steps(x(0), [](double v) { return std::nearbyint(v); });
    case Op::iota: {
      const ir::Dimension& size = node->shape()[static_cast<std::size_t>(node->attributes.axes[0])];
      return whole(between(0, size.is_constant() ? static_cast<double>(size.constant() - 1) : kInfinity));
    }
    case Op::select:
      return either(refined(x(1), node->operands[1], node->operands[0], true),
                    refined(x(2), node->operands[2], node->operands[0], false));
    case Op::reduce_max:
    case Op::reduce_min:
      return x(0);
    case Op::reduce_sum: {
      const Node* operand = node->operands[0];
      if (operand->op == Op::exponential) {
        const Node* largest = distance_from_largest(operand->operands[0]);
        if (largest != nullptr && largest->attributes.axes == node->attributes.axes) {
          return between(1, std::max(1.0, of_size(reduced_count(node)).high));  // no summand is more than 1
        }
      }
      Facts f = product(x(0), of_size(reduced_count(node)));
      f.whole = x(0).whole;
      return f;
    }
    default:
      return {};
  }
}

}  // namespace descent::passes
