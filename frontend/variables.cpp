// Parameters, states and what is fitted: leaves of the graph, their first values and their updates.
#include <utility>

#include "frontend/lower.h"
#include "ir/op.h"

namespace descent::frontend {

using ir::Expr;
using ir::Node;
using ir::Op;
using Kind = Value::Kind;

/// param, state and fit of a layer, a model or an optimizer. A layer that is applied again finds its variables.
void Lowering::declare_variable(const Statement& s, Scope& scope) {
  ir::Variable variable{instance_->path + s.name + scope.rounds(), {}};
  variable.kind = s.kind == Statement::Kind::param   ? ir::Variable::Kind::parameter
                  : s.kind == Statement::Kind::state ? ir::Variable::Kind::state
                                                     : ir::Variable::Kind::fitted;
  variable.of_optimizer = instance_->optimized != nullptr;
  variable.dtype = s.type && !s.type->dtype.empty() ? dtype_of(*s.type) : instance_->dtype;
  if (!is_real(variable.dtype) || (s.type && s.type->categories != nullptr)) {
    fail(s.type->span, "what is trained or kept is f32 or f64", "write " + s.name + ": [...]");
  }
  if (s.type) {
    variable.shape = shape_of(s.type->shape, scope);
  } else if (variable.of_optimizer) {
    variable.shape = instance_->optimized->shape;
  }
  for (std::size_t i = 0; i < variable.shape.size(); ++i) {
    const ir::Dimension& d = variable.shape[i];
    if (d.is_constant()) continue;
    fail(s.type ? s.type->shape[i]->span : s.name_span,
         "the shape of '" + s.name + "' must be known while compiling, but " + d.to_string() + " is not",
         "a parameter's sizes are numbers; give what it is applied to an axis of its own, such as [n, 1] instead of "
         "[n]");
  }
  const auto known = variable_index_.find(variable.name);
  if (known == variable_index_.end()) {
    if (s.value == nullptr) fail(s.span, "'" + s.name + "' has no first value", "write " + s.name + ": [...] = zeros");
    Scope& first_scope = scopes_.emplace_back(scope.file(), &scope);
    if (variable.of_optimizer) {  // where the parameter stands for its own first value
      first_scope.declare(calls_.back().definition->parameters[0].name, Value::of(instance_->first_value), s.name_span);
    }
    const Value first = evaluate(*s.value, first_scope);
    if (first.is(Kind::broken)) throw Failure{};
    add_variable(variable, first_value(first, {variable.dtype, variable.shape}, s.value->span));
  } else if (const ir::Variable& earlier = program_.variables[known->second]; earlier.shape != variable.shape) {
    fail(s.name_span,
         "'" + s.name + "' has the shape " + ir::to_string(earlier.shape) +
             " from where this layer was applied first, and would have " + ir::to_string(variable.shape),
         "bind a second layer with settings of its own");
  } else if (earlier.dtype != variable.dtype) {
    if (std::exchange(instance_->has_other_type, true)) throw Failure{};
    fail(s.name_span,
         "'" + s.name + "' is " + ir::to_string(earlier.dtype) +
             " from where this layer was applied first, and would be " + ir::to_string(variable.dtype),
         "bind a second layer, or write " + ir::to_string(earlier.dtype) + "(...) around what this one is applied to");
  }
  const Node* node = variable.kind == ir::Variable::Kind::parameter ? parameter(variable) : current_state(variable);
  Binding& binding = declare(s, Value::of(node), scope);
  binding.variable = variable.name;
  binding.is_state = variable.kind == ir::Variable::Kind::state;
}

/// s <- expression, which takes place while training.
void Lowering::update_state(const Statement& s, Scope& scope) {
  Binding* binding = scope.find(s.name);
  const Definition* definition = calls_.empty() ? nullptr : calls_.back().definition;
  const bool is_optimized = definition != nullptr && definition->kind == Definition::Kind::optimizer &&
                            s.name == definition->parameters[0].name;
  if (binding != nullptr && binding->value.is(Kind::broken)) return;
  if (!is_optimized && (binding == nullptr || !binding->is_state)) {
    const std::string owner = definition != nullptr ? "'" + definition->name + "'" : "the model";
    fail(s.name_span, "'" + s.name + "' is no state of " + owner, "declare it: state " + s.name + " = zeros");
  }
  const Value value = evaluate(*s.value, scope);
  if (value.is(Kind::broken)) throw Failure{};
  if (!training_) return;
  const ir::Shape& shape = binding->value.node->shape();
  const ir::DType dtype = binding->value.node->type.dtype;
  Expr next = as_type(fit_to(tensor(value, s.value->span), shape, s.value->span), dtype, s.value->span);
  for (const auto& [condition, span] : guards_) {
    next = ir::select(fit_to(Expr(graph_, condition), shape, span), next, Expr(graph_, binding->value.node));
  }
  binding->value = Value::of(next);
  if (is_optimized) return;
  const bool is_first = state_values_.emplace(binding->variable, next.node).second;
  if (is_first) {
    state_updates_.push_back({binding->variable, next.node});
    return;
  }
  state_values_[binding->variable] = next.node;
  for (ir::Binding& update : state_updates_) {
    if (update.name == binding->variable) update.node = next.node;
  }
}

/// Of a variable: an expression, or what an initialiser makes of the shape.
const Node* Lowering::first_value(const Value& given, const ir::Type& type, const Span& span) {
  Value first = given;
  if (given.is(Kind::callable)) {
    std::vector<Value> sizes;
    for (const ir::Dimension& d : type.shape) sizes.push_back(Value::of(d));
    first = call_definition(given, {{"", Value::list(sizes), span}}, span, nullptr);
  }
  const Expr value = tensor(first, span);
  if (given.is(Kind::callable) && !value.shape().empty() && value.shape() != type.shape) {
    fail(span,
         describe(given) + " gives " + ir::to_string(value.shape()) + " as the first value of " +
             ir::to_string(type.shape),
         "an initialiser takes the shape and gives a tensor of it, such as glorot_uniform");
  }
  return as_type(fit_to(value, type.shape, span), type.dtype, span).node;
}

void Lowering::add_variable(const ir::Variable& variable, const Node* first) {
  variable_index_.emplace(variable.name, program_.variables.size());
  program_.variables.push_back(variable);
  initial_.updates.push_back({variable.name, first});
}

/// What the model reads of a parameter: when predicting its running average, if the train block asks for one.
const Node* Lowering::parameter(const ir::Variable& v) {
  if (averaged_ && !training_) return graph_.leaf(Op::state, average_name(v), v.shape, v.dtype);
  return leaf_of(graph_, v);
}

/// A layer that is applied twice sees the second time what the first has made of its state.
const Node* Lowering::current_state(const ir::Variable& v) {
  const auto at = state_values_.find(v.name);
  return at != state_values_.end() ? at->second : leaf_of(graph_, v);
}

}  // namespace descent::frontend
