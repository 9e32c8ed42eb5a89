// Tables that follow from constants alone are variables that a trainer computes and nothing else sees.
#include <catch2/catch.hpp>
#include <cmath>

#include "runtime/model.h"
#include "runtime/safetensors.h"
#include "tests/runtime/support.h"

using namespace descent;

namespace {

/// Positions are added to x; the prediction is a known function of both.
const std::string text =
    "model m {\n input x: [n, 5, 4]\n target y: [n, 5, 4]\n param s: [4] = ones\n"
    " output p = s * sinusoidal_position(x)\n loss = mse(p, y)\n}";

/// Vaswani and others, "Attention is all you need" (2017), section 3.5: sines, then cosines.
double position(std::size_t t, std::size_t i) {
  const double angle = static_cast<double>(t) / std::pow(10000.0, 2.0 * static_cast<double>(i % 2) / 4);
  return i < 2 ? std::sin(angle) : std::cos(angle);
}

std::size_t tables_of(const Model& model) {
  const auto& variables = model.implementation()->interface.variables;
  return static_cast<std::size_t>(std::count_if(variables.begin(), variables.end(), [](const ir::Variable& v) {
    return v.kind == ir::Variable::Kind::constant;
  }));
}

void check_predictions(Trainer& trainer) {
  const std::vector<float> x(2 * 20, 0.25f);
  const std::vector<float> p = trainer.predict({x}, 2);
  REQUIRE(p.size() == 40);
  for (std::size_t k = 0; k < p.size(); ++k) {
    const double expected = 0.25 + position(k % 20 / 4, k % 4);
    CHECK(std::fabs(static_cast<double>(p[k]) - expected) <= 2 * 0x1p-24 * 1.25);  // the table's rounding and the sum's
  }
}

}  // namespace

TEST_CASE("a_table_of_constants_is_computed_once_and_is_no_weight") {
  const test::Folder folder;
  const Model model = Model::from_string(text);
  CHECK(tables_of(model) == 1);
  CHECK(model.parameter_count() == 4);
  Trainer trainer(model);
  check_predictions(trainer);
  trainer.save("weights");
  const runtime::TensorFile saved = runtime::load_tensors("weights");
  CHECK(saved.tensors.size() == 3);  // s, and what Adam keeps of it
  Trainer other(model, 1);
  other.load("weights", true);
  check_predictions(other);
}

TEST_CASE("a_model_from_the_cache_has_its_tables_of_constants") {
  const test::Folder folder;
  const test::Cached cached;
  for (int time = 0; time < 2; ++time) {
    const Model model = Model::from_string(text);
    CHECK(tables_of(model) == 1);
    Trainer trainer(model);
    check_predictions(trainer);
  }
}

TEST_CASE("a_table_of_constants_of_float64_keeps_all_digits") {
  const test::Folder folder;
  const Model model = Model::from_string(
      "model m {\n input x: f64[n, 5, 4]\n target y: f64[n, 5, 4]\n param s: f64[4] = ones\n"
      " output p = s * sinusoidal_position(x)\n loss = mse(p, y)\n}");
  CHECK(tables_of(model) == 1);
  Trainer trainer(model);
  const std::vector<double> x(20, 0.25);
  const std::vector<double> p = trainer.predict_all({x}, 1)[0].doubles;
  REQUIRE(p.size() == 20);
  for (std::size_t k = 0; k < p.size(); ++k) {
    // The table is computed in another order of operations: an angle of up to 4 is rounded a few times more.
    CHECK(std::fabs(p[k] - (0.25 + position(k / 4, k % 4))) <= 8 * 0x1p-52);
  }
  const std::vector<double> y(20, 0.5);
  trainer.step({x, y}, 1);
  trainer.save("weights");
  CHECK(runtime::load_tensors("weights").tensors.size() == 3);
}

TEST_CASE("what_is_cheap_or_large_or_of_the_batch_is_no_table_of_constants") {
  const auto tables = [](const std::string& value, const std::string& rows = "5") {
    return tables_of(Model::from_string("model m {\n input x: [n, " + rows + ", 4]\n target y: [n, " + rows +
                                        ", 4]\n param s: [4] = ones\n output p = s * " + value +
                                        "\n loss = mse(p, y)\n}"));
  };
  CHECK(tables("(if iota(x, axis = 1) < 3 then x else 0)") == 0);
  CHECK(tables("x * exp(float(iota([5, 4], axis = 0)))") == 1);
  CHECK(tables("x * exp(float(iota(x, axis = 0)))") == 0);
  CHECK(tables("x * exp(s)") == 0);
  CHECK(tables("sinusoidal_position(x)", "40000") == 0);
}
