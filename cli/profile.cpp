// Where the time of a step goes: its kernels called one by one, each timed over many steps. The shortest time counts,
// since what else runs on the machine only ever adds to it.
#include <algorithm>
#include <chrono>
#include <limits>
#include <map>

#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/made_up_data.h"
#include "cli/output.h"
#include "cli/peak.h"
#include "cli/stopwatch.h"
#include "runtime/model.h"
#include "runtime/sizes.h"

namespace descent::cli {

namespace {

/// What the machine can do at most with tensors of different sizes, measured as it is asked for.
class Roofline {
 public:
  /// The shortest time, in microseconds, in which the multiply-adds can be done and the bytes moved: the greater of the
  /// two (Williams, Waterman and Patterson, "Roofline", 2009). Bytes count at the bandwidth of the cache that holds so
  /// many.
  double microseconds(std::int64_t flops, std::int64_t bytes) {
    return std::max(static_cast<double>(flops) / (peak_ * 1e3), static_cast<double>(bytes) / (bandwidth(bytes) * 1e3));
  }

 private:
  double bandwidth(std::int64_t bytes) {
    std::size_t size = std::size_t{8} << 10U;
    constexpr std::size_t largest = std::size_t{128} << 20U;  // beyond all caches
    while (size < static_cast<std::size_t>(bytes) && size < largest) size *= 2;
    auto [at, is_new] = bandwidths_.try_emplace(size, 0);
    if (is_new) at->second = triad_gbytes_per_second(size);
    return at->second;
  }

  double peak_ = peak_gflops();
  std::map<std::size_t, double> bandwidths_;  // by bytes
};

/// What each member of a team does in the step: in the fastest of the rounds.
std::vector<std::vector<runtime::SharedFunction::Spent>> by_member(Trainer::Implementation& trainer,
                                                                   runtime::SharedFunction& step, double seconds) {
  const auto members = static_cast<std::size_t>(trainer.threads);
  std::vector<std::vector<runtime::SharedFunction::Spent>> now(members), best;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  auto least = Clock::duration::max();
  for (int round = 0; round < 5 || Clock::now() < end; ++round) {
    ++trainer.state.step;
    const auto begin = Clock::now();
    trainer.run_together([&](int member) { step.run(member, &trainer.state, now[static_cast<std::size_t>(member)]); });
    const auto took = Clock::now() - begin;
    if (took < least) least = took, best = now;
  }
  return best;
}

}  // namespace

int profile(const Model& model, const BenchArguments& a) {
  Model::Implementation& implementation = *model.implementation();
  const std::int64_t batch = implementation.settings.train.batch;
  const ir::DimensionValues sizes = made_up_sizes(model, batch);
  const MadeUpData data(model, sizes);
  Trainer trainer(model);
  trainer.fit(data.tensors, batch);
  trainer.step(data.tensors, batch);

  const codegen::CompiledProgram& compiled = implementation.compiled("step");
  const codegen::KernelTable& table = compiled.kernels();
  const std::vector<codegen::KernelTable::Call>& calls = table.calls.at("step");
  const ir::Program& program = implementation.program();  // for the kernels' titles
  const passes::KernelPlan plan =
      passes::plan_kernels(program, program.function("step"), codegen::chosen_machine().machine);
  Trainer::Implementation& state = trainer.implementation();
  const codegen::AddressTable& addresses = state.prepared.addresses;  // among them those of the data
  const std::vector<std::int64_t> dimensions = runtime::in_order(implementation.interface, sizes);
  using Clock = std::chrono::steady_clock;
  std::vector<double> least(calls.size(), 0);
  const auto end = Clock::now() + std::chrono::duration<double>(a.seconds);
  for (int round = 0; round < 5 || Clock::now() < end; ++round) {
    ++state.state.step;
    for (std::size_t k = 0; k < calls.size(); ++k) {
      const codegen::KernelCode code = compiled.kernel(calls[k].kernel);
      const Stopwatch watch;
      code(addresses.data() + calls[k].first_slot, dimensions.data(), &state.state, codegen::kWhole.data());
      const double us = watch.microseconds();
      least[k] = round == 0 ? us : std::min(least[k], us);
    }
  }

  std::vector<std::vector<runtime::SharedFunction::Spent>> members;
  trainer.set_threads(a.threads);
  trainer.step(data.tensors, batch);  // whose tensors it goes on with
  if (auto* shared = state.shared_function("step", sizes); shared != nullptr)
    members = by_member(state, *shared, a.seconds);

  double total = 0;
  for (double us : least) total += us;
  nlohmann::json kernels = nlohmann::json::array();
  if (!a.as_json) {
    for (std::size_t m = 0; m < members.size(); ++m) print("{:>8} {:>8} ", "waits", "works");
    print("{:>9} {:>6} {:>8} {:>7} {:>9}  {:<9} {}\n", "us", "share", "GFLOP/s", "GB/s", "roofline", "code", "kernel");
  }
  Roofline roofline;
  for (std::size_t k = 0; k < calls.size(); ++k) {
    const passes::Work& work = table.kernels[calls[k].kernel].work;
    const std::int64_t flops = work.flops.evaluate(sizes), bytes = work.bytes.evaluate(sizes);
    const double gflops = static_cast<double>(flops) / least[k] / 1e3;
    const double gbytes = static_cast<double>(bytes) / least[k] / 1e3;
    const double fraction = roofline.microseconds(flops, bytes) / least[k];
    const std::string name = codegen::kernel_name(calls[k].kernel);
    const std::string title = passes::title(plan.kernels[k], plan);
    if (a.as_json) {
      nlohmann::json spent = nlohmann::json::array();
      for (const auto& member : members)
        spent.push_back({{"waited_us", member[k].waited_us}, {"worked_us", member[k].worked_us}});
      kernels.push_back({{"kernel", title},
                         {"code", name},
                         {"us", least[k]},
                         {"share", least[k] / total},
                         {"flops", flops},
                         {"bytes", bytes},
                         {"gflops", gflops},
                         {"gbytes", gbytes},
                         {"roofline", fraction},
                         {"members", spent}});
    } else {
      for (const auto& member : members) print("{:>8.2f} {:>8.2f} ", member[k].waited_us, member[k].worked_us);
      print("{:>9.2f} {:>5.1f}% {:>8.1f} {:>7.1f} {:>8.0f}%  {:<9} {}\n", least[k], 100 * least[k] / total, gflops,
            gbytes, 100 * fraction, name, title);
    }
  }
  if (a.as_json) {
    print("{}\n", nlohmann::json{{"batch", batch}, {"kernels", kernels}, {"us", total}}.dump());
  } else {
    for (const auto& member : members) {
      runtime::SharedFunction::Spent all{};
      for (const auto& spent : member) all.waited_us += spent.waited_us, all.worked_us += spent.worked_us;
      print("{:>8.2f} {:>8.2f} ", all.waited_us, all.worked_us);
    }
    print("{:>9.2f} us in all\n", total);
  }
  return 0;
}

}  // namespace descent::cli
