// Matching: a depth-first search over the ways in which items of a pattern can stand for items of a node.
//
// What is still to be matched is a list of goals. A goal with several ways of being met (which factor is `a`?) is tried
// way by way: the list is shared, never copied, and the letters bound on a way that leads nowhere are unbound again.
// Sums and products have at most kMostItems items and patterns a handful, and the search stops after kMostSteps steps,
// so that matching takes bounded time.
#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

#include "ir/op.h"
#include "passes/pattern.h"

namespace descent::passes {

using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;

namespace {

constexpr int kMostItems = 8;
constexpr int kMostSteps = 2000;

class Viewer {
 public:
  Viewer(const UseCounts* uses, bool open_shared, Op forward, Op backward)
      : uses_(uses), open_shared_(open_shared), forward_(forward), backward_(backward) {}

  ItemView view(const Node* root) {
    view_.items.reserve(kMostItems);
    open(root, false, true);
    for (const ItemView::Item& item : view_.items) view_.ops.set(static_cast<std::size_t>(item.node->op));
    return std::move(view_);
  }

 private:
  bool is_sum() const { return forward_ == Op::add; }
  bool shared(const Node* node) const { return uses_ != nullptr && uses_->of(node) > 1; }
  void open(const Node* node, bool inverse, bool is_root) {
    if (node->op == Op::negate) {
      if (!is_sum()) view_.negative = !view_.negative;
      return open(node->operands[0], is_sum() ? !inverse : inverse, is_root);
    }
    const bool fits = node->op == forward_ || node->op == backward_;
    if (!fits || opened_ + 1 >= kMostItems || (!is_root && shared(node) && !open_shared_)) {
      view_.items.push_back({node, inverse});
      return;
    }
    ++opened_;
    view_.opens_shared = view_.opens_shared || (!is_root && shared(node));
    open(node->operands[0], inverse, false);
    open(node->operands[1], inverse != (node->op == backward_), false);
  }

  const UseCounts* uses_;
  bool open_shared_;
  Op forward_, backward_;
  int opened_ = 0;
  ItemView view_;
};

/// A product's constant factor, with its sign, and its other factors.
struct Factors {
  double coefficient;
  std::vector<ItemView::Item> others;
};
Factors factors_of(const ItemView& view) {
  Factors factors{view.negative ? -1.0 : 1.0, {}};
  for (const ItemView::Item& item : view.items) {
    const double value = item.node->is_constant() ? item.node->attributes.value : 1;
    factors.coefficient = item.inverse ? factors.coefficient / value : factors.coefficient * value;
    if (!item.node->is_constant()) factors.others.push_back(item);
  }
  return factors;
}

/// Whether one term is the other, or its negative, in whatever order and with whatever sign its factors are written.
bool same_term(const ItemView::Item& a, const ItemView::Item& b, OpenViews& views) {
  const Factors x = factors_of(views.product(a.node)), y = factors_of(views.product(b.node));
  const auto equal = [](const auto& f, const auto& g) { return f.node == g.node && f.inverse == g.inverse; };
  return x.coefficient == (a.inverse == b.inverse ? y.coefficient : -y.coefficient) &&
         x.others.size() == y.others.size() &&
         std::is_permutation(x.others.begin(), x.others.end(), y.others.begin(), equal);
}

/// Whether two nodes are the same sum of the same products. The negative of y - 2 * z is written -(y - 2 * z), or as
/// the normal form has it 2 * z - y, and that of 2 * z is -2 * z.
bool same_value(const Node* a, const Node* b, OpenViews& views) {
  if (a->type != b->type) return false;
  const ItemView &x = views.sum(a), &y = views.sum(b);
  return x.items.size() == y.items.size() &&
         std::is_permutation(x.items.begin(), x.items.end(), y.items.begin(),
                             [&](const auto& one, const auto& other) { return same_term(one, other, views); });
}

bool is_number(const Node* node) { return node->is_constant() && is_real(node->type.dtype); }

/// A node, or its negative, which is made only when something asks for it.
struct Signed {
  const Node* node = nullptr;
  bool negative = false;
};

/// Whether two are the same node, or the same number: a scalar constant and a tensor of it are that.
bool same(const Signed& a, const Signed& b) {
  if (is_number(a.node) && is_number(b.node)) {
    const auto value = [](const Signed& s) {
      return s.negative ? -s.node->attributes.value : s.node->attributes.value;
    };
    return a.node->type.dtype == b.node->type.dtype && value(a) == value(b);
  }
  if (a.negative == b.negative) return a.node == b.node;
  const auto& [positive, negative] = a.negative ? std::pair(b, a) : std::pair(a, b);
  return (positive.node->op == Op::negate && positive.node->operands[0] == negative.node) ||
         (negative.node->op == Op::negate && negative.node->operands[0] == positive.node);
}

/// Whether the node can have the form, as far as its op tells.
bool may_have(const Form& form, const Node* node) {
  switch (form.kind) {
    case Form::Kind::letter:
      return true;
    case Form::Kind::constant:
    case Form::Kind::coefficient:
    case Form::Kind::number:
      return is_number(node);
    case Form::Kind::op:
      return node->op == form.op;
    case Form::Kind::spread:
      return node->op == Op::broadcast_in_dim;
    case Form::Kind::sum:
    case Form::Kind::product:
      break;
  }
  return is_real(node->type.dtype);
}

using Mask = std::uint32_t;

/// Something still to be matched: a node with a form; or, where there is a view, those of its items that are in `mask`
/// with the form's items from `next` on.
struct Goal {
  const Form* form;
  const Node* node = nullptr;
  bool negative = false;  ///< minus the node has the form; for items of a sum: of minus the sum
  const ItemView* view = nullptr;
  bool is_root = false;  ///< items may be left over
  std::size_t next = 0;
  Mask mask = 0;
  const Goal* rest = nullptr;  ///< the goals after this one
};

/// Goals of one search, which are given up again in the reverse order; the memory serves the next search.
class Goals {
 public:
  std::size_t count() const { return used_; }
  void keep(std::size_t count) { used_ = count; }
  const Goal* add(const Goal& goal) {
    if (used_ / kChunk == chunks_.size()) chunks_.push_back(std::make_unique<Goal[]>(kChunk));
    Goal& added = chunks_[used_ / kChunk][used_ % kChunk];
    ++used_;
    added = goal;
    return &added;
  }

  /// Of this thread, empty.
  static Goals& fresh() {
    static thread_local Goals goals;
    goals.keep(0);
    return goals;
  }

 private:
  static constexpr std::size_t kChunk = 256;
  std::vector<std::unique_ptr<Goal[]>> chunks_;
  std::size_t used_ = 0;
};

class Matcher {
 public:
  Matcher(Graph& graph, Match& match) : graph_(graph), match_(match) {}

  bool run(const Goal& goal) {
    if (!meet(&goal)) return false;
    for (std::size_t i = 0; i < bound_.size(); ++i) {
      match_.letters[i] = bound_[i].node == nullptr ? nullptr : made(bound_[i]);
    }
    if (reduction_ != nullptr) {
      match_.axes = reduction_->attributes.axes;
      match_.full_shape = reduction_->operands[0]->shape();
    }
    return true;
  }

 private:
  bool meet(const Goal* goal) {
    if (goal == nullptr) return true;
    if (++steps_ > kMostSteps) return false;
    const std::size_t before = goals_.count();
    if (goal->view != nullptr ? items(*goal) : whole(*goal)) return true;
    goals_.keep(before);
    return false;
  }

  const Goal* after(Goal goal, const Goal* rest) {
    goal.rest = rest;
    return goals_.add(goal);
  }

  /// Binds a letter, meets the goals, and unbinds the letter if they cannot be met. `turned`: the node is minus what
  /// stands in the graph.
  bool bind(char letter, const Signed& value, const Goal* rest, bool turned = false) {
    const auto at = static_cast<std::size_t>(letter - 'a');
    Signed& bound = bound_[at];
    if (bound.node != nullptr) {
      return (same(bound, value) ||
              (turned != turned_.test(at) && same_value(made(bound), made(value), match_.views))) &&
             meet(rest);
    }
    bound = value;
    turned_.set(at, turned);
    if (meet(rest)) return true;
    bound.node = nullptr;
    return false;
  }

  const Node* made(const Signed& s) {
    if (!s.negative) return s.node;
    if (s.node->is_constant()) return graph_.constant(-s.node->attributes.value, s.node->type);
    return s.node->op == Op::negate ? s.node->operands[0] : graph_.make(Op::negate, {s.node});
  }

  /// 1 or -1; asked for all the time.
  const Node* unit(bool negative, ir::DType dtype) {
    const Node*& node = match_.units[(negative ? 1 : 0) + (dtype == ir::DType::f64 ? 2 : 0)];
    if (node == nullptr) node = graph_.constant(negative ? -1 : 1, ir::Type{dtype, {}});
    return node;
  }

  bool whole(const Goal& goal) {
    const Form& form = *goal.form;
    const Node* node = goal.node;
    switch (form.kind) {
      case Form::Kind::letter:
        if (goal.negative && !is_real(node->type.dtype)) return false;
        return bind(form.letter, {node, goal.negative}, goal.rest, goal.negative);
      case Form::Kind::constant:
      case Form::Kind::coefficient:
        return is_number(node) && bind(form.letter, {node, goal.negative}, goal.rest);
      case Form::Kind::number:
        return is_number(node) && node->attributes.value == (goal.negative ? -form.number : form.number) &&
               meet(goal.rest);
      case Form::Kind::spread:
        return !goal.negative && spread(form, node, goal.rest);
      case Form::Kind::sum:
      case Form::Kind::product:
        return open(goal);
      case Form::Kind::op:
        break;
    }
    if (goal.negative || node->op != form.op) return false;
    if (is_reduction(form.op)) return reduction(form, node, goal.rest);
    if (ir::info(form.op).commutative) {
      const auto in_order = [&](std::size_t i, std::size_t j) {
        return may_have(form.items[i].form, node->operands[0]) && may_have(form.items[j].form, node->operands[1]) &&
               meet(after({&form.items[i].form, node->operands[0]},
                          after({&form.items[j].form, node->operands[1]}, goal.rest)));
      };
      return in_order(0, 1) || in_order(1, 0);
    }
    const Goal* goals = goal.rest;
    for (std::size_t i = form.items.size(); i-- > 0;) goals = after({&form.items[i].form, node->operands[i]}, goals);
    return meet(goals);
  }

  /// All reductions of a pattern are along the same axes of the same shape.
  bool reduction(const Form& form, const Node* node, const Goal* rest) {
    const Node* before = reduction_;
    if (before != nullptr && (before->attributes.axes != node->attributes.axes ||
                              before->operands[0]->shape() != node->operands[0]->shape())) {
      return false;
    }
    if (before == nullptr) reduction_ = node;
    if (meet(after({&form.items[0].form, node->operands[0]}, rest))) return true;
    reduction_ = before;
    return false;
  }

  /// A sum or product inside of a pattern, against all items of a node.
  bool open(const Goal& goal) {
    if (!is_real(goal.node->type.dtype)) return false;
    const bool is_sum = goal.form->kind == Form::Kind::sum;
    const Op op = goal.node->op;
    if (is_sum && op != Op::add && op != Op::subtract && op != Op::negate) return false;  // one item
    const ItemView& view = is_sum ? match_.views.sum(goal.node) : match_.views.product(goal.node);
    if ((goal.form->needs & ~view.ops).any()) return false;
    Goal items{goal.form};
    items.view = &view;
    items.mask = (Mask{1} << view.items.size()) - 1;
    items.negative = is_sum ? goal.negative : view.negative != (goal.negative != goal.form->negative);
    return meet(after(items, goal.rest));
  }

  bool items(const Goal& goal) {
    const Form& form = *goal.form;
    const bool is_sum = form.kind == Form::Kind::sum;
    if (goal.next == form.items.size()) {
      if (!goal.is_root) return goal.mask == 0 && (is_sum || !goal.negative) && meet(goal.rest);
      match_.rest.clear();
      for (std::size_t i = 0; i < goal.view->items.size(); ++i) {
        if (goal.mask >> i & 1) match_.rest.push_back(goal.view->items[i]);
      }
      match_.negative = goal.negative;
      return meet(goal.rest);
    }
    const Form::Item& item = form.items[goal.next];
    const bool is_last = goal.next + 1 == form.items.size();
    if (item.form.kind == Form::Kind::letter && is_last && !goal.is_root) return take_all(goal, item);
    const bool takes_number = item.form.kind == Form::Kind::coefficient || item.form.kind == Form::Kind::constant ||
                              item.form.kind == Form::Kind::number;
    Goal others = goal;
    ++others.next;
    if (item.form.kind == Form::Kind::coefficient && !has_number(goal)) {
      // The factor 1 that is not written; it takes the sign.
      others.negative = false;
      const ir::DType dtype = goal.view->items[0].node->type.dtype;
      return bind(item.form.letter, {unit(goal.negative, dtype)}, after(others, goal.rest));
    }
    for (std::size_t i = 0; i < goal.view->items.size(); ++i) {
      if (!(goal.mask >> i & 1)) continue;
      const ItemView::Item& candidate = goal.view->items[i];
      if ((!is_sum && candidate.inverse != item.inverse) || !may_have(item.form, candidate.node)) continue;
      others.mask = goal.mask & ~(Mask{1} << i);
      others.negative = goal.negative;
      Goal one{&item.form, candidate.node};
      one.negative = is_sum && (candidate.inverse != item.inverse) != goal.negative;
      // The sign of an inner product goes to a number, or to any one of its letters.
      const bool has_sign = !is_sum && !goal.is_root && goal.negative;
      if (!(has_sign && takes_number) && meet(after(one, after(others, goal.rest)))) return true;
      if (has_sign && (takes_number || item.form.kind == Form::Kind::letter)) {
        one.negative = true;
        others.negative = false;
        if (meet(after(one, after(others, goal.rest)))) return true;
      }
    }
    return false;
  }

  static bool has_number(const Goal& goal) {
    for (std::size_t i = 0; i < goal.view->items.size(); ++i) {
      const ItemView::Item& item = goal.view->items[i];
      if ((goal.mask >> i & 1) && is_number(item.node) && !item.inverse) return true;
    }
    return false;
  }

  /// The last letter of an inner sum or product stands for all that is left, with its sign.
  bool take_all(const Goal& goal, const Form::Item& item) {
    const bool is_sum = goal.form->kind == Form::Kind::sum;
    // With a sign that does not stand in the graph: -(0.5 * x), which stands there as -0.5 * x.
    const bool turned = goal.negative != (is_sum && item.inverse);
    const bool flip = item.inverse != (is_sum && goal.negative);
    if (std::has_single_bit(goal.mask)) {
      const ItemView::Item& only = goal.view->items[static_cast<std::size_t>(std::countr_zero(goal.mask))];
      const bool inverse = only.inverse != flip;
      if (!is_sum && inverse) return false;
      const Signed all{only.node, is_sum ? inverse : goal.negative};
      return bind(item.form.letter, all, goal.rest, turned || all.negative);
    }
    const Node* all = together(*goal.view, goal.mask, flip, is_sum);
    if (all == nullptr) return false;
    return bind(item.form.letter, {all, !is_sum && goal.negative}, goal.rest, turned || all->op == Op::negate);
  }

  /// The sum or product of some items, with their inverses for themselves where `flip` is set; null for a product
  /// without a numerator. Terms are looked at from many sides: what was made once is kept.
  const Node* together(const ItemView& view, Mask mask, bool flip, bool is_sum) {
    const Mask key = mask | (flip ? Mask{1} << 31 : 0);
    const auto known = std::find_if(view.made.begin(), view.made.end(), [&](const auto& m) { return m.first == key; });
    if (known != view.made.end()) return known->second;
    std::vector<ItemView::Item> items;
    bool above = false;
    for (std::size_t i = 0; i < view.items.size(); ++i) {
      if (!(mask >> i & 1)) continue;
      items.push_back({view.items[i].node, view.items[i].inverse != flip});
      above = above || !items.back().inverse;
    }
    const Node* all = nullptr;
    if (!items.empty() && is_sum) all = build_sum(items, graph_, items[0].node->type);
    if (above && !is_sum) all = build_product(items, false, graph_, items[0].node->type);
    view.made.emplace_back(key, all);
    return all;
  }

  /// A reduction of this shape, where the form has one: the node itself, or an operand.
  static const Node* reduction_of(const ir::Shape& shape, const Node* node, const Form& form) {
    const auto reduces = [&](const Node* n) { return is_reduction(n->op) && n->operands[0]->shape() == shape; };
    if (reduces(node)) return node;
    if (form.items.empty()) return nullptr;
    const auto at = std::find_if(node->operands.begin(), node->operands.end(), reduces);
    return at == node->operands.end() ? nullptr : *at;
  }

  bool spread(const Form& form, const Node* node, const Goal* rest) {
    if (node->op != Op::broadcast_in_dim) return false;
    const Node* operand = node->operands[0];
    const Form& inner = form.items[0].form;
    const Node* reduction =
        reduction_ != nullptr ? reduction_ : reduction_of(node->shape(), operand, form.items[0].form);
    if (reduction == nullptr || node->shape() != reduction->operands[0]->shape()) return false;
    const std::vector<int> kept = other_axes(node->shape().size(), reduction->attributes.axes);
    if (node->attributes.axes == kept) return meet(after({&inner, operand}, rest));
    // Anything that is the same along the axes: seen in the shape without them.
    std::vector<int> axes;
    for (int axis : node->attributes.axes) {
      const auto at = std::find(kept.begin(), kept.end(), axis);
      if (at == kept.end()) return false;
      axes.push_back(static_cast<int>(at - kept.begin()));
    }
    const Expr seen = ir::broadcast(Expr(graph_, operand), without(node->shape(), reduction->attributes.axes), axes);
    return meet(after({&inner, seen.node}, rest));
  }

  Graph& graph_;
  Match& match_;
  const Node* reduction_ = nullptr;  ///< gives the pattern's axes
  std::array<Signed, 26> bound_{};   ///< what the letters stand for
  std::bitset<26> turned_;           ///< letters that stand for minus what is in the graph
  int steps_ = 0;
  Goals& goals_ = Goals::fresh();
};

}  // namespace

ItemView sum_view(const Node* node, const UseCounts* uses, bool open_shared) {
  return Viewer(uses, open_shared, Op::add, Op::subtract).view(node);
}
ItemView product_view(const Node* node, const UseCounts* uses, bool open_shared) {
  return Viewer(uses, open_shared, Op::multiply, Op::divide).view(node);
}

bool match(const Form& form, const Node* node, Graph& graph, Match& result) {
  return may_have(form, node) && Matcher(graph, result).run(Goal{&form, node});
}

namespace {

std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
  value = (value ^ value >> 27) * 0x94D049BB133111EBu;
  return value ^ value >> 31;
}

/// Whether two terms of a sum have in common what the form asks for. Most sums have no such terms, and need not be
/// searched for them pair by pair.
bool have_common(Form::Common what, const ItemView& sum, OpenViews& views) {
  std::vector<std::pair<std::uint64_t, std::size_t>> seen;  // what the term has, and the term
  for (std::size_t i = 0; i < sum.items.size(); ++i) {
    std::uint64_t rest = 0;
    for (const ItemView::Item& factor : views.product(sum.items[i].node).items) {
      if (what == Form::Common::rest) {
        if (!is_number(factor.node)) rest += mixed(2 * views.key(factor.node) + (factor.inverse ? 1 : 0));
      } else if (factor.inverse == (what == Form::Common::divisor)) {
        seen.emplace_back(views.key(factor.node), i);
      }
    }
    if (what == Form::Common::rest) seen.emplace_back(rest, i);
  }
  std::sort(seen.begin(), seen.end());
  const auto in_two_terms = [](const auto& a, const auto& b) { return a.first == b.first && a.second != b.second; };
  return std::adjacent_find(seen.begin(), seen.end(), in_two_terms) != seen.end();
}

}  // namespace

std::uint64_t OpenViews::key(const Node* node) {
  if (const std::uint64_t known = keys_.of(node); known != 0) return known;
  std::uint64_t key = 0;
  for (const ItemView::Item& term : sum(node).items) {
    const Factors factors = factors_of(product(term.node));
    std::uint64_t of_term = mixed(std::bit_cast<std::uint64_t>(std::fabs(factors.coefficient)));
    for (const ItemView::Item& factor : factors.others)
      of_term += mixed(2 * std::uint64_t{factor.node->id} + (factor.inverse ? 3 : 2));
    key += mixed(of_term);
  }
  return keys_[node] = std::max<std::uint64_t>(key, 1);
}

bool match_items(const Form& form, const ItemView& view, Graph& graph, Match& result) {
  if (form.items.size() > view.items.size() || (form.needs & ~view.ops).any()) return false;
  if (form.common != Form::Common::nothing && !have_common(form.common, view, result.views)) return false;
  Goal goal{&form};
  goal.view = &view;
  goal.is_root = true;
  goal.mask = (Mask{1} << view.items.size()) - 1;
  goal.negative = form.kind == Form::Kind::product && view.negative != form.negative;
  if (Matcher(graph, result).run(goal)) return true;
  if (form.kind == Form::Kind::product) return false;
  // The rule holds for minus the sum too.
  goal.negative = true;
  return Matcher(graph, result).run(goal);
}

}  // namespace descent::passes
