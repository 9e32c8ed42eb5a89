// The pipeline: every pass over the graph, in order.
#include "ir/text.h"
#include "passes/passes.h"

namespace descent::passes {

ir::Program run_pipeline(const ir::Program& program, const Observer& observe) {
  struct Stage {
    const char* name;
    ir::Program (*run)(const ir::Program&);
  };
  static constexpr Stage stages[] = {
      {"simplified", simplify},     // stable forms first: what is simple to differentiate
      {"gradient", differentiate},  // the backward graph, of the same ops
      {"derived", simplify},        // gradients as a person would write them
      // The forms that are computed, of tables only the rows that are.
      {"optimized", [](const ir::Program& p) { return sparse_updates(lower(p)); }},
  };
  if (observe) observe("graph", program);
  ir::Program current = isolate(program);
  for (const Stage& stage : stages) {
    current = stage.run(current);
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
  for (ir::Function& function : result.functions) {
    const auto roots = change(function.roots());
    std::size_t i = 0;
    for (ir::Binding& b : function.results) b.node = roots[i++];
    for (ir::Binding& b : function.updates) b.node = roots[i++];
  }
  return result;
}

}  // namespace descent::passes
