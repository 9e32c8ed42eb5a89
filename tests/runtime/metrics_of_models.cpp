// Metrics of a model are numbers of all rows together, though rows are computed some at a time.
#include <catch2/catch.hpp>
#include <cmath>

#include "descent/descent.h"
#include "frontend/frontend.h"
#include "ir/interpreter.h"
#include "ir/threefry.h"
#include "runtime/model.h"

using namespace descent;

namespace {

std::vector<float> numbers(std::size_t count, std::uint32_t stream) {
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(2 * ir::uniform_from_bits(ir::threefry2x32(7, stream, static_cast<std::uint32_t>(i), 0)[0]) - 1);
  return values;
}

constexpr std::int64_t kRows = 9000;  // three chunks, the last one smaller

std::string text_with(const std::string& metrics) {
  return "model m { input x: [n, 3] target y: [n, 1]\n"
         "let p = x |> batch_norm |> dense(1) |> sigmoid\n output q = p\n loss fit = mse(p, y)\n loss size = "
         "l2(weights)\n" +
         metrics + " }";
}
Model model_with(const std::string& metrics) { return Model::from_string(text_with(metrics)); }

}  // namespace

TEST_CASE("a_metric_is_what_its_expression_gives_for_all_rows_together") {
  const std::vector<float> x = numbers(kRows * 3, 1), y = numbers(kRows, 2);
  for (const char* metric :
       {"mean(p)", "f1_score(p, y, threshold = 40%)", "r_squared(p, y)", "matthews(x[:, :1], y)", "rmse(p, y)",
        "max(x) - min(y) + sum(max(p, axis = 0))",                                         // extremes
        "sum((transpose(x) @ (x - p))^2)",                                                 // rows contracted with rows
        "scatter_add(int(2 * x[:, 0] + 2), y[:, 0], 4)[1] / count(x, 0)",                  // a histogram
        "sum(x[1:, 0] * x[:-1, 1])", "sum(x[:, 0] * iota([n]))", "p[0, 0] + p[n - 1, 0]",  // rows that meet
        "sum(reshape(x, [3 * n])[1:])", "sum(einsum(\"ni,nj->nij\", x, x)^2)", "sum(gather(x, [5, 0], 0))",
        "l2(parameters) + n", "sum(softmax(concat([x, p], axis = 1))^2)", "sum(stack([p, y])[1])"}) {
    INFO(metric);
    const Model model = model_with(std::string("metric value = ") + metric);
    Trainer trainer(model, 1);
    const auto figures = trainer.measure({x, y}, kRows);
    ir::Environment e;
    e.dimensions = {{"n", kRows}};
    e.tensors["x"] = {{kRows, 3}, {x.begin(), x.end()}};
    e.tensors["y"] = {{kRows, 1}, {y.begin(), y.end()}};
    const auto lowered = frontend::load_model(text_with(std::string("metric value = ") + metric), "m.descent");
    const ir::Program& program = *lowered.program;
    for (std::size_t i = 0; i < program.variables.size(); ++i) {
      const auto& values = trainer.implementation().variables[i];
      e.tensors[program.variables[i].name] = {ir::evaluate(program.variables[i].shape, {}), values.values()};
    }
    const double expected = ir::interpret(program.function("metrics").roots(), e)[0].values[0];
    REQUIRE(figures.size() == 4);
    CHECK(figures[3].name == "value");
    // Sums of a chunk are of 4096 float32 numbers and of both signs: relative to the number of rows.
    CHECK(std::fabs(figures[3].value - expected) <= 1e-5 * (1 + std::fabs(expected)) + 1e-7 * kRows);
  }
}

TEST_CASE("a_metric_of_every_two_rows_is_right_or_says_what_it_needs") {
  // The share of pairs that are in order: what AUC is.
  const std::string pairs =
      "fn pairs(p, y) {\n let s = reshape(p, [n, 1]) let yes = float(reshape(y, [n, 1]) > 0)\n"
      " let pair = yes * transpose(1 - yes) let d = s - transpose(s)\n"
      " return sum(pair * (if d > 0 then 1 else if d == 0 then 0.5 else 0)) / sum(pair)\n}\n";
  const Model model = Model::from_string(
      "model m { input x: [n, 1] target y: [n, 1] param w: [1] = ones output p = w * x\n loss = mse(p, y)\n" + pairs +
          " metric order = pairs(p, y), far = sum(reshape(p, [n, 1, 1]) * reshape(p, [1, n, 1]) * reshape(p, [1, 1, "
          "n])) }",
      "m.descent");
  Trainer trainer(model, 1);
  const std::vector<float> x = numbers(kRows, 1), y = numbers(kRows, 2);
  const auto first = [](const std::vector<float>& v, std::size_t n) {
    return std::vector<float>(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(n));
  };
  double ordered = 0, all = 0;
  for (std::size_t i = 0; i < 100; ++i) {
    for (std::size_t j = 0; j < 100; ++j) {
      if (y[i] <= 0 || y[j] > 0) continue;
      all += 1;
      ordered += x[i] > x[j] ? 1 : x[i] == x[j] ? 0.5 : 0;
    }
  }
  CHECK(trainer.measure({first(x, 100), first(y, 100)}, 100)[1].value == Approx(ordered / all).epsilon(1e-12));
  CHECK_THROWS_WITH(
      trainer.measure({x, y}, kRows),
      "error: the metric 'far' compares rows with each other, and of 9000 there is not enough memory for the [n, "
      "n, n] with 729000000000 numbers that it needs\n  = help: measure it on fewer rows");
}

// More rows than are computed at a time.
TEST_CASE("outputs_that_compare_rows_are_of_all_rows_together") {
  for (const char* output : {"x - mean(x, axis = 0, keep = true)", "reverse(x, axis = 0)", "x * n", "x / max(x)",
                             "gather(x, int(0 * x[:, 0]) + 1, 0)"}) {
    INFO(output);
    const std::string text =
        std::string("model m { input x: [n, 2] target y: [n, 2] param w: [2] = ones output p = w * (") + output +
        ") loss = mse(p, y) }";
    Trainer trainer(Model::from_string(text, "m.descent"));
    const std::vector<float> x = numbers(kRows * 2, 1), y = numbers(kRows * 2, 2);
    ir::Environment e;
    e.dimensions = {{"n", kRows}};
    e.tensors["x"] = {{kRows, 2}, {x.begin(), x.end()}};
    e.tensors["w"] = {{2}, {1, 1}};
    const auto lowered = frontend::load_model(text, "m.descent");
    const auto expected = ir::interpret(lowered.program->function("predict").roots(), e)[0].values;
    std::vector<float> evaluated;
    trainer.evaluate({x, y}, kRows, &evaluated);
    for (const std::vector<float>& values : {trainer.predict({x}, kRows), evaluated}) {
      REQUIRE(values.size() == expected.size());
      for (std::size_t i = 0; i < values.size(); ++i) {
        // The mean is a sum of 9000 float32 numbers below 1.
        if (std::fabs(static_cast<double>(values[i]) - expected[i]) > 1e-5 * (1 + std::fabs(expected[i]))) FAIL(i);
      }
    }
  }
}

TEST_CASE("inputs_without_rows_are_given_whole_to_every_part_of_the_rows") {
  Trainer trainer(
      Model::from_string("model m { input x: [n, 2] input s: [2] input t: [] param w: [2] = ones\n"
                         " output p = w * x * s + t\n loss = mean(p) metric most = max(p) }",
                         "m.descent"));
  const std::vector<float> x = numbers(kRows * 2, 1), s{2, 3}, t{0.5f};
  const std::vector<float> p = trainer.predict({x, s, t}, kRows);
  float most = p[0];
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (std::fabs(p[i] - (x[i] * s[i % 2] + t[0])) > 1e-6f) FAIL(i << ": " << p[i]);
    most = std::max(most, p[i]);
  }
  CHECK(trainer.measure({x, s, t}, kRows)[1].value == static_cast<double>(most));
  CHECK_THROWS_WITH(trainer.epoch({x, s, t}, kRows, 32),
                    "error: an epoch goes through the rows of every input, but 's' is [2]\n"
                    "  = help: give it a first axis, n, or call step for every batch");
}

TEST_CASE("losses_with_names_are_measured_by_themselves") {
  const std::vector<float> x = numbers(300, 1), y = numbers(100, 2);
  const Model model = model_with("metric error = rmse(p, y), same = fit");
  Trainer trainer(model, 1);
  const auto figures = trainer.measure({x, y}, 100);
  REQUIRE(figures.size() == 5);
  const char* names[] = {"loss", "fit", "size", "error", "same"};
  for (std::size_t i = 0; i < 5; ++i) CHECK(figures[i].name == names[i]);
  CHECK(figures[0].value == Approx(figures[1].value + figures[2].value));
  CHECK(figures[3].value * figures[3].value == Approx(figures[1].value));
  CHECK(figures[4].value == Approx(figures[1].value));
  CHECK(trainer.evaluate({x, y}, 100) == Approx(figures[0].value));
}

TEST_CASE("one_loss_with_a_name_is_the_loss") {
  const Model model = Model::from_string(
      "model m { input x: [n, 3] target y: [n, 1] output p = dense(x, 1) loss fit = mse(p, y) metric f = 2 * fit }");
  Trainer trainer(model, 1);
  const std::vector<float> x = numbers(300, 1), y = numbers(100, 2);
  const auto figures = trainer.measure({x, y}, 100);
  REQUIRE(figures.size() == 3);
  CHECK(figures[0].value == figures[1].value);
  CHECK(figures[2].value == Approx(2 * figures[0].value));
}
