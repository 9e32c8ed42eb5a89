#include "tests/support/agreement.h"

#include <fmt/format.h>

#include <cmath>

#include "codegen/compile.h"
#include "ir/op.h"
#include "passes/passes.h"
#include "tests/support/guarded_memory.h"

namespace descent::test {

namespace {

bool close(double got, double expected, double tolerance) {
  if (std::isnan(expected) || std::isinf(expected)) return std::isnan(expected) ? std::isnan(got) : got == expected;
  return std::fabs(got - expected) <= tolerance * (1 + std::fabs(expected));
}

}  // namespace

std::string disagreement(const Case& test, double tolerance, const std::optional<codegen::OlderMachine>& older) {
  const ir::Program optimized = passes::run_pipeline(test.program);
  const auto compiled = codegen::compile(optimized, {"predict"}, nullptr, older);
  const codegen::CompiledFunction& function = compiled->function("predict");
  const ir::DimensionValues& dimensions = test.environment.dimensions;
  GuardedMemory memory(function.plan, dimensions,
                       [&](const std::string& name) -> auto& { return test.environment.tensors.at(name).values; });
  std::vector<std::int64_t> sizes;
  for (const std::string& symbol : test.program.dimensions()) sizes.push_back(dimensions.at(symbol));
  codegen::RunState state;
  const auto& counters = test.environment.counters;
  if (const auto at = counters.find("step"); at != counters.end()) state.step = static_cast<std::int64_t>(at->second);
  if (const auto at = counters.find("epoch"); at != counters.end()) state.epoch = at->second;
  state.seed = static_cast<std::uint32_t>(test.environment.seed);
  function.run_on(memory.addresses(), sizes.data(), &state);
  if (const auto b = memory.overrun()) return fmt::format("buffer {}: written beyond its end", *b);
  const ir::Function& f = test.program.function("predict");
  const auto expected = ir::interpret(f.roots(), test.environment);
  std::vector<ir::Binding> bindings = f.results;
  bindings.insert(bindings.end(), f.updates.begin(), f.updates.end());
  for (std::size_t r = 0; r < bindings.size(); ++r) {
    const std::vector<double> got = memory.values(function.plan.buffer(bindings[r].name));
    for (std::size_t i = 0; i < expected[r].values.size(); ++i) {
      if (close(got[i], expected[r].values[i], tolerance)) continue;
      return fmt::format("{}[{}]: {}, expected {}", bindings[r].name, i, got[i], expected[r].values[i]);
    }
  }
  return "";
}

namespace {

/// As `disagreement`; a program that is no program any more, or stops the compiler, counts as what it says.
std::string outcome(const Case& test, double tolerance) {
  try {
    return disagreement(test, tolerance);
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// The program with one result or update alone.
Case only(const Case& test, std::size_t binding) {
  Case one = test;
  ir::Function& f = one.program.functions[0];
  const bool is_result = binding < f.results.size();
  const ir::Binding kept = is_result ? f.results[binding] : f.updates[binding - f.results.size()];
  f.results.clear();
  f.updates.clear();
  (is_result ? f.results : f.updates).push_back(kept);
  return one;
}

/// What may stand for a node: operands of its type, a constant.
std::vector<const ir::Node*> replacements(ir::Graph& graph, const ir::Node* node) {
  std::vector<const ir::Node*> found;
  for (const ir::Node* operand : node->operands) {
    if (operand->type == node->type) found.push_back(operand);
  }
  if (!ir::is_leaf(node)) found.push_back(graph.constant(node->type.dtype == ir::DType::f32 ? 0.5 : 1, node->type));
  return found;
}

}  // namespace

Case shrunk(const Case& failing, double tolerance) {
  Case best = failing;
  int attempts = 300;
  const auto try_case = [&](const Case& smaller) {
    if (attempts-- <= 0 || outcome(smaller, tolerance).empty()) return false;
    best = smaller;
    return true;
  };
  const ir::Function& f = failing.program.function("predict");
  for (std::size_t i = 0; i < f.results.size() + f.updates.size(); ++i) {
    if (try_case(only(failing, i))) break;
  }
  for (bool smaller = true; smaller && attempts > 0;) {
    smaller = false;
    const auto nodes = ir::reachable(best.program.functions[0].roots());
    for (auto node = nodes.rbegin(); node != nodes.rend() && !smaller; ++node) {
      for (const ir::Node* replacement : replacements(*best.program.graph, *node)) {
        Case candidate = best;
        candidate.program = passes::map_roots(best.program, [&](const auto& roots) {
          return passes::substitute(*best.program.graph, roots, {{*node, replacement}});
        });
        if (ir::reachable(candidate.program.functions[0].roots()).size() < nodes.size() && try_case(candidate)) {
          smaller = true;
          break;
        }
      }
    }
  }
  return best;
}

}  // namespace descent::test
