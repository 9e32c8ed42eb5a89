// The error of every elementary function over all 2^32 floats, in the vector code that kernels are made of.
//
//   numerics [--stride N] [NAME ...]     all functions of one number, or the named ones; every Nth float
//
// The exact value is libm's in float64. An error is counted in units in the last place of the float nearest to it; NaN
// and infinity must come where they are due. Exits with 1 if a function exceeds its bound, which ir/scalar.h states.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "codegen/compile.h"
#include "ir/expr.h"
#include "ir/op.h"

using namespace descent;

namespace {

/// The bound of a function in ULP, and up to which |x| it holds.
struct Bound {
  const char* name;
  double ulp;
  double range = std::numeric_limits<double>::infinity();
};
constexpr Bound kBounds[] = {{"exponential", 1}, {"exponential_minus_one", 1},
                             {"log", 1},         {"log_plus_one", 1},
                             {"logistic", 1},    {"softplus", 2},
                             {"tanh", 1},        {"erf", 1},
                             {"sqrt", 0.5},      {"sine", 1, 8192},
                             {"cosine", 1, 8192}};

/// The largest error that has been met.
struct Worst {
  double ulp = 0;
  float at = 0, got = 0;
  double exact = 0;
};

double ulps(float got, double exact) {
  constexpr double kWrong = 1e9;
  if (std::isnan(exact)) return std::isnan(got) ? 0 : kWrong;
  const float nearest = static_cast<float>(exact);
  if (std::isinf(nearest)) return got == nearest || std::fabs(got) == std::numeric_limits<float>::max() ? 0 : kWrong;
  if (!std::isfinite(got)) return std::isinf(got) && std::fabs(exact) > 3.4028234e38 ? 0 : kWrong;
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::fabs(static_cast<double>(got) - exact) * std::ldexp(1.0, 24 - std::max(exponent, -125));
}

/// The op compiled as a kernel over [n].
std::shared_ptr<const codegen::CompiledProgram> compile(ir::Op op) {
  ir::Program program;
  program.name = "numerics";
  const ir::Shape shape{ir::Dimension::symbol("n")};
  program.inputs = {{"x", shape}};
  const ir::Node* x = program.graph->leaf(ir::Op::input, "x", shape);
  program.functions.push_back({"predict", {{"y", program.graph->make(op, {x})}}, {}});
  return codegen::compile(program, {"predict"});
}

/// The largest error over every `stride`-th float from `begin` to `end`, by their bits.
Worst measure(const codegen::CompiledFunction& function, double (*exact)(double, double, double), double range,
              std::uint64_t begin, std::uint64_t end, std::uint64_t stride) {
  constexpr std::int64_t kBlock = 1 << 14;
  std::vector<float> x(kBlock), y(kBlock);
  std::vector<void*> buffers(function.plan.buffers.size());
  buffers[static_cast<std::size_t>(function.plan.buffer("x"))] = x.data();
  buffers[static_cast<std::size_t>(function.plan.buffer("y"))] = y.data();
  codegen::RunState state;
  Worst worst;
  for (std::uint64_t at = begin; at < end;) {
    std::int64_t count = 0;
    for (; count < kBlock && at < end; at += stride) {
      const float value = std::bit_cast<float>(static_cast<std::uint32_t>(at));
      if (std::isinf(range) || std::fabs(value) <= range) x[static_cast<std::size_t>(count++)] = value;
    }
    function.run(buffers.data(), &count, &state);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const double value = exact(static_cast<double>(x[i]), 0, 0);
      if (y[i] == static_cast<float>(value) && worst.ulp >= 0.5) continue;  // correctly rounded: most are
      const double error = ulps(y[i], value);
      if (error > worst.ulp) worst = {error, x[i], y[i], value};
    }
  }
  return worst;
}

/// The same over all floats, by as many threads as there are cores.
Worst measure_all(const Bound& bound, std::uint64_t stride) {
  const ir::Op op = *ir::find_op(bound.name);
  const auto program = compile(op);
  const std::uint64_t threads = std::max(1u, std::thread::hardware_concurrency());
  const std::uint64_t all = std::uint64_t{1} << 32;
  std::vector<Worst> errors(threads);
  std::vector<std::thread> workers;
  for (std::uint64_t t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      errors[t] = measure(program->function("predict"), ir::info(op).meaning, bound.range, all * t / threads,
                          all * (t + 1) / threads, stride);
    });
  }
  for (std::thread& worker : workers) worker.join();
  // Zeros, the largest numbers, infinities and NaN, whatever the stride.
  for (const std::uint64_t begin : {0x00000000u, 0x7f7ffffeu, 0x80000000u, 0xff7ffffeu}) {
    errors.push_back(measure(program->function("predict"), ir::info(op).meaning, bound.range, begin, begin + 4, 1));
  }
  return *std::max_element(errors.begin(), errors.end(), [](const Worst& a, const Worst& b) { return a.ulp < b.ulp; });
}

}  // namespace

int main(int argc, char** argv) {
  std::set<std::string> names;
  std::uint64_t stride = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--stride") == 0 && i + 1 < argc)
      stride = std::max<std::uint64_t>(1, std::stoull(argv[++i]));
    else
      names.insert(argv[i]);
  }
  bool failed = false;
  const bool all = names.empty();
  for (const Bound& bound : kBounds) {
    if (!all && names.erase(bound.name) == 0) continue;
    const auto start = std::chrono::steady_clock::now();
    const Worst worst = measure_all(bound, stride);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    ir::Graph graph;
    const int instructions =
        ir::instruction_count(graph.make(*ir::find_op(bound.name), {graph.leaf(ir::Op::input, "x", {})}));
    const bool exceeds = worst.ulp > bound.ulp;
    fmt::print("{:<22} {:6.3f} ULP of {} at {:.9g}: {:.9g}, exact {:.12g} ({} instructions, {:.0f} s){}\n", bound.name,
               worst.ulp, bound.ulp, worst.at, worst.got, worst.exact, instructions, seconds,
               exceeds ? "  TOO MUCH" : "");
    std::fflush(stdout);  // a function takes minutes: each is shown when it is done, in a file too
    failed = failed || exceeds;
  }
  for (const std::string& name : names) {
    fmt::print(stderr, "numerics: no bound is stated for '{}'\n", name);
    failed = true;
  }
  return failed ? 1 : 0;
}
