// A program with a function "predict" that a test builds node by node, with numbers for its inputs and parameters.
#pragma once

#include <string>
#include <vector>

#include "ir/expr.h"
#include "passes/kernels.h"
#include "tests/support/agreement.h"

namespace descent::test {

struct Example {
  Case program_case;
  ir::Graph& graph;

  explicit Example(std::int64_t rows = 11);  ///< the size n
  Example(const Example&) = delete;
  ir::Program& program() { return program_case.program; }
  ir::Function& function() { return program().functions[0]; }

  /// Tensors of such shapes, filled with numbers in (-1, 1) that differ.
  ir::Expr input(const std::string& name, const ir::Shape& shape, ir::DType dtype = ir::DType::f32);
  ir::Expr parameter(const std::string& name, const ir::Shape& shape);
  void fill(const std::string& name, const ir::Shape& shape);
  void set(const std::string& name, std::vector<double> values);
  void result(const std::string& name, ir::Expr value) { function().results.push_back({name, value.node}); }

  /// Checks that the compiled code agrees with the interpreter: for this machine, or for each of these processors.
  void agrees(double tolerance, const std::vector<std::string>& processors = {""});
  passes::KernelPlan plan();
};

}  // namespace descent::test
