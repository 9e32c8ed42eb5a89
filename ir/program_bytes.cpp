#include "ir/program_bytes.h"

#include <bit>

#include "ir/op.h"

namespace descent::ir {

namespace {

constexpr std::vector<int> Attributes::* number_lists[] = {
    &Attributes::axes,      &Attributes::strides,   &Attributes::window,       &Attributes::interior,
    &Attributes::lhs_batch, &Attributes::rhs_batch, &Attributes::lhs_contract, &Attributes::rhs_contract};
constexpr Shape Attributes::* size_lists[] = {&Attributes::shape, &Attributes::starts, &Attributes::limits,
                                              &Attributes::low, &Attributes::high};

/// Most attributes of most nodes are not there: one bit says of each whether it is.
void write(ByteWriter& out, const Attributes& a) {
  std::int64_t there = 0, bit = 1;
  const auto note = [&](bool is_there) {
    if (is_there) there |= bit;
    bit <<= 1;
  };
  note(!a.name.empty());
  note(std::bit_cast<std::uint64_t>(a.value) != 0);
  for (auto list : number_lists) note(!(a.*list).empty());
  for (auto list : size_lists) note(!(a.*list).empty());
  out.number(there);
  out.one_of(a.dtype);
  if (!a.name.empty()) out.text(a.name);
  if (std::bit_cast<std::uint64_t>(a.value) != 0) out.real(a.value);
  for (auto list : number_lists) {
    if (!(a.*list).empty()) out.numbers(a.*list);
  }
  for (auto list : size_lists) {
    if (!(a.*list).empty()) out.shape(a.*list);
  }
}

Attributes read_attributes(ByteReader& in) {
  Attributes a;
  std::int64_t there = in.number();
  const auto is_there = [&] {
    const bool it_is = (there & 1) != 0;
    there >>= 1;
    return it_is;
  };
  a.dtype = in.one_of(DType::boolean);
  if (is_there()) a.name = in.text();
  if (is_there()) a.value = in.real();
  for (auto list : number_lists) {
    if (is_there()) a.*list = in.numbers();
  }
  for (auto list : size_lists) {
    if (is_there()) a.*list = in.shape();
  }
  return a;
}

}  // namespace

void write(ByteWriter& out, const Interface& interface) {
  out.text(interface.name);
  out.one_of(interface.predicts_from_targets);
  out.count(interface.inputs.size());
  for (const Input& input : interface.inputs) {
    out.text(input.name);
    out.shape(input.shape);
    out.one_of(input.is_target);
    out.one_of(input.dtype);
  }
  out.count(interface.variables.size());
  for (const Variable& variable : interface.variables) {
    out.text(variable.name);
    out.shape(variable.shape);
    out.one_of(variable.kind);
    out.one_of(variable.of_optimizer);
    out.one_of(variable.dtype);
  }
  out.count(interface.results.size());
  for (const auto& [function, results] : interface.results) {
    out.text(function);
    out.count(results.size());
    for (const Interface::Result& result : results) {
      out.text(result.name);
      out.shape(result.shape);
      out.one_of(result.dtype);
    }
  }
}

Interface read_interface(ByteReader& in) {
  Interface interface;
  interface.name = in.text();
  interface.predicts_from_targets = in.one_of(true);
  interface.inputs.resize(in.count());
  for (Input& input : interface.inputs) {
    input.name = in.text();
    input.shape = in.shape();
    input.is_target = in.one_of(true);
    input.dtype = in.one_of(DType::boolean);
  }
  interface.variables.resize(in.count());
  for (Variable& variable : interface.variables) {
    variable.name = in.text();
    variable.shape = in.shape();
    variable.kind = in.one_of(Variable::Kind::constant);
    variable.of_optimizer = in.one_of(true);
    variable.dtype = in.one_of(DType::boolean);
  }
  for (std::size_t functions = in.count(); functions > 0; --functions) {
    auto& results = interface.results[in.text()];
    results.resize(in.count());
    for (Interface::Result& result : results) {
      result.name = in.text();
      result.shape = in.shape();
      result.dtype = in.one_of(DType::boolean);
    }
  }
  return interface;
}

void write(ByteWriter& out, const Function& function) {
  out.text(function.name);
  const std::vector<const Node*> nodes = reachable(function.roots());
  NodeMap<std::size_t> numbers;
  std::unordered_map<const KeptAttributes*, std::size_t> kept;
  out.count(nodes.size());
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    const Node& node = *nodes[n];
    numbers[&node] = n;
    out.one_of(node.op);
    out.count(node.operands.size());
    for (const Node* operand : node.operands) out.count(numbers.of(operand));
    const auto [known, is_new] = kept.try_emplace(&node.attributes, kept.size());
    out.count(known->second);
    if (is_new) write(out, node.attributes);
  }
  for (const std::vector<Binding>* bindings : {&function.results, &function.updates}) {
    out.count(bindings->size());
    for (const Binding& binding : *bindings) {
      out.text(binding.name);
      out.count(numbers.of(binding.node));
    }
  }
}

Function read_function(ByteReader& in, Graph& graph) {
  Function function;
  function.name = in.text();
  std::vector<const Node*> nodes(in.count());
  std::vector<Attributes> kept;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    const Op op = in.one_of(static_cast<Op>(all_ops().size() - 1));
    std::vector<const Node*> operands(in.count());
    for (const Node*& operand : operands) operand = nodes[in.index(n)];
    const std::size_t attributes = in.index(kept.size() + 1);
    if (attributes == kept.size()) kept.push_back(read_attributes(in));
    nodes[n] = graph.make(op, std::move(operands), kept[attributes]);
  }
  for (std::vector<Binding>* bindings : {&function.results, &function.updates}) {
    bindings->resize(in.count());
    for (Binding& binding : *bindings) {
      binding.name = in.text();
      binding.node = nodes[in.index(nodes.size())];
    }
  }
  return function;
}

}  // namespace descent::ir
