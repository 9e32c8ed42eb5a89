// exp, log and their relatives in float32, from the instructions of ir/scalar.h.
//
// The method is the classical one: reduce the argument to a small interval where a polynomial is exact to a fraction of
// a ULP, and undo the reduction with operations on the exponent. Polynomials are minimax (Remez) or Taylor where the
// interval is small enough; every function treats NaN, infinities, zeros and subnormal numbers as IEEE 754 asks.
// Sources: Cody and Waite, "Software manual for the elementary functions", 1980 (reductions); S. Moshier's Cephes
// library (coefficients of log, sine and cosine); Goldberg, 1991 (log1p).
#include <limits>

#include "ir/scalar.h"
#include "ir/threefry.h"

namespace descent::ir::scalar {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kLn2High = 0x1.62e4p-1f;   // ln 2 with few bits, so that n * kLn2High is exact
constexpr float kLn2Low = 1.42860677e-6f;  // ln 2 - kLn2High
constexpr float kLog2E = 1.44269504088896341f;

Lane to_int(Lane a) { return emit(Instruction::f_to_i, a); }
Lane to_float(Lane a) { return emit(Instruction::i_to_f, a); }
Lane bits(Lane a) { return emit(Instruction::f_bits, a); }
Lane from_bits(Lane a) { return emit(Instruction::i_as_f, a); }
Lane iadd(Lane a, Lane b) { return emit(Instruction::i_add, a, b); }
Lane isub(Lane a, Lane b) { return emit(Instruction::i_sub, a, b); }
Lane iand(Lane a, std::int32_t b) { return emit(Instruction::i_and, a, a.integer(b)); }
Lane ixor(Lane a, Lane b) { return emit(Instruction::i_xor, a, b); }
Lane shl(Lane a, int count) { return emit(Instruction::i_shl, a, a.integer(count)); }
Lane lshr(Lane a, int count) { return emit(Instruction::i_lshr, a, a.integer(count)); }
Lane ashr(Lane a, int count) { return emit(Instruction::i_ashr, a, a.integer(count)); }
Lane iselect(Lane m, Lane a, Lane b) { return emit(Instruction::i_select, m, a, b); }
Lane rotl(Lane a, int count) { return emit(Instruction::i_or, shl(a, count), lshr(a, 32 - count)); }

template <std::size_t N>
Lane polynomial(Lane x, const float (&coefficients)[N]) {  // highest power first
  Lane sum = x.number(coefficients[0]);
  for (std::size_t i = 1; i < N; ++i) sum = fma(sum, x, coefficients[i]);
  return sum;
}

Lane is_nan(Lane a) { return not_equal(a, a); }

/// 2^n for int32 lanes n in [-126, 127].
Lane power_of_two(Lane n) { return from_bits(shl(iadd(n, n.integer(127)), 23)); }

/// x * 2^n for |n| <= 250, in two steps so that neither factor leaves the range.
Lane scale(Lane x, Lane n) {
  const Lane half = ashr(n, 1);
  return x * power_of_two(half) * power_of_two(isub(n, half));
}

/// a = n ln 2 + r with |r| <= ln 2 / 2, for |a| <= 150.
struct Reduced {
  Lane n, r;
};
Reduced reduce_by_ln2(Lane a) {
  const Lane n = round(a * kLog2E);
  Lane r = fma(n, -kLn2High, a);
  r = fma(n, -kLn2Low, r);
  return {n, r};
}

/// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2.
Lane expm1_tail(Lane r) {
  return polynomial(r, {1.9841270e-4f, 1.3888889e-3f, 8.3333333e-3f, 4.1666667e-2f, 1.6666667e-1f, 0.5f});
}

/// Clamps to [low, high]; NaN becomes low, so callers put NaN back at the end.
Lane clamp(Lane a, float low, float high) {
  return emit(Instruction::f_min, emit(Instruction::f_max, a, a.number(low)), a.number(high));
}

/// log(x) = e ln 2 + log(1 + f) with sqrt(1/2) <= 1 + f < sqrt(2), for finite x > 0.
struct LogParts {
  Lane exponent, f;
};
LogParts split_for_log(Lane x) {
  const Lane subnormal = less(x, x.number(std::numeric_limits<float>::min()));
  const Lane b = bits(select(subnormal, x * 0x1p23f, x));
  const Lane shifted = isub(b, b.integer(0x3F3504F3));  // bits of sqrt(1/2)
  const Lane e = ashr(shifted, 23);
  const Lane mantissa = from_bits(isub(b, shl(e, 23)));
  return {to_float(isub(e, iselect(subnormal, e.integer(23), e.integer(0)))), mantissa - 1.0f};
}

/// log(1 + f) - f + f^2 / 2, for sqrt(1/2) <= 1 + f < sqrt(2).
Lane log_tail(Lane f) {
  const Lane p =
      polynomial(f, {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                     -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f});
  return f * f * (f * p);
}

/// e ln 2 + log(1 + f) + correction, with small terms added first.
Lane assemble_log(LogParts parts, Lane correction) {
  Lane tail = fma(parts.exponent, kLn2Low, log_tail(parts.f) + correction);
  tail = fma(parts.f * -0.5f, parts.f, tail);
  return fma(parts.exponent, kLn2High, parts.f + tail);
}

/// The values of log outside of (0, inf).
Lane log_edges(Lane x, Lane result) {
  result = select(equal(x, x.number(0)), x.number(-kInfinity), result);
  result = select(equal(x, x.number(kInfinity)), x, result);
  return select(less_equal(x.number(0), x), result, x.number(kNan));
}

/// Sine of a reduced angle: |a| <= pi / 4.
Lane sine_kernel(Lane a) {
  const Lane square = a * a;
  return fma(square * a, polynomial(square, {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f}), a);
}
Lane cosine_kernel(Lane a) {
  const Lane square = a * a;
  const Lane tail = polynomial(square, {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f});
  return fma(square * square, tail, fma(square, -0.5f, a.number(1)));
}

/// The sine of a plus `quarter_turns` right angles.
Lane circular(Lane a, int quarter_turns) {
  const Lane n = round(a * 0.636619772367581f);  // 2 / pi
  Lane r = fma(n, -1.5703125f, a);               // pi / 2 in three parts, the first two short
  r = fma(n, -4.837512969970703e-4f, r);
  r = fma(n, -7.54978995489188e-8f, r);
  const Lane in_range = less(abs(a), a.number(1e6f));
  const Lane quadrant = iadd(to_int(select(in_range, n, n.number(0))), n.integer(quarter_turns));
  const Lane odd = emit(Instruction::i_eq, iand(quadrant, 1), quadrant.integer(1));
  const Lane value = select(odd, cosine_kernel(r), sine_kernel(r));
  const Lane negative = emit(Instruction::i_eq, iand(quadrant, 2), quadrant.integer(2));
  const Lane result = select(negative, -value, value);
  return select(in_range, result, a.number(kNan));  // no digit of a larger angle's position in its turn is left
}

}  // namespace

Lane maximum(Lane a, Lane b) {
  // f_max gives b where either is NaN, which is right unless a is the NaN.
  return select(is_nan(a), a, emit(Instruction::f_max, a, b));
}

Lane minimum(Lane a, Lane b) { return select(is_nan(a), a, emit(Instruction::f_min, a, b)); }

Lane sign(Lane a) {
  const Lane zero_or_nan = mask_not(mask_or(less(a, a.number(0)), less(a.number(0), a)));
  return select(zero_or_nan, a + a.number(0), copysign(a.number(1), a));
}

Lane exp(Lane a) {
  const Reduced x = reduce_by_ln2(clamp(a, -104.0f, 89.0f));  // beyond, the result is 0 or infinity
  const Lane p = fma(x.r * x.r, expm1_tail(x.r), x.r) + 1.0f;
  return select(is_nan(a), a, scale(p, to_int(x.n)));
}

Lane expm1(Lane a) {
  const Reduced x = reduce_by_ln2(clamp(a, -30.0f, 89.0f));
  const Lane p = fma(x.r * x.r, expm1_tail(x.r), x.r);  // e^r - 1
  // 2^n (e^r - 1) + (2^n - 1), at half scale so that n = 128 does not overflow on the way.
  const Lane half = power_of_two(isub(to_int(x.n), x.n.integer(1)));
  const Lane value = fma(half, p, half - 0.5f) * 2.0f;
  const Lane small = equal(x.n, x.n.number(0));
  const Lane result = select(small, p, value);
  return select(mask_or(is_nan(a), equal(a, a.number(0))), a, result);
}

Lane log(Lane a) { return log_edges(a, assemble_log(split_for_log(a), a.number(0))); }

Lane log1p(Lane a) {
  const Lane u = a + 1.0f;
  const LogParts parts = split_for_log(u);
  // What rounding u = 1 + a lost, divided by u: the first term of log(u + lost) - log(u).
  const Lane lost = select(less(u, u.number(2)), a - (u - 1.0f), (a - u) + 1.0f);
  const Lane finite = less(u, u.number(kInfinity));
  const Lane correction = select(finite, lost / u, u.number(0));
  const Lane value = log_edges(u, assemble_log(parts, correction));
  return select(less(abs(a), a.number(0x1p-24f)), a, value);
}

Lane logistic(Lane a) {
  const Lane e = exp(-abs(a));  // in (0, 1]: neither branch overflows
  const Lane numerator = select(less(a, a.number(0)), e, a.number(1));
  return numerator / (e + 1.0f);
}

Lane softplus(Lane a) { return maximum(a, a.number(0)) + log1p(exp(-abs(a))); }

Lane tanh(Lane a) {
  const Lane magnitude = clamp(abs(a), 0.0f, 10.0f);  // tanh(10) rounds to 1
  const Lane t = expm1(magnitude * 2.0f);
  const Lane value = t / (t + 2.0f);
  return select(is_nan(a), a, copysign(value, a));
}

Lane sine(Lane a) { return circular(a, 0); }
Lane cosine(Lane a) { return circular(a, 1); }

Lane power(Lane a, Lane b) {
  const Lane magnitude = exp(b * log(abs(a)));
  const Lane whole = equal(round(b), b);
  const Lane half = b * 0.5f;
  const Lane odd = mask_and(whole, not_equal(round(half), half));
  const Lane negative = less(a, a.number(0));
  Lane result = select(mask_and(negative, odd), -magnitude, magnitude);
  result = select(mask_and(negative, mask_not(whole)), a.number(kNan), result);
  const Lane one = mask_or(equal(b, b.number(0)), equal(a, a.number(1)));
  return select(one, a.number(1), result);
}

Lane threefry_uniform(Lane seed, Lane stream, Lane element, Lane step) {
  constexpr int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  const Lane keys[3] = {seed, stream, ixor(ixor(seed, stream), seed.integer(0x1BD11BDA))};
  Lane x0 = iadd(element, keys[0]), x1 = iadd(step, keys[1]);
  for (int round = 0; round < 20; ++round) {
    x0 = iadd(x0, x1);
    x1 = ixor(rotl(x1, rotations[round % 8]), x0);
    if (round % 4 == 3) {
      const int injection = round / 4 + 1;
      x0 = iadd(x0, keys[injection % 3]);
      x1 = iadd(iadd(x1, keys[(injection + 1) % 3]), seed.integer(injection));
    }
  }
  return to_float(lshr(x0, 8)) * 0x1p-24f;
}

}  // namespace descent::ir::scalar
