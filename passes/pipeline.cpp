// The pipeline: every pass over the graph, in order.
#include <algorithm>

#include "ir/text.h"
#include "passes/passes.h"

namespace descent::passes {

namespace {

bool has_gradients(const ir::Program& program) {
  std::vector<const ir::Node*> roots;
  for (const ir::Function& f : program.functions) {
    const auto own = f.roots();
    roots.insert(roots.end(), own.begin(), own.end());
  }
  const auto nodes = ir::reachable(roots);
  return std::any_of(nodes.begin(), nodes.end(), [](const ir::Node* node) { return node->op == ir::Op::gradient; });
}

}  // namespace

ir::Program run_pipeline(const ir::Program& program, const Observer& observe) {
  struct Stage {
    const char* name;
    ir::Program (*run)(const ir::Program&);
    bool is_of_gradients = false;  // has nothing to do where there are none
  };
  static constexpr Stage stages[] = {
      {"simplified", simplify},           // stable forms first: what is simple to differentiate
      {"gradient", differentiate, true},  // the backward graph, of the same ops
      {"derived", simplify, true},        // gradients as a person would write them
      // The forms that are computed, of tables only the rows that are.
      {"optimized", [](const ir::Program& p) { return staged_sums(move_reshapes(sparse_updates(lower(p)))); }},
      {"hoisted", precompute},  // what no input and no parameter changes, computed before training
  };
  if (observe) observe("graph", program);
  const bool differentiates = has_gradients(program);
  ir::Program current = differentiates ? isolate(program) : program;
  for (const Stage& stage : stages) {
    if (differentiates || !stage.is_of_gradients) current = stage.run(current);
#ifndef NDEBUG
    ir::verify(current, stage.name);
#endif
    if (observe) observe(stage.name, current);
  }
  return current;
}

ir::Program map_roots(const ir::Program& program,
                      const std::function<std::vector<const ir::Node*>(const std::vector<const ir::Node*>&)>& change) {
  ir::Program result = program;
  for (ir::Function& function : result.functions) function.set_roots(change(function.roots()));
  return result;
}

}  // namespace descent::passes
