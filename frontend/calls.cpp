// Calls of functions, layers and primitive functions.
#include <algorithm>
#include <cmath>

#include "frontend/builtins.h"
#include "frontend/lower.h"
#include "ir/edit_distance.h"

namespace descent::frontend {

using Kind = Value::Kind;

namespace {

std::vector<ParameterName> parameter_names(const Definition& d) {
  std::vector<ParameterName> names;
  for (const Parameter& p : d.parameters) names.push_back({p.name, p.fallback != nullptr});
  return names;
}

/// "x, axis = all, keep = false" → x, and axis and keep, which may be left out.
std::vector<ParameterName> parameter_names(const Builtin& builtin) {
  std::vector<ParameterName> names;
  std::string_view rest = builtin.parameters;
  while (!rest.empty()) {
    const std::string_view parameter = rest.substr(0, rest.find(','));
    names.push_back({std::string(parameter.substr(0, parameter.find(' '))), parameter.find('=') != std::string::npos});
    rest.remove_prefix(parameter.size());
    rest.remove_prefix(std::min<std::size_t>(rest.size(), 2));  // ", "
  }
  return names;
}

std::string plural(std::size_t n, const std::string& thing) {
  return (n == 0 ? "no" : std::to_string(n)) + " " + thing + (n == 1 ? "" : "s");
}

}  // namespace

std::vector<int> Lowering::bind_arguments(const std::string& callee, const std::vector<ParameterName>& parameters,
                                          const std::vector<GivenArgument>& arguments, const Span& span) {
  std::vector<int> given(parameters.size(), -1);
  std::vector<std::string> names;
  for (const ParameterName& p : parameters) names.push_back(p.name);
  for (std::size_t j = 0; j < arguments.size(); ++j) {  // by name
    const GivenArgument& a = arguments[j];
    if (a.name.empty()) continue;
    const auto at = std::find(names.begin(), names.end(), a.name);
    if (at == names.end()) {
      const auto meant = ir::nearest(a.name, names);
      fail(a.span, "'" + callee + "' has no argument '" + a.name + "'", meant ? "did you mean '" + *meant + "'?" : "");
    }
    int& slot = given[static_cast<std::size_t>(at - names.begin())];
    if (slot >= 0) fail(a.span, "the argument '" + a.name + "' of '" + callee + "' is given twice");
    slot = static_cast<int>(j);
  }
  std::size_t next = 0, positional = 0;
  for (std::size_t j = 0; j < arguments.size(); ++j) {  // the others in order
    if (!arguments[j].name.empty()) continue;
    ++positional;
    while (next < given.size() && given[next] >= 0) ++next;
    if (next == given.size()) {
      fail(arguments[j].span, "'" + callee + "' takes " + plural(parameters.size(), "argument") + ", found " +
                                  std::to_string(arguments.size()));
    }
    given[next] = static_cast<int>(j);
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (given[i] < 0 && !parameters[i].optional) {
      fail(span, "the argument '" + parameters[i].name + "' of '" + callee + "' is missing");
    }
  }
  return given;
}

Value Lowering::call(const Expression& e, const Scope& scope) {
  const Value callee = evaluate(*e.operands[0], scope);
  std::vector<GivenArgument> arguments;
  for (const Argument& a : e.arguments) arguments.push_back({a.name, evaluate(*a.value, scope), a.span});
  if (callee.kind == Kind::callable) {
    if (callee.definition->kind == Definition::Kind::optimizer) {
      fail(e.span, "the optimizer '" + callee.definition->name + "' belongs into the train block");
    }
    return call_definition(*callee.definition, arguments, e.span);
  }
  if (callee.kind == Kind::builtin) return call_builtin(*callee.builtin, arguments, e.span);
  fail(e.operands[0]->span, "only a function or a layer can be called, not " + describe(callee));
}

Value Lowering::call_builtin(const Builtin& builtin, const std::vector<GivenArgument>& arguments, const Span& span) {
  const std::vector<int> given = bind_arguments(builtin.name, parameter_names(builtin), arguments, span);
  std::vector<Value> values;
  std::vector<Span> spans;
  for (int j : given) {
    values.push_back(j < 0 ? Value::absent() : arguments[static_cast<std::size_t>(j)].value);
    spans.push_back(j < 0 ? span : arguments[static_cast<std::size_t>(j)].span);
  }
  return builtin.lower(BuiltinCall(*this, builtin, std::move(values), std::move(spans), span));
}

void Lowering::bind_shape(const Parameter& p, const Value& value, const Span& span, Scope& scope) {
  const ir::Shape& shape = tensor(value, span).shape();
  const auto mismatch = [&] {
    std::string expected;
    for (const ExpressionPtr& size : p.shape) {
      expected += (expected.empty() ? "[" : ", ") +
                  (size->kind == Expression::Kind::name ? size->text : describe(evaluate(*size, scope)));
    }
    fail(span, "'" + p.name + "' must have the shape " + expected + "], found " + ir::to_string(shape));
  };
  if (shape.size() != p.shape.size()) mismatch();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const Expression& size = *p.shape[i];
    if (size.kind == Expression::Kind::name && !scope.contains(size.text)) {
      scope[size.text] = Value::of(shape[i]);
    } else if (shape_of(p.shape, scope)[i] != shape[i]) {
      mismatch();
    }
  }
}

Value Lowering::call_definition(const Definition& d, const std::vector<GivenArgument>& arguments, const Span& span) {
  if (depth_ >= 100) fail(span, "'" + d.name + "' calls itself without end", "recursion is not part of the language");
  Scope scope;
  const bool is_layer = d.kind == Definition::Kind::layer;
  const std::string saved_path = path_;
  const std::vector<int> given = bind_arguments(d.name, parameter_names(d), arguments, span);
  for (std::size_t i = 0; i < d.parameters.size(); ++i) {
    const Parameter& p = d.parameters[i];
    const GivenArgument* argument = given[i] < 0 ? nullptr : &arguments[static_cast<std::size_t>(given[i])];
    const Value value = argument != nullptr ? argument->value : evaluate(*p.fallback, scope);
    const Span at = argument != nullptr ? argument->span : span;
    if (p.is_size && !(value.kind == Kind::number && value.number >= 1 && value.number == std::floor(value.number)) &&
        value.kind != Kind::dimension) {
      fail(at, "'" + p.name + "' must be a whole number from 1, not " + describe(value));
    }
    if (p.has_shape) bind_shape(p, value, at, scope);
    scope[p.name] = value;
  }
  if (is_layer) path_ += d.name + "." + std::to_string(layer_counts_[path_ + d.name]++) + ".";
  ++depth_;
  try {
    Value result = run_body(d, scope);
    --depth_;
    path_ = saved_path;
    if (result.kind == Kind::broken)
      fail(d.name_span, "'" + d.name + "' returns nothing", "end its body with: return ...");
    return result;
  } catch (Failure& failure) {
    --depth_;
    path_ = saved_path;
    // A mistake inside the prelude is the caller's: it is shown where the call stands.
    for (Diagnostic& mistake : failure.diagnostics) {
      if (span.source == nullptr || mistake.file != "<prelude>" || span.source->name == "<prelude>") continue;
      const std::string message = "in '" + d.name + "': " + mistake.message;
      mistake = diagnostic(span, message, mistake.hint);
    }
    throw;
  }
}

}  // namespace descent::frontend
