#include "passes/touches.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <unordered_map>

namespace descent::passes {

using ir::Dimension;
using ir::Node;
using ir::Shape;

namespace {

class Touches {
 public:
  Touches(const KernelPlan& plan, const Partition& partition, const std::vector<BufferSlot>& slots)
      : plan_(plan), partition_(partition), slots_(slots), found_(slots.size()) {
    for (std::size_t slot = 0; slot < slots.size(); ++slot) slot_of_[slots[slot].buffer] = slot;
  }

  void add(const Kernel& kernel) {
    for (const Kernel& phase : kernel.phases) add(phase);
    if (kernel.contraction != nullptr) add_operands(kernel.contraction);
    if (kernel.scan != nullptr) add_whole(view_of(kernel.scan->operands[0], plan_));
    if (kernel.scanned >= 0) add_whole(kernel.scanned, true);
    const Axes shared = shared_axes(kernel.space);
    for_each_load(kernel, plan_, [&](const View& view) { add_view(view, kernel.space, shared); });
    for (const Store& store : kernel.stores) {
      if (!store.indirections.empty()) {
        add_whole(store.buffer, true);
      } else {
        const auto strides = store.strides.empty() ? row_major(kernel.space) : store.strides;
        add_piece(store.buffer, true, store.offset, strides, kernel.space, shared);
      }
    }
    for (const auto& [node, buffer] : kernel.reductions) {
      const View place = reduction_place(node, plan_);
      if (!place.indirections.empty()) {
        add_whole(buffer, true);
      } else {
        add_piece(buffer, true, place.offset, place.strides, kernel.space, shared);
      }
    }
  }

  std::vector<Touch> take() {
    std::vector<Touch> all;
    for (std::vector<Touch>& found : found_) std::move(found.begin(), found.end(), std::back_inserter(all));
    return all;
  }

 private:
  /// The axis of each cut among all of a shape.
  using Axes = std::vector<std::size_t>;
  static constexpr std::size_t kNone = SIZE_MAX;

  Axes shared_axes(const Shape& space) const {
    Axes axes;
    for (const Cut& cut : partition_) {
      std::size_t at = kNone, counted = 0;
      for (std::size_t i = 0; i < space.size() && at == kNone; ++i) {
        if (!space[i].is_one() && counted++ == cut.space_axis) at = i;
      }
      axes.push_back(at);
    }
    return axes;
  }

  /// Once. A buffer that the kernel's code has no address of it does not touch.
  void add(int buffer, const std::function<Touch(int slot, std::int64_t first)>& touch) {
    const auto at = slot_of_.find(buffer);
    if (at == slot_of_.end()) return;
    std::vector<Touch>& found = found_[at->second];
    Touch made = touch(static_cast<int>(at->second), slots_[at->second].first);
    if (std::find(found.begin(), found.end(), made) == found.end()) found.push_back(std::move(made));
  }

  void add_whole(int buffer, bool written) {
    add(buffer, [&](int slot, std::int64_t) { return Touch{slot, written}; });
  }

  void add_piece(int buffer, bool written, const Dimension& offset, const std::vector<Dimension>& strides,
                 const Shape& shape, const Axes& shared) {
    add(buffer, [&](int slot, std::int64_t first) {
      Touch touch{slot, written, false, offset - Dimension(first), std::vector<Dimension>(shared.size(), 0)};
      for (std::size_t i = 0; i < strides.size(); ++i) {
        if (const auto cut = std::find(shared.begin(), shared.end(), i); cut != shared.end()) {
          touch.strides[static_cast<std::size_t>(cut - shared.begin())] = strides[i];
        } else if (strides[i] != Dimension(0) && !shape[i].is_one()) {
          touch.axes.push_back({strides[i], shape[i]});
        }
      }
      return touch;
    });
  }

  void add_whole(const View& view) {
    for (const Node* source : sources(view)) {
      if (const auto at = plan_.stored.find(source); at != plan_.stored.end()) add_whole(at->second, false);
    }
  }

  void add_view(const View& view, const Shape& shape, const Axes& shared) {
    if (!view.indirections.empty() || view.strides.size() != shape.size()) return add_whole(view);
    if (const auto at = plan_.stored.find(view.source); at != plan_.stored.end())
      add_piece(at->second, false, view.offset, view.strides, shape, shared);
  }

  /// The operands of a contraction have axes of their own.
  void add_operands(const Node* dot) {
    const ContractionAxes axes = contraction_axes(dot, plan_);
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      View matrix = view_of(dot->operands[side], plan_);
      matrix.strides.clear();
      Shape shape;
      Axes shared(partition_.size(), kNone);
      const auto shares = [&](Cut::Axis axis, std::size_t at) {
        for (std::size_t i = 0; i < partition_.size(); ++i) {
          if (partition_[i].axis == axis) shared[i] = at;
        }
      };
      const auto add_axes = [&](const std::vector<ContractionAxes::Axis>& list) {
        for (const ContractionAxes::Axis& axis : list) {
          shape.push_back(axis.size);
          matrix.strides.push_back(side == 0 ? axis.lhs : axis.rhs);
        }
      };
      add_axes(axes.batch);
      add_axes(axes.rows);
      shares(Cut::Axis::outer, first_of(shape));
      shares(Cut::Axis::rows, shape.size() - 1);
      add_axes(axes.columns);
      shares(Cut::Axis::columns, shape.size() - 1);
      add_axes(axes.contracted);
      add_view(matrix, shape, shared);
    }
  }

  /// The first axis of more than one element.
  static std::size_t first_of(const Shape& shape) {
    const auto at = std::find_if(shape.begin(), shape.end(), [](const Dimension& size) { return !size.is_one(); });
    return static_cast<std::size_t>(at - shape.begin());
  }

  const KernelPlan& plan_;
  const Partition& partition_;
  const std::vector<BufferSlot>& slots_;
  std::unordered_map<int, std::size_t> slot_of_;  ///< a buffer
  std::vector<std::vector<Touch>> found_;         ///< by slot
};

}  // namespace

Touch::Reach Touch::reach(const ir::DimensionValues& sizes) const {
  Reach reach{offset.evaluate(sizes), 0, {}};
  reach.last = reach.first;
  for (const Dimension& stride : strides) reach.strides.push_back(stride.evaluate(sizes));
  for (const Axis& axis : axes) {
    const std::int64_t length = axis.stride.evaluate(sizes) * (axis.size.evaluate(sizes) - 1);
    (length < 0 ? reach.first : reach.last) += length;
  }
  return reach;
}

std::vector<Touch> touches(const Kernel& kernel, const KernelPlan& plan, const Partition& partition,
                           const std::vector<BufferSlot>& slots) {
  Touches all(plan, partition, slots);
  all.add(kernel);
  return all.take();
}

}  // namespace descent::passes
