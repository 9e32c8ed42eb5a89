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
// a convolution again. Products of elements, as of a convolution of each channel with weights of its own, and what else
// is computed of each element of a window go the same way: views of them are views of what they are computed of.
// Nothing here knows of convolutions: any views of free axes of a contraction can go inside.
#include "passes/overlap_rules.h"

#include <algorithm>
#include <functional>

#include "ir/expr.h"
#include "passes/elementwise_parts.h"
#include "passes/views.h"

namespace descent::passes {

using ir::Dimension;
using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;
using ir::Shape;

namespace {

/// A contraction, or elementwise nodes and a sum of them, seen through views of the result. A view of an axis is made
/// one of the tensors that have it, of a contraction where one alone has; axes may also be merged, and be cut or padded
/// then: that is done to the new result.
class MovingProduct {
 public:
  /// Begins with `node`; false where it is nothing of that.
  bool begin(Graph& graph, const Node* node) {
    graph_ = &graph;
    if (node->op == Op::dot_general) {
      begin_contraction(node);
    } else {
      const std::vector<int> reduced = node->op == Op::reduce_sum ? node->attributes.axes : std::vector<int>{};
      elements_ = node->op == Op::reduce_sum ? node->operands[0] : node;
      const bool is_part = !ir::is_elementwise(elements_) && elements_->op != Op::broadcast_in_dim;
      if (is_part || !open_elementwise(graph, elements_, parts_)) return false;
      next_ = static_cast<int>(elements_->shape().size());
      for (int axis = 0; axis < next_; ++axis) {
        if (parts_with(axis) == 0) add_ones(axis, elements_->shape()[static_cast<std::size_t>(axis)]);
        if (contains(reduced, axis))
          summed_.push_back(axis);
        else
          axes_.push_back({{axis}, {}});
      }
    }
    return true;
  }

  /// Applies a view of the present result; false where it can neither go to what it is made of nor wait.
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
        for (int axis : a.axes)
          change(static_cast<std::size_t>(axis), [](Expr e, int own) { return ir::reverse(e, {own}); });
        return true;
      case Op::pad:
        for (std::size_t i = 0; i < axes_.size(); ++i) {
          if (a.low[i] == Dimension(0) && a.high[i] == Dimension(0) && a.interior[i] == 0) continue;
          if (can_change(axes_[i]) && elements_ != nullptr) make_vanish(axes_[i].names[0]);
          change(i, [&a, i](Expr e, int own) { return padded(e, own, a, i); });
        }
        return true;
      case Op::slice:
        for (std::size_t i = 0; i < axes_.size(); ++i) {
          if (view->shape()[i] == view->operands[0]->shape()[i]) continue;
          change(i, [&a, i](Expr e, int own) { return sliced(e, own, a, i); });
        }
        return true;
      case Op::windows:
        return opened(static_cast<std::size_t>(a.axes[0]), a.window);
      case Op::reshape:
        return regrouped(view->operands[0]->shape(), view->shape());
      default:
        return false;
    }
  }

  /// The sum over the diagonal of two axes of the result; nullptr where they are not of different tensors alone.
  const Node* summed(std::size_t p, std::size_t q) {
    if (!can_change(axes_[p]) || !can_change(axes_[q])) return nullptr;
    const int first = axes_[p].names[0], second = axes_[q].names[0];
    for (Part& part : parts_) {
      const bool has_first = contains(part.names, first), has_second = contains(part.names, second);
      if (has_first && has_second) {
        if (elements_ == nullptr || part.whole == elements_) return nullptr;
        part.tensor = ir::diagonal(part.tensor, static_cast<int>(place_of(first, part.names)),
                                   static_cast<int>(place_of(second, part.names)));
        std::erase(part.names, second);
      } else if (has_second) {
        part.names[place_of(second, part.names)] = first;
      }
    }
    summed_.push_back(first);
    axes_.erase(axes_.begin() + static_cast<std::ptrdiff_t>(std::max(p, q)));
    axes_.erase(axes_.begin() + static_cast<std::ptrdiff_t>(std::min(p, q)));
    return finished(elements_ != nullptr ? sum_of_elements() : contraction()).node;
  }

 private:
  /// A view of one axis of a tensor, which is given with the axis' place.
  using View = std::function<Expr(Expr, int)>;
  /// An axis of the result: of which it consists, from the outside, and what is done with it then.
  struct Axis {
    std::vector<int> names;
    std::vector<View> waiting;
  };

  void begin_contraction(const Node* dot) {
    const ir::Attributes& a = dot->attributes;
    for (const Node* operand : dot->operands) {
      parts_.push_back({operand, {*graph_, operand}, {}});
      for (std::size_t axis = 0; axis < operand->shape().size(); ++axis) parts_.back().names.push_back(next_++);
    }
    std::vector<int>&lhs = parts_[0].names, &rhs = parts_[1].names;
    for (std::size_t i = 0; i < a.lhs_batch.size(); ++i) {
      const int name = lhs[static_cast<std::size_t>(a.lhs_batch[i])];
      rhs[static_cast<std::size_t>(a.rhs_batch[i])] = name;
      batch_.push_back(name);
      axes_.push_back({{name}, {}});
    }
    for (std::size_t i = 0; i < a.lhs_contract.size(); ++i) {
      summed_.push_back(lhs[static_cast<std::size_t>(a.lhs_contract[i])]);
      rhs[static_cast<std::size_t>(a.rhs_contract[i])] = summed_.back();
    }
    for (const Part& part : parts_) {
      for (int name : part.names) {
        if (parts_with(name) == 1) axes_.push_back({{name}, {}});
      }
    }
  }

  /// A factor of ones with this axis alone, which becomes 0 where they are padded.
  void add_ones(int name, const Dimension& size) {
    parts_.push_back({nullptr, {*graph_, graph_->constant(1, {elements_->type.dtype, {size}})}, {name}});
  }

  const Dimension& size_of(int name) const {
    const auto part =
        std::find_if(parts_.begin(), parts_.end(), [&](const Part& p) { return contains(p.names, name); });
    return part->tensor.shape()[place_of(name, part->names)];
  }

  /// Sees to it that the elements are 0 where the tensors with this axis are, as the product of elements is.
  void make_vanish(int name) {
    const bool is_factor = std::any_of(parts_.begin(), parts_.end(),
                                       [&](const Part& p) { return p.whole == nullptr && contains(p.names, name); });
    if (!is_factor && !vanishes(elements_, parts_, name)) add_ones(name, size_of(name));
  }

  long parts_with(int name) const {
    return std::count_if(parts_.begin(), parts_.end(), [&](const Part& p) { return contains(p.names, name); });
  }

  bool can_change(const Axis& axis) const {
    return axis.names.size() == 1 && axis.waiting.empty() && (elements_ != nullptr || parts_with(axis.names[0]) == 1);
  }

  void change(std::size_t axis, const View& view) {
    Axis& at = axes_[axis];
    if (!can_change(at)) return at.waiting.push_back(view);
    for (Part& part : parts_) {
      if (contains(part.names, at.names[0]))
        part.tensor = view(part.tensor, static_cast<int>(place_of(at.names[0], part.names)));
    }
  }

  bool opened(std::size_t axis, const std::vector<int>& window) {
    if (!can_change(axes_[axis])) return false;
    change(axis, [&](Expr e, int own) { return ir::windows(e, own, window[0], window[1], window[2]); });
    split(axis, 2);
    return true;
  }

  /// An axis has become several.
  void split(std::size_t axis, int count) {
    const int first = axes_[axis].names[0];
    std::vector<int> more;
    for (int i = 1; i < count; ++i) more.push_back(next_++);
    for (Part& part : parts_) {
      if (!contains(part.names, first)) continue;
      const auto at = static_cast<std::ptrdiff_t>(place_of(first, part.names)) + 1;
      part.names.insert(part.names.begin() + at, more.begin(), more.end());
    }
    for (std::size_t i = 0; i < more.size(); ++i)
      axes_.insert(axes_.begin() + static_cast<std::ptrdiff_t>(axis + i) + 1, Axis{{more[i]}, {}});
  }

  /// Single axes that become several, and several that become one.
  bool regrouped(const Shape& from, const Shape& to) {
    std::size_t axis = 0;
    for (const Block& block : matching_blocks(from, to)) {
      const std::size_t before = block.from_end - block.from_begin, after = block.to_end - block.to_begin;
      if (before == 0 || after == 0 || (before > 1 && after > 1)) return false;
      if (after > 1) {
        if (!can_change(axes_[axis])) return false;
        change(axis, [&](Expr e, int own) {
          Shape shape = e.shape();
          const auto at = shape.erase(shape.begin() + own);
          shape.insert(at, to.begin() + static_cast<std::ptrdiff_t>(block.to_begin),
                       to.begin() + static_cast<std::ptrdiff_t>(block.to_end));
          return ir::reshape(e, shape);
        });
        split(axis, static_cast<int>(after));
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
      whole.names.insert(whole.names.end(), axes_[i].names.begin(), axes_[i].names.end());
    }
    const auto begin = axes_.begin() + static_cast<std::ptrdiff_t>(axis);
    axes_.erase(begin + 1, begin + static_cast<std::ptrdiff_t>(count));
    axes_[axis] = whole;
    return true;
  }

  /// The axes of which the result's consist.
  std::vector<int> kept() const {
    std::vector<int> names;
    for (const Axis& axis : axes_) names.insert(names.end(), axis.names.begin(), axis.names.end());
    return names;
  }

  Expr contraction() const {
    const Part &lhs = parts_[0], &rhs = parts_[1];
    ir::Attributes a;
    std::vector<int> order = batch_;
    for (int name : batch_) {
      a.lhs_batch.push_back(static_cast<int>(place_of(name, lhs.names)));
      a.rhs_batch.push_back(static_cast<int>(place_of(name, rhs.names)));
    }
    for (int name : summed_) {
      a.lhs_contract.push_back(static_cast<int>(place_of(name, lhs.names)));
      a.rhs_contract.push_back(static_cast<int>(place_of(name, rhs.names)));
    }
    for (const Part& part : parts_) {
      for (int name : part.names) {
        if (parts_with(name) == 1) order.push_back(name);
      }
    }
    // The contraction's own order of axes, and from it the one asked for.
    std::vector<int> permutation;
    for (int name : kept()) permutation.push_back(static_cast<int>(place_of(name, order)));
    return ir::transpose(ir::dot_general(lhs.tensor, rhs.tensor, a), permutation);
  }

  /// The innermost axis stays that of the result.
  Expr sum_of_elements() const {
    std::vector<int> space = kept();
    const std::size_t before_last = space.empty() ? 0 : space.size() - 1;
    space.insert(space.begin() + static_cast<std::ptrdiff_t>(before_last), summed_.begin(), summed_.end());
    Shape shape;
    for (int name : space) shape.push_back(size_of(name));
    std::vector<const Node*> with;
    for (const Part& part : parts_) {
      if (part.whole != nullptr && part.whole->is_constant()) {
        with.push_back(graph_->constant(part.whole->attributes.value, ir::Type{part.whole->type.dtype, shape}));
        continue;
      }
      std::vector<int> places, order;
      for (std::size_t at = 0; at < space.size(); ++at) {
        if (!contains(part.names, space[at])) continue;
        places.push_back(static_cast<int>(at));
        order.push_back(static_cast<int>(place_of(space[at], part.names)));
      }
      with.push_back(ir::broadcast(ir::transpose(part.tensor, order), shape, places).node);
    }
    std::vector<int> reduced;
    for (std::size_t i = 0; i < summed_.size(); ++i) reduced.push_back(static_cast<int>(before_last + i));
    Expr elements(*graph_, rebuilt(*graph_, elements_, parts_, with));
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i].whole == nullptr) elements = elements * Expr(*graph_, with[i]);
    }
    return ir::reduce_sum(elements, reduced);
  }

  /// Merges axes, and does what waits for that.
  Expr finished(Expr e) const {
    Shape merged;
    std::size_t at = 0;
    for (const Axis& axis : axes_) {
      merged.emplace_back(1);
      for (std::size_t i = 0; i < axis.names.size(); ++i) merged.back() = merged.back() * e.shape()[at++];
    }
    if (merged != e.shape()) e = ir::reshape(e, merged);
    int own = 0;
    for (const Axis& axis : axes_) {
      for (const View& view : axis.waiting) e = view(e, own);
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

  Graph* graph_ = nullptr;
  const Node* elements_ = nullptr;  ///< the elementwise nodes; null of a contraction
  std::vector<Part> parts_;
  std::vector<int> batch_;   ///< axes that both operands of a contraction have and the result keeps
  std::vector<int> summed_;  ///< axes over which the product is summed
  std::vector<Axis> axes_;   ///< of the present result
  int next_ = 0;             ///< name of an axis
};

}  // namespace

const Node* diagonal_sum(Graph& graph, const Node* node) {
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
  MovingProduct product;
  if (!product.begin(graph, x)) return node;
  for (auto view = views.rbegin(); view != views.rend(); ++view) {
    if (!product.apply(*view)) return node;
  }
  const auto& axes = diagonal->attributes.axes;
  const Node* result = product.summed(static_cast<std::size_t>(axes[0]), static_cast<std::size_t>(axes[1]));
  return result == nullptr ? node : result;
}

}  // namespace descent::passes
