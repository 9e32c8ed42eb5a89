// Calls of functions, layers and primitive functions.
#include <algorithm>

#include "frontend/builtins.h"
#include "frontend/depth.h"
#include "frontend/foreign.h"
#include "frontend/lower.h"
#include "frontend/number_kinds.h"
#include "ir/edit_distance.h"

namespace descent::frontend {

using Kind = Value::Kind;

namespace {

std::vector<ParameterName> parameter_names(const Definition& d) {
  std::vector<ParameterName> names;
  for (const Parameter& p : d.parameters) names.push_back({p.name, p.fallback != nullptr});
  return names;
}

/// "x, axis = all, keep = false" → x, and axis and keep, which may be left out; "axes, tensors ..." → axes, tensors,
/// and as many more as are given.
std::vector<ParameterName> parameter_names(const Builtin& builtin, std::size_t given) {
  std::vector<ParameterName> names;
  std::string_view rest = builtin.parameters;
  while (!rest.empty()) {
    const std::string_view parameter = rest.substr(0, rest.find(','));
    const std::string name(parameter.substr(0, parameter.find(' ')));
    names.push_back({name, parameter.find('=') != std::string::npos});
    if (parameter.ends_with(" ...")) {
      while (names.size() < given) names.push_back({name + " " + std::to_string(names.size()), true});
    }
    rest.remove_prefix(parameter.size());
    rest.remove_prefix(std::min<std::size_t>(rest.size(), 2));  // ", "
  }
  return names;
}

std::string plural(std::size_t n, const std::string& thing) {
  return (n == 0 ? "no" : std::to_string(n)) + " " + thing + (n == 1 ? "" : "s");
}

/// a, b and c
std::string listed(const std::vector<std::string>& names) {
  std::string text = names[0];
  for (std::size_t i = 1; i < names.size(); ++i) text += (i + 1 < names.size() ? ", " : " and ") + names[i];
  return text;
}

/// What a layer or optimizer is applied to, rather than told once: its first parameter, the gradient of an optimizer,
/// and what has a shape.
bool is_data(const Definition& d, std::size_t i) {
  return i == 0 || (i == 1 && d.kind == Definition::Kind::optimizer) || d.parameters[i].type.has_value();
}

}  // namespace

std::vector<int> Lowering::bind_arguments(const std::string& callee, const std::vector<ParameterName>& parameters,
                                          const std::vector<GivenArgument>& arguments, const Span& span) const {
  std::vector<int> given(parameters.size(), -1);
  std::vector<std::string> names;
  for (const ParameterName& p : parameters) names.push_back(p.name);
  for (std::size_t j = 0; j < arguments.size(); ++j) {  // by name
    const GivenArgument& a = arguments[j];
    if (a.name.empty()) continue;
    const auto at = std::find(names.begin(), names.end(), a.name);
    if (at == names.end()) {
      const auto meant = ir::nearest(a.name, names);
      const std::string foreign = foreign_argument(a.name, names);
      fail(a.span, "'" + callee + "' has no argument '" + a.name + "'",
           !foreign.empty()     ? foreign
           : meant              ? "did you mean '" + *meant + "'?"
           : parameters.empty() ? "it takes none"
           : names.size() == 1  ? "its argument is " + names[0]
                                : "its arguments are " + listed(names));
    }
    int& slot = given[static_cast<std::size_t>(at - names.begin())];
    if (slot >= 0) fail(a.span, "the argument '" + a.name + "' of '" + callee + "' is given twice");
    slot = static_cast<int>(j);
  }
  std::size_t next = 0;
  for (std::size_t j = 0; j < arguments.size(); ++j) {  // the others in order
    if (!arguments[j].name.empty()) continue;
    while (next < given.size() && given[next] >= 0) ++next;
    if (next == given.size()) {
      fail(arguments[j].span, "'" + callee + "' takes " + plural(parameters.size(), "argument") + ", found " +
                                  std::to_string(arguments.size()));
    }
    given[next] = static_cast<int>(j);
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (given[i] < 0 && !parameters[i].optional) {
      std::string needed;
      for (const ParameterName& p : parameters) {
        if (!p.optional) needed += (needed.empty() ? "" : ", ") + p.name;
      }
      fail(span, "the argument '" + parameters[i].name + "' of '" + callee + "' is missing",
           "write " + callee + "(" + needed + ")");
    }
  }
  return given;
}

/// What is called is no function; perhaps a name of the user's that hides one.
void Lowering::fail_to_call(const Expression& e, const Value& callee, Scope& scope) const {
  const Binding* binding = e.kind == Expression::Kind::name ? scope.find(e.text) : nullptr;
  if (binding != nullptr && (find_definition(e.text, scope.file()) != nullptr || find_builtin(e.text) != nullptr)) {
    std::vector<Note> notes;
    if (!binding->origin.source->is_library) {
      notes.push_back(note(binding->origin, "here '" + e.text + "' became a name for " + describe(callee)));
    }
    fail(e.span, "'" + e.text + "' is no function here, but " + describe(callee),
         "give that another name: it hides the function '" + e.text + "'", std::move(notes));
  }
  fail(e.span, "only a function or a layer can be called, not " + describe(callee),
       callee.is(Kind::number) || callee.is(Kind::tensor) ? "a product is written a * b" : "");
}

Value Lowering::call(const Expression& e, const Value* piped, Scope& scope) {
  const bool is_pipe = piped != nullptr;
  const Expression& callee_expression = *e.operands[is_pipe ? 1 : 0];
  const Value callee = evaluate(callee_expression, scope);
  std::vector<GivenArgument> arguments;
  if (is_pipe) arguments.push_back({"", *piped, e.operands[0]->span});
  for (const Argument& a : e.arguments) arguments.push_back({a.name, evaluate(*a.value, scope), a.span});
  if (callee.is(Kind::broken)) return {};
  for (const GivenArgument& a : arguments) {
    if (a.value.is(Kind::broken)) return {};
  }
  // What follows '|>' is the call; what stands before it is not to blame.
  const Span span = is_pipe ? Span{e.span.source, callee_expression.span.begin, e.span.end} : e.span;
  if (!callee.is(Kind::callable) && !callee.is(Kind::bound) && !callee.is(Kind::builtin)) {
    fail_to_call(callee_expression, callee, scope);
  }
  return call_value(callee, std::move(arguments), is_pipe, span);
}

Value Lowering::apply_function(const Value& callee, const std::vector<Value>& arguments, const Span& span) {
  std::vector<GivenArgument> given;
  for (const Value& v : arguments) given.push_back({"", v, span});
  if (!callee.is(Kind::callable) && !callee.is(Kind::bound) && !callee.is(Kind::builtin)) {
    fail(span, "expected a function, found " + describe(callee));
  }
  return call_value(callee, std::move(given), true, span);
}

Value Lowering::call_value(const Value& callee, std::vector<GivenArgument> arguments, bool is_application,
                           const Span& span) {
  if (callee.is(Kind::builtin)) return call_builtin(*callee.builtin, arguments, span);
  const Definition& d = callee.is(Kind::bound) ? *callee.bound->definition : *callee.definition;
  if (d.kind == Definition::Kind::function) return call_definition(callee, arguments, span, nullptr);
  if (d.kind == Definition::Kind::optimizer && (instance_ == nullptr || instance_->optimized == nullptr) &&
      !gradients_) {
    fail(span, "the optimizer '" + d.name + "' belongs into the train block", "write optimizer = " + d.name + "(...)");
  }
  return call_layer(callee, std::move(arguments), is_application, span);
}

Value Lowering::call_layer(const Value& callee, std::vector<GivenArgument> arguments, bool is_application,
                           const Span& span) {
  const bool is_bound = callee.is(Kind::bound);
  const Definition& d = is_bound ? *callee.bound->definition : *callee.definition;
  if (d.parameters.empty()) fail(span, "'" + d.name + "' takes nothing, so that it cannot be applied");
  if (!is_bound && !is_application) {
    // With the tensor it is an application, without one a layer to be applied later.
    const bool first_named = std::any_of(arguments.begin(), arguments.end(),
                                         [&](const GivenArgument& a) { return a.name == d.parameters[0].name; });
    const auto first = std::find_if(arguments.begin(), arguments.end(), [](const auto& a) { return a.name.empty(); });
    if (!first_named && (first == arguments.end() || !first->value.is(Kind::tensor))) {
      return bind_layer(callee, arguments, span);
    }
  }
  if (is_bound) {  // what was told once comes by name, behind what it is applied to
    for (const GivenArgument& setting : callee.bound->settings) {
      for (const GivenArgument& a : arguments) {
        if (a.name == setting.name) fail(a.span, "'" + a.name + "' was given when '" + d.name + "' was bound");
      }
      arguments.push_back(setting);
    }
  }
  Instance instance;
  instance.dtype = type_of_layer(arguments);
  if (d.kind == Definition::Kind::optimizer) {
    // The states of the optimizer that the train block names are beside the parameter; one in another has its own
    // place.
    instance.path = calls_.empty() ? instance_->path : layer_path(d.name);
    instance.optimized = instance_->optimized;
    instance.first_value = instance_->first_value;
  } else if (is_bound && !callee.bound->path.empty()) {
    instance.path = callee.bound->path;
  } else {
    instance.path = layer_path(d.name + "." + std::to_string(instance_->counts[d.name]++));
    if (is_bound) callee.bound->path = instance.path;
  }
  return call_definition(callee, arguments, span, &instance);
}

/// That of the first tensor which has one; else that of the layer around it.
ir::DType Lowering::type_of_layer(const std::vector<GivenArgument>& arguments) {
  for (const GivenArgument& a : arguments) {
    if (a.value.is(Kind::tensor) && has_type({graph_, a.value.node})) return a.value.node->type.dtype;
  }
  return instance_->dtype;
}

/// dense(16): the settings are checked now, the tensors come later.
Value Lowering::bind_layer(const Value& callee, const std::vector<GivenArgument>& arguments, const Span& span) {
  const Definition& d = *callee.definition;
  std::vector<ParameterName> settings;
  for (std::size_t i = 0; i < d.parameters.size(); ++i) {
    if (!is_data(d, i)) settings.push_back({d.parameters[i].name, d.parameters[i].fallback != nullptr});
  }
  const std::vector<int> given = bind_arguments(d.name, settings, arguments, span);
  auto bound = std::make_shared<BoundLayer>(BoundLayer{&d, callee.environment, {}, ""});
  for (std::size_t i = 0; i < settings.size(); ++i) {
    if (given[i] < 0) continue;
    const GivenArgument& a = arguments[static_cast<std::size_t>(given[i])];
    const Parameter& p = *std::find_if(d.parameters.begin(), d.parameters.end(),
                                       [&](const Parameter& q) { return q.name == settings[i].name; });
    if (p.number != nullptr) check_number(p, a.value, a.span);
    bound->settings.push_back({settings[i].name, a.value, a.span});
  }
  Value v;
  v.kind = Kind::bound;
  v.bound = std::move(bound);
  return v;
}

Value Lowering::call_builtin(const Builtin& builtin, const std::vector<GivenArgument>& arguments, const Span& span) {
  const std::vector<int> given =
      bind_arguments(builtin.name, parameter_names(builtin, arguments.size()), arguments, span);
  std::vector<Value> values;
  std::vector<Span> spans;
  for (int j : given) {
    values.push_back(j < 0 ? Value::absent() : arguments[static_cast<std::size_t>(j)].value);
    spans.push_back(j < 0 ? span : arguments[static_cast<std::size_t>(j)].span);
  }
  return builtin.lower(BuiltinCall(*this, builtin, std::move(values), std::move(spans), span));
}

/// `rate: fraction`: what a parameter declares of its number.
void Lowering::check_number(const Parameter& p, const Value& value, const Span& span) const {
  if (can_be(*p.number, value)) return;
  std::string hint = likely_meant(*p.number, value);
  if (hint.empty() && p.fallback != nullptr) hint = "left out, it is " + text_of(p.fallback->span);
  fail(span, "'" + p.name + "' must be " + p.number->description + ", found " + describe(value), hint);
}

Scope& Lowering::bind_parameters(const Definition& d, Scope* environment, const std::vector<GivenArgument>& arguments,
                                 const Span& span) {
  Scope& scope = scopes_.emplace_back(d.file, environment);
  const std::vector<int> given = bind_arguments(d.name, parameter_names(d), arguments, span);
  for (std::size_t i = 0; i < d.parameters.size(); ++i) {
    const Parameter& p = d.parameters[i];
    const GivenArgument* argument = given[i] < 0 ? nullptr : &arguments[static_cast<std::size_t>(given[i])];
    const Value value = argument != nullptr ? argument->value : evaluate(*p.fallback, scope);
    const Span at = argument != nullptr ? argument->span : span;
    if (value.is(Kind::broken)) throw Failure{};
    if (p.number != nullptr) check_number(p, value, at);
    if (p.type) bind_shape(p, value, at, scope);
    Value named = value;
    if (p.number != nullptr && p.number->is_size) named.is_size = true;
    scope.declare(p.name, named, p.span);
  }
  return scope;
}

Value Lowering::call_definition(const Value& callee, const std::vector<GivenArgument>& arguments, const Span& span,
                                Instance* instance) {
  const Definition& d = callee.is(Kind::bound) ? *callee.bound->definition : *callee.definition;
  const Depth depth(*this, span);
  Scope& scope =
      bind_parameters(d, callee.is(Kind::bound) ? callee.bound->environment : callee.environment, arguments, span);
  Instance* const outer = instance_;
  Value outer_result = std::move(result_);
  result_ = Value{};
  if (instance != nullptr) instance_ = instance;
  calls_.push_back({&d, span});
  const auto leave = [&] {
    calls_.pop_back();
    instance_ = outer;
    std::swap(result_, outer_result);  // outer_result is now this call's
  };
  try {
    run(d.body, scope);
    if (d.result) check_result(d, scope);
  } catch (...) {
    leave();
    throw;
  }
  if (d.kind == Definition::Kind::optimizer) result_ = scope.find(d.parameters[0].name)->value;
  leave();
  return outer_result;
}

}  // namespace descent::frontend
