// y[.., f] = sum over k, c of windows(x)[.., k, c] * w[k, c, f] is a convolution. Its adjoint with respect to x is
//
//   reduce_sum(diagonal(reverse(windows(pad(dot(g, w)))), over k')
//
// in which dot(g, w) would have an element for every element of every window. But padding, windows and reversal of an
// axis that comes from g alone are padding, windows and reversal of g; the diagonal pairs the windows' axis, now one of
// g's operand, with the axis k of w; and summing over a pair of axes of the two operands is what a contraction does:
//
//   dot(reverse(windows(pad(g))), w), contracted over k and f
//
// a convolution again. Nothing here knows of convolutions: any views of free axes of a contraction can go inside.
#include "passes/overlap_rules.h"

#include <algorithm>
#include <array>

#include "ir/expr.h"

namespace descent::passes {

using ir::Dimension;
using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;
using ir::Shape;

namespace {

/// A contraction seen through a permutation, to whose operands views are applied.
class MovingContraction {
 public:
  MovingContraction(Graph& graph, const Node* dot)
      : sides_{Side{{graph, dot->operands[0]}, dot->attributes.lhs_batch, dot->attributes.lhs_contract},
               Side{{graph, dot->operands[1]}, dot->attributes.rhs_batch, dot->attributes.rhs_contract}} {
    const int batches = static_cast<int>(sides_[0].batch.size());
    for (int i = 0; i < batches; ++i) axes_.push_back({0, -1});
    for (int s = 0; s < 2; ++s) {
      const Side& side = sides_[static_cast<std::size_t>(s)];
      for (int axis = 0; axis < static_cast<int>(side.operand.shape().size()); ++axis) {
        const auto in = [&](const std::vector<int>& list) {
          return std::find(list.begin(), list.end(), axis) != list.end();
        };
        if (!in(side.batch) && !in(side.contract)) axes_.push_back({s, axis});
      }
    }
    batch_of_.resize(axes_.size(), -1);
    for (int i = 0; i < batches; ++i) batch_of_[static_cast<std::size_t>(i)] = i;
  }

  /// Applies a view of the present result to an operand; false where it touches a batch axis, or is no such view.
  bool apply(const Node* view) {
    const ir::Attributes& a = view->attributes;
    if (view->op == Op::transpose) {
      std::vector<Axis> axes;
      std::vector<int> batch_of;
      for (int axis : a.axes) {
        axes.push_back(axes_[static_cast<std::size_t>(axis)]);
        batch_of.push_back(batch_of_[static_cast<std::size_t>(axis)]);
      }
      axes_ = axes;
      batch_of_ = batch_of;
      return true;
    }
    if (view->op == Op::reverse) {
      for (int axis : a.axes) {
        if (!on_free(axis, [&](Expr e, int own) { return ir::reverse(e, {own}); })) return false;
      }
      return true;
    }
    if (view->op == Op::pad) {
      for (std::size_t i = 0; i < axes_.size(); ++i) {
        if (a.low[i] == Dimension(0) && a.high[i] == Dimension(0) && a.interior[i] == 0) continue;
        if (!on_free(static_cast<int>(i), [&](Expr e, int own) { return padded(e, own, a, i); })) return false;
      }
      return true;
    }
    if (view->op != Op::windows) return false;
    const int axis = a.axes[0];
    if (!on_free(axis, [&](Expr e, int own) { return ir::windows(e, own, a.window[0], a.window[1], a.window[2]); })) {
      return false;
    }
    const Axis opened = axes_[static_cast<std::size_t>(axis)];
    make_room(opened.side, opened.axis + 1);
    axes_.insert(axes_.begin() + axis + 1, Axis{opened.side, opened.axis + 1});
    batch_of_.insert(batch_of_.begin() + axis + 1, -1);
    return true;
  }

  /// The sum over the diagonal of two axes of the result; nullptr unless they are of different operands.
  const Node* contracted(int p, int q) const {
    const Axis first = axes_[static_cast<std::size_t>(p)], second = axes_[static_cast<std::size_t>(q)];
    if (first.axis < 0 || second.axis < 0 || first.side == second.side) return nullptr;
    ir::Attributes a;
    a.lhs_batch = sides_[0].batch, a.rhs_batch = sides_[1].batch;
    a.lhs_contract = sides_[0].contract, a.rhs_contract = sides_[1].contract;
    a.lhs_contract.push_back(first.side == 0 ? first.axis : second.axis);
    a.rhs_contract.push_back(first.side == 1 ? first.axis : second.axis);
    const Expr dot = ir::dot_general(sides_[0].operand, sides_[1].operand, a);
    // The contraction's own order of axes, and from it the one asked for.
    std::vector<int> order;
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      if (static_cast<int>(i) != p && static_cast<int>(i) != q) order.push_back(static_cast<int>(i));
    }
    std::vector<int> sorted = order;
    const auto key = [&](int i) {
      const auto at = static_cast<std::size_t>(i);
      return std::array<int, 3>{batch_of_[at] >= 0 ? 0 : 1, axes_[at].side,
                                batch_of_[at] >= 0 ? batch_of_[at] : axes_[at].axis};
    };
    std::sort(sorted.begin(), sorted.end(), [&](int i, int j) { return key(i) < key(j); });
    std::vector<int> permutation;
    for (int i : order)
      permutation.push_back(static_cast<int>(std::find(sorted.begin(), sorted.end(), i) - sorted.begin()));
    return ir::transpose(dot, permutation).node;
  }

 private:
  struct Side {
    Expr operand;
    std::vector<int> batch, contract;
  };
  /// Where an axis of the result comes from; batch axes come from both sides and have no own axis.
  struct Axis {
    int side, axis;
  };

  template <typename Change>
  bool on_free(int axis, Change change) {
    const Axis at = axes_[static_cast<std::size_t>(axis)];
    if (at.axis < 0) return false;
    Expr& operand = sides_[static_cast<std::size_t>(at.side)].operand;
    operand = change(operand, at.axis);
    return true;
  }

  static Expr padded(Expr e, int own, const ir::Attributes& a, std::size_t i) {
    Shape low(e.shape().size(), Dimension(0)), high = low;
    std::vector<int> interior(e.shape().size(), 0);
    const auto at = static_cast<std::size_t>(own);
    low[at] = a.low[i], high[at] = a.high[i], interior[at] = a.interior[i];
    return ir::pad(e, low, high, interior);
  }

  /// Axes of an operand from `from` on have moved up by one.
  void make_room(int side, int from) {
    Side& s = sides_[static_cast<std::size_t>(side)];
    for (auto* list : {&s.batch, &s.contract}) {
      for (int& axis : *list) axis += axis >= from ? 1 : 0;
    }
    for (Axis& axis : axes_) {
      if (axis.side == side && axis.axis >= from) ++axis.axis;
    }
  }

  std::array<Side, 2> sides_;
  std::vector<Axis> axes_;     // of the present result
  std::vector<int> batch_of_;  // which batch axis it is; -1 for a free one
};

}  // namespace

const Node* diagonal_sum_of_contraction(Graph& graph, const Node* node) {
  const Node* diagonal = node->operands[0];
  if (diagonal->op != Op::diagonal || node->attributes.axes != std::vector<int>{diagonal->attributes.axes[0]})
    return node;
  std::vector<const Node*> views;
  const Node* x = diagonal->operands[0];
  while (x->op == Op::transpose || x->op == Op::reverse || x->op == Op::pad || x->op == Op::windows) {
    views.push_back(x);
    x = x->operands[0];
  }
  if (x->op != Op::dot_general) return node;
  MovingContraction contraction(graph, x);
  for (auto view = views.rbegin(); view != views.rend(); ++view) {
    if (!contraction.apply(*view)) return node;
  }
  const auto& axes = diagonal->attributes.axes;
  const Node* result = contraction.contracted(axes[0], axes[1]);
  return result == nullptr ? node : result;
}

}  // namespace descent::passes
