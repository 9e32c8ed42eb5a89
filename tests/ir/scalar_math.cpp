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

/// Every value is a 32-bit word on the heap; masks are 0 and 1.
class FloatEmitter : public ScalarEmitter {
 public:
  LaneHandle f32(float value) override { return keep(std::bit_cast<std::uint32_t>(value)); }
  LaneHandle i32(std::int32_t value) override { return keep(static_cast<std::uint32_t>(value)); }
  LaneHandle emit(Instruction instruction, LaneHandle x, LaneHandle y, LaneHandle z) override {
    const std::uint32_t a = word(x), b = y ? word(y) : 0, c = z ? word(z) : 0;
    const float fa = std::bit_cast<float>(a), fb = std::bit_cast<float>(b), fc = std::bit_cast<float>(c);
    switch (instruction) {
      case Instruction::f_add:
        return f32(fa + fb);
      case Instruction::f_sub:
        return f32(fa - fb);
      case Instruction::f_mul:
        return f32(fa * fb);
      case Instruction::f_div:
        return f32(fa / fb);
      case Instruction::f_fma:
        return f32(std::fma(fa, fb, fc));
      case Instruction::f_min:
        return f32(fa < fb ? fa : fb);
      case Instruction::f_max:
        return f32(fa > fb ? fa : fb);
      case Instruction::f_sqrt:
        return f32(std::sqrt(fa));
      case Instruction::f_abs:
        return f32(std::fabs(fa));
      case Instruction::f_neg:
        return f32(-fa);
      case Instruction::f_copysign:
        return f32(std::copysign(fa, fb));
      case Instruction::f_round:
        return f32(std::nearbyint(fa));
      case Instruction::f_lt:
        return keep(fa < fb);
      case Instruction::f_le:
        return keep(fa <= fb);
      case Instruction::f_eq:
        return keep(fa == fb);
      case Instruction::f_ne:
        return keep(fa != fb);
      case Instruction::f_select:
      case Instruction::i_select:
        return keep(a != 0 ? b : c);
      case Instruction::f_to_i:
        return i32(std::fabs(fa) < 2e9f ? static_cast<std::int32_t>(fa) : 0);
      case Instruction::i_to_f:
        return f32(static_cast<float>(static_cast<std::int32_t>(a)));
      case Instruction::f_bits:
      case Instruction::i_as_f:
        return keep(a);
      case Instruction::i_add:
        return keep(a + b);
      case Instruction::i_sub:
        return keep(a - b);
      case Instruction::i_mul:
        return keep(a * b);
      case Instruction::i_and:
      case Instruction::m_and:
        return keep(a & b);
      case Instruction::i_or:
      case Instruction::m_or:
        return keep(a | b);
      case Instruction::i_xor:
        return keep(a ^ b);
      case Instruction::i_shl:
        return keep(a << b);
      case Instruction::i_lshr:
        return keep(a >> b);
      case Instruction::i_ashr:
        return i32(static_cast<std::int32_t>(a) >> b);
      case Instruction::i_eq:
        return keep(a == b);
      case Instruction::i_lt:
        return keep(static_cast<std::int32_t>(a) < static_cast<std::int32_t>(b));
      case Instruction::i_le:
        return keep(static_cast<std::int32_t>(a) <= static_cast<std::int32_t>(b));
      case Instruction::m_not:
        return keep(a ^ 1u);
    }
    return nullptr;
  }
  Lane lane(float value) { return {this, f32(value)}; }
  float value(Lane l) { return std::bit_cast<float>(word(l.handle)); }
  void clear() { words_.clear(); }

 private:
  static std::uint32_t word(LaneHandle h) { return *static_cast<std::uint32_t*>(h); }
  LaneHandle keep(std::uint32_t w) {
    words_.push_back(std::make_unique<std::uint32_t>(w));
    return words_.back().get();
  }
  std::vector<std::unique_ptr<std::uint32_t>> words_;
};

/// The distance of `got` from the exact value in units of the last place of the nearest float.
double ulps(float got, double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e9;
  const float nearest = static_cast<float>(exact);
  if (std::isinf(nearest)) return got == nearest || std::fabs(got) == std::numeric_limits<float>::max() ? 0 : 1e9;
  const double next = std::nextafter(std::fabs(nearest), std::numeric_limits<float>::infinity());
  return std::fabs(static_cast<double>(got) - exact) / (next - std::fabs(static_cast<double>(nearest)));
}

double worst(const char* name) {
  FloatEmitter emitter;
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
  CHECK(worst("exponential_minus_one") <= 1.0);
  CHECK(worst("log") <= 1.0);
  CHECK(worst("log_plus_one") <= 1.0);
  CHECK(worst("logistic") <= 1.0);
  CHECK(worst("softplus") <= 2.0);
  CHECK(worst("tanh") <= 1.0);
  CHECK(worst("erf") <= 1.0);
  CHECK(worst("sqrt") <= 0.5);
  CHECK(worst("floor") == 0.0);
  CHECK(worst("round_nearest_even") == 0.0);
  CHECK(worst("abs") == 0.0);
  CHECK(worst("sign") == 0.0);
  CHECK(worst("negate") == 0.0);
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
                  scalar::tanh, scalar::erf, scalar::sine, scalar::cosine, scalar::sign}) {
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
  CHECK(emitter.value(scalar::power(emitter.lane(-2), emitter.lane(3))) == Approx(-8));
  CHECK(emitter.value(scalar::power(emitter.lane(-2), emitter.lane(2))) == Approx(4));
  CHECK(std::isnan(emitter.value(scalar::power(emitter.lane(-2), emitter.lane(0.5f)))));
}

TEST_CASE("threefry_in_lanes_is_threefry") {
  FloatEmitter emitter;
  for (std::int32_t i = 0; i < 100; ++i) {
    const auto integer = [&](std::int32_t v) { return Lane{&emitter, emitter.i32(v)}; };
    const float u = emitter.value(scalar::threefry_uniform(integer(7), integer(3), integer(i), integer(11)));
    CHECK(u == uniform_from_bits(threefry2x32(7, 3, static_cast<std::uint32_t>(i), 11)[0]));
  }
}
