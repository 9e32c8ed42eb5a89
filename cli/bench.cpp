#include "cli/bench.h"

#include <algorithm>
#include <chrono>

#include "ir/threefry.h"
#include "runtime/model.h"

namespace descent::cli {

BenchResult run_bench(const Model& model, std::int64_t batch, double seconds) {
  Model::Implementation& implementation = *model.implementation();
  if (implementation.program.find_function("step") == nullptr) {
    throw Error("the model has no loss, so it has no training step", "add a line such as: loss = bce(p, y)");
  }
  BenchResult result{};
  result.batch = batch > 0 ? batch : implementation.model.train.batch;
  std::vector<std::vector<float>> data;
  Tensors tensors;
  for (const Model::Input& input : model.inputs()) {
    std::vector<float> values(static_cast<std::size_t>(input.width * result.batch));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto bits = ir::threefry2x32(0, static_cast<std::uint32_t>(ir::Stream::bench_data),
                                         static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(data.size()));
      const float u = ir::uniform_from_bits(bits[0]);
      values[i] = input.is_target ? (u < 0.5f ? 0.0f : 1.0f) : 2 * u - 1;
    }
    data.push_back(std::move(values));
  }
  for (const auto& values : data) tensors.emplace_back(values);
  Trainer trainer(model);
  trainer.fit(tensors, result.batch);
  trainer.step(tensors, result.batch);

  const codegen::CompiledFunction& step = implementation.compiled("step").function("step");
  Trainer::Implementation& state = trainer.implementation();
  auto& workspace = state.workspace("step", result.batch, true);
  std::vector<double> times;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  // Short steps are timed in groups, so that the clock does not count.
  int group = 1;
  while (Clock::now() < end || times.size() < 5) {
    const auto begin = Clock::now();
    for (int i = 0; i < group; ++i) {
      ++state.state.step;
      step.run(workspace.buffers.data(), &result.batch, &state.state);
    }
    const double us = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
    times.push_back(us / group);
    if (us < 50 && group < 1000) group *= 2, times.clear();
  }
  std::sort(times.begin(), times.end());
  result.step_us_min = times.front();
  result.step_us_median = times[times.size() / 2];

  ir::DimensionValues sizes;
  for (const std::string& name : implementation.program.dimensions()) sizes[name] = result.batch;
  for (const passes::Kernel& kernel : step.plan.kernels) {
    if (kernel.contraction == nullptr) continue;
    std::int64_t flops = 2 * ir::element_count(kernel.contraction->shape(), sizes);
    for (const auto& axis : passes::contraction_axes(kernel.contraction, step.plan).contracted)
      flops *= axis.size.evaluate(sizes);
    result.flops += flops;
  }
  result.gflops = static_cast<double>(result.flops) / result.step_us_min / 1e3;
  result.parameters = model.parameter_count();
  result.compile_ms = implementation.compile_ms();
  result.arena_bytes = passes::plan_memory(step.plan, sizes).bytes;
  result.kernels = static_cast<std::int64_t>(step.plan.kernels.size());
  return result;
}

}  // namespace descent::cli
