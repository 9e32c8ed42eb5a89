// Expressions: names, and the value of each kind of expression. Operators are in operators.cpp, calls in calls.cpp,
// x[...] in indexing.cpp.
#include <cmath>
#include <numbers>

#include "frontend/builtins.h"
#include "frontend/depth.h"
#include "frontend/lower.h"
#include "frontend/names.h"
#include "ir/op.h"

namespace descent::frontend {

using ir::Expr;
using ir::Op;
using Kind = Value::Kind;

const Definition* Lowering::find_definition(const std::string& name, const File* file) const {
  return frontend::find_definition(name, file, prelude_);
}

Value Lowering::parameters(bool weights_only) {
  std::vector<Value> items;
  for (const ir::Variable& v : program_.variables) {
    if (v.kind != ir::Variable::Kind::parameter || (weights_only && v.shape.size() < 2)) continue;
    items.push_back(Value::of(parameter(v)));
  }
  return Value::list(std::move(items), Kind::tensors);
}

Value Lowering::name(const Expression& e, Scope& scope) {
  if (const Binding* binding = scope.find(e.text)) return binding->value;
  if (e.text == "training") return Value::truth(training_);
  if (e.text == "true" || e.text == "false") return Value::truth(e.text == "true");
  if (e.text == "all") return Value::absent();  // axes, where none are named
  if (e.text == "pi") return Value::of(std::numbers::pi);
  if (e.text == "step" && step_ != nullptr) return Value::of(step_);
  if (e.text == "step" || e.text == "epoch") return Value::of(graph_.leaf(Op::counter, e.text, {}));
  if (e.text == "weights" || e.text == "parameters") return parameters(e.text == "weights");
  if (e.text == "gradients" && gradients_) return *gradients_;
  if (const Definition* d = find_definition(e.text, scope.file())) {
    return recursive_.contains(d) ? Value{} : Value::of(d, nullptr);
  }
  if (const Builtin* builtin = find_builtin(e.text)) return Value::of(builtin);
  const std::vector<std::string>& broken = scope.file()->broken_names;
  if (std::find(broken.begin(), broken.end(), e.text) != broken.end()) return {};
  std::vector<std::string> visible;
  scope.collect(visible);
  std::string hint = name_hint(e.text, visible, *scope.file(), prelude_);
  if (hint.empty() && is_alone_) hint = "give it a value behind the expression: " + e.text + "=1";
  fail(e.span, "unknown name '" + e.text + "'", hint);
}

namespace {

/// Nodes stem again from where they did before.
class OriginGuard {
 public:
  explicit OriginGuard(ir::Graph& graph) : graph_(graph), before_(graph.origin()) {}
  ~OriginGuard() { graph_.set_origin(before_); }
  OriginGuard(const OriginGuard&) = delete;
  OriginGuard& operator=(const OriginGuard&) = delete;

 private:
  ir::Graph& graph_;
  const ir::Origin before_;
};

/// Of a pipe what is behind the sign: what stands before it is another operation.
Span span_of_operation(const Expression& e) {
  if (e.kind != Expression::Kind::pipe) return e.span;
  return {e.span.source, e.operands[1]->span.begin, e.span.end};
}

}  // namespace

Value Lowering::evaluate(const Expression& e, Scope& scope) {
  const Depth depth(*this, e.span);
  // Chains of operators and pipes are long to the left: they are walked, not recursed into.
  std::vector<const Expression*> chain;
  const Expression* leftmost = &e;
  while (leftmost->kind == Expression::Kind::binary || leftmost->kind == Expression::Kind::pipe) {
    chain.push_back(leftmost);
    leftmost = leftmost->operands[0];
  }
  Value value;
  const OriginGuard origin(graph_);
  const auto guarded = [&](const Expression& part, auto evaluation) {
    // What the prelude makes stems from the user's text that called it.
    if (const Span at = span_of_operation(part); at.source->number > 0) {
      graph_.set_origin({at.source->number, static_cast<std::uint32_t>(at.begin), static_cast<std::uint32_t>(at.end)});
    }
    try {
      value = evaluation();
    } catch (const Failure& failure) {
      report(failure);
      value = Value{};
    } catch (const Error& error) {  // of the graph: an overflow of a size
      report(Failure{located(part.span, error.diagnostics()[0].message, error.diagnostics()[0].hint, {})});
      value = Value{};
    }
  };
  guarded(*leftmost, [&] { return evaluate_any(*leftmost, scope); });
  for (auto part = chain.rbegin(); part != chain.rend(); ++part) {
    guarded(**part, [&] { return combine(**part, value, scope); });
  }
  return value;
}

/// An operator or pipe whose left operand is known.
Value Lowering::combine(const Expression& e, const Value& left, Scope& scope) {
  if (e.kind == Expression::Kind::pipe) return call(e, &left, scope);
  const Value right = evaluate(*e.operands[1], scope);
  if (left.is(Kind::broken) || right.is(Kind::broken)) return {};
  const Operands at{e.span, e.operands[0]->span, e.operands[1]->span};
  if (e.text == "@") return matrix_product(left, right, at);
  if (e.text == "..") return range(left, right, at);
  return binary(e.text, left, right, at);
}

Value Lowering::evaluate_any(const Expression& e, Scope& scope) {
  switch (e.kind) {
    case Expression::Kind::number:
      if (!e.unit.empty()) {
        fail(e.span, "a size of memory is no number to compute with",
             "it belongs into the train block: memory = 64 MiB");
      }
      return Value::of(e.number);
    case Expression::Kind::string:
      return Value::of_text(e.text);
    case Expression::Kind::name:
      return name(e, scope);
    case Expression::Kind::unary:
      return unary(e, scope);
    case Expression::Kind::call:
      return call(e, nullptr, scope);
    case Expression::Kind::conditional:
      return conditional(e, scope);
    case Expression::Kind::list: {
      std::vector<Value> items;
      for (const ExpressionPtr& item : e.operands) items.push_back(evaluate(*item, scope));
      for (const Value& item : items) {
        if (item.is(Kind::broken)) return {};
      }
      return Value::list(std::move(items));
    }
    case Expression::Kind::index:
      return index(e, scope);
    case Expression::Kind::function:
      return Value::of(e.definition, &scope);
    case Expression::Kind::member:
      if (!evaluate(*e.operands[0], scope).is(Kind::broken)) {
        fail(e.span, "a value has no part '" + e.text + "'",
             e.text == "T"       ? "write transpose(x)"
             : e.text == "shape" ? "write shape(x)"
                                 : "a function is written f(x) or x |> f");
      }
      return {};
    case Expression::Kind::binary:
    case Expression::Kind::pipe:
    case Expression::Kind::broken:
      break;
  }
  return {};
}

Value Lowering::conditional(const Expression& e, Scope& scope) {
  const Value condition = evaluate(*e.operands[0], scope);
  if (condition.is(Kind::broken)) return {};
  // A condition known now decides now: what is not chosen is not even evaluated.
  if (condition.is(Kind::boolean)) return evaluate(*e.operands[condition.boolean ? 1 : 2], scope);
  const Expr c = tensor(condition, e.operands[0]->span);
  if (c.node->type.dtype != ir::DType::boolean) {
    fail(e.operands[0]->span, "expected a condition, found " + describe(condition), "compare it: ... > 0");
  }
  guards_.emplace_back(c.node, e.operands[0]->span);
  const Value a = evaluate(*e.operands[1], scope);
  guards_.back().first = (!c).node;
  const Value b = evaluate(*e.operands[2], scope);
  guards_.pop_back();
  if (a.is(Kind::broken) || b.is(Kind::broken)) return {};
  return choose(condition, a, b, e.operands[0]->span, {e.span, e.operands[1]->span, e.operands[2]->span});
}

/// first .. end: the whole numbers from the first to the one before the end.
Value Lowering::range(const Value& first, const Value& end, const Operands& at) {
  const auto whole = [&](const Value& v, const Span& span) {
    if (!v.is(Kind::number) || v.number != std::floor(v.number) || std::fabs(v.number) > 1e9) {
      fail(span, "the ends of a range are whole numbers known while compiling, not " + describe(v));
    }
    return static_cast<std::int64_t>(v.number);
  };
  const std::int64_t from = whole(first, at.left), to = whole(end, at.right);
  constexpr std::int64_t longest = 100000;
  if (to - from > longest) {
    fail(at.whole, "this range has more than " + std::to_string(longest) + " numbers");
  }
  evaluations_ += std::max<std::int64_t>(0, to - from);
  std::vector<Value> items;
  for (std::int64_t i = from; i < to; ++i) items.push_back(Value::of(static_cast<double>(i)));
  return Value::list(std::move(items));
}

Expr Lowering::tensor(const Value& v, const Span& span) {
  switch (v.kind) {
    case Kind::tensor:
      return {graph_, v.node};
    case Kind::number:
      return {graph_, graph_.constant(v.number)};
    case Kind::boolean:
      return {graph_, graph_.boolean(v.boolean)};
    case Kind::dimension:
      return {graph_, graph_.dimension(v.dimension())};
    case Kind::list:
      return tensor_of_list(v, span);
    case Kind::broken:
      throw Failure{};
    case Kind::callable:
    case Kind::builtin:
    case Kind::bound:
      fail(span, "expected a number or a tensor, found " + describe(v),
           "call it: " +
               (v.is(Kind::bound) ? "f"
                : v.definition    ? v.definition->name
                                  : v.builtin->name) +
               "(...)");
    default:
      fail(span, "expected a number or a tensor, found " + describe(v));
  }
}

ir::Shape Lowering::shape_argument(const Value& v, const Span& span) {
  if (v.is(Kind::tensor)) return v.node->shape();
  if (v.is(Kind::broken)) throw Failure{};
  if (!v.is(Kind::list)) fail(span, "expected a shape such as [n, 16], found " + describe(v));
  ir::Shape shape;
  for (const Value& item : v.items()) {
    if (item.is(Kind::dimension)) {
      shape.push_back(item.dimension());
    } else if (item.is(Kind::number) && item.number >= 1 && item.number <= 1e9 &&
               item.number == std::floor(item.number)) {
      shape.emplace_back(static_cast<std::int64_t>(item.number));
    } else {
      fail(span, "a size must be a whole number from 1, not " + describe(item));
    }
  }
  return shape;
}

Value Lowering::random_uniform(const ir::Shape& shape) {
  ir::Attributes a;
  a.shape = shape;
  a.value = random_streams_++;
  return Value::of(graph_.make(Op::rng_uniform, {}, a));
}

Value Lowering::lower_expression(const Expression& e, const std::vector<std::string>& inputs) {
  is_alone_ = true;
  Scope& scope = scopes_.emplace_back(&file_, nullptr);
  Instance instance;
  instance_ = &instance;
  for (const std::string& input : inputs) scope.declare(input, Value::of(graph_.leaf(Op::input, input, {})), {});
  try {
    Value value = evaluate(e, scope);
    if (value.is(Kind::broken)) return value;
    return Value::of(value.is(Kind::boolean) ? graph_.boolean(value.boolean) : tensor(value, e.span).node);
  } catch (const Failure& failure) {
    report(failure);
  } catch (const Exhausted& exhausted) {
    if (mistakes_.size() < most_mistakes) add_mistake(exhausted.diagnostic);
  }
  return {};
}

}  // namespace descent::frontend
