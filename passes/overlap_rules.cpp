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
#include <functional>

#include "ir/expr.h"
#include "passes/views.h"

namespace descent::passes {

using ir::Dimension;
using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;
using ir::Shape;

namespace {

/// A contraction seen through views of its result. A view of an axis that comes from one operand alone is made one of
/// that operand; axes may also be merged, of both operands, and be cut or padded then: that is done to the new result.
class MovingContraction {
 public:
  MovingContraction(Graph& graph, const Node* dot)
      : sides_{Side{{graph, dot->operands[0]}, dot->attributes.lhs_batch, dot->attributes.lhs_contract},
               Side{{graph, dot->operands[1]}, dot->attributes.rhs_batch, dot->attributes.rhs_contract}} {
    for (int i = 0; i < static_cast<int>(sides_[0].batch.size()); ++i) axes_.push_back({{Factor{0, -1, i}}, {}});
    for (int s = 0; s < 2; ++s) {
      const Side& side = sides_[static_cast<std::size_t>(s)];
      for (int axis = 0; axis < static_cast<int>(side.operand.shape().size()); ++axis) {
        const auto in = [&](const std::vector<int>& list) {
          return std::find(list.begin(), list.end(), axis) != list.end();
        };
        if (!in(side.batch) && !in(side.contract)) axes_.push_back({{Factor{s, axis, -1}}, {}});
      }
    }
  }

  /// Applies a view of the present result; false where it can neither go to an operand nor wait.
  bool apply(const Node* view) {
    const ir::Attributes& a = view->attributes;
    switch (view->op) {
      case Op::transpose: {
        std::vector<Axis> axes;
        for (int axis : a.axes) axes.push_back(axes_[static_cast<std::size_t>(axis)]);
        axes_ = axes;
        return true;
      }
      case Op::reverse:
        for (int axis : a.axes) change(axis, [](Expr e, int own) { return ir::reverse(e, {own}); });
        return true;
      case Op::pad:
        for (std::size_t i = 0; i < axes_.size(); ++i) {
          if (a.low[i] == Dimension(0) && a.high[i] == Dimension(0) && a.interior[i] == 0) continue;
          change(static_cast<int>(i), [&a, i](Expr e, int own) { return padded(e, own, a, i); });
        }
        return true;
      case Op::slice:
        for (std::size_t i = 0; i < axes_.size(); ++i) {
          if (view->shape()[i] == view->operands[0]->shape()[i]) continue;
          change(static_cast<int>(i), [&a, i](Expr e, int own) { return sliced(e, own, a, i); });
        }
        return true;
      case Op::windows:
        return opened(a.axes[0], a.window);
      case Op::reshape:
        return regrouped(view->operands[0]->shape(), view->shape());
      default:
        return false;
    }
  }

  /// The sum over the diagonal of two axes of the result; nullptr unless they are of different operands.
  const Node* contracted(int p, int q) const {
    const Axis &first_axis = axes_[static_cast<std::size_t>(p)], &second_axis = axes_[static_cast<std::size_t>(q)];
    if (!is_free(first_axis) || !is_free(second_axis)) return nullptr;
    const Factor first = first_axis.factors[0], second = second_axis.factors[0];
    if (first.side == second.side) return nullptr;
    ir::Attributes a;
    a.lhs_batch = sides_[0].batch, a.rhs_batch = sides_[1].batch;
    a.lhs_contract = sides_[0].contract, a.rhs_contract = sides_[1].contract;
    a.lhs_contract.push_back(first.side == 0 ? first.axis : second.axis);
    a.rhs_contract.push_back(first.side == 1 ? first.axis : second.axis);
    const Expr dot = ir::dot_general(sides_[0].operand, sides_[1].operand, a);
    // The contraction's own order of axes, and from it the one asked for.
    std::vector<Factor> order;
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      if (static_cast<int>(i) == p || static_cast<int>(i) == q) continue;
      order.insert(order.end(), axes_[i].factors.begin(), axes_[i].factors.end());
    }
    const auto key = [](const Factor& f) {
      return f.batch >= 0 ? std::array<int, 3>{0, 0, f.batch} : std::array<int, 3>{1, f.side, f.axis};
    };
    std::vector<int> permutation;
    for (const Factor& f : order) {
      permutation.push_back(static_cast<int>(
          std::count_if(order.begin(), order.end(), [&](const Factor& other) { return key(other) < key(f); })));
    }
    return finished(ir::transpose(dot, permutation), p, q).node;
  }

 private:
  struct Side {
    Expr operand;
    std::vector<int> batch, contract;
  };
  /// An axis of an operand, or a pair of batch axes.
  struct Factor {
    int side, axis, batch;  ///< batch: -1 for a free axis, which alone has an own axis
  };
  /// A view of one axis of a tensor, which is given with the axis' place.
  using View = std::function<Expr(Expr, int)>;
  /// An axis of the result: of which it consists, from the outside, and what is done with it then.
  struct Axis {
    std::vector<Factor> factors;
    std::vector<View> waiting;
  };

  static bool is_free(const Axis& axis) {
    return axis.factors.size() == 1 && axis.factors[0].batch < 0 && axis.waiting.empty();
  }

  void change(int axis, const View& view) {
    Axis& at = axes_[static_cast<std::size_t>(axis)];
    if (!is_free(at)) return at.waiting.push_back(view);
    Expr& operand = sides_[static_cast<std::size_t>(at.factors[0].side)].operand;
    operand = view(operand, at.factors[0].axis);
  }

  bool opened(int axis, const std::vector<int>& window) {
    if (!is_free(axes_[static_cast<std::size_t>(axis)])) return false;
    change(axis, [&](Expr e, int own) { return ir::windows(e, own, window[0], window[1], window[2]); });
    split(axis, 2);
    return true;
  }

  /// A free axis of an operand has become several.
  void split(int axis, int count) {
    const Factor first = axes_[static_cast<std::size_t>(axis)].factors[0];
    Side& s = sides_[static_cast<std::size_t>(first.side)];
    for (auto* list : {&s.batch, &s.contract}) {
      for (int& other : *list) other += other > first.axis ? count - 1 : 0;
    }
    for (Axis& other : axes_) {
      for (Factor& f : other.factors) {
        if (f.batch < 0 && f.side == first.side && f.axis > first.axis) f.axis += count - 1;
      }
    }
    for (int i = 1; i < count; ++i) {
      axes_.insert(axes_.begin() + axis + i, Axis{{Factor{first.side, first.axis + i, -1}}, {}});
    }
  }

  /// Single axes that become several, and several that become one.
  bool regrouped(const Shape& from, const Shape& to) {
    std::size_t axis = 0;
    for (const Block& block : matching_blocks(from, to)) {
      const std::size_t before = block.from_end - block.from_begin, after = block.to_end - block.to_begin;
      if (before == 0 || after == 0 || (before > 1 && after > 1)) return false;
      if (after > 1) {
        if (!is_free(axes_[axis])) return false;
        change(static_cast<int>(axis), [&](Expr e, int own) {
          Shape shape = e.shape();
          const auto at = shape.erase(shape.begin() + own);
          shape.insert(at, to.begin() + static_cast<std::ptrdiff_t>(block.to_begin),
                       to.begin() + static_cast<std::ptrdiff_t>(block.to_end));
          return ir::reshape(e, shape);
        });
        split(static_cast<int>(axis), static_cast<int>(after));
      }
      if (before > 1 && !merge(axis, before)) return false;
      axis += after;
    }
    return true;
  }

  bool merge(std::size_t axis, std::size_t count) {
    Axis whole;
    for (std::size_t i = axis; i < axis + count; ++i) {
      if (!axes_[i].waiting.empty()) return false;
      whole.factors.insert(whole.factors.end(), axes_[i].factors.begin(), axes_[i].factors.end());
    }
    const auto begin = axes_.begin() + static_cast<std::ptrdiff_t>(axis);
    axes_.erase(begin + 1, begin + static_cast<std::ptrdiff_t>(count));
    axes_[axis] = whole;
    return true;
  }

  /// Merges axes, and does what waits for that; without the axes p and q, which are contracted.
  Expr finished(Expr e, int p, int q) const {
    Shape merged;
    std::size_t at = 0;
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      if (static_cast<int>(i) == p || static_cast<int>(i) == q) continue;
      merged.emplace_back(1);
      for (std::size_t factor = 0; factor < axes_[i].factors.size(); ++factor)
        merged.back() = merged.back() * e.shape()[at++];
    }
    if (merged != e.shape()) e = ir::reshape(e, merged);
    int own = 0;
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      if (static_cast<int>(i) == p || static_cast<int>(i) == q) continue;
      for (const View& view : axes_[i].waiting) e = view(e, own);
      ++own;
    }
    return e;
  }

  static Expr padded(Expr e, int own, const ir::Attributes& a, std::size_t i) {
    Shape low(e.shape().size(), Dimension(0)), high = low;
    std::vector<int> interior(e.shape().size(), 0);
    const auto at = static_cast<std::size_t>(own);
    low[at] = a.low[i], high[at] = a.high[i], interior[at] = a.interior[i];
    return ir::pad(e, low, high, interior);
  }

  static Expr sliced(Expr e, int own, const ir::Attributes& a, std::size_t i) {
    Shape starts(e.shape().size(), Dimension(0)), limits = e.shape();
    std::vector<int> strides(e.shape().size(), 1);
    const auto at = static_cast<std::size_t>(own);
    starts[at] = a.starts[i], limits[at] = a.limits[i], strides[at] = a.strides[i];
    return ir::slice(e, starts, limits, strides);
  }

  std::array<Side, 2> sides_;
  std::vector<Axis> axes_;  // of the present result
};

}  // namespace

const Node* diagonal_sum_of_contraction(Graph& graph, const Node* node) {
  const Node* diagonal = node->operands[0];
  if (diagonal->op != Op::diagonal || node->attributes.axes != std::vector<int>{diagonal->attributes.axes[0]})
    return node;
  std::vector<const Node*> views;
  const Node* x = diagonal->operands[0];
  const auto is_view = [](Op op) {
    return op == Op::transpose || op == Op::reverse || op == Op::pad || op == Op::slice || op == Op::windows ||
           op == Op::reshape;
  };
  while (is_view(x->op)) {
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
