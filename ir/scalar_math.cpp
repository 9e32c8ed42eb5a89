// exp, log and their relatives in float32 and float64, from the instructions of ir/scalar.h. A function is written
// once; where the two differ (constants, the length of a polynomial), the kind of its lanes decides.
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

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kLog2E = 1.44269504088896341;

/// What the functions have to know of a kind of number.
struct Format {
  int fraction, bias;      ///< bits of the fraction, of which the exponent stands to the left; what is added to it
  double smallest;         ///< normal number
  double half_ulp;         ///< of 1
  double ln2_high;         ///< n ln2_high, taken from a number near n ln 2, leaves no rounding
  double ln2_low;          ///< ln 2 - ln2_high
  double lowest, largest;  ///< e^x is 0 below the one and infinite above the other
  double one_below;        ///< e^x - 1 is -1 below it
  double saturated;        ///< tanh is 1 above it
  std::int64_t sqrt_half;  ///< the bits of sqrt(1/2)
};
constexpr Format kFloat32{
    23, 127, std::numeric_limits<float>::min(), 0x1p-24, 0x1.62e4p-1, 1.42860677e-6f, -104, 89, -30, 9.5, 0x3F3504F3};
constexpr Format kFloat64{52,
                          1023,
                          std::numeric_limits<double>::min(),
                          0x1p-53,
                          0x1.62e42fefa39efp-1,
                          2.3190468138462996e-17,
                          -746,
                          710,
                          -60,
                          20,
                          0x3FE6A09E667F3BCD};
bool is_double(Lane a) { return a.kind == LaneKind::f64; }
const Format& format(Lane a) { return is_double(a) ? kFloat64 : kFloat32; }

Lane to_int(Lane a) { return emit(Instruction::f_to_i, a); }
/// A whole number of 32 bits as a number of this kind.
Lane to_real(Lane a, LaneKind kind) {
  return emit(kind == LaneKind::f64 ? Instruction::i_to_d : Instruction::i_to_f, a);
}
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

Lane polynomial(Lane x, std::initializer_list<double> coefficients) {  // highest power first
  auto next = coefficients.begin();
  Lane sum = x.number(*next++);
  for (; next != coefficients.end(); ++next) sum = fma(sum, x, *next);
  return sum;
}

Lane is_nan(Lane a) { return not_equal(a, a); }

/// 2^n, of a normal number, for int32 lanes n.
Lane power_of_two(Lane n, const Format& f) {
  const Lane exponent = iadd(n, n.integer(f.bias));
  return from_bits(shl(f.fraction > 32 ? emit(Instruction::i_widen, exponent) : exponent, f.fraction));
}

/// x * 2^n for a whole number n of which the absolute value is up to twice what one number's exponent can be, in two
/// steps so that neither factor leaves the range. NaN where x is, whatever n.
Lane scale(Lane x, Lane n) {
  if (x.emitter->scales(x.kind)) return emit(Instruction::f_scale, x, n);
  const Format& f = format(x);
  const Lane whole = to_int(emit(Instruction::f_max, n, n.number(-2 * f.bias)));  // which no NaN is
  const Lane half = ashr(whole, 1);
  return x * power_of_two(half, f) * power_of_two(isub(whole, half), f);
}

/// a = n ln 2 + r with |r| <= ln 2 / 2, for numbers whose e^a is in the range, or nearly.
struct Reduced {
  Lane n, r;
  Lane exact;  ///< r before its second rounding
};
Reduced reduce_by_ln2(Lane a) {
  const Lane n = round(a * kLog2E);
  const Lane exact = fma(n, -format(a).ln2_high, a);
  return {n, fma(n, -format(a).ln2_low, exact), exact};
}

/// What rounding r lost.
Lane lost_by(Reduced x) { return fma(x.n, -format(x.n).ln2_low, x.exact - x.r); }

/// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2.
Lane expm1_tail(Lane r) {
  if (is_double(r)) {  // interpolated where the Chebyshev polynomial is 0: off by 3.4e-18 at most, Taylor's by 3.5e-17
    return polynomial(r, {1.6084326679754921e-10, 2.0914685161418067e-09, 2.505207800522273e-08, 2.7557273647451087e-07,
                          2.755731923995482e-06, 2.480158732554432e-05, 1.9841269841266415e-04, 1.388888888888375e-03,
                          8.333333333333333e-03, 4.166666666666667e-02, 1.6666666666666666e-01, 0.5});
  }
  return polynomial(r, {1.9841270e-4f, 1.3888889e-3f, 8.3333333e-3f, 4.1666667e-2f, 1.6666667e-1f, 0.5f});
}

/// A number as the sum of two, the second smaller than the last place of the first.
struct Pair {
  Lane high, low;
};

/// e^a for a from format(a).lowest to 0, where the result may be subnormal.
Pair exp_pair(Lane a) {
  const Reduced x = reduce_by_ln2(a);
  const Lane one_and_r = x.r + 1.0f;
  const Lane rest = fma(x.r * x.r, expm1_tail(x.r), x.r - (one_and_r - 1.0f));
  const Lane high = one_and_r + rest;
  const Lane low = rest - (high - one_and_r);
  return {scale(high, x.n), scale(low, x.n)};
}

/// (e^a - 1) / 2 for a from format(a).one_below to format(a).largest; half, so that the power of two does not overflow
/// on the way.
Pair half_expm1(Lane a) {
  const Reduced x = reduce_by_ln2(a);
  const Lane square = x.r * x.r, tail = expm1_tail(x.r);
  const Lane p = fma(square, tail, x.r);  // e^r - 1
  const Lane p_low = fma(square, tail, (x.r - p) + lost_by(x));
  // 2^(n - 1) p + (2^(n - 1) - 1/2), of which the second is the larger unless it is 0.
  const Lane n = to_int(x.n);
  const Lane half = power_of_two(isub(n, n.integer(1)), format(a));
  const Lane first = half - 0.5f, second = half * p;
  const Lane high = first + second;
  const Lane first_low = (half - first) - 0.5f;
  return {high, fma(half, p_low, (first - high) + second) + first_low};
}

/// Clamps to [low, high]; NaN becomes low, so callers put NaN back at the end.
Lane clamp(Lane a, double low, double high) {
  return emit(Instruction::f_min, emit(Instruction::f_max, a, a.number(low)), a.number(high));
}

/// log(x) = e ln 2 + log(1 + f) with sqrt(1/2) <= 1 + f < sqrt(2), for finite x > 0.
struct LogParts {
  Lane exponent, f;
};
LogParts split_for_log(Lane x) {
  const Format& f = format(x);
  const Lane subnormal = less(x, x.number(f.smallest));
  const Lane b = bits(select(subnormal, x * (is_double(x) ? 0x1p52 : 0x1p23), x));
  const Lane shifted = isub(b, b.integer(f.sqrt_half));
  Lane e = shifted, in_place = shifted;  // the exponent, and where it stands in a number
  if (is_double(x)) {                    // few processors shift 64 bits with their sign
    const Lane biased = lshr(iadd(shifted, b.integer(std::int64_t{f.bias} << f.fraction)), f.fraction);
    e = emit(Instruction::i_narrow, biased);
    e = isub(e, e.integer(f.bias));
    in_place = shl(isub(biased, b.integer(f.bias)), f.fraction);
  } else {
    e = ashr(shifted, f.fraction);
    in_place = shl(e, f.fraction);
  }
  const Lane mantissa = from_bits(isub(b, in_place));
  const Lane exponent = isub(e, iselect(subnormal, e.integer(f.fraction), e.integer(0)));
  return {to_real(exponent, x.kind), mantissa - 1.0};
}

/// log(1 + f) - f + f^2 / 2, for sqrt(1/2) <= 1 + f < sqrt(2).
Lane log_tail(Lane f) {
  if (is_double(f)) {
    // With s = f / (2 + f), log(1 + f) = 2 artanh(s) = 2 s + s R(s^2), of which 2 s = f - f^2 / 2 + s f^2 / 2. |s| <
    // 0.172.
    const Lane s = f / (f + 2.0), square = s * s;
    const Lane r = polynomial(square, {2.0 / 23, 2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13, 2.0 / 11, 2.0 / 9,
                                       2.0 / 7, 2.0 / 5, 2.0 / 3});
    return s * fma(square, r, f * f * 0.5);
  }
  const Lane p =
      polynomial(f, {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                     -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f});
  return f * f * (f * p);
}

/// e ln 2 + log(1 + f) + correction, with small terms added first.
Lane assemble_log(LogParts parts, Lane correction) {
  const Format& f = format(parts.f);
  Lane tail = fma(parts.exponent, f.ln2_low, log_tail(parts.f) + correction);
  tail = fma(parts.f * -0.5, parts.f, tail);
  return fma(parts.exponent, f.ln2_high, parts.f + tail);
}

/// The values of log outside of (0, inf).
Lane log_edges(Lane x, Lane result) {
  result = select(equal(x, x.number(0)), x.number(-kInfinity), result);
  result = select(equal(x, x.number(kInfinity)), x, result);
  return select(less_equal(x.number(0), x), result, x.number(kNan));
}

/// Sine and cosine of a reduced angle, |high| <= pi / 4. What rounding the angle lost is added where it still shows.
Lane sine_kernel(Pair a) {
  const Lane square = a.high * a.high;
  if (is_double(square)) {  // Taylor: what is left out is below 2^-62
    const Lane p = polynomial(square, {1.0 / 355687428096000, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800,
                                       1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6});
    return a.high + fma(square * a.high, p, a.low);
  }
  const Lane p = polynomial(square, {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f});
  return a.high + fma(square * a.high, p, a.low);
}
Lane cosine_kernel(Pair a) {
  const Lane square = a.high * a.high;
  const Lane p = is_double(square)
                     ? polynomial(square, {1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800,
                                           1.0 / 40320, -1.0 / 720, 1.0 / 24})
                     : polynomial(square, {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f});
  const Lane most = fma(square, -0.5f, square.number(1));
  const Lane lost = fma(square, -0.5f, most.number(1) - most);
  return most + fma(square * square, p, fma(-a.high, a.low, lost));
}

/// n right angles less: pi / 2 in parts, so that only the last two products round.
Pair less_right_angles(Lane a, Lane n) {
  const bool wide = is_double(a);
  const Lane far = wide ? fma(n, -0x1.921fb54442d18p0, a) : fma(n, -4.837512969970703e-4f, fma(n, -1.5703125f, a));
  const double part = wide ? 0x1.1a62633145c07p-54 : 7.549533620476723e-8f;
  const double rest = wide ? -0x1.f1976b7ed8fbcp-110 : 2.5633440682570896e-12f;
  const Lane near = fma(n, -part, far);
  const Lane lost = fma(n, -part, far - near);
  const Lane last = fma(n, -rest, lost);
  const Lane r = near + last;
  return {r, (near - r) + last};
}

/// The sine of a plus `quarter_turns` right angles.
Lane circular(Lane a, int quarter_turns) {
  const Lane n = round(a * 0.63661977236758134);  // 2 / pi
  const Pair angle = less_right_angles(a, n);
  const Lane in_range = less(abs(a), a.number(is_double(a) ? 0x1p30 : 1e6));
  const Lane turns = to_int(select(in_range, n, n.number(0)));
  const Lane quadrant = iadd(turns, turns.integer(quarter_turns));
  const Lane odd = emit(Instruction::i_eq, iand(quadrant, 1), quadrant.integer(1));
  const Lane value = select(odd, cosine_kernel(angle), sine_kernel(angle));
  const Lane negative = emit(Instruction::i_eq, iand(quadrant, 2), quadrant.integer(2));
  const Lane result = select(negative, -value, value);
  return select(in_range, result, a.number(kNan));  // no digit of a larger angle's position in its turn is left
}

}  // namespace

Lane maximum(Lane a, Lane b) {
  if (a.kind == LaneKind::i32) return select(less(a, b), b, a);
  // f_max gives b where either is NaN, which is right unless a is the NaN.
  return select(is_nan(a), a, emit(Instruction::f_max, a, b));
}

Lane minimum(Lane a, Lane b) {
  if (a.kind == LaneKind::i32) return select(less(b, a), b, a);
  return select(is_nan(a), a, emit(Instruction::f_min, a, b));
}

Lane sign(Lane a) {
  if (a.kind == LaneKind::i32) {
    const Lane zero = a.integer(0);
    return select(less(a, zero), a.integer(-1), select(less(zero, a), a.integer(1), zero));
  }
  const Lane zero_or_nan = mask_not(mask_or(less(a, a.number(0)), less(a.number(0), a)));
  return select(zero_or_nan, a + a.number(0), copysign(a.number(1), a));
}

Lane abs(Lane a) { return a.kind == LaneKind::i32 ? maximum(a, -a) : emit(Instruction::f_abs, a); }

Lane convert(Lane a, LaneKind kind) {
  if (a.kind == kind) return a;
  if (kind == LaneKind::mask) return not_equal(a, a.kind == LaneKind::i32 ? a.integer(0) : a.number(0));
  if (a.kind == LaneKind::mask) {
    const Lane like{a.emitter, nullptr, kind};
    return kind == LaneKind::i32 ? select(a, like.integer(1), like.integer(0))
                                 : select(a, like.number(1), like.number(0));
  }
  if (a.kind == LaneKind::i32) return to_real(a, kind);
  if (kind == LaneKind::f64) return emit(Instruction::f_to_d, a);
  if (kind == LaneKind::f32) return emit(Instruction::d_to_f, a);
  // What is out of range, or NaN, is replaced before the instruction, whose result it would leave open.
  constexpr double beyond = 0x1p31;
  const Lane fits = mask_and(less_equal(a.number(-beyond), a), less(a, a.number(beyond)));
  const Lane extreme = select(less(a, a.number(0)), a.integer(std::numeric_limits<std::int32_t>::min()),
                              a.integer(std::numeric_limits<std::int32_t>::max()));
  const Lane whole = to_int(select(fits, a, a.number(0)));
  return select(fits, whole, select(is_nan(a), a.integer(0), extreme));
}

Lane floor(Lane a) {
  const Lane nearest = round(a);
  return select(less(a, nearest), nearest - 1.0f, nearest);
}

Lane trunc(Lane a) { return copysign(floor(abs(a)), a); }

Lane remainder(Lane a, Lane b) {
  // The quotient may be rounded up to a whole number that it does not reach, or down from one: the difference, which
  // fma makes exactly, then has the wrong sign or is as large as b.
  const Lane size = abs(b);
  const Lane first = fma(-trunc(abs(a) / size), size, abs(a));
  const Lane raised = select(less(first, a.number(0)), first + size, first);
  const Lane rest = select(less_equal(size, raised), raised - size, raised);
  // a itself where b is infinite; NaN where a is, or b is 0.
  const Lane result = select(mask_and(equal(size, a.number(kInfinity)), is_finite(a)), abs(a), rest);
  return copysign(result, a);
}

Lane is_finite(Lane a) { return less(abs(a), a.number(kInfinity)); }

namespace {

/// The larger of a number and a; NaN where a is.
Lane at_least(double number, Lane a) { return emit(Instruction::f_max, a.number(number), a); }

/// e^a, of a number in the range.
Lane exp_in_range(Lane a) {
  const Reduced x = reduce_by_ln2(a);
  return scale(fma(fma(expm1_tail(x.r), x.r, 1.0f), x.r, 1.0f), x.n);
}

}  // namespace

/// Beyond lowest and largest it is 0 or infinity.
Lane exp(Lane a) {
  const Lane low = at_least(format(a).lowest, a);
  return exp_in_range(emit(Instruction::f_min, low.number(format(a).largest), low));
}

Lane decay(Lane a) { return exp_in_range(at_least(format(a).lowest, -abs(a))); }

Lane expm1(Lane a) {
  const Lane x = clamp(a, format(a).one_below, format(a).largest);
  const Pair half = half_expm1(x);
  const Lane result = (half.high + half.low) * 2.0f;
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
  return select(less(abs(a), a.number(format(a).half_ulp)), a, value);
}

/// With e = e^-|a|, which overflows nowhere, it is s = 1 / (1 + e) or, for negative a, e s.
Lane logistic(Lane a) {
  const Pair e = exp_pair(at_least(format(a).lowest, -abs(a)));
  const Lane d = e.high + 1.0f;
  const Lane d_low = (d.number(1) - d) + e.high + e.low;
  const Lane s = a.number(1) / d;
  const Lane s_low = s * fma(-s, d_low, fma(-s, d, 1.0f));  // one Newton step for the reciprocal
  const Lane negative = fma(e.high, s, fma(e.high, s_low, e.low * s));
  return select(less(a, a.number(0)), negative, s + s_low);
}

Lane softplus(Lane a) { return maximum(a, a.number(0)) + log1p(decay(a)); }

/// With t = e^(2|a|) - 1 it is t / (t + 2), or s / (s + 1) with s = t / 2: no cancellation, and the quotient is
/// corrected by what rounding s and s + 1 lost.
Lane tanh(Lane a) {
  const Lane magnitude = emit(Instruction::f_min, abs(a), a.number(format(a).saturated));
  const Pair s = half_expm1(magnitude * 2.0f);
  const Lane d = s.high + 1.0f;
  const Lane one = d - s.high;  // what of the 1 is in d (two-sum: Knuth, volume 2, 4.2.2)
  const Lane d_low = (s.high - (d - one)) + (one.number(1) - one) + s.low;
  const Lane reciprocal = a.number(1) / d, q = s.high * reciprocal;
  const Lane lost = fma(-q, d_low, fma(-q, d, s.high) + s.low);
  const Lane value = fma(lost, reciprocal, q);
  return select(is_nan(a), a, copysign(value, a));
}

namespace {

/// As in float32, with polynomials that were fitted by Remez' algorithm: erf(a) = a + a p(a^2) up to 1, and from there
/// to 6, where it rounds to 1, 1 - e^-p(|a| - 1) with an error in p weighted by e^-p.
Lane wide_erf(Lane a) {
  const Lane t = emit(Instruction::f_min, abs(a), a.number(6)), square = a * a;
  const Lane p = polynomial(
      t - 1.0, {1.7716384438454885e-13,  -5.507433345350209e-12,  7.993156652725242e-11,   -7.1976380377892084e-10,
                4.4878229648207125e-09,  -2.024485300812655e-08,  6.4899328774254675e-08,  -1.2073274041230272e-07,
                -1.1135541231315076e-07, 2.0274007685055068e-06,  -9.5838954298810329e-06, 2.7144736885806171e-05,
                -2.6271830177088738e-05, -0.00023732429305139792, 0.0019779029404800785,   -0.010033825424137196,
                0.041561098045761302,    0.84310725635851491,     2.6389675142347908,      1.8496055099332482});
  const Lane far = copysign(a.number(1) - exp(-p), a);
  const Lane near = fma(polynomial(square, {-7.8011895575674617e-10, 1.3722975493826882e-08, -1.6209175426580397e-07,
                                            1.6447517567641667e-06, -1.4924744649931631e-05, 0.00012055295319521354,
                                            -0.00085483259896532832, 0.0052239776074222881, -0.026866170643276035,
                                            0.11283791670945252, -0.37612638903183548, 0.12837916709551256}),
                        a, a);
  const Lane value = select(less(t, t.number(1)), near, far);
  return select(is_nan(a), a, value);
}

}  // namespace

/// A polynomial near 0; elsewhere 1 - e^p(|a|). Coefficients: N. Juffa, "A more accurate erff()", 2016.
Lane erf(Lane a) {
  if (is_double(a)) return wide_erf(a);
  const Lane t = abs(a), square = a * a;
  Lane p = fma(t, -1.72853470e-5f, a.number(3.83197126e-4f));
  p = fma(p, square, fma(t, -3.88396438e-3f, a.number(2.42546219e-2f)));
  p = fma(p, t, -1.06777877e-1f);
  p = fma(p, t, -6.34846687e-1f);
  p = fma(p, t, -1.28717512e-1f);
  p = fma(p, t, -t);
  const Lane far = copysign(a.number(1) - exp(p), a);
  const Lane near = fma(polynomial(square, {-5.96761703e-4f, 4.99119423e-3f, -2.67681349e-2f, 1.12819925e-1f,
                                            -3.76125336e-1f, 1.28379166e-1f}),
                        a, a);
  return select(less(a.number(0.927734375f), t), far, near);
}

/// u p(u) with u = 1 / (|a| + 2.5), which is smooth from |a| = 0 to infinity; in float64, where the terms of p would
/// cancel, p is of 1 - 5 u. The polynomials were interpolated where those of Chebyshev are 0.
Lane scaled_erfc(Lane a) {
  const Lane u = a.number(1) / (abs(a) + 2.5f);
  if (is_double(a)) {
    return u *
           polynomial(fma(u, -5.0, a.number(1)),
                      {-1.1752735761572174e-9, -4.492271901913438e-11,  1.1576263709098255e-8,   6.5211004909097561e-9,
                       -5.4251305131439612e-8, -7.4347570912789786e-8,  1.4005632494206183e-7,   4.5447474483779529e-7,
                       -7.5514146163905043e-9, -1.9683271975506974e-6,  -2.3314874909535432e-6,  6.7574916279814698e-6,
                       1.8244095865799676e-5,  -1.9533381081369286e-5,  -0.00011260476577313144, 5.8308069244476789e-5,
                       0.00070269371307352586, -0.00043920830168962282, -0.0048187855221459369,  0.0083930443048948673,
                       0.028361550131938401,   -0.17125114524612418,    0.4539141166480972,      -0.80465184943914813,
                       1.0540318203057179});
  }
  return u * polynomial(u, {-712.123596f, 1371.77539f, -927.130615f, 224.003983f, -32.8327446f, 21.2696877f,
                            11.5327272f, 6.71447563f, 3.2437613f, 1.41047692f, 0.564189553f});
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
  return to_real(lshr(x0, 8), LaneKind::f32) * 0x1p-24;
}

}  // namespace descent::ir::scalar
