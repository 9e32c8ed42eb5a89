// memory = ... in the train block: the same numbers, bit by bit, in a fraction of the memory.
#include <catch2/catch.hpp>

#include "passes/kernels.h"
#include "runtime/model.h"
#include "tests/runtime/support.h"

using namespace descent;

namespace {

struct Outcome {
  std::vector<double> losses;
  std::vector<runtime::Elements> variables;
  bool operator==(const Outcome&) const = default;
};

struct Run {
  Outcome outcome;
  std::int64_t arena_bytes;
};

std::vector<float> numbers(std::size_t count) {
  std::vector<float> values;
  std::uint32_t state = 7;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    values.push_back(static_cast<float>(state >> 8) / static_cast<float>(1u << 24));
  }
  return values;
}

/// Three steps of a model over x, whose rows have so many numbers, and y: [n, 1]; and one of fewer rows.
Run train(const std::string& body, std::size_t width, const std::string& memory, int threads = 1) {
  constexpr std::int64_t rows = 64;
  const Model model =
      Model::from_string("model m {\n" + body + "}\ntrain {\n optimizer = adam(0.01)\n batch = 64\n" + memory + "}\n");
  Trainer trainer(model, 3);
  trainer.implementation().set_members(threads);
  trainer.implementation().barrier_us = 0;  // whatever can be shared is
  const std::vector<float> x = numbers(rows * width), y = numbers(rows);
  Run run;
  trainer.fit({x, y}, rows);
  for (int step = 0; step < 3; ++step) run.outcome.losses.push_back(trainer.step({x, y}, rows));
  const std::vector<float> fewer_x(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(5 * width)),
      fewer_y(y.begin(), y.begin() + 5);
  run.outcome.losses.push_back(trainer.step({fewer_x, fewer_y}, 5));
  run.outcome.variables = trainer.implementation().variables;
  run.arena_bytes = trainer.implementation().workspaces.at("step").planned_bytes;
  return run;
}

/// The largest limit in KiB that is a fraction of what the step takes without one.
std::string fraction_of(std::int64_t bytes, double fraction) {
  return " memory = " + std::to_string(static_cast<std::int64_t>(static_cast<double>(bytes) * fraction) / 1024) +
         " KiB\n";
}

void check_fits(const std::string& body, std::size_t width, double fraction) {
  const Run whole = train(body, width, "");
  const Run less = train(body, width, fraction_of(whole.arena_bytes, fraction));
  INFO("fraction " << fraction << " of " << whole.arena_bytes << ": " << less.arena_bytes);
  CHECK(static_cast<double>(less.arena_bytes) <= fraction * static_cast<double>(whole.arena_bytes));
  CHECK(less.outcome == whole.outcome);
}

const std::string deep =
    " input x: [n, 32]\n target y: [n, 1]\n let h = x\n repeat 24 { h = h |> dense(32) |> tanh }\n"
    " output p = h |> dense(1) |> sigmoid\n loss = bce(p, y)\n";

const std::string recurrent =
    " input x: [n, 24, 4]\n target y: [n, 1]\n let cell = gru_cell(reset_after = false)\n"
    " let h = dense(x[:, 0], 16)\n for k in 0..24 { h = cell(x[:, k], h) }\n output p = dense(h, 1)\n loss = mse(p, "
    "y)\n";

const std::string images =
    " input x: [n, 8, 8, 1]\n target y: [n, 1]\n"
    " let h = x |> conv2d(4) |> batch_norm |> relu |> conv2d(4) |> layer_norm |> dropout(0.2) |> relu\n"
    " output p = reshape(h, [count(y), 64]) |> dense(16) |> softmax |> dense(1) |> sigmoid\n loss = bce(p, y)\n";

}  // namespace

TEST_CASE("a_memory_limit_gives_the_same_numbers_of_a_deep_network_in_a_fifth_of_the_memory") {
  for (double fraction : {0.7, 0.4, 0.2}) check_fits(deep, 32, fraction);
}

TEST_CASE("a_memory_limit_gives_the_same_numbers_of_an_unrolled_recurrence_in_half_the_memory") {
  check_fits(recurrent, 24 * 4, 0.5);
}

TEST_CASE("a_memory_limit_gives_the_same_numbers_of_normalised_images_in_seven_tenths_of_the_memory") {
  check_fits(images, 64, 0.7);
}

TEST_CASE("a_memory_limit_gives_the_same_numbers_on_two_threads") {
  const Run whole = train(deep, 32, "");
  CHECK(train(deep, 32, fraction_of(whole.arena_bytes, 0.3), 2).outcome == whole.outcome);
}

TEST_CASE("a_memory_limit_that_the_step_keeps_anyway_changes_nothing") {
  const auto plan = [](const std::string& memory) {
    const Model model = Model::from_string("model m {\n" + deep + "}\ntrain {\n" + memory + "}\n");
    const ir::Program& program = model.implementation()->program();
    passes::KernelPlan kernels = passes::plan_kernels(program, program.function("step"));
    kernels.limit = 0;
    return passes::print(kernels);
  };
  CHECK(plan(" memory = 1 GiB\n") == plan(""));
}

TEST_CASE("a_step_of_more_rows_than_the_memory_limit_was_planned_for_says_so") {
  const Run whole = train(deep, 32, "");
  const Model model = Model::from_string("model m {\n" + deep + "}\ntrain {\n batch = 64\n" +
                                         fraction_of(whole.arena_bytes, 0.5) + "}\n");
  Trainer trainer(model);
  const std::vector<float> x = numbers(256 * 32), y = numbers(256);
  const std::string message = test::error_of([&] { trainer.step({x, y}, 256); });
  CHECK(message.starts_with("error: a step of so many rows needs "));
  CHECK(message.find("more than the limit of ") != std::string::npos);
  const Model larger = Model::from_string(
      "model m {\n" + deep + "}\ntrain {\n batch = 64\n" + fraction_of(4 * whole.arena_bytes, 0.5) + "}\n", "larger",
      256);
  Trainer other(larger);
  CHECK_NOTHROW(other.step({x, y}, 256));
}
