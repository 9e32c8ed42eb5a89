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
