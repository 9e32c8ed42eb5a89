// Greedy rewriting and equality saturation, side by side: the derived step of each file simplified by either, then
// lowered and planned alike. `saturation FILE...` prints a table; with no file it checks that what saturation makes of
// random graphs has the same values.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "frontend/frontend.h"
#include "ir/interpreter.h"
#include "ir/op.h"
#include "passes/kernels.h"
#include "passes/passes.h"
#include "passes/unstable.h"
#include "runtime/file.h"
#include "tests/saturation/egraph.h"
#include "tests/support/random_graph.h"
#include "tests/support/rounding.h"

using namespace descent;

namespace {

struct Figures {
  std::size_t nodes = 0, warnings = 0;
  double flops = 0, bytes = 0, milliseconds = 0;
};

/// Of the training step with a batch of 128: ops that compute, arithmetic of the contractions, bytes that kernels move.
Figures figures_of(const ir::Program& derived, double milliseconds) {
  const ir::Program program = passes::lower(derived);
  Figures f;
  f.milliseconds = milliseconds;
  const ir::Function& step = program.function("step");
  for (const ir::Node* node : ir::reachable(step.roots())) f.nodes += ir::is_leaf(node) || ir::is_view(node) ? 0 : 1;
  const passes::KernelPlan plan = passes::plan_kernels(program, step);
  for (const passes::Kernel& kernel : plan.kernels) {
    const passes::Work work = passes::work_of(kernel, plan);
    f.flops += static_cast<double>(work.flops.evaluate({{"n", 128}})),
        f.bytes += static_cast<double>(work.bytes.evaluate({{"n", 128}}));
  }
  f.warnings = passes::find_unstable(program).size();
  return f;
}

template <typename Simplify>
Figures timed(const ir::Program& program, Simplify simplify) {
  const auto begin = std::chrono::steady_clock::now();
  const ir::Program simple = simplify(program);
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
  return figures_of(simple, time.count());
}

ir::Program saturated(const ir::Program& program) {
  return passes::map_roots(program, [&](const auto& roots) { return saturation::saturate(*program.graph, roots, {}); });
}

void compare(const std::string& path) {
  ir::Program gradient;
  const auto keep = [&](const std::string& stage, const ir::Program& p) {
    if (stage == "gradient") gradient = p;
  };
  passes::run_pipeline(*frontend::load_model(runtime::read_file(path), path).program, keep);
  // Prediction is part of evaluation; what is unstable is looked for there.
  for (ir::Function& f : gradient.functions) {
    if (f.name != "step" && f.name != "evaluate") f.results.clear(), f.updates.clear();
  }
  const Figures greedy = timed(gradient, [](const auto& p) { return passes::simplify(p); });
  const Figures equal = timed(gradient, saturated);
  fmt::print("| {} | {} | {} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | {} | {} | {:.1f} | {:.0f} |\n",
             std::filesystem::path(path).stem().string(), greedy.nodes, equal.nodes, greedy.flops / 1e6,
             equal.flops / 1e6, greedy.bytes / 1e6, equal.bytes / 1e6, greedy.warnings, equal.warnings,
             greedy.milliseconds, equal.milliseconds);
  std::fflush(stdout);
}

int check_values() {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    const test::RandomGraph g = test::random_graph(seed);
    const ir::Node* root = g.program.functions[0].results[0].node;
    const auto expected = test::expected(*g.program.graph, root, g.environment, {1e-13, 12});
    const ir::Node* same = saturation::saturate(*g.program.graph, {root}, {4, 4000, 10})[0];
    if (!expected) continue;
    const std::string wrong = test::out_of_bounds(*expected, ir::interpret({same}, g.environment)[0].values);
    if (wrong.empty()) continue;
    fmt::print("seed {}: {}\n", seed, wrong);
    return 1;
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return check_values();
  fmt::print(
      "| model | nodes | saturated | MFLOP | saturated | MB moved | saturated | warnings | saturated | ms | saturated "
      "|\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (int i = 1; i < count; ++i) compare(arguments[i]);
  return 0;
}
