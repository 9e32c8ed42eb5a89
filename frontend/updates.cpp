// What a step changes: gradients, the optimizer that makes new parameters of them, and the average of parameters over
// the steps. The train block chooses each by an expression:
//
//     optimizer = adam(lr = 0.01)               called for every parameter with the parameter and its gradient
//     gradients = clip_by_norm(gradients, 1)    makes new gradients of the list of all
//     average   = ema(decay = 0.999)            called for every parameter with its average and its new value
#include "frontend/lower.h"
#include "ir/edit_distance.h"
#include "ir/op.h"

namespace descent::frontend {

using ir::Expr;
using ir::Node;
using ir::Op;

void Lowering::lower_updates(const UpdateRules& rules, const Node* loss, ir::Function& step) {
  training_ = true;
  try {
    const Choice optimizer = choose(rules.optimizer, Definition::Kind::optimizer, "adam");
    if (optimizer.definition->parameters.size() < 2) {
      fail(optimizer.definition->name_span, "an optimizer takes a parameter and its gradient first");
    }
    std::vector<ir::Variable> parameters;
    for (const ir::Variable& v : program_.variables) {
      if (v.kind == ir::Variable::Kind::parameter) parameters.push_back(v);
    }
    const std::vector<const Node*> gradients = lower_gradients(rules.gradients, loss, parameters);
    std::vector<const Node*> values;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      values.push_back(update_parameter(optimizer, parameters[i], gradients[i], step));
    }
    if (rules.average == nullptr) return;
    const Choice average = choose(rules.average, Definition::Kind::function, "ema");
    for (std::size_t i = 0; i < parameters.size(); ++i) update_average(average, parameters[i], values[i], step);
  } catch (const Failure& failure) {
    mistakes_.insert(mistakes_.end(), failure.diagnostics.begin(), failure.diagnostics.end());
  }
}

/// What a setting such as `adam(lr = 0.01)` or `adam` names, and its arguments.
Lowering::Choice Lowering::choose(const Expression* setting, Definition::Kind kind, const std::string& fallback) {
  Choice choice{nullptr, {}, {}};
  std::string name = fallback;
  if (setting != nullptr) {
    choice.span = setting->span;
    const Expression& callee = setting->kind == Expression::Kind::call ? *setting->operands[0] : *setting;
    name = callee.text;
    for (const Argument& a : setting->arguments) choice.arguments.push_back({a.name, evaluate(*a.value, {}), a.span});
  }
  choice.definition = find_definition(name);
  if (choice.definition == nullptr || choice.definition->kind != kind) {
    std::vector<std::string> known;
    for (const File* file : files_) {
      for (const auto& d : file->definitions)
        if (d->kind == kind) known.push_back(d->name);
    }
    const auto meant = ir::nearest(name, known);
    const std::string what = kind == Definition::Kind::optimizer ? "optimizer" : "function";
    fail(choice.span, "there is no " + what + " '" + name + "'", meant ? "did you mean '" + *meant + "'?" : "");
  }
  return choice;
}

/// The gradient of the loss for each parameter, as `setting` makes them of the list `gradients`.
std::vector<const Node*> Lowering::lower_gradients(const Expression* setting, const Node* loss,
                                                   const std::vector<ir::Variable>& parameters) {
  std::vector<Value> items;
  for (const ir::Variable& v : parameters) {
    const Expr w(graph_, graph_.leaf(Op::parameter, v.name, v.shape));
    items.push_back(Value::of(ir::gradient(Expr(graph_, loss), w).node));
  }
  Value gradients = Value::list(items);
  if (setting != nullptr) gradients = evaluate(*setting, {{"gradients", gradients}});
  if (gradients.kind != Value::Kind::list || gradients.items.size() != parameters.size()) {
    fail(setting->span, "expected a gradient for each parameter, found " + describe(gradients),
         "write a function of the list, such as clip_by_norm(gradients, 1)");
  }
  std::vector<const Node*> nodes;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Span span = setting != nullptr ? setting->span : Span{};
    nodes.push_back(fit_to(tensor(gradients.items[i], span), parameters[i].shape, span).node);
  }
  return nodes;
}

/// The settings of an optimizer by name: its parameters after the first two.
Scope Lowering::optimizer_scope(const Choice& optimizer) {
  const std::vector<Parameter>& parameters = optimizer.definition->parameters;
  std::vector<ParameterName> settings;
  for (std::size_t i = 2; i < parameters.size(); ++i) {
    settings.push_back({parameters[i].name, parameters[i].fallback != nullptr});
  }
  const std::vector<int> given =
      bind_arguments(optimizer.definition->name, settings, optimizer.arguments, optimizer.span);
  Scope scope;
  for (std::size_t i = 2; i < parameters.size(); ++i) {
    const int at = given[i - 2];
    scope[parameters[i].name] =
        at < 0 ? evaluate(*parameters[i].fallback, scope) : optimizer.arguments[static_cast<std::size_t>(at)].value;
  }
  return scope;
}

/// Runs the optimizer's body for one parameter, whose new value it returns. A state without a shape has the
/// parameter's.
const Node* Lowering::update_parameter(const Choice& optimizer, const ir::Variable& v, const Node* gradient,
                                       ir::Function& step) {
  const Definition& definition = *optimizer.definition;
  const std::string &parameter = definition.parameters[0].name, &name = definition.name;
  Scope scope = optimizer_scope(optimizer);
  scope[parameter] = Value::of(graph_.leaf(Op::parameter, v.name, v.shape));
  scope[definition.parameters[1].name] = Value::of(gradient);
  std::map<std::string, std::string> variables{{parameter, v.name}};  // by what the optimizer calls them
  for (const Statement& s : definition.body) {
    if (s.kind == Statement::Kind::state) {
      const ir::Shape shape = s.has_shape ? shape_of(s.shape, scope) : v.shape;
      const ir::Variable state{v.name + "." + s.name, shape, ir::Variable::Kind::state, true};
      add_variable(state, first_value(s.value ? evaluate(*s.value, scope) : Value::of(0.0), shape, s.span));
      scope[s.name] = Value::of(graph_.leaf(Op::state, state.name, shape));
      variables[s.name] = state.name;
    } else if (s.kind == Statement::Kind::update) {
      if (!variables.contains(s.name)) {
        fail(s.name_span, "'" + s.name + "' is no state of '" + name + "'", "declare it: state " + s.name + " = zeros");
      }
      const Expr value =
          fit_to(tensor(evaluate(*s.value, scope), s.value->span), scope[s.name].node->shape(), s.value->span);
      scope[s.name] = Value::of(value.node);
      step.updates.push_back({variables[s.name], value.node});
    } else if (s.value) {
      scope[s.name] = evaluate(*s.value, scope);
    }
  }
  return scope[parameter].node;
}

/// The average begins as the parameter does; what the model predicts reads the average (Lowering::parameter).
void Lowering::update_average(const Choice& average, const ir::Variable& v, const Node* value, ir::Function& step) {
  const ir::Variable state{average_name(v), v.shape, ir::Variable::Kind::state};
  for (const ir::Binding& first : initial_.updates) {
    if (first.name != v.name) continue;
    add_variable(state, first.node);
    break;
  }
  std::vector<GivenArgument> arguments{{"", Value::of(graph_.leaf(Op::state, state.name, v.shape)), average.span},
                                       {"", Value::of(value), average.span}};
  arguments.insert(arguments.end(), average.arguments.begin(), average.arguments.end());
  const Value next = call_definition(*average.definition, arguments, average.span);
  step.updates.push_back({state.name, fit_to(tensor(next, average.span), v.shape, average.span).node});
}

}  // namespace descent::frontend
