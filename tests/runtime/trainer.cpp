#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>

#include "descent/descent.h"
#include "frontend/frontend.h"
#include "ir/interpreter.h"
#include "ir/threefry.h"
#include "passes/passes.h"
#include "runtime/model.h"
#include "tests/support/models.h"

using namespace descent;

namespace {

std::vector<float> numbers(std::size_t count, std::uint32_t stream) {
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(2 * ir::uniform_from_bits(ir::threefry2x32(5, stream, static_cast<std::uint32_t>(i), 0)[0]) - 1);
  return values;
}

/// Three steps of the compiled model, each compared with the interpreter on the graph before any pass but
/// differentiation.
void check_steps(const std::string& text, std::int64_t rows, std::size_t width) {
  const Model model = Model::from_string(text);
  INFO(text);
  const ir::Program program = passes::differentiate(*frontend::load_model(text, "m.descent").program);
  const std::vector<float> x = numbers(static_cast<std::size_t>(rows) * width, 1);
  std::vector<float> y = numbers(static_cast<std::size_t>(rows), 2);
  for (float& v : y) v = v > 0 ? 1.0f : 0.0f;
  Trainer trainer(model, 3);
  trainer.fit({x, y}, rows);
  ir::Environment e;
  e.dimensions = {{"n", rows}};
  e.seed = 3;
  e.counters = {{"step", 0}, {"epoch", 0}};
  e.tensors["x"] = {{rows, static_cast<std::int64_t>(width)}, {x.begin(), x.end()}};
  e.tensors["y"] = {{rows, 1}, {y.begin(), y.end()}};
  for (int step = 1; step <= 3; ++step) {
    for (std::size_t i = 0; i < program.variables.size(); ++i) {
      const auto& values = trainer.implementation().variables[i];
      e.tensors[program.variables[i].name] = {ir::evaluate(program.variables[i].shape, {}), values.values()};
    }
    e.counters["step"] = step;
    const ir::Function& f = program.function("step");
    const auto expected = ir::interpret(f.roots(), e);
    const double loss = trainer.step({x, y}, rows);
    // Float32 through some 20 roundings and sums of up to 100 terms.
    CHECK(std::fabs(loss - expected[0].values[0]) <= 1e-5 * (1 + std::fabs(expected[0].values[0])));
    for (std::size_t u = 0; u < f.updates.size(); ++u) {
      for (std::size_t i = 0; i < program.variables.size(); ++i) {
        if (program.variables[i].name != f.updates[u].name) continue;
        const std::vector<double> got = trainer.implementation().variables[i].values();
        for (std::size_t k = 0; k < got.size(); ++k) {
          INFO(f.updates[u].name << "[" << k << "] after step " << step);
          // Adam divides by the root of the second moment: where that is near 0, its error is the gradient's.
          REQUIRE(std::fabs(got[k] - expected[u + 1].values[k]) <= 2e-4 * (1 + std::fabs(expected[u + 1].values[k])));
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("the_step_of_ten_models_agrees_with_the_interpreter") {
  for (const char* body : test::model_bodies) {
    for (const std::int64_t rows : {1, 13, 64}) check_steps(test::model_text(body), rows, 7);
  }
}

TEST_CASE("the_same_seed_gives_bitwise_the_same_weights") {
  const Model model = Model::from_string(
      "model m { input x: [n, 5] target y: [n, 1] output p = x |> dense(9) |> relu |> dropout(0.2) |> dense(1) |> "
      "sigmoid loss = bce(p, y) }");
  const auto x = numbers(500, 1);
  std::vector<float> y(100);
  for (std::size_t i = 0; i < 100; ++i) y[i] = x[5 * i] > 0 ? 1.0f : 0.0f;
  const auto train = [&](std::uint64_t seed) {
    Trainer trainer(model, seed);
    for (int i = 0; i < 5; ++i) trainer.epoch({x, y}, 100, 32);
    return trainer.implementation().variables;
  };
  CHECK(train(1) == train(1));
  CHECK(train(1) != train(2));
}

// Vectors may begin anywhere in the rows of the caller's memory, and lie across cache lines.
TEST_CASE("where_the_data_lie_changes_no_bit_of_the_weights") {
  for (const std::size_t width : {12, 20, 30, 36}) {
    const Model model = Model::from_string("model m { input x: [n, " + std::to_string(width) +
                                           "] target y: [n, 1] output p = x |> dense(1) |> sigmoid loss = bce(p, y) }");
    for (const std::size_t rows : {5, 70, 150}) {
      std::vector<float> memory(rows * width + 32), y(rows);
      const auto x = numbers(rows * width, 1);
      for (std::size_t i = 0; i < rows; ++i) y[i] = x[width * i] > 0 ? 1.0f : 0.0f;
      const auto train = [&](std::size_t first) {
        std::copy(x.begin(), x.end(), memory.begin() + static_cast<std::ptrdiff_t>(first));
        Trainer trainer(model, 1);
        for (int i = 0; i < 3; ++i) {
          trainer.step({TensorView(memory.data() + first, rows * width), y}, static_cast<std::int64_t>(rows));
        }
        return trainer.implementation().variables;
      };
      const auto expected = train(0);
      for (std::size_t first = 1; first < 17; ++first) {
        INFO(rows << " rows of " << width << " from float " << first << " on");
        CHECK(train(first) == expected);
      }
    }
  }
}

TEST_CASE("weights_are_saved_and_loaded_and_training_goes_on_where_it_was") {
  const Model model = Model::from_string(
      "model m { input x: [n, 5] target y: [n, 1] output p = x |> standardize |> dense(9) |> tanh |> dense(1) |> "
      "sigmoid loss = bce(p, y) }");
  const auto x = numbers(500, 1);
  std::vector<float> y(100);
  for (std::size_t i = 0; i < 100; ++i) y[i] = x[5 * i] > 0 ? 1.0f : 0.0f;
  const std::string path = "trainer_test.safetensors";
  Trainer one(model, 4);
  one.epoch({x, y}, 100, 32);
  one.save(path);
  Trainer two(model, 9);
  two.load(path, true);
  CHECK(one.predict({x}, 100) == two.predict({x}, 100));
  CHECK(one.epoch({x, y}, 100, 32) == two.epoch({x, y}, 100, 32));
  CHECK(one.implementation().variables == two.implementation().variables);
  const Model other = Model::from_string("model other { input x: [n, 5] output p = dense(x, 4) }");
  Trainer stranger(other);
  CHECK_THROWS_WITH(
      stranger.load(path),
      "trainer_test.safetensors: error: these weights are not of the model 'other': the tensor 'dense.0.w' has the "
      "shape [5, 9], expected [5, 4]\n  = help: use the weights that were saved by training this model file");
  std::remove(path.c_str());
}

TEST_CASE("wrong_calls_are_errors") {
  const Model model = Model::from_string(
      "model m { input x: [n, 5] target y: [n, 1] output p = x |> standardize |> dense(1) |> sigmoid loss = bce(p, y) "
      "}");
  Trainer trainer(model);
  const std::vector<float> x(10), y(2);
  CHECK_THROWS_AS(trainer.predict({x}, 2), Error);      // not fitted
  CHECK_THROWS_AS(trainer.fit({x, y}, 3), Error);       // wrong size
  CHECK_THROWS_AS(trainer.epoch({x}, 2, 1), Error);     // no target
  CHECK_THROWS_AS(trainer.epoch({x, y}, 2, 0), Error);  // no batch
  CHECK_THROWS_AS(Model::from_file("/nonexistent/model.descent"), Error);
}

TEST_CASE("several_symbolic_sizes_follow_from_the_lengths_of_the_tensors") {
  const Model model = Model::from_string(
      "model m { input x: [n, t, 3] target y: [n, 1]"
      " output p = sigmoid(sum(tanh(x * 0.5), [1, 2]) |> reshape([count(y), 1]) |> dense(1)) loss = bce(p, y) }");
  const auto data = numbers(7 * 9 * 3, 1);
  const std::vector<float> y{0, 1, 1, 0, 1, 0, 1};
  const auto expected = [&](const Trainer& trainer, std::size_t row, std::size_t length) {
    auto& variables = const_cast<Trainer&>(trainer).implementation().variables;
    double sum = 0;
    for (std::size_t i = 0; i < length * 3; ++i) sum += std::tanh(0.5 * data[row * length * 3 + i]);
    return 1 / (1 + std::exp(-(sum * variables[0].values()[0] + variables[1].values()[0])));
  };
  Trainer trainer(model, 2);
  // Longer, shorter and longer sequences again: the memory grows with what it has to hold.
  for (const std::size_t length : {4, 2, 9}) {
    const std::span<const float> x(data.data(), 7 * length * 3);
    trainer.step({x, y}, 7);
    CHECK(std::isfinite(trainer.epoch({x, y}, 7, 3)));
    const auto p = trainer.predict({x}, 7);
    REQUIRE(p.size() == 7);
    for (std::size_t row = 0; row < 7; ++row) CHECK(p[row] == Approx(expected(trainer, row, length)).epsilon(1e-5));
  }
  const std::span<const float> wrong(data.data(), 7 * 3 * 3 + 1);
  CHECK_THROWS_WITH(trainer.predict({wrong}, 7),
                    "error: the tensor 'x' must have a multiple of 7 numbers for 7 rows, found 64");
}

TEST_CASE("outputs_that_depend_on_a_target_are_predicted_where_it_is_given") {
  const Model model =
      Model::from_string("model m { input x: [n, 2] target y: [n] output p = sum(x, 1) output e = p - y }");
  Trainer trainer(model);
  const std::vector<float> x = {1, 2, 3, 4}, y = {1, 10};
  CHECK(trainer.predict_all({x, y}, 2)[1].values == std::vector<float>{2, -3});
  std::string message;
  try {
    trainer.predict({x}, 2);
  } catch (const Error& error) {
    message = error.what();
  }
  CHECK(message ==
        "error: an output depends on a target, so that prediction needs the targets too\n"
        "  = help: give all tensors, or let outputs depend on inputs alone");
}

TEST_CASE("every_output_is_predicted") {
  const Model model = Model::from_string("model m { input x: [n, 2] output p = sum(x, 1) output q = x * 2 }");
  Trainer trainer(model);
  const std::vector<float> x = numbers(2 * 5000, 1);  // more rows than are computed at a time
  const auto outputs = trainer.predict_all({x}, 5000);
  REQUIRE(outputs.size() == 2);
  CHECK(outputs[0].name == "p");
  CHECK(outputs[1].name == "q");
  REQUIRE(outputs[0].values.size() == 5000);
  REQUIRE(outputs[1].values.size() == 10000);
  CHECK(outputs[0].values[4999] == x[9998] + x[9999]);
  CHECK(outputs[1].values[9999] == 2 * x[9999]);
  // A mean over all rows is one number, not one for each part of them.
  const Model whole = Model::from_string("model m { input x: [n, 2] output p = sum(x) / count(x) }");
  CHECK(Trainer(whole).predict({x}, 5000).size() == 1);
}

TEST_CASE("what_no_machine_holds_is_said_before_it_is_asked_for") {
  const Model model = Model::from_string(
      "model m { input x: [n, 1] target y: [n, 1] param w: [1000000, 10000000] = zeros\n"
      " output p = x + sum(w) loss = mse(p, y) }\ntrain { optimizer = sgd }");
  CHECK_THROWS_WITH(Trainer(model),
                    "error: the parameters and states of the model take 37253 GiB, more memory than this machine has\n"
                    "  = help: the largest, w, is [1000000, 10000000] and takes 37253 GiB");
}
