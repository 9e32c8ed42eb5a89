// Elementwise code without a machine: what an op does to one lane, written once in the few instructions below.
//
// The code generator implements ScalarEmitter with vectors of LLVM IR; tests implement it with plain floats, so that
// the accuracy of every function can be measured without a compiler. Functions such as exp are built from these
// instructions in scalar_math.cpp: no call leaves the kernel.
#pragma once

#include <cstdint>

namespace descent::ir {

/// Instructions on lanes: f are float32 lanes, i int32 lanes, m masks.
enum class Instruction : std::uint8_t {
  f_add,
  f_sub,
  f_mul,
  f_div,
  f_fma,  ///< a * b + c, rounded once
  f_min,  ///< a < b ? a : b, so the second operand where either is NaN
  f_max,  ///< a > b ? a : b, so the second operand where either is NaN
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
  f_to_i,    ///< truncation; only for values that fit
  i_to_f,
  f_bits,
  i_as_f,  ///< the same bits as int32, as float32
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
enum class LaneKind : std::uint8_t { f32, i32, mask };

using LaneHandle = void*;

class ScalarEmitter {
 public:
  virtual ~ScalarEmitter() = default;
  virtual LaneHandle emit(Instruction instruction, LaneHandle a, LaneHandle b = nullptr, LaneHandle c = nullptr) = 0;
  virtual LaneHandle f32(float value) = 0;
  virtual LaneHandle i32(std::int32_t value) = 0;
};

struct Lane {
  ScalarEmitter* emitter = nullptr;
  LaneHandle handle = nullptr;
  LaneKind kind = LaneKind::f32;
  Lane number(float value) const { return {emitter, emitter->f32(value), LaneKind::f32}; }
  Lane integer(std::int32_t value) const { return {emitter, emitter->i32(value), LaneKind::i32}; }
};

/// What an instruction gives whose first operand (of selections: second) is of this kind.
inline LaneKind result_kind(Instruction i, LaneKind operand) {
  switch (i) {
    case Instruction::f_to_i:
    case Instruction::f_bits:
      return LaneKind::i32;
    case Instruction::i_to_f:
    case Instruction::i_as_f:
      return LaneKind::f32;
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
/// One of two instructions: that for floats or that for whole numbers.
inline Instruction by_kind(Lane a, Instruction real, Instruction integer) {
  return a.kind == LaneKind::i32 ? integer : real;
}

inline Lane operator+(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_add, Instruction::i_add), a, b); }
inline Lane operator-(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_sub, Instruction::i_sub), a, b); }
inline Lane operator*(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_mul, Instruction::i_mul), a, b); }
inline Lane operator/(Lane a, Lane b) { return emit(Instruction::f_div, a, b); }
inline Lane operator+(Lane a, float b) { return a + a.number(b); }
inline Lane operator-(Lane a, float b) { return a - a.number(b); }
inline Lane operator*(Lane a, float b) { return a * a.number(b); }
inline Lane operator-(Lane a) { return a.kind == LaneKind::i32 ? a.integer(0) - a : emit(Instruction::f_neg, a); }

namespace scalar {

inline Lane fma(Lane a, Lane b, Lane c) { return emit(Instruction::f_fma, a, b, c); }
inline Lane fma(Lane a, Lane b, float c) { return fma(a, b, a.number(c)); }
inline Lane fma(Lane a, float b, Lane c) { return fma(a, a.number(b), c); }
inline Lane sqrt(Lane a) { return emit(Instruction::f_sqrt, a); }
inline Lane copysign(Lane a, Lane b) { return emit(Instruction::f_copysign, a, b); }
inline Lane round(Lane a) { return emit(Instruction::f_round, a); }
inline Lane less(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_lt, Instruction::i_lt), a, b); }
inline Lane less_equal(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_le, Instruction::i_le), a, b); }
inline Lane equal(Lane a, Lane b) { return emit(by_kind(a, Instruction::f_eq, Instruction::i_eq), a, b); }
inline Lane mask_and(Lane a, Lane b) { return emit(Instruction::m_and, a, b); }
inline Lane mask_or(Lane a, Lane b) { return emit(Instruction::m_or, a, b); }
inline Lane mask_not(Lane a) { return emit(Instruction::m_not, a); }
inline Lane not_equal(Lane a, Lane b) {
  return a.kind == LaneKind::i32 ? mask_not(equal(a, b)) : emit(Instruction::f_ne, a, b);
}
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

// Functions in float32; the error bounds in units in the last place (ULP) are those that tests/ir/scalar_math.cpp
// checks.
Lane exp(Lane a);            ///< 1 ULP, gradual underflow included
Lane expm1(Lane a);          ///< 1 ULP
Lane log(Lane a);            ///< 1 ULP
Lane log1p(Lane a);          ///< 1 ULP
Lane logistic(Lane a);       ///< 1 ULP
Lane softplus(Lane a);       ///< 2 ULP
Lane tanh(Lane a);           ///< 1 ULP
Lane erf(Lane a);            ///< 1 ULP
Lane sine(Lane a);           ///< 1 ULP for |a| <= 8192, from there absolute error 1e-6; NaN from 1e6 on
Lane cosine(Lane a);         ///< as sine
Lane power(Lane a, Lane b);  ///< relative error 2^-22 * (2 + |b log a|)

/// The uniform number in [0, 1) of ir/threefry.h for int32 lanes.
Lane threefry_uniform(Lane seed, Lane stream, Lane element, Lane step);

}  // namespace scalar
}  // namespace descent::ir
