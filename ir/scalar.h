// Elementwise code without a machine: what an op does to one lane, written once in the few instructions below.
//
// The code generator implements ScalarEmitter with vectors of LLVM IR; tests implement it with plain floats, so that
// the accuracy of every function can be measured without a compiler. Functions such as exp are built from these
// instructions in scalar_math.cpp: no call leaves the kernel.
#pragma once

#include <cstdint>

namespace descent::ir {

/// Instructions on lanes: f are float32 or float64 lanes, i int32 or int64 lanes, m masks. The lanes of one instruction
/// are of one kind, and so is its result, where nothing else is said.
enum class Instruction : std::uint8_t {
  f_add,
  f_sub,
  f_mul,
  f_div,
  f_fma,    ///< a * b + c, rounded once
  f_min,    ///< a < b ? a : b, so the second operand where either is NaN
  f_max,    ///< a > b ? a : b, so the second operand where either is NaN
  f_scale,  ///< a * 2^b, rounded once, for whole b and for NaN; only where ScalarEmitter::scales
  f_sqrt,
  f_abs,
  f_neg,
  f_copysign,  ///< the magnitude of a with the sign of b
  f_round,     ///< to the nearest integer, ties to even
  f_lt,
  f_le,
  f_eq,
  f_ne,      ///< masks; false for NaN, but f_ne true
  f_select,  ///< mask a: b, else c
  f_to_i,    ///< truncation to int32; only for values that fit
  i_to_f,    ///< int32 to float32
  i_to_d,    ///< int32 to float64
  f_to_d,    ///< float32 to float64
  d_to_f,    ///< float64 to the nearest float32
  i_widen,   ///< int32 to int64
  i_narrow,  ///< the low half of int64
  f_bits,
  i_as_f,  ///< the same bits as a whole number of as many, and back
  i_add,
  i_sub,
  i_mul,
  i_and,
  i_or,
  i_xor,
  i_shl,
  i_lshr,
  i_ashr,
  i_select,
  i_eq,
  i_lt,
  i_le,  ///< of signed numbers
  m_and,
  m_or,
  m_not,
};

/// What a lane holds; it decides which instruction an operator such as + stands for.
enum class LaneKind : std::uint8_t { f32, f64, i32, i64, mask };

using LaneHandle = void*;

class ScalarEmitter {
 public:
  virtual ~ScalarEmitter() = default;
  /// Whether there is f_scale for numbers of this kind.
  virtual bool scales(LaneKind /*kind*/) const { return false; }
  virtual LaneHandle emit(Instruction instruction, LaneHandle a, LaneHandle b = nullptr, LaneHandle c = nullptr) = 0;
  virtual LaneHandle f32(float value) = 0;
  virtual LaneHandle f64(double value) = 0;
  virtual LaneHandle i32(std::int32_t value) = 0;
  virtual LaneHandle i64(std::int64_t value) = 0;
};

struct Lane {
  ScalarEmitter* emitter = nullptr;
  LaneHandle handle = nullptr;
  LaneKind kind = LaneKind::f32;
  /// A real number: float64 beside float64 lanes, else float32.
  Lane number(double value) const {
    if (kind == LaneKind::f64) return {emitter, emitter->f64(value), LaneKind::f64};
    return {emitter, emitter->f32(static_cast<float>(value)), LaneKind::f32};
  }
  /// A whole number: int64 beside int64 lanes, else int32.
  Lane integer(std::int64_t value) const {
    if (kind == LaneKind::i64) return {emitter, emitter->i64(value), LaneKind::i64};
    return {emitter, emitter->i32(static_cast<std::int32_t>(value)), LaneKind::i32};
  }
};

/// What an instruction gives whose first operand (of selections: second) is of this kind.
inline LaneKind result_kind(Instruction i, LaneKind operand) {
  switch (i) {
    case Instruction::f_to_i:
    case Instruction::i_narrow:
      return LaneKind::i32;
    case Instruction::i_widen:
      return LaneKind::i64;
    case Instruction::f_bits:
      return operand == LaneKind::f64 ? LaneKind::i64 : LaneKind::i32;
    case Instruction::i_as_f:
      return operand == LaneKind::i64 ? LaneKind::f64 : LaneKind::f32;
    case Instruction::i_to_f:
    case Instruction::d_to_f:
      return LaneKind::f32;
    case Instruction::i_to_d:
    case Instruction::f_to_d:
      return LaneKind::f64;
    case Instruction::f_lt:
    case Instruction::f_le:
    case Instruction::f_eq:
    case Instruction::f_ne:
    case Instruction::i_lt:
    case Instruction::i_le:
    case Instruction::i_eq:
      return LaneKind::mask;
    default:
      return operand;
  }
}

inline Lane emit(Instruction i, Lane a) { return {a.emitter, a.emitter->emit(i, a.handle), result_kind(i, a.kind)}; }
inline Lane emit(Instruction i, Lane a, Lane b) {
  return {a.emitter, a.emitter->emit(i, a.handle, b.handle), result_kind(i, a.kind)};
}
inline Lane emit(Instruction i, Lane a, Lane b, Lane c) {
  return {a.emitter, a.emitter->emit(i, a.handle, b.handle, c.handle), result_kind(i, b.kind)};
}
inline bool is_whole(Lane a) { return a.kind == LaneKind::i32 || a.kind == LaneKind::i64; }
/// One of two instructions: that for floats or that for whole numbers.
inline Instruction by_kind(Lane a, Instruction real, Instruction integer) { return is_whole(a) ? integer : real; }

inline Lane operator+(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_add, Instruction::i_add), a, b); }
inline Lane operator-(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_sub, Instruction::i_sub), a, b); }
inline Lane operator*(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_mul, Instruction::i_mul), a, b); }
inline Lane operator/(Lane a, Lane b) { return emit(Instruction::f_div, a, b); }
inline Lane operator+(Lane a, double b) { return a + a.number(b); }
inline Lane operator-(Lane a, double b) { return a - a.number(b); }
inline Lane operator*(Lane a, double b) { return a * a.number(b); }
inline Lane operator-(Lane a) { return is_whole(a) ? a.integer(0) - a : emit(Instruction::f_neg, a); }

namespace scalar {

inline Lane fma(Lane a, Lane b, Lane c) { return emit(Instruction::f_fma, a, b, c); }
inline Lane fma(Lane a, Lane b, double c) { return fma(a, b, a.number(c)); }
inline Lane fma(Lane a, double b, Lane c) { return fma(a, a.number(b), c); }
inline Lane sqrt(Lane a) { return emit(Instruction::f_sqrt, a); }
inline Lane copysign(Lane a, Lane b) { return emit(Instruction::f_copysign, a, b); }
inline Lane round(Lane a) { return emit(Instruction::f_round, a); }
inline Lane less(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_lt, Instruction::i_lt), a, b); }
inline Lane less_equal(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_le, Instruction::i_le), a, b); }
inline Lane equal(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_eq, Instruction::i_eq), a, b); }
inline Lane mask_and(Lane a, Lane b) { return emit(Instruction::m_and, a, b); }
inline Lane mask_or(Lane a, Lane b) { return emit(Instruction::m_or, a, b); }
inline Lane mask_not(Lane a) { return emit(Instruction::m_not, a); }
inline Lane not_equal(Lane a, Lane b) { return is_whole(a) ? mask_not(equal(a, b)) : emit(Instruction::f_ne, a, b); }
inline Lane select(Lane m, Lane a, Lane b) { return emit(Instruction::f_select, m, a, b); }

// Larger and smaller operand, NaN if either is NaN.
Lane maximum(Lane a, Lane b);
Lane minimum(Lane a, Lane b);
Lane sign(Lane a);
Lane abs(Lane a);
/// `a` as lanes of another kind: what the op convert means (ir/ops.def).
Lane convert(Lane a, LaneKind kind);
Lane floor(Lane a);
Lane trunc(Lane a);
Lane remainder(Lane a, Lane b);
Lane is_finite(Lane a);

// Functions in float32 and float64; the error bounds in units in the last place (ULP) of either are those that
// tests/ir/scalar_math.cpp checks.
Lane exp(Lane a);          ///< 1 ULP, gradual underflow included
Lane decay(Lane a);        ///< exp(-|a|), 1 ULP
Lane expm1(Lane a);        ///< 1 ULP
Lane log(Lane a);          ///< 1 ULP
Lane log1p(Lane a);        ///< 1 ULP
Lane logistic(Lane a);     ///< 1 ULP
Lane softplus(Lane a);     ///< 2 ULP
Lane tanh(Lane a);         ///< 1 ULP
Lane erf(Lane a);          ///< 1 ULP; in float64 2
Lane scaled_erfc(Lane a);  ///< e^(a^2) (1 - erf(|a|)), 7 ULP
/// 1 ULP: in float32 for |a| <= 8192, from there absolute error 1e-6 and NaN from 1e6 on; in float64 for |a| < 2^30,
/// and NaN from there on.
Lane sine(Lane a);
Lane cosine(Lane a);         ///< as sine
Lane power(Lane a, Lane b);  ///< relative error 2^-22 * (2 + |b log a|), in float64 2^-51 * (2 + |b log a|)

/// The uniform number in [0, 1) of ir/threefry.h for int32 lanes.
Lane threefry_uniform(Lane seed, Lane stream, Lane element, Lane step);

}  // namespace scalar
}  // namespace descent::ir
