// The training step on made-up data of the model's shapes.

#include <algorithm>
#include <chrono>

#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/made_up_data.h"
#include "cli/output.h"
#include "cli/stopwatch.h"
#include "runtime/model.h"
#include "runtime/sizes.h"

namespace descent::cli {

namespace {

struct BenchResult {
  std::int64_t batch, parameters, flops, arena_bytes, kernels;
  int threads;
  double step_us_min, step_us_median, gflops, compile_ms;
};

/// flops: 2 for each multiply-add of the step's contractions.
BenchResult run_bench(const Model& model, const BenchArguments& a) {
  Model::Implementation& implementation = *model.implementation();
  BenchResult result{};
  result.batch = implementation.settings.train.batch;
  const ir::DimensionValues sizes = made_up_sizes(model, result.batch);
  const MadeUpData data(model, sizes);
  Trainer trainer(model);
  trainer.set_threads(a.threads);
  trainer.fit(data.tensors, result.batch);
  trainer.step(data.tensors, result.batch);

  const codegen::CompiledFunction& step = implementation.compiled("step").function("step");
  std::vector<double> times;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(a.seconds);
  // Short steps are timed in groups, so that the clock does not count.
  int group = 1;
  while (Clock::now() < end || times.size() < 5) {
    const Stopwatch watch(a.threads);
    for (int i = 0; i < group; ++i) trainer.step(data.tensors, result.batch);
    const double us = watch.microseconds();
    times.push_back(us / group);
    if (us < 50 && group < 1000) group *= 2, times.clear();
  }
  std::sort(times.begin(), times.end());
  result.step_us_min = times.front();
  result.step_us_median = times[times.size() / 2];

  const codegen::KernelTable& kernels = implementation.compiled("step").kernels();
  const auto& calls = kernels.calls.at("step");
  for (const auto& call : calls) result.flops += kernels.kernels[call.kernel].work.flops.evaluate(sizes);
  result.threads = trainer.implementation().threads;
  result.gflops = static_cast<double>(result.flops) / result.step_us_min / 1e3;
  result.parameters = model.parameter_count();
  result.compile_ms = implementation.compile_ms();
  result.arena_bytes = passes::plan_memory(step.plan, sizes).bytes;
  result.kernels = static_cast<std::int64_t>(calls.size());
  return result;
}

}  // namespace

int bench(const BenchArguments& a) {
  const Model model = Model::from_file(a.file, a.batch);
  if (!model.implementation()->interface.results.contains("step")) {
    throw Error("the model has no loss, so it has no training step", "add a line such as: loss = bce(p, y)");
  }
  if (a.profile) return profile(model, a);
  const BenchResult r = run_bench(model, a);
  if (a.as_json) {
    const nlohmann::json result = {
        {"batch", r.batch},    {"threads", r.threads},         {"parameters", r.parameters},
        {"flops", r.flops},    {"step_us_min", r.step_us_min}, {"step_us_median", r.step_us_median},
        {"gflops", r.gflops},  {"compile_ms", r.compile_ms},   {"arena_bytes", r.arena_bytes},
        {"kernels", r.kernels}};
    print("{}\n", result.dump());
    return 0;
  }
  print("batch {}, at most {} threads, {} parameters, {} kernels, {} bytes of arena\n", r.batch, r.threads,
        r.parameters, r.kernels, r.arena_bytes);
  print("step {:.2f} us at least, {:.2f} us in the median; {} flops, {:.1f} GFLOP/s; compiled in {:.1f} ms\n",
        r.step_us_min, r.step_us_median, r.flops, r.gflops, r.compile_ms);
  return 0;
}

}  // namespace descent::cli
