// Models, bodies and variables; expressions are in expressions.cpp, operators.cpp and calls.cpp.
#include "frontend/lower.h"

#include "ir/edit_distance.h"
#include "ir/op.h"

namespace descent::frontend {

using ir::Expr;
using ir::Node;
using ir::Op;

Lowering::Lowering(ir::Program& program, const std::vector<const File*>& files, std::vector<Diagnostic>& mistakes)
    : program_(program), graph_(*program.graph), files_(files), mistakes_(mistakes) {}

void Lowering::fail(const Span& span, const std::string& message, const std::string& hint) {
  throw Failure{{diagnostic(span, message, hint)}};
}

void Lowering::lower_model(const Definition& model, const UpdateRules& rules) {
  ir::Function step{"step", {}, {}}, evaluate_function{"evaluate", {}, {}}, predict{"predict", {}, {}};
  ir::Function ignored;
  training_ = true;
  lower_body(model, true, step, ignored);
  const std::vector<ir::Binding> layer_updates = state_updates_;
  if (mistakes_.empty()) {
    training_ = false;
    averaged_ = rules.average != nullptr;
    lower_body(model, false, evaluate_function, predict);
    evaluate_function.results.insert(evaluate_function.results.end(), predict.results.begin(), predict.results.end());
    if (!step.results.empty()) lower_updates(rules, step.results[0].node, step);
    step.updates.insert(step.updates.end(), layer_updates.begin(), layer_updates.end());
  }
  if (!mistakes_.empty()) return;
  program_.functions.push_back(initial_);
  if (!step.results.empty()) {
    program_.functions.push_back(step);
    program_.functions.push_back(evaluate_function);
  }
  program_.functions.push_back(predict);
}

void Lowering::lower_body(const Definition& model, bool training, ir::Function& losses, ir::Function& outputs) {
  Scope scope;
  layer_counts_.clear();
  declared_.clear();
  state_updates_.clear();
  path_.clear();
  for (const Statement& s : model.body) {
    try {
      switch (s.kind) {
        case Statement::Kind::input:
        case Statement::Kind::target:
          declare_input(s, scope);
          break;
        case Statement::Kind::param:
        case Statement::Kind::state:
        case Statement::Kind::fit:
          declare_variable(s, scope);
          break;
        case Statement::Kind::loss: {
          const Expr loss = tensor(evaluate(*s.value, scope), s.value->span);
          if (!loss.shape().empty()) {
            fail(s.value->span, "the loss must be one number, but this is " + ir::to_string(loss.node->type),
                 "write mean(...) or sum(...) around it");
          }
          losses.results.insert(losses.results.begin(), ir::Binding{"loss", loss.node});
          break;
        }
        case Statement::Kind::output: {
          if (!s.value) fail(s.span, "the output '" + s.name + "' has no value", "write output " + s.name + " = ...");
          const Value value = evaluate(*s.value, scope);
          scope[s.name] = value;
          if (!training)
            outputs.results.push_back({s.name, tensor(value, s.value->span).node});
          else
            tensor(value, s.value->span);
          break;
        }
        case Statement::Kind::let:
        case Statement::Kind::assign:
          if (!s.value) fail(s.span, "'" + s.name + "' has no value", "write let " + s.name + " = ...");
          scope[s.name] = evaluate(*s.value, scope);
          break;
        case Statement::Kind::result:
        case Statement::Kind::update:
          fail(s.span, "this statement belongs into a layer", "a model has outputs and a loss");
      }
    } catch (const Failure& failure) {
      mistakes_.insert(mistakes_.end(), failure.diagnostics.begin(), failure.diagnostics.end());
      if (!s.name.empty()) scope[s.name] = Value{};  // broken: what uses it is not a further mistake
    }
  }
  if (training && mistakes_.empty()) {
    bool has_output = false;
    for (const Statement& s : model.body) has_output = has_output || s.kind == Statement::Kind::output;
    if (!has_output)
      mistakes_.push_back(diagnostic(model.name_span, "the model '" + model.name + "' has no output",
                                     "add a line such as: output p = sigmoid(dense(x, 1))"));
  }
}

void Lowering::declare_input(const Statement& s, Scope& scope) {
  if (!s.has_shape) fail(s.span, "the shape of '" + s.name + "' is missing", "write " + s.name + ": [n, 30]");
  if (scope.contains(s.name)) fail(s.name_span, "'" + s.name + "' is declared twice");
  for (const ExpressionPtr& size : s.shape) {
    // In an input a new name makes a new symbolic size.
    if (size->kind == Expression::Kind::name && !scope.contains(size->text)) {
      scope[size->text] = Value::of(ir::Dimension::symbol(size->text));
    }
  }
  const ir::Shape shape = shape_of(s.shape, scope);
  if (program_.find_input(s.name) == nullptr) {
    program_.inputs.push_back({s.name, shape, s.kind == Statement::Kind::target});
  }
  scope[s.name] = Value::of(graph_.leaf(Op::input, s.name, shape));
}

ir::Shape Lowering::shape_of(const std::vector<ExpressionPtr>& sizes, const Scope& scope) {
  ir::Shape shape;
  for (const ExpressionPtr& e : sizes) {
    const Value v = evaluate(*e, scope);
    if (v.kind == Value::Kind::dimension) {
      shape.push_back(v.dimension);
    } else if (v.kind == Value::Kind::number && v.number >= 1 && v.number <= 1e9 &&
               v.number == static_cast<double>(static_cast<std::int64_t>(v.number))) {
      shape.emplace_back(static_cast<std::int64_t>(v.number));
    } else if (v.kind == Value::Kind::broken) {
      throw Failure{};
    } else {
      fail(e->span, "a size must be a whole number from 1, not " + describe(v));
    }
  }
  return shape;
}

/// param, state and fit of a layer or a model: a leaf, and the expression of its first value.
void Lowering::declare_variable(const Statement& s, Scope& scope) {
  ir::Variable variable{path_ + s.name, {}};
  variable.kind = s.kind == Statement::Kind::param   ? ir::Variable::Kind::parameter
                  : s.kind == Statement::Kind::state ? ir::Variable::Kind::state
                                                     : ir::Variable::Kind::fitted;
  if (s.has_shape) variable.shape = shape_of(s.shape, scope);
  for (const ir::Dimension& d : variable.shape) {
    if (!d.is_constant())
      fail(s.name_span, "the shape of '" + s.name + "' must be known, but " + d.to_string() + " is not");
  }
  if (!declared_.insert(variable.name).second) fail(s.name_span, "'" + s.name + "' is declared twice");
  const Op op = variable.kind == ir::Variable::Kind::parameter ? Op::parameter : Op::state;
  if (program_.find_variable(variable.name) == nullptr) {
    if (!s.value) fail(s.span, "'" + s.name + "' has no first value", "write " + s.name + ": [...] = zeros");
    add_variable(variable, first_value(evaluate(*s.value, scope), variable.shape, s.value->span));
  }
  scope[s.name] = Value::of(op == Op::parameter ? parameter(variable) : graph_.leaf(op, variable.name, variable.shape));
}

/// Of a variable: an expression, or what an initialiser makes of the shape.
const Node* Lowering::first_value(const Value& given, const ir::Shape& shape, const Span& span) {
  Value first = given;
  if (given.kind == Value::Kind::callable) {
    std::vector<Value> sizes;
    for (const ir::Dimension& d : shape) sizes.push_back(Value::of(d));
    first = call_definition(*given.definition, {{"", Value::list(sizes), span}}, span);
  }
  return fit_to(tensor(first, span), shape, span).node;
}

void Lowering::add_variable(const ir::Variable& variable, const Node* first) {
  program_.variables.push_back(variable);
  initial_.updates.push_back({variable.name, first});
}

/// What the model reads of a parameter: when predicting its running average, if the train block asks for one.
const Node* Lowering::parameter(const ir::Variable& v) {
  if (averaged_ && !training_) return graph_.leaf(Op::state, average_name(v), v.shape);
  return graph_.leaf(Op::parameter, v.name, v.shape);
}

/// The statements of a fn, layer or optimizer; the value of its return statement.
Value Lowering::run_body(const Definition& d, Scope& scope) {
  Value result;
  for (const Statement& s : d.body) {
    switch (s.kind) {
      case Statement::Kind::param:
      case Statement::Kind::state:
      case Statement::Kind::fit:
        declare_variable(s, scope);
        break;
      case Statement::Kind::let:
      case Statement::Kind::assign:
        scope[s.name] = evaluate(*s.value, scope);
        break;
      case Statement::Kind::result:
        return evaluate(*s.value, scope);
      case Statement::Kind::update: {
        auto at = scope.find(s.name);
        if (at == scope.end() || at->second.kind != Value::Kind::tensor) {
          fail(s.name_span, "'" + s.name + "' is no state of '" + d.name + "'",
               "declare it: state " + s.name + " = zeros");
        }
        const Expr value =
            fit_to(tensor(evaluate(*s.value, scope), s.value->span), at->second.node->shape(), s.value->span);
        if (training_) state_updates_.push_back({path_ + s.name, value.node});
        at->second = Value::of(value.node);
        break;
      }
      default:
        fail(s.span, "this statement belongs into a model");
    }
  }
  return result;
}

}  // namespace descent::frontend
