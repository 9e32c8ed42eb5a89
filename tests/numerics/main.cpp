// The error of every elementary function, in the vector code that kernels are made of: over all 2^32 floats, and over a
// sample of the doubles.
//
//   numerics [--stride N] [--cpu NAME] [f32|f64] [NAME ...]
//
// All functions of one number, or the named ones; every Nth float and sample of the doubles, or of one type alone; the
// code for an older processor, such as x86-64 (without FMA), if this one runs it.
//
// The exact value is libm's in the next wider type. An error is counted in units in the last place of the number
// nearest to it; NaN and infinity must come where they are due. Exits with 1 if a function exceeds its bound, which
// ir/scalar.h states.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "codegen/compile.h"
#include "ir/expr.h"
#include "ir/op.h"

using namespace descent;

namespace {

constexpr double kAnywhere = std::numeric_limits<double>::infinity();

/// The bounds of a function in ULP, and up to which |x| they hold.
struct Bound {
  const char* name;
  double f32, f64;
  double f32_range = kAnywhere, f64_range = kAnywhere;
};
constexpr Bound kBounds[] = {{"exponential", 1, 1},
                             {"exponential_minus_one", 1, 1},
                             {"log", 1, 1},
                             {"log_plus_one", 1, 1},
                             {"logistic", 1, 1},
                             {"softplus", 2, 2},
                             {"tanh", 1, 1},
                             {"erf", 1, 2},
                             {"scaled_erfc", 7, 7},
                             {"sqrt", 0.5, 0.5},
                             {"sine", 1, 1, 8192, 0x1p30},
                             {"cosine", 1, 1, 8192, 0x1p30}};

template <typename Number>
struct Traits;
template <>
struct Traits<float> {
  using Wide = double;
  using Bits = std::uint32_t;
  static constexpr ir::DType dtype = ir::DType::f32;
  static constexpr Bits largest = 0x7f7fffff, sign = 0x80000000;
};
template <>
struct Traits<double> {
  using Wide = long double;
  using Bits = std::uint64_t;
  static constexpr ir::DType dtype = ir::DType::f64;
  static constexpr Bits largest = 0x7fefffffffffffff, sign = 0x8000000000000000;
};

template <typename Number>
Number from_bits(typename Traits<Number>::Bits bits) {
  return std::bit_cast<Number>(bits);
}

/// The largest error that has been met.
template <typename Number>
struct Worst {
  double ulp = 0;
  Number at = 0, got = 0;
  typename Traits<Number>::Wide exact = 0;
};

/// e^(x^2) (1 - erf(|x|)); from 5 on by its continued fraction.
template <typename Wide>
Wide exact_scaled_erfc(Wide x) {
  x = std::fabs(x);
  if (!(x > 5)) return std::exp(x * x) * std::erfc(x);
  Wide rest = 0;
  for (int k = 100; k > 0; --k) rest = Wide(k) / 2 / (x + rest);
  return Wide(0.564189583547756286948079451560772586L) / (x + rest);
}

template <typename Wide>
Wide exact_value(ir::Op op, Wide x) {
  switch (op) {
    case ir::Op::exponential:
      return std::exp(x);
    case ir::Op::exponential_minus_one:
      return std::expm1(x);
    case ir::Op::log:
      return std::log(x);
    case ir::Op::log_plus_one:
      return std::log1p(x);
    case ir::Op::logistic:
      return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
    case ir::Op::softplus:
      return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::fabs(x)));
    case ir::Op::tanh:
      return std::tanh(x);
    case ir::Op::erf:
      return std::erf(x);
    case ir::Op::scaled_erfc:
      return exact_scaled_erfc(x);
    case ir::Op::sqrt:
      return std::sqrt(x);
    case ir::Op::sine:
      return std::sin(x);
    case ir::Op::cosine:
      return std::cos(x);
    default:
      return std::numeric_limits<Wide>::quiet_NaN();
  }
}

template <typename Number>
double ulps(Number got, typename Traits<Number>::Wide exact) {
  using Wide = typename Traits<Number>::Wide;
  using Limits = std::numeric_limits<Number>;
  constexpr double kWrong = 1e9;
  if (std::isnan(exact)) return std::isnan(got) ? 0 : kWrong;
  const auto nearest = static_cast<Number>(exact);
  if (std::isinf(nearest)) return got == nearest || std::fabs(got) == Limits::max() ? 0 : kWrong;
  if (!std::isfinite(got)) return std::isinf(got) && std::fabs(exact) > Wide{Limits::max()} ? 0 : kWrong;
  int exponent = 0;
  std::frexp(exact, &exponent);
  const int unit = std::max(exponent, Limits::min_exponent) - Limits::digits;
  return static_cast<double>(std::ldexp(std::fabs(Wide{got} - exact), -unit));
}

using Older = std::optional<codegen::OlderMachine>;

/// The op compiled as a kernel over [n].
std::shared_ptr<const codegen::CompiledProgram> compile(ir::Op op, ir::DType dtype, const Older& older) {
  ir::Program program;
  program.name = "numerics";
  const ir::Shape shape{ir::Dimension::symbol("n")};
  program.inputs.push_back({"x", shape});
  program.inputs.back().dtype = dtype;
  const ir::Node* x = program.graph->leaf(ir::Op::input, "x", shape, dtype);
  program.functions.push_back({"predict", {{"y", program.graph->make(op, {x})}}, {}});
  return codegen::compile(program, {"predict"}, nullptr, older);
}

/// The largest error over the numbers with the indices `begin`, `begin` + `stride`, ... before `end`.
template <typename Number, typename At>
Worst<Number> measure(const codegen::CompiledFunction& function, ir::Op op, double range, std::uint64_t begin,
                      std::uint64_t end, std::uint64_t stride, At number_at) {
  using Wide = typename Traits<Number>::Wide;
  constexpr std::int64_t kBlock = 1 << 14;
  std::vector<Number> x(kBlock), y(kBlock);
  std::vector<void*> buffers(function.plan.buffers.size());
  buffers[static_cast<std::size_t>(function.plan.buffer("x"))] = x.data();
  buffers[static_cast<std::size_t>(function.plan.buffer("y"))] = y.data();
  const codegen::AddressTable addresses(function.slots, std::move(buffers));
  codegen::RunState state;
  Worst<Number> worst;
  for (std::uint64_t at = begin; at < end;) {
    std::int64_t count = 0;
    for (; count < kBlock && at < end; at += stride) {
      const Number value = number_at(at);
      if (std::isinf(range) || std::fabs(value) <= static_cast<Number>(range))
        x[static_cast<std::size_t>(count++)] = value;
    }
    function.run(addresses.data(), &count, &state);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const Wide value = exact_value<Wide>(op, x[i]);
      if (y[i] == static_cast<Number>(value) && worst.ulp >= 0.5) continue;  // correctly rounded: most are
      const double error = ulps<Number>(y[i], value);
      if (error > worst.ulp) worst = {error, x[i], y[i], value};
    }
  }
  return worst;
}

constexpr std::uint64_t kSamples = std::uint64_t{1} << 28;  ///< of the doubles

/// Half of them from all doubles, and half from those between 2^-64 and 2^11 in magnitude, where functions bend.
/// Multiples of the golden ratio are spread evenly, however many there are (Weyl).
double sample(std::uint64_t i) {
  const std::uint64_t bits = i * 0x9e3779b97f4a7c15u;
  const std::uint64_t other_bits = i * 0xd1342543de82ef95u;
  if (other_bits >> 63 != 0) return from_bits<double>(bits);
  constexpr std::uint64_t kExponents = 75, kLowest = 1023 - 64;
  const std::uint64_t exponent = kLowest + ((bits >> 32) * kExponents >> 32);
  const std::uint64_t mantissa = other_bits << 1 >> 12;
  return from_bits<double>((bits << 63) | exponent << 52 | mantissa);
}

/// The same over all floats or the samples of the doubles, by as many threads as there are cores.
template <typename Number>
Worst<Number> measure_all(ir::Op op, double range, std::uint64_t stride, const Older& older) {
  using Bits = typename Traits<Number>::Bits;
  constexpr bool all = sizeof(Number) == 4;
  const auto program = compile(op, Traits<Number>::dtype, older);
  const codegen::CompiledFunction& function = program->function("predict");
  const std::uint64_t threads = std::max(1u, std::thread::hardware_concurrency());
  const std::uint64_t count = all ? std::uint64_t{1} << 32 : kSamples;
  const auto by_bits = [](std::uint64_t bits) { return from_bits<Number>(static_cast<Bits>(bits)); };
  std::vector<Worst<Number>> errors(threads);
  std::vector<std::thread> workers;
  for (std::uint64_t t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      const std::uint64_t begin = count * t / threads, end = count * (t + 1) / threads;
      if constexpr (all) {
        errors[t] = measure<Number>(function, op, range, begin, end, stride, by_bits);
      } else {
        errors[t] = measure<Number>(function, op, range, begin, end, stride, sample);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  // Zeros, the largest numbers, infinities and NaN, whatever the stride.
  for (const Bits begin : {Bits{0}, Bits(Traits<Number>::largest - 1)}) {
    for (const Bits sign : {Bits{0}, Traits<Number>::sign}) {
      errors.push_back(measure<Number>(function, op, range, begin | sign, (begin | sign) + 4, 1, by_bits));
    }
  }
  return *std::max_element(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.ulp < b.ulp; });
}

/// Prints the largest error of a function; whether it keeps the bound.
template <typename Number>
bool keeps(const Bound& bound, double ulp, double range, std::uint64_t stride, const Older& older) {
  const ir::Op op = *ir::find_op(bound.name);
  const auto start = std::chrono::steady_clock::now();
  const Worst<Number> worst = measure_all<Number>(op, range, stride, older);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ir::Graph graph;
  const int instructions =
      ir::instruction_count(graph.make(op, {graph.leaf(ir::Op::input, "x", {}, Traits<Number>::dtype)}));
  constexpr int digits = std::numeric_limits<Number>::max_digits10;
  fmt::print("{} {:<22} {:6.3f} ULP of {} at {:.{}g}: {:.{}g}, exact {:.{}g} ({} instructions, {:.0f} s){}\n",
             ir::to_string(Traits<Number>::dtype), bound.name, worst.ulp, ulp, worst.at, digits, worst.got, digits,
             worst.exact, digits + 3, instructions, seconds, worst.ulp > ulp ? "  TOO MUCH" : "");
  std::fflush(stdout);  // a function takes minutes: each is shown when it is done, in a file too
  return worst.ulp <= ulp;
}

}  // namespace

int main(int argc, char** argv) {
  std::set<std::string> names;
  std::uint64_t stride = 1;
  Older older;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--stride") == 0 && i + 1 < argc)
      stride = std::max<std::uint64_t>(1, std::stoull(argv[++i]));
    else if (std::strcmp(argv[i], "--cpu") == 0 && i + 1 < argc)
      older = codegen::older_machine(argv[++i]);
    else
      names.insert(argv[i]);
  }
  bool failed = false;
  const bool f32_alone = names.erase("f32") > 0, f64_alone = names.erase("f64") > 0;
  const bool all = names.empty();
  for (const Bound& bound : kBounds) {
    if (!all && names.erase(bound.name) == 0) continue;
    if (!f64_alone && !keeps<float>(bound, bound.f32, bound.f32_range, stride, older)) failed = true;
    if (!f32_alone && !keeps<double>(bound, bound.f64, bound.f64_range, stride, older)) failed = true;
  }
  for (const std::string& name : names) {
    fmt::print(stderr, "numerics: no bound is stated for '{}'\n", name);
    failed = true;
  }
  return failed ? 1 : 0;
}
