// The accuracy of the functions of ir/scalar.h, measured without a compiler: an emitter that computes with plain
// floats.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "ir/op.h"
#include "ir/scalar.h"
#include "ir/threefry.h"

using namespace descent::ir;

namespace {

/// Every value is a number on the heap that knows its kind; masks are 0 and 1.
class FloatEmitter : public ScalarEmitter {
 public:
  explicit FloatEmitter(bool has_scale = false) : has_scale_(has_scale) {}
  bool scales(LaneKind) const override { return has_scale_; }
  LaneHandle f32(float value) override { return keep(LaneKind::f32, std::bit_cast<std::uint32_t>(value)); }
  LaneHandle f64(double value) override { return keep(LaneKind::f64, std::bit_cast<std::uint64_t>(value)); }
  LaneHandle i32(std::int32_t value) override { return keep(LaneKind::i32, static_cast<std::uint32_t>(value)); }
  LaneHandle i64(std::int64_t value) override { return keep(LaneKind::i64, static_cast<std::uint64_t>(value)); }
  LaneHandle emit(Instruction instruction, LaneHandle x, LaneHandle y, LaneHandle z) override {
    const Word a = word(x), b = y ? word(y) : Word{}, c = z ? word(z) : Word{};
    switch (a.kind) {
      case LaneKind::f32:
        return of_reals<float, std::uint32_t>(instruction, a, b, c);
      case LaneKind::f64:
        return of_reals<double, std::uint64_t>(instruction, a, b, c);
      case LaneKind::i32:
        return of_integers<std::int32_t, std::uint32_t>(instruction, a, b);
      case LaneKind::i64:
        return of_integers<std::int64_t, std::uint64_t>(instruction, a, b);
      case LaneKind::mask:
        break;
    }
    switch (instruction) {
      case Instruction::f_select:
      case Instruction::i_select:
        return a.bits != 0 ? keep(b.kind, b.bits) : keep(c.kind, c.bits);
      case Instruction::m_and:
        return mask((a.bits & b.bits) != 0);
      case Instruction::m_or:
        return mask((a.bits | b.bits) != 0);
      default:  // m_not
        return mask(a.bits == 0);
    }
  }
  Lane lane(float value) { return {this, f32(value), LaneKind::f32}; }
  Lane wide(double value) { return {this, f64(value), LaneKind::f64}; }
  float value(Lane l) { return std::bit_cast<float>(static_cast<std::uint32_t>(word(l.handle).bits)); }
  double wide_value(Lane l) { return std::bit_cast<double>(word(l.handle).bits); }
  void clear() { words_.clear(); }

 private:
  struct Word {
    LaneKind kind = LaneKind::mask;
    std::uint64_t bits = 0;
  };

  template <typename Real, typename Bits>
  LaneHandle of_reals(Instruction instruction, Word x, Word y, Word z) {
    const auto real = [](Word w) { return std::bit_cast<Real>(static_cast<Bits>(w.bits)); };
    const auto keep_real = [&](Real value) { return keep(x.kind, std::bit_cast<Bits>(value)); };
    const Real a = real(x), b = real(y), c = real(z);
    switch (instruction) {
      case Instruction::f_add:
        return keep_real(a + b);
      case Instruction::f_sub:
        return keep_real(a - b);
      case Instruction::f_mul:
        return keep_real(a * b);
      case Instruction::f_div:
        return keep_real(a / b);
      case Instruction::f_fma:
        return keep_real(std::fma(a, b, c));
      case Instruction::f_min:
        return keep_real(a < b ? a : b);
      case Instruction::f_max:
        return keep_real(a > b ? a : b);
      case Instruction::f_scale:
        return keep_real(std::isnan(b) ? b : std::ldexp(a, static_cast<int>(b)));
      case Instruction::f_sqrt:
        return keep_real(std::sqrt(a));
      case Instruction::f_abs:
        return keep_real(std::fabs(a));
      case Instruction::f_neg:
        return keep_real(-a);
      case Instruction::f_copysign:
        return keep_real(std::copysign(a, b));
      case Instruction::f_round:
        return keep_real(std::nearbyint(a));
      case Instruction::f_lt:
        return mask(a < b);
      case Instruction::f_le:
        return mask(a <= b);
      case Instruction::f_eq:
        return mask(a == b);
      case Instruction::f_ne:
        return mask(a != b);
      case Instruction::f_to_i:
        return i32(std::fabs(a) < Real(2147483648) ? static_cast<std::int32_t>(a) : 0);
      case Instruction::f_to_d:
        return f64(static_cast<double>(a));
      case Instruction::d_to_f:
        return f32(static_cast<float>(a));
      default:  // f_bits
        return keep(sizeof(Real) == 8 ? LaneKind::i64 : LaneKind::i32, x.bits);
    }
  }

  template <typename Integer, typename Bits>
  LaneHandle of_integers(Instruction instruction, Word x, Word y) {
    const auto a = static_cast<Bits>(x.bits), b = static_cast<Bits>(y.bits);
    const auto signed_a = static_cast<Integer>(a), signed_b = static_cast<Integer>(b);
    const auto keep_bits = [&](Bits bits) { return keep(x.kind, bits); };
    switch (instruction) {
      case Instruction::i_to_f:
        return f32(static_cast<float>(signed_a));
      case Instruction::i_to_d:
        return f64(static_cast<double>(signed_a));
      case Instruction::i_widen:
        return i64(signed_a);
      case Instruction::i_narrow:
        return i32(static_cast<std::int32_t>(static_cast<std::uint32_t>(a)));
      case Instruction::i_as_f:
        return keep(sizeof(Bits) == 8 ? LaneKind::f64 : LaneKind::f32, a);
      case Instruction::i_add:
        return keep_bits(a + b);
      case Instruction::i_sub:
        return keep_bits(a - b);
      case Instruction::i_mul:
        return keep_bits(a * b);
      case Instruction::i_and:
        return keep_bits(a & b);
      case Instruction::i_or:
        return keep_bits(a | b);
      case Instruction::i_xor:
        return keep_bits(a ^ b);
      case Instruction::i_shl:
        return keep_bits(a << b);
      case Instruction::i_lshr:
        return keep_bits(a >> b);
      case Instruction::i_ashr:
        return keep_bits(static_cast<Bits>(signed_a >> b));
      case Instruction::i_eq:
        return mask(a == b);
      case Instruction::i_lt:
        return mask(signed_a < signed_b);
      default:  // i_le
        return mask(signed_a <= signed_b);
    }
  }

  static Word word(LaneHandle h) { return *static_cast<Word*>(h); }
  LaneHandle mask(bool value) { return keep(LaneKind::mask, value); }
  LaneHandle keep(LaneKind kind, std::uint64_t bits) {
    words_.push_back(std::make_unique<Word>(Word{kind, bits}));
    return words_.back().get();
  }
  std::vector<std::unique_ptr<Word>> words_;
  bool has_scale_;
};

/// The distance of `got` from the exact value in units of the last place of the nearest float.
double ulps(float got, double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e9;
  const float nearest = static_cast<float>(exact);
  if (std::isinf(nearest)) return got == nearest || std::fabs(got) == std::numeric_limits<float>::max() ? 0 : 1e9;
  const double next = std::nextafter(std::fabs(nearest), std::numeric_limits<float>::infinity());
  return std::fabs(static_cast<double>(got) - exact) / (next - std::fabs(static_cast<double>(nearest)));
}

double worst(const char* name, bool has_scale = false) {
  FloatEmitter emitter(has_scale);
  const OpInfo& op = info(*find_op(name));
  double largest = 0;
  // Every 65537th float: all exponents, both signs, subnormal numbers, infinities and NaN among them.
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 65537) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    const Lane l = emitter.lane(x);
    const double error = ulps(emitter.value(op.code(l, l, l, LaneKind::f32)), op.meaning(x, 0, 0));
    if (error > largest) {
      largest = error;
      UNSCOPED_INFO(name << "(" << x << ") = " << emitter.value(op.code(l, l, l, LaneKind::f32)) << ", exact "
                         << op.meaning(x, 0, 0));
    }
    emitter.clear();
  }
  return largest;
}

}  // namespace

TEST_CASE("functions_of_one_number_keep_their_error_bounds") {
  // The bounds stand in ir/scalar.h; tests/numerics checks them for every float, on vectors.
  CHECK(worst("exponential") <= 1.0);
  CHECK(worst("exponential", true) <= 1.0);
  CHECK(worst("exponential_minus_one") <= 1.0);
  CHECK(worst("log") <= 1.0);
  CHECK(worst("log_plus_one") <= 1.0);
  CHECK(worst("logistic") <= 1.0);
  CHECK(worst("logistic", true) <= 1.0);
  CHECK(worst("softplus") <= 2.0);
  CHECK(worst("tanh") <= 1.0);
  CHECK(worst("erf") <= 1.0);
  CHECK(worst("scaled_erfc") <= 7.0);
  CHECK(worst("sqrt") <= 0.5);
  CHECK(worst("floor") == 0.0);
  CHECK(worst("round_nearest_even") == 0.0);
  CHECK(worst("abs") == 0.0);
  CHECK(worst("sign") == 0.0);
  CHECK(worst("negate") == 0.0);
}

namespace {

/// In float64: `double` rounds the exact value that the same function gives in long double.
double wide_ulps(double got, long double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e9;
  const auto nearest = static_cast<double>(exact);
  constexpr double largest = std::numeric_limits<double>::max();
  if (std::isinf(nearest)) return got == nearest || std::fabs(got) == largest ? 0 : 1e9;
  if (std::isinf(got)) return std::fabs(nearest) == largest ? 1 : 1e9;
  const double next = std::nextafter(std::fabs(nearest), std::numeric_limits<double>::infinity());
  return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) /
                             (static_cast<long double>(next) - std::fabs(static_cast<long double>(nearest))));
}

double worst_wide(Lane (*function)(Lane), long double (*exact)(long double), const char* name) {
  FloatEmitter emitter;
  double largest = 0;
  const auto check = [&](double x) {
    const double got = emitter.wide_value(function(emitter.wide(x)));
    const double error = wide_ulps(got, exact(static_cast<long double>(x)));
    if (error > largest) {
      largest = error;
      UNSCOPED_INFO(name << "(" << x << ") = " << got << ", " << error << " ULP");
    }
    emitter.clear();
  };
  // All exponents and both signs, with fractions spread evenly (a golden-ratio sequence), and closely where the
  // functions bend.
  std::uint64_t fraction = 0;
  for (std::uint64_t exponent = 0; exponent < 2048; ++exponent) {
    for (int i = 0; i < 8; ++i) {
      fraction += 0x9E3779B97F4A7C15u;
      for (const std::uint64_t sign : {0, 1}) {
        check(std::bit_cast<double>(sign << 63 | exponent << 52 | (exponent == 2047 && i == 0 ? 0 : fraction >> 12)));
      }
    }
  }
  for (int i = -20000; i <= 20000; ++i) check(0.001 * i * (1 + 1e-6 * i));
  for (int i = -4000; i <= 4000; ++i) check(0.19 * i);
  return largest;
}

}  // namespace

TEST_CASE("functions_of_one_number_keep_their_error_bounds_in_float64") {
  using Real = long double;
  CHECK(worst_wide(scalar::exp, [](Real x) { return std::exp(x); }, "exp") <= 1.0);
  CHECK(worst_wide(scalar::decay, [](Real x) { return std::exp(-std::fabs(x)); }, "decay") <= 1.0);
  CHECK(worst_wide(scalar::expm1, [](Real x) { return std::expm1(x); }, "expm1") <= 1.0);
  CHECK(worst_wide(scalar::log, [](Real x) { return std::log(x); }, "log") <= 1.0);
  CHECK(worst_wide(scalar::log1p, [](Real x) { return std::log1p(x); }, "log1p") <= 1.0);
  CHECK(worst_wide(scalar::logistic, [](Real x) { return 1 / (1 + std::exp(-x)); }, "logistic") <= 1.0);
  CHECK(worst_wide(
            scalar::softplus, [](Real x) { return std::fmax(x, Real(0)) + std::log1p(std::exp(-std::fabs(x))); },
            "softplus") <= 2.0);
  CHECK(worst_wide(scalar::tanh, [](Real x) { return std::tanh(x); }, "tanh") <= 1.0);
  CHECK(worst_wide(scalar::erf, [](Real x) { return std::erf(x); }, "erf") <= 2.0);
  CHECK(worst_wide(scalar::sqrt, [](Real x) { return std::sqrt(x); }, "sqrt") <= 0.5);
  CHECK(worst_wide(scalar::floor, [](Real x) { return std::floor(x); }, "floor") == 0.0);
}

TEST_CASE("sine_and_cosine_in_float64_are_within_1_ulp_up_to_2_to_the_30") {
  FloatEmitter emitter;
  double largest = 0;
  for (int i = -100000; i <= 100000; ++i) {
    for (const double x : {static_cast<double>(i) * 0.0008192, static_cast<double>(i) * 10737.41824}) {
      if (std::fabs(x) >= 0x1p30) continue;
      largest = std::max(
          largest, wide_ulps(emitter.wide_value(scalar::sine(emitter.wide(x))), std::sin(static_cast<long double>(x))));
      largest = std::max(largest, wide_ulps(emitter.wide_value(scalar::cosine(emitter.wide(x))),
                                            std::cos(static_cast<long double>(x))));
      emitter.clear();
    }
  }
  CHECK(largest <= 1.0);
  CHECK(std::isnan(emitter.wide_value(scalar::sine(emitter.wide(0x1p31)))));
}

TEST_CASE("numbers_are_converted_between_float32_float64_and_whole_ones") {
  FloatEmitter emitter;
  const Lane third = emitter.wide(1.0 / 3);
  CHECK(emitter.value(scalar::convert(third, LaneKind::f32)) == 1.0f / 3);
  CHECK(emitter.wide_value(scalar::convert(emitter.lane(0.1f), LaneKind::f64)) == static_cast<double>(0.1f));
  const auto whole = [&](double x) {
    return emitter.wide_value(scalar::convert(scalar::convert(emitter.wide(x), LaneKind::i32), LaneKind::f64));
  };
  CHECK(whole(-16777217.75) == -16777217);
  CHECK(whole(3e9) == 2147483647);
  CHECK(whole(-3e9) == -2147483648.0);
  CHECK(whole(std::numeric_limits<double>::quiet_NaN()) == 0);
  CHECK(emitter.wide_value(scalar::remainder(emitter.wide(7.5), emitter.wide(-2))) == 1.5);
  CHECK(std::isnan(emitter.wide_value(scalar::maximum(emitter.wide(1), emitter.wide(NAN)))));
}

TEST_CASE("sine_and_cosine_are_within_1_ulp_up_to_8192") {
  FloatEmitter emitter;
  double largest = 0;
  for (int i = -100000; i <= 100000; ++i) {
    const float x = static_cast<float>(i) * 0.08192f;
    const auto exact = static_cast<double>(x);
    largest = std::max(largest, ulps(emitter.value(scalar::sine(emitter.lane(x))), std::sin(exact)));
    largest = std::max(largest, ulps(emitter.value(scalar::cosine(emitter.lane(x))), std::cos(exact)));
    emitter.clear();
  }
  CHECK(largest <= 1.0);
  CHECK(std::isnan(emitter.value(scalar::sine(emitter.lane(2e6f)))));
}

TEST_CASE("the_interpreter_and_the_code_of_functions_agree_on_zeros_infinities_and_nan") {
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  FloatEmitter emitter;
  for (const OpInfo& op : all_ops()) {
    if (op.kind != OpKind::elementwise || op.arity != 1 || op.signature != Signature::real) continue;
    for (const float x : {0.0f, -0.0f, 1.0f, -1.0f, inf, -inf, nan}) {
      const double exact = op.meaning(static_cast<double>(x), 0, 0);
      const float got = emitter.value(op.code(emitter.lane(x), {}, {}, LaneKind::f32));
      INFO(op.name << " of " << x << ": " << got << ", exact " << exact);
      const auto value = static_cast<double>(got);
      const bool close = value == exact || std::fabs(value - exact) <= 0x1p-22 * std::fabs(exact);  // 2 ULP
      CHECK((std::isnan(exact) ? std::isnan(got) : close));
    }
  }
}

TEST_CASE("functions_treat_zeros_infinities_and_nan_as_ieee_754_asks") {
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  FloatEmitter emitter;
  const auto at = [&](Lane (*f)(Lane), float x) { return emitter.value(f(emitter.lane(x))); };
  const auto is_negative_zero = [](float x) { return x == 0 && std::signbit(x); };
  for (auto* f : {scalar::exp, scalar::expm1, scalar::log, scalar::log1p, scalar::logistic, scalar::softplus,
                  scalar::tanh, scalar::erf, scalar::scaled_erfc, scalar::sine, scalar::cosine, scalar::sign}) {
    CHECK(std::isnan(at(f, nan)));
  }
  CHECK(at(scalar::exp, -inf) == 0);
  CHECK(at(scalar::exp, inf) == inf);
  CHECK(at(scalar::exp, 0) == 1);
  CHECK(at(scalar::expm1, -inf) == -1);
  CHECK(at(scalar::expm1, inf) == inf);
  CHECK(is_negative_zero(at(scalar::expm1, -0.0f)));
  CHECK(at(scalar::log, inf) == inf);
  CHECK(at(scalar::log, 0) == -inf);
  CHECK(at(scalar::log, -0.0f) == -inf);
  CHECK(std::isnan(at(scalar::log, -1)));
  CHECK(at(scalar::log1p, -1) == -inf);
  CHECK(at(scalar::log1p, inf) == inf);
  CHECK(is_negative_zero(at(scalar::log1p, -0.0f)));
  CHECK(at(scalar::logistic, -inf) == 0);
  CHECK(at(scalar::logistic, inf) == 1);
  CHECK(at(scalar::softplus, -inf) == 0);
  CHECK(at(scalar::softplus, inf) == inf);
  CHECK(at(scalar::tanh, inf) == 1);
  CHECK(at(scalar::tanh, -inf) == -1);
  CHECK(is_negative_zero(at(scalar::tanh, -0.0f)));
  CHECK(at(scalar::erf, inf) == 1);
  CHECK(at(scalar::erf, -inf) == -1);
  CHECK(at(scalar::scaled_erfc, 0) == 1);
  CHECK(at(scalar::scaled_erfc, inf) == 0);
  CHECK(is_negative_zero(at(scalar::erf, -0.0f)));
  CHECK(std::isnan(at(scalar::sine, inf)));
  CHECK(at(scalar::cosine, 0) == 1);
  // Subnormal numbers are numbers.
  const float least = std::numeric_limits<float>::denorm_min();
  CHECK(at(scalar::tanh, least) == least);
  CHECK(at(scalar::log1p, least) == least);
  CHECK(at(scalar::exp, -103.0f) > 0);
  CHECK(std::fabs(at(scalar::log, least) + 103.27893f) < 1e-5f);
}

TEST_CASE("power_keeps_its_relative_error_bound") {
  FloatEmitter emitter;
  for (float a : {0.001f, 0.5f, 0.9f, 0.999f, 1.0f, 1.5f, 10.0f, 1000.0f}) {
    for (float b : {-3.0f, -1.0f, -0.5f, 0.0f, 0.5f, 1.0f, 2.0f, 3.5f, 12.0f}) {
      const double exact = std::pow(static_cast<double>(a), static_cast<double>(b));
      const double bound = 0x1p-22 * (2 + std::fabs(b * std::log(static_cast<double>(a))));
      CHECK(std::fabs(emitter.value(scalar::power(emitter.lane(a), emitter.lane(b))) / exact - 1) <= bound);
    }
  }
  for (double a : {0.001, 0.5, 0.9, 0.999, 1.0, 1.5, 10.0, 1000.0}) {
    for (double b : {-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.5, 12.0}) {
      const double bound = 0x1p-51 * (2 + std::fabs(b * std::log(a)));
      CHECK(std::fabs(emitter.wide_value(scalar::power(emitter.wide(a), emitter.wide(b))) / std::pow(a, b) - 1) <=
            bound);
    }
  }
  CHECK(emitter.value(scalar::power(emitter.lane(-2), emitter.lane(3))) == Approx(-8));
  CHECK(emitter.value(scalar::power(emitter.lane(-2), emitter.lane(2))) == Approx(4));
  CHECK(std::isnan(emitter.value(scalar::power(emitter.lane(-2), emitter.lane(0.5f)))));
}

TEST_CASE("threefry_in_lanes_is_threefry") {
  FloatEmitter emitter;
  for (std::int32_t i = 0; i < 100; ++i) {
    const auto integer = [&](std::int32_t v) { return Lane{&emitter, emitter.i32(v), LaneKind::i32}; };
    const float u = emitter.value(scalar::threefry_uniform(integer(7), integer(3), integer(i), integer(11)));
    CHECK(u == uniform_from_bits(threefry2x32(7, 3, static_cast<std::uint32_t>(i), 11)[0]));
  }
}
