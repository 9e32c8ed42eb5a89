#include "tests/support/doubles.h"

#include <unordered_map>

#include "ir/op.h"

namespace descent::test {

using ir::DType;
using ir::Node;

ir::Program in_doubles(const ir::Program& program) {
  const auto widened = [](DType dtype) { return dtype == DType::f32 ? DType::f64 : dtype; };
  ir::Program result;
  static_cast<ir::Declarations&>(result) = program;
  for (ir::Input& input : result.inputs) input.dtype = widened(input.dtype);
  for (ir::Variable& v : result.variables) v.dtype = widened(v.dtype);
  std::unordered_map<const Node*, const Node*> made;
  const auto convert = [&](std::vector<ir::Binding> bindings) {
    for (ir::Binding& b : bindings) {
      for (const Node* node : ir::reachable({b.node})) {
        if (made.contains(node)) continue;
        std::vector<const Node*> operands;
        for (const Node* operand : node->operands) operands.push_back(made.at(operand));
        ir::Attributes attributes = node->attributes;
        if (ir::is_leaf(node) || node->op == ir::Op::convert) attributes.dtype = widened(attributes.dtype);
        made[node] = result.graph->make(node->op, std::move(operands), std::move(attributes));
      }
      b.node = made.at(b.node);
    }
    return bindings;
  };
  for (const ir::Function& f : program.functions) {
    result.functions.push_back({f.name, convert(f.results), convert(f.updates)});
  }
  return result;
}

}  // namespace descent::test
