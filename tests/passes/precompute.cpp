// Tables that are made before training: their values are those that the expression has, in a batch of any size.
#include <catch2/catch.hpp>
#include <cmath>

#include "frontend/frontend.h"
#include "passes/passes.h"
#include "tests/support/runner.h"

using namespace descent;

namespace {

/// The number of tables of a model whose output is the expression of x [n, 3, 4]; and that they do not change its
/// value. Tolerance: both sides compute the same in float64, but for the rewriting.
std::size_t tables_of(const std::string& expression) {
  INFO(expression);
  const std::string source =
      "model m {\n    input x: [n, 3, 4]\n    target y: [n, 1]\n    param w: [4] = ones\n    output p = " + expression +
      "\n    loss = sum(p * w) + 0 * sum(y)\n}\n";
  const ir::Program program = *frontend::load_model(source, "m.descent").program;
  const ir::Program computed = passes::run_pipeline(program);
  const auto written = test::interpreted(program), optimized = test::interpreted(computed);
  for (const auto& runner : {written.get(), optimized.get()}) {
    runner->dimensions = {{"n", 2}};
    for (int i = 0; i < 24; ++i) runner->tensors["x"].push_back(std::sin(i));
    runner->run("initial");
  }
  const auto expected = written->run("predict").at("p"), got = optimized->run("predict").at("p");
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]).epsilon(1e-12));
  return optimized->tensors.size() - written->tensors.size();
}

}  // namespace

TEST_CASE("positions_in_the_shape_of_a_batch_are_tables_of_the_axes_along_which_they_vary") {
  CHECK(tables_of("x * sin(float(iota(x, axis = 1)))") == 1);
  CHECK(tables_of("x * sin(float(iota(x, axis = 1)) / 10^(float(iota(x, axis = 2)) / 4))") == 1);
  CHECK(tables_of("x * sin(float(iota(x, axis = 2))) + cos(float(iota(x, axis = 2) - iota(x, axis = 1)))") == 2);
  CHECK(tables_of("x * sin(float(iota([4], axis = 0))) + sin(float(iota(x, axis = 2)))") == 1);  // one table, twice
  CHECK(tables_of("if iota(x, axis = 1) < iota(x, axis = 2) then x else exp(float(iota(x, axis = 1)) / 7)") == 1);
}

TEST_CASE("what_varies_with_the_batch_or_is_sooner_computed_is_no_table") {
  CHECK(tables_of("x * sin(float(iota(x, axis = 0)))") == 0);  // along the rows
  CHECK(tables_of("x * sin(float(iota(x, axis = 0) + iota(x, axis = 1)))") == 0);
  CHECK(tables_of("x * float(iota(x, axis = 1))") == 0);                               // two instructions
  CHECK(tables_of("if iota(x, axis = 1) < iota(x, axis = 2) then x else -1e9") == 0);  // a mask
  CHECK(tables_of("sin(x * float(iota(x, axis = 1)))") == 0);
}
