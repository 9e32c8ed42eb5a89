// Times the training step of Descent against the same step written by hand; see bench/README.md.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <xmmintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "bench/models.h"
#include "bench/sweep.h"
#include "bench/training_step.h"
#include "cli/peak.h"

namespace descent::bench {
namespace {

using Factory = std::unique_ptr<TrainingStep> (*)(const Model&, std::span<const float>);
struct Contender {
  const char* name;
  Factory make;
};
constexpr Contender contenders[] = {{"Descent", make_descent_step},   {"Eigen", make_eigen_step},
                                    {"OpenBLAS", make_openblas_step}, {"oneDNN", make_onednn_step},
                                    {"LIBXSMM", make_libxsmm_step},   {"loops", make_loops_step}};

constexpr int batch_count = 8;
constexpr int checked_steps = 5;
// Sums in another order differ by some 1e-7 a step. Adam's first steps have the size of the learning rate whatever the
// gradient's: where that is nearly 0 its sign, and with it the step, is decided by rounding. More steps would compare
// that.
constexpr double loss_tolerance = 1e-4;

/// The losses of the first steps.
std::vector<double> first_losses(const Contender& contender, const Model& model, const std::vector<Batch>& data) {
  const auto step = contender.make(model, initial_parameters(model));
  std::vector<double> losses;
  for (int i = 0; i < checked_steps; ++i) {
    const Batch& batch = data[static_cast<std::size_t>(i % batch_count)];
    losses.push_back(step->step(batch.x.data(), batch.y.data()));
  }
  return losses;
}

/// All contenders compute the same thing, or their times mean nothing.
bool same_losses(const Model& model) {
  const std::vector<Batch> data = batches(model, batch_count);
  const std::vector<double> expected = first_losses(contenders[1], model, data);
  bool same = true;
  for (const Contender& contender : contenders) {
    const std::vector<double> losses = first_losses(contender, model, data);
    double worst = 0;
    for (std::size_t i = 0; i < losses.size(); ++i) {
      const double error = std::abs(losses[i] - expected[i]) / expected[i];
      if (!(error <= worst)) worst = error;  // NaN too
    }
    if (worst <= loss_tolerance) continue;
    fmt::print(stderr, "{}: {} differs from {} by {:.1e} of the loss (tolerance {:.0e})\n", model.name, contender.name,
               contenders[1].name, worst, loss_tolerance);
    same = false;
  }
  return same;
}

void measure(benchmark::State& state, const Model& model, const Contender& contender) {
  const std::vector<Batch> data = batches(model, batch_count);
  const auto step = contender.make(model, initial_parameters(model));
  step->step(data[0].x.data(), data[0].y.data());  // Descent compiles the step when it is first called
  std::size_t i = 0;
  for (auto _ : state) {
    const Batch& batch = data[i];
    i = (i + 1) % batch_count;
    benchmark::DoNotOptimize(step->step(batch.x.data(), batch.y.data()));
  }
}

/// Keeps the times of all rounds, in microseconds, and prints nothing.
class Times : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& /*context*/) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      // One thread's own time: on a busy machine the wall clock counts other programs too.
      microseconds[run.run_name.function_name].push_back(run.GetAdjustedCPUTime());
    }
  }
  std::map<std::string, std::vector<double>> microseconds;  ///< by model and contender
};

struct Time {
  double least = std::numeric_limits<double>::quiet_NaN(), median = least;  ///< NaN where it was not measured
};

Time time_of(const std::map<std::string, std::vector<double>>& times, const Model& model, const Contender& contender) {
  const auto found = times.find(model.name + "/" + contender.name);
  if (found == times.end()) return {};
  std::vector<double> sorted = found->second;
  std::sort(sorted.begin(), sorted.end());
  return {sorted.front(), sorted[sorted.size() / 2]};
}

std::string cell(double value, int digits) { return std::isnan(value) ? "-" : fmt::format("{:.{}f}", value, digits); }

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

nlohmann::ordered_json report(const std::map<std::string, std::vector<double>>& times, double peak, double bandwidth) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  fmt::print(
      "\n{}, one thread, {:.1f} GFLOP/s peak, {:.1f} GB/s triad; microseconds, shortest of all rounds\n\n| model |",
      processor(), peak, bandwidth);
  for (const Contender& contender : contenders) fmt::print(" {} |", contender.name);
  fmt::print(" fastest by hand / Descent | of the FMA peak |\n|---|");
  for (std::size_t i = 0; i < std::size(contenders) + 2; ++i) fmt::print("--:|");
  fmt::print("\n");
  for (const Model& model : models()) {
    std::string cells;
    nlohmann::ordered_json all;
    double rival = std::numeric_limits<double>::quiet_NaN(), descent = rival;
    for (const Contender& contender : contenders) {
      const Time time = time_of(times, model, contender);
      cells += " " + cell(time.least, 2) + " |";
      all[contender.name] = {{"min_us", time.least}, {"median_us", time.median}};  // NaN is written as null
      double& best = &contender == contenders ? descent : rival;
      best = std::fmin(best, time.least);
    }
    if (std::isnan(descent) && std::isnan(rival)) continue;
    const double ratio = rival / descent, fraction = step_flops(model) / (descent * 1e3) / peak;
    fmt::print("| {} |{} {} | {} |\n", model.name, cells, cell(ratio, 2),
               std::isnan(fraction) ? "-" : cell(100 * fraction, 0) + " %");
    rows.push_back({{"model", model.name},
                    {"batch", model.batch},
                    {"parameters", parameter_count(model)},
                    {"flops", step_flops(model)},
                    {"times", all},
                    {"ratio", ratio},
                    {"peak_fraction", fraction}});
  }
  return {{"processor", processor()}, {"peak_gflops", peak}, {"triad_gbytes_per_second", bandwidth}, {"models", rows}};
}

/// Takes `--json FILE` and `--model NAME` out of the arguments and gives Google Benchmark its settings, which the
/// user's own override.
std::string take_arguments(int argc, char** argv, std::vector<std::string>& rest, std::set<std::string>& chosen) {
  std::string json;
  rest = {argv[0], "--benchmark_enable_random_interleaving=true", "--benchmark_repetitions=15",
          "--benchmark_min_time=0.03"};
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--json" && i + 1 < argc) {
      json = argv[++i];
    } else if (std::string_view(argv[i]) == "--model" && i + 1 < argc) {
      chosen.insert(argv[++i]);
    } else {
      rest.emplace_back(argv[i]);
    }
  }
  return json;
}

bool write(const std::string& path, const nlohmann::ordered_json& result) {
  if (path.empty() || (std::ofstream(path) << result.dump(2) << '\n')) return true;
  fmt::print(stderr, "cannot write {}\n", path);
  return false;
}

int run(int argc, char** argv) {
  std::vector<std::string> arguments;
  std::set<std::string> chosen;
  const std::string json = take_arguments(argc, argv, arguments, chosen);
  if (arguments.back() == "sweep") {
    _mm_setcsr(_mm_getcsr() | 0x8040U);  // as below
    return write(json, {{"processor", processor()}, {"shapes", sweep()}}) ? 0 : 1;
  }
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 2;

  // A relu unit that is never active has a zero gradient, and its moments decay into denormal numbers, on which the
  // processor is a hundred times slower. Everyone who trains flushes them; here it is done once for all contenders.
  _mm_setcsr(_mm_getcsr() | 0x8040U);

  for (const std::string& name : chosen) {
    const auto is_it = [&](const Model& model) { return model.name == name; };
    if (std::none_of(models().begin(), models().end(), is_it)) {
      fmt::print(stderr, "there is no model '{}'\n", name);
      return 2;
    }
  }
  for (const Model& model : models()) {
    if (chosen.empty() ? model.name == "xl" : !chosen.contains(model.name)) continue;
    if (!same_losses(model)) return 1;
    for (const Contender& contender : contenders) {
      benchmark::RegisterBenchmark(fmt::format("{}/{}", model.name, contender.name).c_str(), measure, model, contender)
          ->Unit(benchmark::kMicrosecond);
    }
  }
  fmt::print("losses of {} steps agree within {:.0e}\n", checked_steps, loss_tolerance);

  // Before and after: the clock rate may change in between.
  double peak = cli::peak_gflops();
  const double bandwidth = cli::triad_gbytes_per_second(std::size_t{256} << 20U);
  Times reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  peak = std::max(peak, cli::peak_gflops());

  const nlohmann::ordered_json result = report(reporter.microseconds, peak, bandwidth);
  return write(json, result) ? 0 : 1;
}

}  // namespace
}  // namespace descent::bench

int main(int argc, char** argv) {
  try {
    return descent::bench::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
