#include "bench/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <vector>

#include "bench/models.h"
#include "bench/training_step.h"

namespace descent::bench {
namespace {

constexpr std::array<std::int64_t, 16> all_widths = {1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597};
constexpr std::array<std::int64_t, 5> all_batches = {1, 7, 32, 100, 569};
constexpr double acceptable = 0.9;  // of the faster rival's speed
constexpr int rounds = 5;
constexpr double round_seconds = 2e-3;

/// This thread's own time: on a busy machine the wall clock counts other programs too.
double seconds() {
  std::timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// The shortest time of a step in microseconds, for each contender; rounds of all alternate.
std::array<double, 3> measure(const Model& model) {
  const std::vector<float> parameters = initial_parameters(model);
  const std::vector<Batch> data = batches(model, 2);
  const std::array<std::unique_ptr<TrainingStep>, 3> steps = {
      make_descent_step(model, parameters), make_eigen_step(model, parameters), make_openblas_step(model, parameters)};
  std::array<double, 3> least{};
  least.fill(std::numeric_limits<double>::infinity());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const double begin = seconds();
      double spent = 0;
      int count = 0;
      // Steps are timed many at a time, so that reading the clock does not count.
      for (int group = 1; spent < round_seconds; group *= 2) {
        for (int s = 0; s < group; ++s, ++count) {
          const Batch& batch = data[static_cast<std::size_t>(count % 2)];
          steps[i]->step(batch.x.data(), batch.y.data());
        }
        spent = seconds() - begin;
      }
      if (round > 0) least[i] = std::min(least[i], 1e6 * spent / count);  // the first round compiles and warms up
    }
  }
  return least;
}

}  // namespace

nlohmann::ordered_json sweep() {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  std::vector<std::string> cliffs;
  fmt::print("faster rival / Descent, one thread, networks of width-width-1 by SGD\n");
  for (const Activation activation : {Activation::relu, Activation::tanh}) {
    const std::string name = activation == Activation::relu ? "relu" : "tanh";
    fmt::print("\n| {} |", name);
    for (std::int64_t batch : all_batches) fmt::print(" batch {} |", batch);
    fmt::print("\n|--:|");
    for (std::size_t i = 0; i < all_batches.size(); ++i) fmt::print("--:|");
    fmt::print("\n");
    for (std::int64_t width : all_widths) {
      fmt::print("| {} |", width);
      for (std::int64_t batch : all_batches) {
        const Model model =
            make_model(fmt::format("{}x{}", width, batch), {width, width, 1}, batch, Optimizer::sgd, activation);
        const auto [descent, eigen, openblas] = measure(model);
        const double ratio = std::min(eigen, openblas) / descent;
        fmt::print(" {:.2f} |", ratio);
        std::fflush(stdout);
        if (ratio < acceptable) cliffs.push_back(fmt::format("{} {} (batch {}): {:.2f}", name, width, batch, ratio));
        rows.push_back({{"activation", name},
                        {"width", width},
                        {"batch", batch},
                        {"descent_us", descent},
                        {"eigen_us", eigen},
                        {"openblas_us", openblas},
                        {"ratio", ratio}});
      }
      fmt::print("\n");
    }
  }
  fmt::print("\n{} of {} shapes below {}: {}\n", cliffs.size(), rows.size(), acceptable, fmt::join(cliffs, ", "));
  return rows;
}

}  // namespace descent::bench
