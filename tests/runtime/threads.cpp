// Several threads: bitwise the numbers of one, whatever can be shared is shared.
#include <sched.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>

#include "codegen/native/host.h"
#include "tests/runtime/examples.h"
#include "tests/runtime/support.h"

using namespace descent;
using test::for_examples;

namespace {

struct Outcome {
  std::vector<double> losses;
  std::vector<runtime::Elements> variables;
  std::vector<float> outputs;
  bool operator==(const Outcome&) const = default;
};

/// Two epochs, a step, an evaluation and a prediction. With `everything` every kernel that can be shared is, however
/// small.
Outcome train(const Model& model, const Tensors& tensors, std::int64_t rows, std::int64_t batch, int threads,
              bool everything = true) {
  Trainer trainer(model, 5);
  trainer.implementation().set_members(threads);
  if (everything) trainer.implementation().barrier_us = 0;
  Outcome outcome;
  for (int epoch = 0; epoch < 2; ++epoch) outcome.losses.push_back(trainer.epoch(tensors, rows, batch));
  outcome.losses.push_back(trainer.step(tensors, rows));
  outcome.losses.push_back(trainer.evaluate(tensors, rows, &outcome.outputs));
  outcome.variables = trainer.implementation().variables;
  if (everything) CHECK((trainer.implementation().team != nullptr) == (threads > 1));
  return outcome;
}

std::vector<float> numbers(std::size_t count) {
  std::vector<float> values;
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    values.push_back(static_cast<float>(state >> 8) * 0x1p-23f - 1.0f);
  }
  return values;
}

}  // namespace

TEST_CASE("several threads give bitwise the numbers of one", "[threads]") {
  for_examples(300, [](const Model& model, const Tensors& tensors, std::int64_t rows) {
    const Outcome alone = train(model, tensors, rows, 32, 1);
    for (int threads : {2, 3}) {
      INFO(threads << " threads");
      CHECK(train(model, tensors, rows, 32, threads) == alone);
    }
  });
}

// Threads on a quiet machine keep step with each other, so that a missing wait goes unnoticed. Here each member in turn
// runs ahead as far as its waits allow.
TEST_CASE("members as far apart as their waits allow", "[threads]") {
  for_examples(61, [](const Model& model, const Tensors& tensors, std::int64_t rows) {
    // What is too small to be worth a wait is shared where that saves one.
    const auto steps = [&](const std::vector<std::size_t>& order, double barrier_us = 0) {
      Trainer trainer(model, 5);
      trainer.implementation().set_members(order.empty() ? 1 : static_cast<int>(order.size()));
      trainer.implementation().barrier_us = barrier_us;
      trainer.implementation().apart = order;
      trainer.fit(tensors, rows);
      std::vector<double> losses;
      for (int i = 0; i < 3; ++i) losses.push_back(trainer.step(tensors, rows));
      losses.push_back(trainer.evaluate(tensors, rows));
      return std::pair(losses, trainer.implementation().variables);
    };
    const auto alone = steps({});
    for (const std::vector<std::size_t>& order :
         {std::vector<std::size_t>{0, 1}, {1, 0}, {0, 1, 2}, {2, 1, 0}, {1, 2, 0}}) {
      INFO(order.size() << " members, the first " << order[0]);
      CHECK(steps(order) == alone);
      CHECK(steps(order, 0.05) == alone);
    }
  });
}

TEST_CASE("sizes that no part divides", "[threads]") {
  // Packed and unpacked operands, products with one column, tiles that overlap, fewer columns than threads have panels.
  const Model model = Model::from_string(R"(
    model odd {
        input  x: [n, 301]
        target y: [n, 1]
        output p = x |> dense(77) |> layer_norm |> tanh |> dense(130) |> dropout(0.2) |> relu |> dense(5) |> softmax |> dense(1) |> sigmoid
        loss = bce(p, y) + 1e-4 * l2(weights)
    }
    train { optimizer = adam(lr = 1e-2) })");
  for (const std::int64_t rows : {1, 5, 67, 150}) {
    const auto count = static_cast<std::size_t>(rows);
    const std::vector<float> x = numbers(count * 301);
    std::vector<float> y = numbers(count);
    for (float& v : y) v = v > 0 ? 1.0f : 0.0f;
    const Outcome alone = train(model, {x, y}, rows, 64, 1);
    for (int threads : {2, 3, 7}) {
      INFO(rows << " rows, " << threads << " threads");
      CHECK(train(model, {x, y}, rows, 64, threads) == alone);
    }
  }
}

// Weights that a cache does not hold are read as they lie where there are few rows, by tiles of their own.
TEST_CASE("few rows of large weights, by threads", "[threads]") {
  const Model model = Model::from_string(R"(
    model wide {
        input  x: [n, 700]
        target y: [n, 1]
        output p = x |> dense(805) |> relu |> dense(1) |> sigmoid
        loss = bce(p, y)
    })");
  for (const std::int64_t rows : {4, 7, 19, 21}) {
    const auto count = static_cast<std::size_t>(rows);
    const std::vector<float> x = numbers(count * 700);
    const std::vector<float> y(count, 1.0f);
    const Outcome alone = train(model, {x, y}, rows, rows, 1);
    for (int threads : {2, 3, 7}) {
      INFO(rows << " rows, " << threads << " threads");
      CHECK(train(model, {x, y}, rows, rows, threads) == alone);
    }
  }
}

// Sequences are cut by the batch, and sums over batch and positions are made in stages (passes/staged_sums.cpp).
TEST_CASE("attention and convolutions, by threads", "[threads]") {
  const Model attention = Model::from_string(R"(
    model attention {
        input  x: [n, 16, 32]
        target y: [n, 1]
        let a = x + multi_head_attention(layer_norm(x), heads = 2)
        let h = a + (layer_norm(a) |> dense(64) |> gelu |> dense(32))
        output p = reshape(h, [count(y), 512]) |> dense(1) |> sigmoid
        loss = bce(p, y)
    }
    train {
        optimizer = adam(lr = 1e-2)
        gradients = clip_by_norm(gradients, 0.1)
    })");
  const Model convolution = Model::from_string(R"(
    model convolution {
        input  x: [n, 16, 32, 1]
        target y: [n, 1]
        let h = x |> conv2d(8, padding = 1) |> relu |> max_pool2d |> conv2d(16, padding = 1) |> relu
        output p = reshape(h, [count(y), 2048]) |> dense(1) |> sigmoid
        loss = bce(p, y)
    }
    train { optimizer = adam(lr = 1e-2) })");
  for (const Model* model : {&attention, &convolution}) {
    for (const std::int64_t rows : {1, 5, 32}) {
      const auto count = static_cast<std::size_t>(rows);
      const std::vector<float> x = numbers(count * 512), y(count, 1.0f);
      const Outcome alone = train(*model, {x, y}, rows, 32, 1);
      for (int threads : {2, 3, 7}) {
        INFO(rows << " rows, " << threads << " threads");
        CHECK(train(*model, {x, y}, rows, 32, threads) == alone);
      }
    }
  }
}

// Of many members some share the rows of a product, and some its columns, or the pixels of a filter.
TEST_CASE("products cut along several axes", "[threads]") {
  const Model dense = Model::from_string(R"(
    model dense {
        input  x: [n, 515]
        target y: [n, 1]
        output p = x |> dense(322) |> relu |> dense(390) |> relu |> dense(1) |> sigmoid
        loss = bce(p, y)
    }
    train { optimizer = adam(lr = 1e-2) })");
  const Model convolution = Model::from_string(R"(
    model convolution {
        input  x: [n, 10, 11, 20]
        target y: [n, 1]
        let h = x |> conv2d(32, padding = 1) |> relu |> conv2d(70, padding = 1) |> relu
        output p = reshape(h, [count(y), 7700]) |> dense(1) |> sigmoid
        loss = bce(p, y)
    }
    train { optimizer = adam(lr = 1e-2) })");
  const auto most_cuts = [](const Model& model) {
    std::size_t most = 0;
    for (const passes::KernelOutline& kernel : model.implementation()->compiled("step").kernels().kernels)
      most = std::max(most, kernel.partition.size());
    return most;
  };
  CHECK(most_cuts(dense) == 2);
  CHECK(most_cuts(convolution) == 3);
  for (const auto& [model, width] : {std::pair(&dense, 515), {&convolution, 2200}}) {
    for (const std::int64_t rows : {1, 37}) {
      const auto count = static_cast<std::size_t>(rows);
      const std::vector<float> x = numbers(count * static_cast<std::size_t>(width)), y(count, 1.0f);
      const auto steps = [&](std::vector<std::size_t> order) {
        Trainer trainer(*model, 5);
        trainer.implementation().set_members(std::max(1, static_cast<int>(order.size())));
        trainer.implementation().barrier_us = 0;
        trainer.implementation().apart = std::move(order);
        std::vector<double> losses;
        for (int i = 0; i < 2; ++i) losses.push_back(trainer.step({x, y}, rows));
        return std::pair(losses, trainer.implementation().variables);
      };
      const auto alone = steps({});
      for (const std::size_t members : {4, 6, 13}) {
        INFO(rows << " rows, " << members << " members");
        std::vector<std::size_t> order(members);
        std::iota(order.begin(), order.end(), std::size_t{0});
        CHECK(steps(order) == alone);
        std::reverse(order.begin(), order.end());
        CHECK(steps(order) == alone);
        std::rotate(order.begin(), order.begin() + 2, order.end());
        CHECK(steps(order) == alone);
      }
      const Outcome outcome = train(*model, {x, y}, rows, 32, 1);
      for (int threads : {4, 9}) CHECK(train(*model, {x, y}, rows, 32, threads) == outcome);
    }
  }
}

TEST_CASE("what is made by turns on one thread and on several", "[threads]") {
  const Model model = Model::from_string(R"(
    model turns {
        input  x: [n, 30]
        target y: [n, 1]
        output p = x |> dense(64) |> tanh |> dropout(0.2) |> dense(1) |> sigmoid
        loss = bce(p, y)
    }
    train { optimizer = sgd(lr = cosine(1e-1, epochs = 2)) })");
  constexpr std::int64_t rows = 431, batch = 5;  // 87 batches: some are timed, and the last is smaller
  const std::vector<float> x = numbers(rows * 30), y(rows, 1.0f);
  const auto losses = [&](int threads) {
    Trainer trainer(model, 5);
    trainer.implementation().set_members(threads);
    trainer.implementation().barrier_us = 1e-9;  // everything is shared, or nothing is
    std::vector<double> all;
    for (int epoch = 0; epoch < 2; ++epoch) all.push_back(trainer.epoch({x, y}, rows, batch));
    for (int step = 0; step < 100; ++step) all.push_back(trainer.step({x, y}, rows));
    return all;
  };
  const std::vector<double> alone = losses(1);
  for (int threads : {2, 3}) CHECK(losses(threads) == alone);
}

TEST_CASE("a small step is made by one thread", "[threads]") {
  const Model model = Model::from_string(
      "model m { input x: [n, 3]  target y: [n, 1]  output p = sigmoid(dense(x, 1))  loss = bce(p, y) }");
  Trainer trainer(model);
  trainer.implementation().set_members(4);
  const std::vector<float> x = numbers(30), y(10, 1.0f);
  trainer.epoch({x, y}, 10, 5);
  CHECK(trainer.implementation().team == nullptr);
  CHECK(test::error_of([&] { trainer.set_threads(-1); }) ==
        "error: the number of threads must not be negative\n  = help: 0 stands for all processors");
}

TEST_CASE("no more threads than processors that the process may use", "[threads]") {
  const Model model = Model::from_string(
      "model m { input x: [n, 3]  target y: [n, 1]  output p = sigmoid(dense(x, 1))  loss = bce(p, y) }");
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(codegen::host_processors() == 1);
  for (int threads : {0, 1, 64}) {
    Trainer trainer(model);
    trainer.set_threads(threads);
    CHECK(trainer.implementation().threads == 1);
  }
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(codegen::host_processors() <= CPU_COUNT(&before));
}
