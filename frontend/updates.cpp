// What a step changes: gradients, the optimizer that makes new parameters of them, and the average of parameters over
// the steps. The train block chooses each by an expression:
//
//     optimizer = adam(lr = 0.01)               applied to every parameter and its gradient
//     gradients = clip_by_norm(gradients, 1)    makes new gradients of the collection of all
//     average   = ema(decay = 0.999)            called for every parameter with its average and its new value
//     groups    = [freeze("embed"), group("*.b", lr = 0.1)]
//     accumulate = 4                            steps whose gradients are one for the optimizer: accumulation.cpp
#include <set>

#include "frontend/lower.h"
#include "frontend/names.h"
#include "frontend/path_pattern.h"
#include "ir/edit_distance.h"
#include "ir/op.h"

namespace descent::frontend {

using ir::Expr;
using ir::Node;
using ir::Op;
using Kind = Value::Kind;

namespace {

bool is_optimizer(const Value& v) {
  const Definition* d = v.is(Kind::callable) ? v.definition : v.is(Kind::bound) ? v.bound->definition : nullptr;
  return d != nullptr && d->kind == Definition::Kind::optimizer;
}

/// Reports a pattern that names no parameter.
void check_patterns(const Lowering& lowering, const UpdateRules& rules, const std::vector<ir::Variable>& parameters) {
  std::vector<std::string> paths;
  for (const ir::Variable& v : parameters) paths.push_back(v.name);
  for (const UpdateGroup& group : rules.groups) {
    for (const auto& [pattern, span] : group.patterns) {
      const bool fits = std::any_of(paths.begin(), paths.end(),
                                    [&p = pattern](const std::string& path) { return path_matches(p, path); });
      if (fits) continue;
      const auto meant = ir::nearest(pattern, paths);
      std::string known;
      for (std::size_t i = 0; i < std::min<std::size_t>(paths.size(), 3); ++i) known += (i > 0 ? ", " : "") + paths[i];
      lowering.fail(span, "no parameter is named \"" + pattern + "\"",
                    meant ? "did you mean \"" + *meant + "\"?"
                          : "the parameters are " + known + (paths.size() > 3 ? ", ..." : ""));
    }
  }
}

std::vector<ir::Variable> parameters_of(const ir::Program& program) {
  std::vector<ir::Variable> parameters;
  for (const ir::Variable& v : program.variables) {
    if (v.kind == ir::Variable::Kind::parameter) parameters.push_back(v);
  }
  return parameters;
}

}  // namespace

/// The optimizer of each group, then the general one; none where there are mistakes, which are reported, each setting's
/// by itself.
std::vector<Value> Lowering::all_optimizers(const UpdateRules& rules) {
  bool all_right = true;
  const auto attempt = [&](auto&& make) {
    try {
      make();
    } catch (const Failure& failure) {
      report(failure);
      all_right = false;
    }
  };
  Value general;
  std::vector<Value> optimizers;
  attempt([&] { check_patterns(*this, rules, parameters_of(program_)); });
  attempt([&] { general = optimizer_value(rules.optimizer); });
  for (const UpdateGroup& group : rules.groups) {
    if (general.is(Kind::broken) && group.optimizer == nullptr) continue;
    attempt([&] { optimizers.push_back(group_optimizer(group, general)); });
  }
  optimizers.push_back(general);
  return all_right ? optimizers : std::vector<Value>{};
}

void Lowering::lower_updates(const UpdateRules& rules, const Node* loss, ir::Function& step) {
  training_ = true;
  try {
    const std::vector<ir::Variable> parameters = parameters_of(program_);
    std::vector<const Node*> gradients;
    try {
      gradients = lower_gradients(rules, loss, parameters);
    } catch (const Failure& failure) {
      report(failure);
    }
    const std::vector<Value> optimizers = all_optimizers(rules);
    if (optimizers.empty() || gradients.size() != parameters.size()) throw Failure{};
    const std::size_t accumulators = state_updates_.size();
    const Span chosen_at = rules.optimizer != nullptr ? rules.optimizer->span : Span{};
    std::vector<const Node*> values;
    std::set<std::pair<std::size_t, std::string>> seen;  // groups and shapes
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const ir::Variable& v = parameters[i];
      std::size_t group = 0;
      while (group < rules.groups.size() && !belongs_to(v.name, rules.groups[group].patterns)) ++group;
      const bool is_frozen = group < rules.groups.size() && rules.groups[group].is_frozen;
      const Node* value = parameter(v);
      const bool is_new = seen.emplace(group, ir::to_string(v.shape)).second;
      if (!is_frozen && (is_new || !rules.one_of_each)) {
        value = update_parameter(optimizers[group], v, gradients[i], chosen_at);
        step.updates.push_back({v.name, value});
      }
      values.push_back(value);
    }
    for (std::size_t i = 0; rules.average != nullptr && i < parameters.size(); ++i) {
      update_average(*rules.average, parameters[i], values[i]);
    }
    wait_to_act(step.updates, 0);
    wait_to_act(state_updates_, accumulators);
    step.updates.insert(step.updates.end(), state_updates_.begin(), state_updates_.end());
  } catch (const Failure& failure) {
    report(failure);
  }
  gradients_.reset();
  step_ = acts_ = nullptr;
}

/// The gradient of the loss for each parameter, as the setting makes them of the collection `gradients`.
std::vector<const Node*> Lowering::lower_gradients(const UpdateRules& rules, const Node* loss,
                                                   const std::vector<ir::Variable>& parameters) {
  const Expression* setting = rules.gradients;
  std::vector<Value> items;
  for (const ir::Variable& v : parameters) {
    items.push_back(Value::of(ir::gradient(Expr(graph_, loss), Expr(graph_, parameter(v)))));
  }
  state_updates_.clear();
  if (rules.accumulate > 1) items = accumulate(rules.accumulate, parameters, items);
  gradients_ = Value::list(items, Kind::tensors);
  if (setting != nullptr) {
    Instance instance;
    instance_ = &instance;
    const Value made = evaluate(*setting, scopes_.emplace_back(&file_, nullptr));
    if (made.is(Kind::broken)) throw Failure{};
    if (!made.is(Kind::tensors) || made.items().size() != parameters.size()) {
      fail(setting->span, "expected a gradient for each parameter, found " + describe(made),
           "write a function of them all, such as clip_by_norm(gradients, 1)");
    }
    gradients_ = made;
  }
  const Span span = setting != nullptr ? setting->span : Span{};
  std::vector<const Node*> nodes;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Expr fitting = fit_to(tensor(gradients_->items()[i], span), parameters[i].shape, span);
    nodes.push_back(as_type(fitting, parameters[i].dtype, span).node);
  }
  return nodes;
}

/// What a setting such as `adam(lr = 0.01)` or `adam` names; adam if there is none.
Value Lowering::optimizer_value(const Expression* e) {
  if (e == nullptr) return Value::of(find_definition("adam", &file_), nullptr);
  Instance instance;
  instance_ = &instance;
  const Expression& callee = e->kind == Expression::Kind::call ? *e->operands[0] : *e;
  if (callee.kind == Expression::Kind::name) {
    const Definition* d = find_definition(callee.text, &file_);
    if (d == nullptr || d->kind != Definition::Kind::optimizer) {
      const auto meant = ir::nearest(callee.text, definition_names(file_, prelude_, Definition::Kind::optimizer));
      fail(callee.span, "there is no optimizer '" + callee.text + "'", meant ? "did you mean '" + *meant + "'?" : "");
    }
  }
  const Value v = evaluate(*e, scopes_.emplace_back(&file_, nullptr));
  if (v.is(Kind::broken)) throw Failure{};
  if (!is_optimizer(v))
    fail(e->span, "expected an optimizer, found " + describe(v), "write optimizer = adam(lr = 1e-3)");
  return v;
}

/// The optimizer of a group: its own or the general one, with the settings that the group changes.
Value Lowering::group_optimizer(const UpdateGroup& group, const Value& general) {
  Value chosen = group.optimizer != nullptr ? optimizer_value(group.optimizer) : general;
  if (group.settings.empty()) return chosen;
  const Definition* d = chosen.is(Kind::bound) ? chosen.bound->definition : chosen.definition;
  std::vector<GivenArgument> settings;
  if (chosen.is(Kind::bound)) settings = chosen.bound->settings;
  Scope& scope = scopes_.emplace_back(&file_, nullptr);
  for (const Argument* a : group.settings) {
    const Value v = evaluate(*a->value, scope);
    if (v.is(Kind::broken)) throw Failure{};
    std::erase_if(settings, [&](const GivenArgument& s) { return s.name == a->name; });
    settings.push_back({a->name, v, a->span});
  }
  return bind_layer(Value::of(d, nullptr), settings, group.span);
}

/// The parameter's new value. A state without a shape has the parameter's.
const Node* Lowering::update_parameter(const Value& optimizer, const ir::Variable& v, const Node* gradient,
                                       const Span& chosen_at) {
  Instance instance;
  instance.path = v.name + ".";
  instance.dtype = v.dtype;
  instance.optimized = &v;
  instance.first_value = initial_.updates[variable_index_.at(v.name)].node;
  instance_ = &instance;
  const Definition& d = optimizer.is(Kind::bound) ? *optimizer.bound->definition : *optimizer.definition;
  if (d.parameters.size() < 2) fail(d.name_span, "an optimizer takes a parameter and its gradient first");
  const Value w = Value::of(parameter(v)), g = Value::of(gradient);
  const Value next = call_layer(optimizer, {{"", w, chosen_at}, {"", g, chosen_at}}, true, chosen_at);
  instance_ = nullptr;
  if (!next.is(Kind::tensor)) throw Failure{};
  return next.node;
}

/// The average begins as the parameter does; what the model predicts reads the average (Lowering::parameter).
void Lowering::update_average(const Expression& setting, const ir::Variable& v, const Node* value) {
  const ir::Variable state{average_name(v), v.shape, ir::Variable::Kind::state, false, v.dtype};
  add_variable(state, initial_.updates[variable_index_.at(v.name)].node);
  Scope& scope = scopes_.emplace_back(&file_, nullptr);
  const bool has_arguments = setting.kind == Expression::Kind::call;
  const Value function = evaluate(has_arguments ? *setting.operands[0] : setting, scope);
  if (function.is(Kind::broken)) throw Failure{};
  if (!function.is(Kind::callable) || function.definition->kind != Definition::Kind::function) {
    fail(setting.span, "expected a function of an average and a parameter, found " + describe(function),
         "write average = ema(decay = 0.999)");
  }
  std::vector<GivenArgument> arguments{{"", Value::of(leaf_of(graph_, state)), setting.span},
                                       {"", Value::of(value), setting.span}};
  for (const Argument& a : setting.arguments) arguments.push_back({a.name, evaluate(*a.value, scope), a.span});
  const Value next = call_definition(function, arguments, setting.span, nullptr);
  const Expr fitting = fit_to(tensor(next, setting.span), v.shape, setting.span);
  state_updates_.push_back({state.name, as_type(fitting, v.dtype, setting.span).node});
}

}  // namespace descent::frontend
