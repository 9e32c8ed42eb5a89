// Primitive functions of each element.
#include "frontend/builtins.h"
#include "ir/op.h"

namespace descent::frontend {

namespace {

template <ir::Op op>
Value elementwise(const BuiltinCall& call) {
  return call.lowering.apply(op, call.value(0), call.at(0));
}

constexpr Builtin table[] = {
    {"exp", "x", "e to the power x.", elementwise<ir::Op::exponential>},
    {"expm1", "x", "exp(x) - 1, exact for small x.", elementwise<ir::Op::exponential_minus_one>},
    {"log", "x", "The natural logarithm.", elementwise<ir::Op::log>},
    {"log1p", "x", "log(1 + x), exact for small x.", elementwise<ir::Op::log_plus_one>},
    {"sqrt", "x", "The square root.", elementwise<ir::Op::sqrt>},
    {"abs", "x", "The magnitude.", elementwise<ir::Op::abs>},
    {"sign", "x", "-1, 0 or 1.", elementwise<ir::Op::sign>},
    {"sin", "x", "The sine of an angle in radians.", elementwise<ir::Op::sine>},
    {"erf", "x", "The error function.", elementwise<ir::Op::erf>},
    {"floor", "x", "The next whole number at or below x.", elementwise<ir::Op::floor>},
    {"round", "x", "The nearest whole number, of two the even one.", elementwise<ir::Op::round_nearest_even>},
    {"is_finite", "x", "Whether x is neither an infinity nor NaN.", elementwise<ir::Op::is_finite>},
    {"cos", "x", "The cosine of an angle in radians.", elementwise<ir::Op::cosine>},
    {"stop_gradient", "x", "x itself; no gradient flows through it.", elementwise<ir::Op::stop_gradient>},
};

}  // namespace

std::span<const Builtin> elementwise_builtins() { return table; }

}  // namespace descent::frontend
