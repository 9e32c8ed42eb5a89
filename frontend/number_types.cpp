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

bool is_whole(Expr e) { return e.node->type.dtype == DType::i32; }
bool is_whole_or_written(Expr e) {
  return is_whole(e) || (e.node->is_constant() && e.node->attributes.value == std::floor(e.node->attributes.value));
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
  if (whole_possible && is_whole_or_written(x) && is_whole_or_written(y) && (is_whole(x) || is_whole(y))) {
    for (Expr* e : {&x, &y}) *e = ir::convert(*e, DType::i32);
    return;
  }
  for (Expr* e : {&x, &y}) {
    if (is_whole(*e)) *e = ir::convert(*e, DType::f32);
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
    fail_of_two_types(at.whole, {x, at.left}, {y, at.right});
  }
}

/// The same for the items of a list that becomes one tensor.
void Lowering::unify_numbers(std::vector<Expr>& items, const Span& span) {
  const auto dtype_is = [](DType dtype) { return [dtype](Expr e) { return e.node->type.dtype == dtype; }; };
  if (std::any_of(items.begin(), items.end(), dtype_is(DType::boolean))) return;
  const bool stay_whole =
      std::any_of(items.begin(), items.end(), is_whole) && std::all_of(items.begin(), items.end(), is_whole_or_written);
  for (Expr& e : items) {
    if (stay_whole || is_whole(e)) e = ir::convert(e, stay_whole ? DType::i32 : DType::f32);
  }
  const auto wide = std::find_if(items.begin(), items.end(), dtype_is(DType::f64));
  if (wide == items.end()) return;
  const auto described = [&](std::vector<Expr>::iterator item) {
    return Typed{*item, {}, "item " + std::to_string(item - items.begin())};
  };
  for (auto item = items.begin(); item != items.end(); ++item) {
    const auto fitting = adapted(*item, DType::f64);
    if (!fitting) fail_of_two_types(span, described(std::min(wide, item)), described(std::max(wide, item)));
    *item = *fitting;
  }
}

void Lowering::fail_of_two_types(const Span& span, const Typed& x, const Typed& y) {
  std::vector<Note> notes;
  const auto converted = [&](const Typed& side, DType dtype) {
    const auto declared = declared_.find(side.value.node);
    const std::string type = ir::to_string(side.value.node->type), wanted = ir::to_string(dtype);
    if (declared != declared_.end() && !declared->second.second.source->is_library) {
      const auto& [name, place] = declared->second;
      notes.push_back(note(place, "'" + name + "' is " + type));
      return wanted + "(" + name + ")";
    }
    if (side.span.source == nullptr) return wanted + "(...) around " + side.words;
    if (!side.span.source->is_library) notes.push_back(note(side.span, "this is " + type));
    return wanted + "(" + quoted_source(side.span) + ")";
  };
  const std::string first = converted(x, y.value.node->type.dtype), second = converted(y, x.value.node->type.dtype);
  const bool widens_first = y.value.node->type.dtype == DType::f64;
  fail(span, "numbers of two types, " + ir::to_string(x.value.node->type) + " and " + ir::to_string(y.value.node->type),
       "write " + (widens_first ? first : second) + ", or " + (widens_first ? second : first), std::move(notes));
}

}  // namespace descent::frontend
