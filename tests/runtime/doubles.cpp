// Models of f64: data, training, weights and predictions in float64.
#include <catch2/catch.hpp>
#include <cmath>

#include "frontend/frontend.h"
#include "ir/threefry.h"
#include "passes/passes.h"
#include "runtime/model.h"
#include "runtime/safetensors.h"
#include "runtime/training.h"
#include "tests/runtime/support.h"
#include "tests/support/runner.h"

using namespace descent;
using namespace descent::test;

namespace {

using Doubles = std::vector<double>;
using Floats = std::vector<float>;

Doubles numbers(std::size_t count, std::uint32_t stream) {
  Doubles values;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto bits = ir::threefry2x32(3, stream, i, 0);
    values.push_back(2 * static_cast<double>(ir::uniform_from_bits(bits[0])) - 1 +
                     1e-9 * static_cast<double>(ir::uniform_from_bits(bits[1])));
  }
  return values;
}

const char* const kModel =
    "model m { input x: f64[n, 5] target y: f64[n, 1]\n"
    " let h = x |> standardize |> dense(8) |> layer_norm |> tanh |> dropout(0.1)\n"
    " output p = h |> dense(1) |> sigmoid\n"
    " loss = bce(p, y) + 1e-3 * l2(weights) + 0.01 * mean(grad(sum(p), x)^2) }\n"
    "train { optimizer = adamw(lr = cosine(1e-2, epochs = 100)) gradients = clip_by_norm(gradients, 1) }";

}  // namespace

// Tolerance: 1e-12 relative to 1 + |value|. A step agrees to some 1e-15; Adam divides by the root of what it has seen,
// by which the difference grows from step to step, about hundredfold in 20 of them.
TEST_CASE("training_in_float64_agrees_with_the_interpreter") {
  const Model model = Model::from_string(kModel, "m.descent");
  Trainer trainer(model, 3);
  const std::int64_t rows = 7;
  const Doubles x = numbers(35, 1);
  Doubles y;
  for (double v : numbers(7, 2)) y.push_back(v > 0 ? 1 : 0);
  trainer.fit({x, y}, rows);
  const auto& variables = trainer.implementation().variables;
  const ir::Program program = passes::run_pipeline(*frontend::load_model(kModel, "m.descent").program);
  const auto exact = interpreted(program);
  exact->dimensions["n"] = rows;
  exact->tensors["x"] = x, exact->tensors["y"] = y;
  exact->seed = 3;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    CHECK(variables[i].dtype == ir::DType::f64);
    exact->tensors[program.variables[i].name] = variables[i].values();
  }
  for (exact->step = 1; exact->step <= 20; ++exact->step) {
    const Values expected = exact->run("step");
    CHECK(std::fabs(trainer.step({x, y}, rows) - expected.at("loss")[0]) <= 1e-13);
  }
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const Doubles got = variables[i].values(), &expected = exact->tensors.at(program.variables[i].name);
    for (std::size_t k = 0; k < got.size(); ++k) {
      CHECK(std::fabs(got[k] - expected[k]) <= 1e-12 * (1 + std::fabs(expected[k])));
    }
  }
}

TEST_CASE("training_in_float64_is_the_same_on_any_number_of_threads") {
  const auto outcome = [](int threads) {
    Trainer trainer(Model::from_string(kModel, "m.descent"), 1);
    trainer.implementation().barrier_us = 0;  // all that can be shared is
    trainer.implementation().set_members(threads);
    const Doubles x = numbers(500, 1), y(100, 1.0);
    Doubles result{trainer.epoch({x, y}, 100, 32)};
    for (const auto& v : trainer.implementation().variables) {
      const Doubles values = v.values();
      result.insert(result.end(), values.begin(), values.end());
    }
    return result;
  };
  CHECK(outcome(1) == outcome(3));
}

TEST_CASE("weights_of_float64_are_saved_and_loaded_bit_by_bit") {
  const Folder folder;
  const Doubles x = numbers(35, 1), y(7, 1.0);
  Trainer trainer(Model::from_string(kModel, "m.descent"), 1);
  trainer.epoch({x, y}, 7, 3);
  trainer.save("w");
  CHECK(runtime::load_tensors("w").find("dense.0.w")->dtype() == ir::DType::f64);
  Trainer other(Model::from_string(kModel, "m.descent"));
  other.load("w", true);
  CHECK(other.implementation().variables == trainer.implementation().variables);
  const auto outputs = other.predict_all({x}, 7);
  CHECK(outputs[0].doubles == trainer.predict_all({x}, 7)[0].doubles);
  CHECK(outputs[0].values.empty());
  CHECK(other.predict({x}, 7)[3] == static_cast<float>(outputs[0].doubles[3]));

  const char* same = "model m { input x: [n, 1] param a: [1] = ones output p = a * x }";
  Trainer single(Model::from_string(same));
  single.save("single");
  Trainer wide(Model::from_string("model m { input x: f64[n, 1] param a: [1] = ones output p = a * x }"));
  CHECK(error_of([&] { wide.load("single"); }) ==
        "single: error: these weights are not of the model 'm': the tensor 'a' is f32, expected f64\n"
        "  = help: use the weights that were saved by training this model file");
}

TEST_CASE("floats_and_doubles_are_taken_for_each_other") {
  Trainer single(Model::from_string("model m { input x: [n, 1] output p = 2 * x }"));
  CHECK(single.predict({Doubles{0.1, 1.0 / 3}}, 2) == Floats{0.2f, 2 * (1.0f / 3)});
  Trainer wide(Model::from_string("model m { input x: f64[n, 1] output p = 2 * x }"));
  CHECK(wide.predict_all({Floats{0.1f}}, 1)[0].doubles == Doubles{2 * static_cast<double>(0.1f)});
  CHECK(wide.predict_all({std::vector<std::int32_t>{16777217}}, 1)[0].doubles == Doubles{33554434});
  CHECK(error_of([&] { single.predict({std::vector<std::int32_t>{16777217}}, 1); }) ==
        "error: the tensor 'x' holds 16777217 at index 0, expected a number that a float can hold");
}

// Written numbers, sizes, counters, random numbers and conditions are computed in float64 beside it: to more digits
// than float32 has. An f32 tensor is converted where the model says so, and gradients flow back through it.
TEST_CASE("types_meet_where_the_model_says_so") {
  const Model model = Model::from_string(
      "model m { input x: f64[n, 2] input z: [n, 2] input k: int[n] target y: f64[n, 2]\n"
      " param a: f64[2] = ones param b: [2] = ones\n"
      " let w = f64(b * z)\n"
      " output third = x / 3 + 0 * a, mixed = a * x + w, counted = x * n + float(x > 0.5), rows = k / 3 + 0 * x[:, "
      "0]\n"
      " output single = f32(x) * b\n"
      " loss = mse(mixed, y) }\n"
      "train { optimizer = sgd(lr = 1) }",
      "m.descent");
  Trainer trainer(model);
  const Doubles x{0.1, 0.7, 1, 2}, y(4, 0.0);
  const Floats z{1, 2, 3, 4};
  const std::vector<std::int32_t> k{1, 2};
  const auto outputs = trainer.predict_all({x, z, k, y}, 2);
  CHECK(outputs[0].doubles[0] == Approx(0.1 / 3).epsilon(1e-15));
  CHECK(outputs[1].doubles == Doubles{1.1, 2.7, 4, 6});
  CHECK(outputs[3].doubles == Doubles{1.0 / 3, 2.0 / 3});
  CHECK(outputs[4].values == Floats{0.1f, 0.7f, 1, 2});
  trainer.step({x, z, k, y}, 2);
  const auto& variables = trainer.implementation().variables;
  CHECK(variables[0].dtype == ir::DType::f64);
  CHECK(variables[1].dtype == ir::DType::f32);
  // d loss / d b = mean over rows of 2 z (a x + b z) / 2 columns
  CHECK(variables[1].values()[0] == Approx(1 - (1 * 1.1 + 3 * 4.0) / 2).epsilon(1e-6));
  CHECK(variables[0].values()[1] == Approx(1 - (0.7 * 2.7 + 2 * 6.0) / 2).epsilon(1e-15));
}

TEST_CASE("what_has_no_type_is_computed_in_the_one_it_is_converted_to") {
  const Model model = Model::from_string(
      "model m { input x: f64[n, 2] target y: f64[n, 2]\n"
      " output third = f64(1 / 3) + 0 * x, share = f64(1 / (n + 1)) + 0 * x, log_step = f64(log(step)) + 0 * x\n"
      " output beside = stack([x, float(iota(x, axis = 1)) / 3])\n"
      " param w: f64[2] = ones\n"
      " loss = mse(w * x, y) }",
      "m.descent");
  Trainer trainer(model);
  const Doubles x{0.1, 0.7}, y{1, 2};
  for (int i = 0; i < 2; ++i) trainer.step({x, y}, 1);
  const auto outputs = trainer.predict_all({x, y}, 1);
  const auto check = [&](std::size_t output, const Doubles& expected) {
    REQUIRE(outputs[output].doubles.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(std::fabs(outputs[output].doubles[i] - expected[i]) <= 2e-16 * (1 + std::fabs(expected[i])));
    }
  };
  check(0, {1.0 / 3, 1.0 / 3});
  check(1, {0.5, 0.5});
  check(2, {std::log(2.0), std::log(2.0)});
  check(3, {0.1, 0.7, 0, 1.0 / 3});
}

TEST_CASE("layers_take_the_type_of_what_they_are_applied_to") {
  const auto types = [](const std::string& body) {
    const frontend::Model model = frontend::load_model("model m { " + body + " }", "m.descent");
    std::string text;
    for (const ir::Variable& v : model.program->variables) {
      text += v.name + " " + ir::to_string(v.dtype) + " ";
    }
    return text;
  };
  CHECK(types("input x: f64[n, 3] input z: [n, 3] output p = dense(x, 2), q = dense(z, 2)") ==
        "dense.0.w f64 dense.0.b f64 dense.1.w f32 dense.1.b f32 ");
  // What is applied to whole numbers has the type of the layer around it, or of the model.
  CHECK(types("input k: [n] category(9) target y: f64[n, 2] output p = embedding(k, 9, 2) loss = mse(p, y)") ==
        "embedding.0.table f64 embedding.0.table.m f64 embedding.0.table.v f64 ");
  CHECK(types("input k: [n] category(9) input z: [n] target y: f64[n, 2] output p = embedding(k, 9, 2)") ==
        "embedding.0.table f32 ");
}

TEST_CASE("a_table_is_read_into_float64_and_predictions_are_written_from_it") {
  const Folder folder;
  write("data.csv", "a,b\n0.1,1e300\n0.3333333333333333,2\n");
  write("m.descent",
        "model m { input x: f64[n, 2] target y: f64[n] output p = x loss = mean((y - 1)^2) + 0 * sum(x)\n"
        " metric most = max(x) }\n"
        "data { source = csv(\"data.csv\") x = columns(\"a\", \"b\") y = column(\"a\") == 0.1 }");
  const Model model = Model::from_file("m.descent");
  Trainer trainer(model);
  const runtime::Dataset data = runtime::load_dataset(trainer, model, "m.descent", {}, true);
  CHECK(data.tensors[0].doubles == Doubles{0.1, 1e300, 0.3333333333333333, 2});
  CHECK(data.tensors[1].doubles == Doubles{1, 0});
  CHECK(runtime::score(trainer, data).metrics[0].value == 1e300);
}
