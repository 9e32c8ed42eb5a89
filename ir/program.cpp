#include "ir/program.h"

#include "descent/error.h"

namespace descent::ir {

namespace {
template <typename Items>
auto find(const Items& items, const std::string& name) -> decltype(&items[0]) {
  for (const auto& item : items) {
    if (item.name == name) return &item;
  }
  return nullptr;
}
}  // namespace

std::vector<const Node*> Function::roots() const {
  std::vector<const Node*> nodes;
  for (const Binding& b : results) nodes.push_back(b.node);
  for (const Binding& b : updates) nodes.push_back(b.node);
  return nodes;
}

void Function::set_roots(const std::vector<const Node*>& nodes) {
  std::size_t i = 0;
  for (Binding& b : results) b.node = nodes[i++];
  for (Binding& b : updates) b.node = nodes[i++];
}

const Function* Program::find_function(const std::string& wanted) const { return find(functions, wanted); }
const Variable* Declarations::find_variable(const std::string& wanted) const { return find(variables, wanted); }
const Input* Declarations::find_input(const std::string& wanted) const { return find(inputs, wanted); }

const Function& Program::function(const std::string& wanted) const {
  const Function* found = find_function(wanted);
  if (found == nullptr) throw Error("the program '" + name + "' has no function '" + wanted + "'");
  return *found;
}

std::vector<std::string> Declarations::dimensions() const {
  std::vector<std::string> names;
  for (const Input& input : inputs) {
    for (const Dimension& d : input.shape) d.collect_symbols(names);
  }
  return names;
}

bool Declarations::has_rows(const Shape& shape) const {
  const std::vector<std::string> symbols = dimensions();
  return !symbols.empty() && !shape.empty() && shape[0] == Dimension::symbol(symbols[0]);
}

const std::vector<Interface::Result>& Interface::results_of(const std::string& function) const {
  const auto found = results.find(function);
  if (found == results.end()) throw Error("the program '" + name + "' has no function '" + function + "'");
  return found->second;
}

const Node* leaf_of(Graph& graph, const Variable& v) {
  return graph.leaf(v.kind == Variable::Kind::parameter ? Op::parameter : Op::state, v.name, v.shape, v.dtype);
}

Interface interface_of(const Program& program) {
  Interface interface{program, {}};
  for (const Function& function : program.functions) {
    auto& results = interface.results[function.name];
    for (const Binding& result : function.results) {
      results.push_back({result.name, result.node->shape(), result.node->type.dtype});
    }
  }
  return interface;
}

}  // namespace descent::ir
