// Generated code, after all passes, against the float64 interpreter on the graph as it is: random graphs of every op.
// For this machine and for older processors whose code it runs, in turn. 100 graphs here; more by DESCENT_GRAPHS=20000
// (./dev oracle), from the seed DESCENT_SEED on. A graph that differs is shrunk and printed.
//
// Tolerance: that of tests/support/rounding.h with 2^-22 in float32 and 2^-51 in float64, two units in the last place
// for every op, which is the bound of the elementary functions (in float64 the interpreter rounds too, less). Where the
// optimized graph itself leaves the range of float32 nothing is compared: a rule may do that to an intermediate
// product, and says so (docs/numerics.md).
#include <catch2/catch.hpp>
#include <cmath>
#include <exception>
#include <limits>

#include "passes/passes.h"
#include "tests/support/doubles.h"
#include "tests/support/random_graph.h"
#include "tests/support/rounding.h"
#include "tests/support/runner.h"
#include "tests/support/saved_graphs.h"

using namespace descent;
using ir::Node;

namespace {

/// What of the results is out of bounds; empty if nothing is.
std::string mistake(const ir::Program& program, const ir::Environment& e, bool in_doubles, const std::string& processor,
                    int* compared = nullptr) {
  try {
    const ir::Program optimized = passes::run_pipeline(in_doubles ? test::in_doubles(program) : program);
    const auto code = test::compiled(optimized, {"predict"}, test::machine_of(processor));
    code->dimensions = e.dimensions, code->seed = e.seed;
    code->step = static_cast<std::int64_t>(e.counters.at("step")), code->epoch = e.counters.at("epoch");
    for (const auto& [name, tensor] : e.tensors) code->tensors[name] = tensor.values;
    const test::Values got = code->run("predict");
    for (std::size_t r = 0; r < program.functions[0].results.size(); ++r) {
      const auto& [name, root] = program.functions[0].results[r];
      auto expected = test::expected(*program.graph, root, e, {in_doubles ? 0x1p-51 : 0x1p-22, 20});
      if (!expected) continue;
      const Node* computed = optimized.functions[0].results[r].node;
      const auto in_range = in_doubles ? expected->values : test::in_float32_range(*program.graph, computed, e);
      for (std::size_t i = 0; i < in_range.size(); ++i) {
        const bool leaves = !(std::fabs(in_range[i] - expected->values[i]) <= expected->bounds[i]);
        if (leaves) expected->bounds[i] = std::numeric_limits<double>::infinity();
      }
      const std::string difference = test::out_of_bounds(*expected, got.at(name));
      if (!difference.empty()) return name + ", " + difference;
      if (compared != nullptr) ++*compared;
    }
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace

namespace {

void compare_random_graphs(bool in_doubles) {
  const std::uint32_t first = test::setting("DESCENT_SEED", 1), count = test::setting("DESCENT_GRAPHS", 100);
  WARN("seeds " << first << " to " << first + count - 1);
  const std::vector<std::string> processors = test::processors();
  int compared = 0;
  for (std::uint32_t seed = first; seed < first + count; ++seed) {
    const test::RandomGraph g = test::random_graph(seed);
    const std::string processor = processors[seed % processors.size()];
    const std::string wrong = mistake(g.program, g.environment, in_doubles, processor, &compared);
    if (wrong.empty()) continue;
    std::string of_smallest;
    const auto fails = [&](ir::Graph& in, const Node* root, const ir::Environment& e) {
      const std::string found =
          root->type.dtype == ir::DType::f32 ? mistake(test::program_of(in, root), e, in_doubles, processor) : "";
      if (!found.empty()) of_smallest = found;
      return !found.empty();
    };
    std::string smallest;
    for (const ir::Binding& result : g.program.functions[0].results) {
      if (smallest.empty() && fails(*g.program.graph, result.node, g.environment))
        smallest = test::shrink(*g.program.graph, result.node, g.environment, fails);
    }
    FAIL("seed " << seed << (processor.empty() ? "" : ", for " + processor) << ": " << wrong
                 << "; smallest part that fails, " << of_smallest << ":\n"
                 << smallest);
  }
  CHECK(compared > 2 * static_cast<int>(count));  // of 3 results each
}

}  // namespace

TEST_CASE("oracle_generated_code_agrees_with_the_interpreter_on_random_graphs_of_every_op") {
  compare_random_graphs(false);
}

TEST_CASE("generated_code_agrees_on_graphs_that_once_showed_a_mistake") {
  for (const test::SavedGraph& saved : test::saved_graphs()) {
    INFO(saved.name);
    for (const bool in_doubles : {false, true}) {
      for (const std::string& processor : test::processors())
        CHECK(mistake(saved.graph.program, saved.graph.environment, in_doubles, processor) == "");
    }
  }
}

TEST_CASE("oracle_generated_code_in_float64_agrees_with_the_interpreter_on_random_graphs_of_every_op") {
  compare_random_graphs(true);
}
