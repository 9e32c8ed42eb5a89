// Numbers of several types in one expression: whole ones beside real ones, float32 beside float64.
//
// What no tensor of the user's is part of (numbers in the text, sizes, counters, random numbers, whole numbers and
// conditions as real ones) has no type of its own: it is computed in that of what stands beside it. So is a single
// number, which is converted. Two tensors of different types are a mistake: which of them is to lose or feign digits is
// for the user to say, by f32(x) or f64(x).
#include <cmath>

#include "frontend/lower.h"
#include "ir/op.h"

namespace descent::frontend {

using ir::DType;
using ir::Expr;
using ir::Node;
using ir::Op;

namespace {

/// Whether a float32 node has no type of its own: given which of the nodes before it have none.
bool is_untyped(const Node* node, const std::unordered_set<const Node*>& untyped) {
  if (node->type.dtype != DType::f32) return false;
  switch (node->op) {
    case Op::constant:
    case Op::dimension:
    case Op::counter:
    case Op::rng_uniform:
      return true;
    case Op::input:
    case Op::parameter:
    case Op::state:
      return false;
    case Op::convert:
      return !is_real(node->operands[0]->type.dtype);
    default:
      return std::all_of(node->operands.begin(), node->operands.end(),
                         [&](const Node* x) { return !is_real(x->type.dtype) || untyped.contains(x); });
  }
}

}  // namespace

bool Lowering::has_type(Expr e) { return is_real(e.node->type.dtype) && !has_no_type(e.node); }

/// Whether a node has no type of its own. What is known of a node holds for ever, since the graph only grows: all
/// layers of a network together are looked at once.
bool Lowering::has_no_type(const Node* root) {
  std::vector<const Node*> work{root};
  while (!work.empty()) {
    const Node* node = work.back();
    if (typed_or_not_.contains(node)) {
      work.pop_back();
      continue;
    }
    const std::size_t before = work.size();
    for (const Node* operand : node->operands) {
      if (!typed_or_not_.contains(operand)) work.push_back(operand);
    }
    if (work.size() > before) continue;
    typed_or_not_.insert(node);
    if (is_untyped(node, untyped_)) untyped_.insert(node);
    work.pop_back();
  }
  return untyped_.contains(root);
}

/// The same as numbers of this type; nothing if it has another type of its own.
std::optional<Expr> Lowering::adapted(Expr e, DType dtype) {
  if (e.node->type.dtype == dtype) return e;
  if (!is_real(e.node->type.dtype)) return ir::convert(e, dtype);
  if (!has_no_type(e.node)) return std::nullopt;
  // It is made again, not converted, so that no digit is lost on the way.
  std::unordered_map<const Node*, const Node*> made;
  for (const Node* node : ir::reachable({e.node})) {
    if (!untyped_.contains(node)) continue;
    std::vector<const Node*> operands;
    for (const Node* operand : node->operands) operands.push_back(made.contains(operand) ? made.at(operand) : operand);
    ir::Attributes attributes = node->attributes;
    if (ir::is_leaf(node) || node->op == Op::convert) attributes.dtype = dtype;
    made[node] = graph_.make(node->op, std::move(operands), std::move(attributes));
  }
  return Expr(graph_, made.at(e.node));
}

/// What a variable, a loss or a direction must be: numbers of this type.
Expr Lowering::as_type(Expr e, DType dtype, const Span& span) {
  if (const auto fitting = adapted(e, dtype)) return *fitting;
  fail(span, "expected " + ir::to_string(dtype) + ", found " + ir::to_string(e.node->type),
       "write " + ir::to_string(dtype) + "(...) around it");
}

/// Whole numbers stay so together, and with a number in the text that is whole; beside others, and for ops of real
/// numbers, they are real ones.
void Lowering::unify_numbers(Expr& x, Expr& y, bool whole_possible, const Operands& at) {
  const auto whole = [](Expr e) { return e.node->type.dtype == DType::i32; };
  const auto written = [](Expr e) {
    return e.node->is_constant() && e.node->attributes.value == std::floor(e.node->attributes.value);
  };
  if (whole_possible && (whole(x) || written(x)) && (whole(y) || written(y)) && (whole(x) || whole(y))) {
    for (Expr* e : {&x, &y}) *e = ir::convert(*e, DType::i32);
    return;
  }
  for (Expr* e : {&x, &y}) {
    if (whole(*e)) *e = ir::convert(*e, DType::f32);
  }
  unify_types(x, y, at);
}

void Lowering::unify_types(Expr& x, Expr& y, const Operands& at) {
  const DType a = x.node->type.dtype, b = y.node->type.dtype;
  if (a == b || !is_real(a) || !is_real(b)) return;
  if (const auto fitting = adapted(x, b)) {
    x = *fitting;
  } else if (const auto other = adapted(y, a)) {
    y = *other;
  } else if (x.shape().empty() && !y.shape().empty()) {
    x = ir::convert(x, b);
  } else if (y.shape().empty() && !x.shape().empty()) {
    y = ir::convert(y, a);
  } else {
    std::vector<Note> notes;
    std::vector<std::string> words;
    for (const auto& [side, span] : {std::pair(x, at.left), std::pair(y, at.right)}) {
      const auto declared = declared_.find(side.node);
      const bool is_known = declared != declared_.end() && !declared->second.second.source->is_library;
      words.push_back(is_known ? declared->second.first : quoted_source(span));
      if (!is_known && (span.source == nullptr || span.source->is_library)) continue;
      notes.push_back(is_known ? note(declared->second.second,
                                      "'" + declared->second.first + "' is " + ir::to_string(side.node->type))
                               : note(span, "this is " + ir::to_string(side.node->type)));
    }
    fail(at.whole, "numbers of two types, " + ir::to_string(x.node->type) + " and " + ir::to_string(y.node->type),
         "write f64(" + words[a == DType::f32 ? 0 : 1] + "), or f32(" + words[a == DType::f32 ? 1 : 0] + ")",
         std::move(notes));
  }
}

/// Of a list that becomes one tensor.
void Lowering::unify_types(std::vector<Expr>& items) {
  const auto typed = std::find_if(items.begin(), items.end(), [](Expr e) { return e.node->type.dtype == DType::f64; });
  if (typed == items.end()) return;
  for (Expr& e : items) {
    if (e.node->type.dtype == DType::f32) e = adapted(e, DType::f64).value_or(e);
  }
}

}  // namespace descent::frontend
