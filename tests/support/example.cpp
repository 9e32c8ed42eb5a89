#include "tests/support/example.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "ir/text.h"
#include "passes/passes.h"
#include "tests/support/runner.h"

namespace descent::test {

Example::Example(std::int64_t rows) : graph(*program_case.program.graph) {
  program().name = "example";
  program().functions.push_back({"predict", {}, {}});
  program_case.environment.dimensions = {{"n", rows}};
}

ir::Expr Example::input(const std::string& name, const ir::Shape& shape, ir::DType dtype) {
  program().inputs.push_back({name, shape, false, dtype});
  fill(name, shape);
  return {graph, graph.leaf(ir::Op::input, name, shape, dtype)};
}

ir::Expr Example::parameter(const std::string& name, const ir::Shape& shape) {
  program().variables.push_back({name, shape});
  fill(name, shape);
  return {graph, graph.leaf(ir::Op::parameter, name, shape)};
}

void Example::fill(const std::string& name, const ir::Shape& shape) {
  auto& environment = program_case.environment;
  ir::Tensor t{ir::evaluate(shape, environment.dimensions), {}};
  const std::int64_t count = ir::element_count(shape, environment.dimensions);
  for (std::int64_t i = 0; i < count; ++i) {
    t.values.push_back(static_cast<float>(std::sin(0.7 * static_cast<double>(i) + static_cast<double>(name[0]))));
  }
  environment.tensors[name] = t;
}

void Example::set(const std::string& name, std::vector<double> values) {
  program_case.environment.tensors.at(name).values = std::move(values);
}

void Example::agrees(double tolerance, const std::vector<std::string>& processors) {
  INFO(ir::print(program()));
  for (const std::string& processor : processors) {
    INFO("for " << (processor.empty() ? "this machine" : processor));
    CHECK(disagreement(program_case, tolerance, machine_of(processor)) == "");
  }
}

passes::KernelPlan Example::plan() {
  const ir::Program optimized = passes::run_pipeline(program());
  return passes::plan_kernels(optimized, optimized.function("predict"));
}

}  // namespace descent::test
