#include "passes/row_fusion.h"

#include <algorithm>
#include <deque>
#include <iterator>

#include "passes/traffic.h"

namespace descent::passes {

using ir::Dimension;
using ir::Node;

namespace {

/// How many leading axes are rows of a kernel: those before the first axis that one of its reductions takes away. Of
/// several such reductions the one with the most rows counts. 0: there is none, or but one row, whose sums are known
/// only when the kernel is done.
std::size_t row_axes(const Kernel& kernel) {
  std::size_t rows = 0;
  for (const auto& [node, buffer] : kernel.reductions) {
    const auto& axes = node->attributes.axes;
    if (node->op == ir::Op::scatter_add || axes.empty()) continue;
    rows = std::max(rows, static_cast<std::size_t>(*std::min_element(axes.begin(), axes.end())));
  }
  const auto end = kernel.space.begin() + static_cast<std::ptrdiff_t>(rows);
  return std::all_of(kernel.space.begin(), end, [](const Dimension& d) { return d.is_one(); }) ? 0 : rows;
}

struct Item {
  Kernel kernel;
  Traffic traffic;
};

class Fusion {
 public:
  Fusion(const KernelPlan& plan, const Item& seed) : plan_(plan), rows_(row_axes(seed.kernel)) { add(seed); }

  const Traffic& traffic() const { return traffic_; }
  std::size_t phases() const { return phases_.size(); }

  Item fused() const {
    Kernel kernel;
    kernel.space = ir::Shape(phases_[0].space.begin(), phases_[0].space.begin() + static_cast<std::ptrdiff_t>(rows_));
    kernel.phases = phases_;
    kernel.group = phases_[0].group;
    return {kernel, traffic_};
  }

  /// Adds the kernel as the last phase, if what it reads of the others lies in its own row.
  bool take(const Item& item) {
    const Traffic& t = item.traffic;
    // Nothing is overwritten that an earlier phase reads: it reads whole rows.
    if (!intersects(t.reads, traffic_.writes) || intersects(t.writes, traffic_.reads) ||
        intersects(t.writes, traffic_.writes) || !fits(item.kernel)) {
      return false;
    }
    add(item);
    return true;
  }

 private:
  /// A part of memory that a phase has written when it is done with a row: strides by axis of its space.
  struct Written {
    int buffer;
    std::vector<Dimension> strides;
    bool by_row;  ///< a row at a time, and nothing of it is changed in a later row
  };

  void add(const Item& item) {
    const Kernel& kernel = item.kernel;
    const Traffic& t = item.traffic;
    phases_.push_back(kernel);
    traffic_.reads.insert(t.reads.begin(), t.reads.end());
    traffic_.writes.insert(t.writes.begin(), t.writes.end());
    for (const Store& s : kernel.stores) {
      const bool plain = s.indirections.empty();
      written_.push_back({s.buffer, s.strides.empty() ? row_major(kernel.space) : s.strides, plain});
    }
    for (const auto& [node, buffer] : kernel.reductions) {
      const auto& axes = node->attributes.axes;
      const bool inside = node->op != ir::Op::scatter_add &&
                          std::all_of(axes.begin(), axes.end(), [&](int a) { return a >= static_cast<int>(rows_); });
      written_.push_back({buffer, reduction_place(node, plan_).strides, inside});
    }
  }

  bool fits(const Kernel& kernel) const {
    if (kernel.contraction != nullptr || kernel.scan != nullptr || !kernel.phases.empty()) return false;
    const ir::Shape& rows = phases_[0].space;
    if (kernel.space.size() < rows_ ||
        !std::equal(kernel.space.begin(), kernel.space.begin() + static_cast<std::ptrdiff_t>(rows_), rows.begin())) {
      return false;
    }
    for (const auto& [node, buffer] : kernel.reductions) {
      // A phase of one element a row has no inner loop in which a sum along the last row axis could stay in lanes.
      const auto strides = reduction_place(node, plan_).strides;
      const bool whole =
          std::all_of(strides.begin(), strides.end(), [](const Dimension& d) { return d == Dimension(0); });
      if (kernel.space.size() == rows_ && !whole && strides.back() == Dimension(0)) return false;
    }
    bool fitting = true;
    for_each_access(kernel, plan_, [&](const View& view) {
      for (const Node* source : sources(view)) {
        if (is_immediate(source)) continue;
        const int buffer = plan_.stored.at(source);
        if (traffic_.writes.contains(buffer)) fitting = fitting && view.source == source && in_row(view, buffer);
      }
    });
    return fitting;
  }

  /// Whether the view reads the row at hand of a buffer, and nothing of other rows.
  bool in_row(const View& view, int buffer) const {
    if (!(view.offset == Dimension(0)) || !view.bounds.empty() || !view.indirections.empty()) return false;
    for (const Written& w : written_) {
      if (w.buffer != buffer) continue;
      if (!w.by_row) return false;
      for (std::size_t i = 0; i < view.strides.size(); ++i) {
        const bool row = i < rows_, known = i < w.strides.size();
        const bool same = known && view.strides[i] == w.strides[i];
        if (!(same || (!row && view.strides[i] == Dimension(0)))) return false;
      }
    }
    return true;
  }

  const KernelPlan& plan_;
  const std::size_t rows_;
  std::vector<Kernel> phases_;
  Traffic traffic_;
  std::vector<Written> written_;
};

}  // namespace

void fuse_rows(KernelPlan& plan) {
  constexpr std::size_t window = 32;  // how many kernels behind one are looked at: what needs its rows comes soon
  std::deque<Item> rest;
  for (Kernel& kernel : plan.kernels) {
    Traffic traffic = traffic_of(kernel, plan);
    rest.push_back({std::move(kernel), std::move(traffic)});
  }
  plan.kernels.clear();
  while (!rest.empty()) {
    Item seed = std::move(rest.front());
    rest.pop_front();
    const bool begins = seed.kernel.contraction == nullptr && row_axes(seed.kernel) > 0;
    if (!begins) {
      plan.kernels.push_back(std::move(seed.kernel));
      continue;
    }
    Fusion fusion(plan, seed);
    // Kernels that have nothing to do with the phases go before them, those that need them and do not fit behind.
    std::vector<Item> before, behind;
    for (std::size_t seen = 0; seen < window && !rest.empty(); ++seen) {
      Item item = std::move(rest.front());
      rest.pop_front();
      const bool waits = std::any_of(behind.begin(), behind.end(),
                                     [&](const Item& other) { return must_follow(item.traffic, other.traffic); });
      if (!waits && fusion.take(item)) continue;
      auto& side = waits || must_follow(item.traffic, fusion.traffic()) ? behind : before;
      side.push_back(std::move(item));
    }
    const bool alone = fusion.phases() == 1;
    if (alone) plan.kernels.push_back(std::move(seed.kernel));
    // What goes before may itself begin with a row kernel; alone, the seed is done and the order is what it was.
    rest.insert(rest.begin(), std::make_move_iterator(behind.begin()), std::make_move_iterator(behind.end()));
    if (!alone) rest.push_front(fusion.fused());
    rest.insert(rest.begin(), std::make_move_iterator(before.begin()), std::make_move_iterator(before.end()));
  }
}

}  // namespace descent::passes
