// Kernels that differ in their sizes alone are one function, and each of them computes what the graph says.
//
// Tolerance: as for contractions (contractions.cpp), numbers in [-0.5, 0.5) summed over some hundred terms.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "ir/expr.h"
#include "ir/threefry.h"
#include "passes/passes.h"
#include "tests/support/doubles.h"
#include "tests/support/runner.h"

using namespace descent;
using ir::Dimension;
using ir::Expr;

namespace {

enum class Form { forward, data_gradient, weight_gradient };

struct Sizes {
  std::int64_t depth, columns;
};

/// Products of one form and several sizes, each with a short rest of the kernel, and for a weight a longer one.
struct Products {
  ir::Program program;
  std::vector<std::pair<std::string, ir::Shape>> tensors;

  Expr input(const std::string& name, const ir::Shape& shape) {
    program.inputs.push_back({name, shape});
    tensors.emplace_back(name, shape);
    return {*program.graph, program.graph->leaf(ir::Op::input, name, shape)};
  }

  Products(Form form, const std::vector<Sizes>& all) {
    program.name = "products";
    const Dimension n = Dimension::symbol("n");
    std::vector<ir::Binding> results;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::string id = std::to_string(i);
      const Dimension k(all[i].depth), u(all[i].columns);
      ir::Attributes axes;
      axes.lhs_contract = {form == Form::weight_gradient ? 0 : 1};
      axes.rhs_contract = {form == Form::data_gradient ? 1 : 0};
      const Expr a = input("a" + id, {n, k});
      const Expr b = input("b" + id, form == Form::forward         ? ir::Shape{k, u}
                                     : form == Form::data_gradient ? ir::Shape{u, k}
                                                                   : ir::Shape{n, u});
      const Expr product = ir::dot_general(a, b, axes);
      if (form == Form::forward) {
        const Expr bias = input("c" + id, {u});
        const Expr sum = product + ir::broadcast(bias, {n, u}, {1});
        results.push_back({"out" + id, max(sum, ir::like(sum, 0.0)).node});
      } else if (form == Form::data_gradient) {
        const Expr before = input("c" + id, {n, u});
        const Expr out = product * before;
        results.push_back({"out" + id, out.node});
        results.push_back({"sums" + id, ir::reduce_sum(out, {0}).node});
      } else {
        const Expr m = input("c" + id, {k, u});
        const Expr moment = m * 0.9 + product * 0.1;
        results.push_back({"m" + id, moment.node});
        results.push_back({"out" + id, (m - moment / (sqrt(moment * moment + 0.5) + 1e-3)).node});
      }
    }
    program.functions.push_back({"predict", results, {}});
  }
};

void compare(Form form, const std::vector<Sizes>& sizes, bool in_doubles = false) {
  const Products products(form, sizes);
  const ir::Program program = in_doubles ? test::in_doubles(products.program) : products.program;
  const ir::Program optimized = passes::run_pipeline(program);
  const auto exact = test::interpreted(program);
  const auto code = test::compiled(optimized, {"predict"});
  for (const std::int64_t n : {1, 3, 7, 70, 129}) {
    INFO(static_cast<int>(form) << ", first of " << sizes[0].depth << " x " << sizes[0].columns << ", " << n
                                << " rows");
    for (test::Runner* runner : {exact.get(), code.get()}) {
      runner->dimensions["n"] = n;
      std::uint32_t count = 0;
      for (const auto& [name, shape] : products.tensors) {
        auto& values = runner->tensors[name];
        values.clear();
        for (std::int64_t i = ir::element_count(shape, runner->dimensions); i > 0; --i)
          values.push_back(static_cast<double>(ir::uniform_from_bits(ir::threefry2x32(1, 2, count++, 0)[0])) - 0.5);
      }
    }
    const test::Values expected = exact->run("predict"), got = code->run("predict");
    for (const auto& [name, values] : expected) {
      double worst = 0;
      for (std::size_t i = 0; i < values.size(); ++i) worst = std::max(worst, std::fabs(got.at(name)[i] - values[i]));
      INFO(name << " differs by " << worst);
      REQUIRE(worst <= (in_doubles ? 1e-12 : 1e-4));
    }
  }
}

/// The functions in the code of these products that have sizes as arguments.
std::size_t shared(Form form, const std::vector<Sizes>& sizes, const std::string& cpu) {
  const std::string text = codegen::print_llvm(passes::run_pipeline(Products(form, sizes).program), "predict",
                                               {"x86_64-unknown-linux-gnu", cpu});
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find("define internal", at)) != std::string::npos; ++at) ++count;
  return count;
}

}  // namespace

TEST_CASE("kernels_of_other_sizes_agree_with_the_interpreter") {
  for (const Form form : {Form::forward, Form::data_gradient, Form::weight_gradient}) {
    compare(form, {{256, 128}, {128, 64}, {320, 192}});
    compare(form, {{200, 128}, {98, 70}, {131, 90}, {131, 107}});
    compare(form, {{96, 512}, {64, 1024}});
  }
  compare(Form::forward, {{256, 128}, {128, 64}}, true);
  compare(Form::weight_gradient, {{256, 128}, {128, 64}}, true);
}

TEST_CASE("kernels_of_other_sizes_are_one_function") {
  for (const std::string cpu : {"znver3", "znver4"}) {
    CHECK(shared(Form::forward, {{256, 128}, {512, 64}, {320, 192}}, cpu) == 1);
    CHECK(shared(Form::weight_gradient, {{256, 128}, {784, 256}}, cpu) == 1);
    CHECK(shared(Form::forward, {{256, 128}}, cpu) == 0);
    // Small ones keep their sizes in the code.
    CHECK(shared(Form::forward, {{64, 16}, {32, 16}}, cpu) == 0);
  }
}
