// Models and their statements, and what becomes of mistakes. Variables are in variables.cpp.
#include "frontend/lower.h"

#include <algorithm>

#include "frontend/depth.h"
#include "ir/edit_distance.h"
#include "ir/op.h"

namespace descent::frontend {

using ir::Expr;
using ir::Node;
using ir::Op;
using Kind = Value::Kind;

namespace {

/// The name of the sum of all losses.
const std::string total_loss = "loss";

std::string key_of(const Diagnostic& d) {
  return d.file + ":" + std::to_string(d.line) + ":" + std::to_string(d.column) + ":" + d.message;
}

}  // namespace

Lowering::Lowering(ir::Program& program, const File& file, const File* prelude, std::set<const Definition*> recursive,
                   std::vector<Diagnostic>& mistakes)
    : program_(program),
      graph_(*program.graph),
      file_(file),
      prelude_(prelude),
      recursive_(std::move(recursive)),
      mistakes_(mistakes) {
  for (const Diagnostic& d : mistakes) reported_.insert(key_of(d));
}

// Mistakes.

void Lowering::fail(const Span& span, const std::string& message, const std::string& hint,
                    std::vector<Note> notes) const {
  throw Failure{located(span, message, hint, std::move(notes))};
}

/// A mistake in what comes with Descent is shown where the user's text called it; one in a function of the user's says
/// where the function was called.
Diagnostic Lowering::located(const Span& span, const std::string& message, const std::string& hint,
                             std::vector<Note> notes) const {
  const auto is_users = [](const Span& s) { return s.source != nullptr && !s.source->is_library; };
  Diagnostic d;
  auto call = calls_.rbegin();
  if (is_users(span)) {
    d = diagnostic(span, message, hint);
  } else {
    while (call != calls_.rend() && !is_users(call->span)) ++call;
    if (call == calls_.rend()) return diagnostic(span, message, hint);
    d = diagnostic(call->span, "in '" + call->definition->name + "': " + message, hint);
    constexpr std::size_t most_shown = 60;  // of the text of the library
    const std::string there = span.source != nullptr ? text_of(span) : "";
    const bool says_more = there.find(' ') != std::string::npos && there.size() <= most_shown;
    if (hint.empty() && notes.empty() && says_more) d.hint = "there it says " + there;
    ++call;
  }
  d.notes = std::move(notes);
  constexpr std::size_t most_notes = 4;
  for (; call != calls_.rend() && d.notes.size() < most_notes; ++call) {
    if (!is_users(call->span)) continue;
    const Note here = note(call->span, "in this call of '" + call->definition->name + "'");
    const bool again = !d.notes.empty() && d.notes.back().line == here.line && d.notes.back().column == here.column;
    if (!again) d.notes.push_back(here);
  }
  return d;
}

void Lowering::add_mistake(const Diagnostic& d) {
  if (mistakes_.size() >= most_mistakes) throw Exhausted{d};
  if (reported_.insert(key_of(d)).second) mistakes_.push_back(d);
}

void Lowering::report(const Failure& failure) {
  if (failure.diagnostic) add_mistake(*failure.diagnostic);
}

// Models.

void Lowering::lower_model(const Definition& model, const UpdateRules& rules) {
  ir::Function step{"step", {}, {}}, evaluate_function{"evaluate", {}, {}}, predict{"predict", {}, {}};
  ir::Function metrics{"metrics", {}, {}};
  const std::size_t before = mistakes_.size();
  try {
    ir::Function ignored_outputs, ignored_metrics;
    training_ = true;
    lower_body(model, {&step, &ignored_outputs, &ignored_metrics});
    const std::vector<ir::Binding> layer_updates = state_updates_;
    if (mistakes_.size() == before) {
      training_ = false;
      averaged_ = rules.average != nullptr;
      lower_body(model, {&evaluate_function, &predict, &metrics});
      evaluate_function.results.insert(evaluate_function.results.end(), predict.results.begin(), predict.results.end());
      if (!step.results.empty()) {
        step.results.resize(1);  // the sum of all losses is what a step needs
        lower_updates(rules, step.results[0].node, step);
      } else if (mistakes_.empty()) {
        training_ = true;
        all_optimizers(rules);  // what is wrong with them is wrong without a loss too
      }
      step.updates.insert(step.updates.end(), layer_updates.begin(), layer_updates.end());
    }
  } catch (const Exhausted& exhausted) {
    if (mistakes_.size() < most_mistakes) add_mistake(exhausted.diagnostic);
  }
  if (!mistakes_.empty()) return;
  program_.functions.push_back(initial_);
  if (!step.results.empty()) {
    program_.functions.push_back(step);
    program_.functions.push_back(evaluate_function);
  }
  const auto is_target = [&](const Node* node) {
    const ir::Input* input = node->op == Op::input ? program_.find_input(node->attributes.name) : nullptr;
    return input != nullptr && input->is_target;
  };
  program_.predicts_from_targets = std::ranges::any_of(ir::reachable(predict.roots()), is_target);
  program_.functions.push_back(predict);
  if (!metrics.results.empty()) program_.functions.push_back(metrics);
}

namespace {

/// What a model's variables are where nothing else is said: f64 where its real inputs and targets are.
ir::DType type_of_model(const Definition& model) {
  bool has_double = false, has_float = false;
  for (const Statement& s : model.body) {
    if ((s.kind != Statement::Kind::input && s.kind != Statement::Kind::target) || !s.type) continue;
    has_double = has_double || s.type->dtype == "f64";
    has_float = has_float || s.type->dtype == "f32" || (s.type->dtype.empty() && s.type->categories == nullptr);
  }
  return has_double && !has_float ? ir::DType::f64 : ir::DType::f32;
}

}  // namespace

void Lowering::lower_body(const Definition& model, const Results& results) {
  Scope& scope = scopes_.emplace_back(model.file, nullptr);
  Instance instance;
  instance.dtype = type_of_model(model);
  instance_ = &instance;
  state_updates_.clear();
  state_values_.clear();
  losses_ = results.losses;
  outputs_ = results.outputs;
  metrics_ = results.metrics;
  run(model.body, scope);
  instance_ = nullptr;
  sum_losses(losses_->results);
  if (training_ && mistakes_.empty()) check_results(model);
}

/// The loss is the sum of all of them; it comes first, and those that have names follow.
void Lowering::sum_losses(std::vector<ir::Binding>& losses) {
  if (losses.empty()) return;
  Value total = Value::of(losses[0].node);
  for (std::size_t i = 1; i < losses.size(); ++i) total = binary("+", total, Value::of(losses[i].node), {});
  std::erase_if(losses, [](const ir::Binding& loss) { return loss.name == total_loss; });
  losses.insert(losses.begin(), {total_loss, total.node});
}

void Lowering::check_results(const Definition& model) {
  const auto declared = [&](Statement::Kind kind) {
    return std::find_if(model.body.begin(), model.body.end(),
                        [&](const Statement& s) { return s.kind == kind || s.kind == Statement::Kind::broken; });
  };
  if (declared(Statement::Kind::output) == model.body.end()) {
    add_mistake(diagnostic(model.name_span, "the model '" + model.name + "' has no output",
                           "add a line such as: output p = sigmoid(dense(x, 1))"));
  }
  const auto metric = declared(Statement::Kind::metric);
  if (metric != model.body.end() && declared(Statement::Kind::loss) == model.body.end()) {
    add_mistake(diagnostic(metric->name_span, "a metric is measured beside a loss, and the model has none",
                           "add a line such as: loss = bce(p, y)"));
  }
}

// Statements.

void Lowering::run(const std::vector<Statement>& statements, Scope& scope) {
  for (const Statement& s : statements) {
    try {
      run(s, scope);
    } catch (const Failure& failure) {
      report(failure);
      if (!s.name.empty()) scope.assignable(s.name).declare(s.name, Value{}, s.name_span);
    } catch (const Error& error) {
      report(Failure{located(s.span, error.diagnostics()[0].message, error.diagnostics()[0].hint, {})});
      if (!s.name.empty()) scope.assignable(s.name).declare(s.name, Value{}, s.name_span);
    }
  }
}

void Lowering::run(const Statement& s, Scope& scope) {
  switch (s.kind) {
    case Statement::Kind::input:
    case Statement::Kind::target:
      return declare_input(s, scope);
    case Statement::Kind::param:
    case Statement::Kind::state:
    case Statement::Kind::fit:
      return declare_variable(s, scope);
    case Statement::Kind::output:
      return declare_output(s, scope);
    case Statement::Kind::loss:
      return add_loss(s, scope);
    case Statement::Kind::metric:
      return add_metric(s, scope);
    case Statement::Kind::let: {
      if (s.value == nullptr) fail(s.span, "'" + s.name + "' has no value", "write let " + s.name + " = ...");
      const Value value = evaluate(*s.value, scope);
      check_type(s, value, scope);
      name_layers(value, s.name + scope.rounds());
      declare(s, value, scope);
      return;
    }
    case Statement::Kind::assign:
      return assign(s, scope);
    case Statement::Kind::update:
      return update_state(s, scope);
    case Statement::Kind::result:
      result_ = evaluate(*s.value, scope);
      return;
    case Statement::Kind::loop:
      return run_loop(s, scope);
    case Statement::Kind::define:
      declare(s, recursive_.contains(s.definition) ? Value{} : Value::of(s.definition, &scope), scope);
      return;
    case Statement::Kind::broken:
      if (!s.name.empty() && scope.find(s.name) == nullptr) scope.declare(s.name, Value{}, s.name_span);
      return;
  }
}

/// for i in 0..3 { }; for units in [64, 32] { }; repeat 3 { }
void Lowering::run_loop(const Statement& s, Scope& scope) {
  Value over = evaluate(*s.value, scope);
  if (over.is(Kind::broken)) throw Failure{};
  const bool counts = s.name.empty();
  if (counts) {
    if (!over.is(Kind::number) && !over.is(Kind::dimension)) {
      fail(s.value->span, "expected the number of rounds, found " + describe(over), "write repeat 3 { ... }");
    }
    over = range(Value::of(0.0), over, {s.value->span, s.value->span, s.value->span});
  } else if (!over.is(Kind::list) && !over.is(Kind::tensors)) {
    fail(s.value->span, "expected a range or a list to go through, found " + describe(over),
         over.is(Kind::number) ? "write 0.." + describe(over) : "");
  }
  for (std::size_t i = 0; i < over.items().size(); ++i) {
    const Depth depth(*this, s.span);
    Scope& round = scopes_.emplace_back(&scope, "." + std::to_string(i));
    if (!counts) round.declare(s.name, over.items()[i], s.name_span);
    run(s.body, round);
  }
}

Binding& Lowering::declare(const Statement& s, Value value, Scope& scope) {
  if (const Binding* earlier = scope.find_here(s.name)) {
    if (earlier->value.is(Kind::broken)) return scope.declare(s.name, Value{}, s.name_span);
    fail(s.name_span, "'" + s.name + "' is declared twice",
         earlier->value.is_size            ? "give it another name: '" + s.name + "' is the size of an axis"
         : s.kind == Statement::Kind::let  ? "write " + s.name + " = ... to give it a new value"
         : s.kind == Statement::Kind::loss ? "losses with names of their own add up: loss distance = ..."
                                           : "give it another name",
         {note(earlier->origin, "first declared here")});
  }
  if (value.is(Kind::tensor)) declared_.emplace(value.node, std::pair(s.name, s.name_span));
  return scope.declare(s.name, std::move(value), s.name_span);
}

void Lowering::assign(const Statement& s, Scope& scope) {
  const Value value = evaluate(*s.value, scope);
  Scope& owner = scope.assignable(s.name);
  const Binding* known = owner.find_here(s.name);
  if (known != nullptr && !known->variable.empty()) {
    fail(s.name_span, "'" + s.name + "' is a " + (known->is_state ? "state" : "parameter") + " and cannot be replaced",
         known->is_state ? "write " + s.name + " <- ..." : "give the expression another name",
         {note(known->origin, "declared here")});
  }
  name_layers(value, s.name + scope.rounds());
  if (value.is(Kind::tensor)) declared_.emplace(value.node, std::pair(s.name, s.name_span));
  owner.declare(s.name, value, s.name_span);
}

/// A layer that has been bound has its path from the first name it is given: f.w; in a list f.0.w.
void Lowering::name_layers(const Value& v, const std::string& name) {
  if (v.is(Kind::bound) && v.bound->path.empty()) v.bound->path = layer_path(name);
  if (!v.is(Kind::list)) return;
  for (std::size_t i = 0; i < v.items().size(); ++i) name_layers(v.items()[i], name + "." + std::to_string(i));
}

/// The path of a layer in the one being evaluated; a number tells apart what would have the same.
std::string Lowering::layer_path(const std::string& name) {
  const int taken = instance_->counts["/" + name]++;  // no layer has a name with this sign
  return instance_->path + name + (taken > 0 ? "." + std::to_string(taken) : "") + ".";
}

void Lowering::declare_input(const Statement& s, Scope& scope) {
  if (!s.type) fail(s.span, "the shape of '" + s.name + "' is missing", "write " + s.name + ": [n, 30]");
  if (s.value != nullptr) {
    fail(s.value->span, "an input has no value: it is given with every call",
         "for a constant, write let " + s.name + " = ...");
  }
  for (const ExpressionPtr size : s.type->shape) {
    std::vector<std::string> unknown;
    size_pattern(*size, scope, unknown);
    // In an input a new name makes a new symbolic size.
    for (const std::string& name : unknown) {
      Value v = Value::of(ir::Dimension::symbol(name));
      v.is_size = true;
      scope.declare(name, v, size->span);
    }
  }
  const ir::Shape shape = shape_of(s.type->shape, scope);
  if (s.type->categories != nullptr) {
    const ir::Dimension count = shape_of({s.type->categories}, scope)[0];
    if (!count.is_constant()) fail(s.type->categories->span, "the number of categories must be known while compiling");
    category_counts_[s.name] = index_counts_[s.name] = count.constant();
  }
  const ir::DType dtype = dtype_of(*s.type);
  Binding& binding = declare(s, Value::of(graph_.leaf(Op::input, s.name, shape, dtype)), scope);
  if (!binding.value.is(Kind::broken) && program_.find_input(s.name) == nullptr) {
    program_.inputs.push_back({s.name, shape, s.kind == Statement::Kind::target, dtype});
  }
}

void Lowering::note_indices(const Node* indices, std::int64_t rows, const Span& span) {
  while (ir::is_view(indices) || indices->op == Op::convert) indices = indices->operands[0];
  if (indices->op != Op::input) return;
  const std::string& name = indices->attributes.name;
  const auto categories = category_counts_.find(name);
  if (categories != category_counts_.end() && categories->second > rows) {
    fail(span, "'" + name + "' is one of " + std::to_string(categories->second) + " categories, but the table has " +
                   std::to_string(rows) + (rows == 1 ? " row" : " rows"));
  }
  const auto [known, is_new] = index_counts_.emplace(name, rows);
  if (!is_new) known->second = std::min(known->second, rows);
}

void Lowering::declare_output(const Statement& s, Scope& scope) {
  if (s.value == nullptr) fail(s.span, "the output '" + s.name + "' has no value", "write output " + s.name + " = ...");
  const Value value = evaluate(*s.value, scope);
  const Expr e = tensor(value, s.value->span);
  check_type(s, value, scope);
  declare(s, value, scope);
  outputs_->results.push_back({s.name, e.node});
}

/// The value of a loss or metric as a real number.
Expr Lowering::one_number(const Statement& s, const Value& value, const char* what, Scope& scope) {
  const Expr e = tensor(value, s.value->span);
  check_type(s, value, scope);
  if (!e.shape().empty()) {
    fail(s.value->span, std::string("the ") + what + " must be one number, but this is " + ir::to_string(e.node->type),
         "write mean(...) or sum(...) around it");
  }
  if (e.node->type.dtype == ir::DType::boolean) {
    fail(s.value->span, std::string("the ") + what + " must be a number, but this is a condition");
  }
  return is_real(e.node->type.dtype) ? e : ir::convert(e, ir::DType::f32);
}

/// loss = ...; several add up, and may have names.
void Lowering::add_loss(const Statement& s, Scope& scope) {
  if (s.value == nullptr) fail(s.span, "the loss '" + s.name + "' has no value", "write loss " + s.name + " = ...");
  const Value value = evaluate(*s.value, scope);
  Expr loss = one_number(s, value, "loss", scope);
  if (!losses_->results.empty()) {
    const Expr first(graph_, losses_->results[0].node);
    if (const auto fitting = adapted(loss, first.node->type.dtype)) {
      loss = *fitting;
    } else {
      fail(s.value->span,
           "losses add up, but this one is " + ir::to_string(loss.node->type.dtype) + " and those before are " +
               ir::to_string(first.node->type.dtype),
           "write " + ir::to_string(first.node->type.dtype) + "(...) around it");
    }
  }
  declare(s, value, scope);
  losses_->results.push_back({s.name, loss.node});
}

/// metric f1 = ...: measured on data, and no part of a step.
void Lowering::add_metric(const Statement& s, Scope& scope) {
  if (s.value == nullptr) {
    fail(s.span, "the metric '" + s.name + "' has no value", "write metric " + s.name + " = ...");
  }
  if (s.name == total_loss) {
    fail(s.name_span, "'" + s.name + "' is the sum of all losses", "give the metric another name");
  }
  const Value value = evaluate(*s.value, scope);
  const Expr metric = one_number(s, value, "metric", scope);
  declare(s, value, scope);
  metrics_->results.push_back({s.name, metric.node});
}

}  // namespace descent::frontend
