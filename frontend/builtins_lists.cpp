// Primitive functions of lists.
#include "frontend/builtins.h"

namespace descent::frontend {

namespace {

bool is_sequence(const Value& v) { return v.is(Value::Kind::list) || v.is(Value::Kind::tensors); }

const std::vector<Value>& items(const BuiltinCall& call, std::size_t i) {
  if (!is_sequence(call.value(i))) call.fail(i, "expected a list, found " + describe(call.value(i)));
  return call.value(i).items();
}

Value len(const BuiltinCall& call) {
  const Value& v = call.value(0);
  if (v.is(Value::Kind::tensor) && !v.node->shape().empty()) return Value::of(v.node->shape()[0]);
  return Value::of(static_cast<double>(items(call, 0).size()));
}

Value append(const BuiltinCall& call) {
  std::vector<Value> longer = items(call, 0);
  longer.push_back(call.value(1));
  return Value::list(std::move(longer), call.value(0).kind);
}

Value map(const BuiltinCall& call) {
  std::vector<Value> results;
  for (const Value& item : items(call, 0)) {
    results.push_back(call.lowering.apply_function(call.value(1), {item}, call.at(1)));
  }
  return Value::list(std::move(results), call.value(0).kind);
}

Value shape(const BuiltinCall& call) {
  std::vector<Value> sizes;
  for (const ir::Dimension& d : call.tensor(0).shape()) sizes.push_back(Value::of(d));
  return Value::list(std::move(sizes));
}

constexpr Builtin table[] = {
    {"len", "x", "The number of items of a list, or the size of the first axis of a tensor.", len},
    {"append", "list, item", "The list with one more item at its end.", append},
    {"map", "list, f", "The list of f(item) for each item.", map},
    {"shape", "x", "The sizes of the axes of a tensor, as a list.", shape},
};

}  // namespace

std::span<const Builtin> list_builtins() { return table; }

}  // namespace descent::frontend
