// How a kernel reaches memory: by which views it loads what it does not compute, which buffers that reads and writes,
// and how much is moved.
#include "passes/kernel_access.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "descent/error.h"
#include "ir/op.h"

namespace descent::passes {

using ir::Dimension;
using ir::Node;
using ir::Op;
using ir::Shape;

/// Whether a node's elements are those of its operand, found by a view (passes/views.h).
bool is_access(const Node* node) { return ir::is_view(node) || node->op == Op::gather; }
bool is_tensor_leaf(const Node* node) {
  return node->op == Op::input || node->op == Op::parameter || node->op == Op::state;
}
bool is_accumulated(const Node* node) {
  return node->op == Op::reduce_sum || node->op == Op::reduce_max || node->op == Op::reduce_min ||
         node->op == Op::scatter_add;
}

std::optional<View> find_view(const Node* node, const KernelPlan& plan, bool itself_stored) {
  // What is immediate is never loaded, even where it has been stored.
  if (is_immediate(node)) {
    View view{node, 0, std::vector<Dimension>(node->shape().size(), Dimension(0))};
    if (node->op == Op::iota) {
      const auto axis = static_cast<std::size_t>(node->attributes.axes[0]);
      if (!node->shape()[axis].is_one()) view.strides[axis] = Dimension(1);
    }
    return view;
  }
  if (itself_stored && plan.stored.contains(node)) return View{node, 0, row_major(node->shape())};
  if (!is_access(node)) throw Error(std::string("internal: the node ") + ir::info(node).name + " is not stored");
  const Node* operand = node->operands[0];
  std::optional<View> inner = find_view(operand, plan, true);
  if (const auto at = plan.in_memory.find(operand); at != plan.in_memory.end()) {
    inner = View{at->second, 0, row_major(operand->shape())};
  }
  if (!inner) return std::nullopt;
  if (node->op == Op::reshape) return reshaped(*inner, operand->shape(), node->shape());
  if (node->op != Op::gather) return compose(*inner, ir::info(node).index_map(*node), operand->shape(), node->shape());
  if (is_immediate(inner->source)) return std::nullopt;
  const Node* indices = node->operands[1];
  const std::optional<View> index = find_view(indices, plan, true);
  if (!index) return std::nullopt;
  return picked(*inner, *index, operand->shape(), static_cast<std::size_t>(node->attributes.axes[0]),
                indices->shape().size(), node->shape());
}

bool writes(const Kernel& kernel, const Node* node) {
  return std::any_of(kernel.stores.begin(), kernel.stores.end(), [&](const Store& s) { return s.node == node; });
}

View view_of(const Node* node, const KernelPlan& plan, bool itself_stored) {
  const std::optional<View> view = find_view(node, plan, itself_stored);
  if (!view) throw Error(std::string("internal: the operand of a ") + ir::info(node).name + " is not stored");
  return *view;
}

bool computed_in(const Kernel& kernel, const Node* node, const KernelPlan& plan) {
  auto at = plan.group.find(node);
  return ir::is_elementwise(node) && (at == plan.group.end() || at->second == kernel.group);
}

View access(const Kernel& kernel, const Node* node, const KernelPlan& plan) {
  return view_of(node, plan, !(is_access(node) && writes(kernel, node)));
}

const Node* reduced_value(const Node* reduction) {
  return reduction->operands[reduction->op == Op::scatter_add ? 1 : 0];
}

View reduction_place(const Node* reduction, const KernelPlan& plan) {
  const Shape& space = reduced_value(reduction)->shape();
  const auto& axes = reduction->attributes.axes;
  const View whole{reduction, 0, row_major(reduction->shape())};
  if (reduction->op == Op::scatter_add) {
    const Node* indices = reduction->operands[0];
    return picked(whole, view_of(indices, plan), reduction->shape(), static_cast<std::size_t>(axes[0]),
                  indices->shape().size(), space)
        .value();
  }
  View place{reduction, 0, std::vector<Dimension>(space.size(), Dimension(0))};
  std::size_t kept = 0;
  for (std::size_t i = 0; i < space.size(); ++i) {
    const bool gone = std::find(axes.begin(), axes.end(), static_cast<int>(i)) != axes.end();
    if (!gone) place.strides[i] = whole.strides[kept++];
  }
  return place;
}

void for_each_load(const Kernel& kernel, const KernelPlan& plan, const std::function<void(const View&)>& use) {
  std::set<const Node*> seen;
  const auto visit = [&](auto&& self, const Node* node) -> void {
    if (!seen.insert(node).second || node == kernel.contraction || is_immediate(node) || node->op == Op::rng_uniform)
      return;
    if (!computed_in(kernel, node, plan)) return use(access(kernel, node, plan));
    for (const Node* operand : node->operands) self(self, operand);
  };
  const auto use_indices = [&](const std::vector<Indirection>& indirections) {
    for (const Indirection& i : indirections) use(i.index);
  };
  for (const Store& s : kernel.stores) {
    visit(visit, s.node);
    use_indices(s.indirections);
  }
  for (const auto& [node, b] : kernel.reductions) {
    visit(visit, reduced_value(node));
    use_indices(reduction_place(node, plan).indirections);
  }
}

void for_each_access(const Kernel& kernel, const KernelPlan& plan, const std::function<void(const View&)>& use) {
  for (const Kernel& phase : kernel.phases) for_each_access(phase, plan, use);
  if (kernel.contraction) {
    for (const Node* operand : kernel.contraction->operands) use(view_of(operand, plan));
  }
  if (kernel.scan) use(view_of(kernel.scan->operands[0], plan));
  for_each_load(kernel, plan, use);
}

namespace {

/// Collects the buffers that a kernel reads, without asking where in them: that is asked for more often than all else.
class ReadBuffers {
 public:
  ReadBuffers(const Kernel& kernel, const KernelPlan& plan) : plan_(plan) { read(kernel); }

  /// How many elements it reads of those that it reads through indices alone: a row for each index.
  std::map<int, Dimension> picked() const {
    std::map<int, Dimension> result;
    for (const auto& [b, count] : picked_) {
      if (whole_.contains(b)) continue;
      const auto [at, is_new] = result.emplace(b, count);
      if (!is_new) at->second = at->second + count;
    }
    return result;
  }

  std::vector<int> take() {
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    return std::move(found_);
  }

 private:
  void read(const Kernel& kernel) {
    for (const Kernel& phase : kernel.phases) read(phase);
    if (kernel.contraction) {
      for (const Node* operand : kernel.contraction->operands) load(operand, true);
    }
    if (kernel.scan) load(kernel.scan->operands[0], true);
    seen_.clear();
    for (const Store& s : kernel.stores) {
      compute(kernel, s.node);
      indices(s.indirections);
    }
    for (const auto& [node, b] : kernel.reductions) {
      compute(kernel, reduced_value(node));
      if (node->op == Op::scatter_add) load(node->operands[0], true);
    }
  }

  void compute(const Kernel& kernel, const Node* node) {
    if (node == kernel.contraction || is_immediate(node) || node->op == Op::rng_uniform || !seen_.insert(node).second)
      return;
    if (!computed_in(kernel, node, plan_)) return load(node, !(is_access(node) && writes(kernel, node)));
    for (const Node* operand : node->operands) compute(kernel, operand);
  }

  /// The source of the node's view (find_view), and those of its indices.
  void load(const Node* node, bool itself_stored) {
    const Node* through_indices = nullptr;
    while (!is_immediate(node) && !(itself_stored && plan_.stored.contains(node)) && is_access(node)) {
      if (node->op == Op::gather) {
        load(node->operands[1], true);
        through_indices = node;
      }
      node = node->operands[0];
      if (const auto at = plan_.in_memory.find(node); at != plan_.in_memory.end()) node = at->second;
      itself_stored = true;
    }
    // A constant is in memory where a contraction reads it.
    const auto at = plan_.stored.find(node);
    if (at == plan_.stored.end()) return;
    found_.push_back(at->second);
    if (through_indices) {
      picked_.emplace_back(at->second, ir::element_count(through_indices->shape()));
    } else {
      whole_.insert(at->second);
    }
  }

  void indices(const std::vector<Indirection>& indirections) {
    for (const Indirection& i : indirections) {
      for (const Node* source : sources(i.index)) {
        const auto at = plan_.stored.find(source);
        if (at == plan_.stored.end()) continue;
        found_.push_back(at->second);
        whole_.insert(at->second);
      }
    }
  }

  const KernelPlan& plan_;
  std::unordered_set<const Node*> seen_;
  std::vector<int> found_;
  std::unordered_set<int> whole_;                  // read without indices, too
  std::vector<std::pair<int, Dimension>> picked_;  // read through indices: how many elements
};

}  // namespace

std::vector<int> buffers_read(const Kernel& kernel, const KernelPlan& plan) { return ReadBuffers(kernel, plan).take(); }

bool stores_over(const Kernel& kernel, const KernelPlan& plan) {
  const std::vector<int> read = buffers_read(kernel, plan);
  return std::any_of(kernel.stores.begin(), kernel.stores.end(), [&](const Store& store) {
    return std::find(read.begin(), read.end(), store.buffer) != read.end();
  });
}

std::vector<int> buffers_written(const Kernel& kernel) {
  std::set<int> found;
  for (const Store& s : kernel.stores) found.insert(s.buffer);
  for (const auto& [node, b] : kernel.reductions) found.insert(b);
  if (kernel.scan) found.insert(kernel.scanned);
  for (const Kernel& phase : kernel.phases) {
    for (int b : buffers_written(phase)) found.insert(b);
  }
  return {found.begin(), found.end()};
}

Work work_of(const Kernel& kernel, const KernelPlan& plan) {
  Work work;
  const auto move = [&](const Shape& shape, ir::DType dtype) {
    work.bytes = work.bytes + ir::element_count(shape) * Dimension(ir::element_bytes(dtype));
  };
  ReadBuffers read(kernel, plan);
  const std::map<int, Dimension> picked = read.picked();
  for (int b : read.take()) {
    const Buffer& buffer = plan.buffers[static_cast<std::size_t>(b)];
    const auto at = picked.find(b);
    move(at == picked.end() ? buffer.shape : Shape{at->second}, buffer.dtype);
  }
  std::vector<const Kernel*> parts{&kernel};
  for (const Kernel& phase : kernel.phases) parts.push_back(&phase);
  for (const Kernel* part : parts) {
    for (const Store& s : part->stores) move(s.node->shape(), s.node->type.dtype);
    for (const auto& [node, b] : part->reductions) move(node->shape(), node->type.dtype);
    if (part->contraction == nullptr) continue;
    Dimension flops = Dimension(2) * ir::element_count(part->contraction->shape());
    for (const auto& axis : contraction_axes(part->contraction, plan).contracted) flops = flops * axis.size;
    work.flops = work.flops + flops;
  }
  return work;
}

double estimated_us(const Work& work, const ir::DimensionValues& sizes) {
  constexpr double flops_per_us = 60e3, bytes_per_us = 15e3;
  return std::max(static_cast<double>(work.flops.evaluate(sizes)) / flops_per_us,
                  static_cast<double>(work.bytes.evaluate(sizes)) / bytes_per_us);
}

}  // namespace descent::passes
