// A kernel written down as text in which buffers are numbered in the order of their first appearance, and views of them
// begin at a distance from the least beginning. Nodes are
// numbered too, so that a shared node is written once. The operands of a commutative op may stand in either order in
// the graph, where they are sorted by age; here they are sorted by what they compute.
#include "passes/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "ir/op.h"

namespace descent::passes {

using ir::Node;
using ir::Op;

namespace {

/// The least element with which a view of each buffer begins, as far as that is a number. What kernels fill in an order
/// of their own (sums, packed operands, tables) begins with its own first element.
std::unordered_map<int, std::int64_t> first_elements(const Kernel& kernel, const KernelPlan& plan) {
  std::unordered_map<int, std::int64_t> firsts;
  const auto begins = [&](int buffer, const ir::Dimension& offset) {
    const auto [at, is_new] = firsts.try_emplace(buffer, offset.constant());
    if (!is_new) at->second = std::min(at->second, offset.constant());
  };
  const auto visit = [&](const auto& self, const View& view) -> void {
    if (auto at = plan.stored.find(view.source); at != plan.stored.end()) begins(at->second, view.offset);
    for (const Indirection& i : view.indirections) self(self, i.index);
  };
  for_each_access(kernel, plan, [&](const View& view) { visit(visit, view); });
  const auto visit_stores = [&](const auto& self, const Kernel& part) -> void {
    for (const Store& s : part.stores) begins(s.buffer, s.offset);
    for (const auto& [node, buffer] : part.reductions) firsts[buffer] = 0;
    for (const Kernel& phase : part.phases) self(self, phase);
  };
  visit_stores(visit_stores, kernel);
  for (int own : {kernel.workspace, kernel.scanned}) firsts.erase(own);
  return firsts;
}

class Writer {
 public:
  Writer(const Kernel& kernel, const KernelPlan& plan)
      : kernel_(&kernel), plan_(plan), firsts_(first_elements(kernel, plan)) {}

  Signature run() {
    write();
    signature_.key = std::move(text_);
    return std::move(signature_);
  }

 private:
  void write() {
    text_ += ir::to_string(kernel_->space);
    if (kernel_->contraction != nullptr) {
      text_ += ir::to_string(kernel_->contraction->type.dtype);
      const ContractionAxes axes = contraction_axes(kernel_->contraction, plan_);
      for (const Node* operand : kernel_->contraction->operands) {
        const View view = relative(view_of(operand, plan_));
        text_ += fmt::format(" .{} from {}", slot(plan_.stored.at(view.source)), view.offset.to_string());
      }
      for (const auto* part : {&axes.batch, &axes.rows, &axes.columns, &axes.contracted}) {
        text_ += '|';
        for (const auto& a : *part) text_ += ir::to_string({a.size, a.lhs, a.rhs, a.out});
      }
    }
    if (kernel_->workspace >= 0) text_ += fmt::format(" workspace {}", slot(kernel_->workspace));
    for (const Store& s : kernel_->stores) {
      const int value = number(s.node);
      text_ += fmt::format("\n{} {} {} = {}", slot(s.buffer), relative(s.buffer, s.offset).to_string(),
                           ir::to_string(s.strides), value);
      for (const Indirection& i : s.indirections) {
        text_ +=
            fmt::format(" by {} below {} times {}", access_text(i.index), i.limit.to_string(), i.stride.to_string());
      }
    }
    for (const auto& [node, b] : kernel_->reductions) {
      const int value = number(reduced_value(node));
      const View place = relative(reduction_place(node, plan_));
      text_ += "\n" + to_string(place);
      for (const Node* source : sources(place)) {
        if (source != node) text_ += " " + source_text(source);
      }
      text_ +=
          fmt::format("\n{} = {} {} {}", slot(b), ir::info(node).name, fmt::join(node->attributes.axes, ","), value);
    }
    if (kernel_->scan != nullptr) {
      text_ += fmt::format("\n{} = {} {}", slot(kernel_->scanned), ir::info(kernel_->scan).name,
                           ir::to_string(kernel_->scan->attributes.shape));
      text_ += " " + access_text(view_of(kernel_->scan->operands[0], plan_));
    }
    const Kernel* whole = kernel_;
    for (const Kernel& phase : whole->phases) {
      text_ += whole->in_blocks ? "\nphase in blocks " : "\nphase ";
      kernel_ = &phase;
      numbers_.clear();
      hashes_.clear();
      leaves_.clear();
      write();
    }
    kernel_ = whole;
  }

  std::string access_text(const View& view) {
    std::string text;
    for (const Node* source : sources(view)) text += source_text(source) + " ";
    return text + to_string(relative(view));
  }

  /// A beginning in the buffer, as its distance from the least one.
  ir::Dimension relative(int buffer, const ir::Dimension& offset) const {
    const auto at = firsts_.find(buffer);
    return at == firsts_.end() ? offset : offset - ir::Dimension(at->second);
  }

  View relative(View view) const {
    if (auto at = plan_.stored.find(view.source); at != plan_.stored.end()) {
      view.offset = relative(at->second, view.offset);
    }
    for (Indirection& i : view.indirections) i.index = relative(std::move(i.index));
    return view;
  }

  int slot(int buffer) {
    const auto at = firsts_.find(buffer);
    return position(signature_.buffers, BufferSlot{buffer, at == firsts_.end() ? 0 : at->second});
  }

  template <typename T>
  static int position(std::vector<T>& in, T value) {
    const auto at = std::find(in.begin(), in.end(), value);
    if (at != in.end()) return static_cast<int>(at - in.begin());
    in.push_back(value);
    return static_cast<int>(in.size()) - 1;
  }

  /// What is read and not computed, and where in its buffer it lies.
  struct Leaf {
    View view;
    std::string place;
  };
  const Leaf& leaf_of(const Node* node) {
    const auto at = leaves_.find(node);
    if (at != leaves_.end()) return at->second;
    View view = relative(access(*kernel_, node, plan_));
    std::string place = to_string(view);
    return leaves_.emplace(node, Leaf{std::move(view), std::move(place)}).first->second;
  }

  /// A node by what it computes, not by which buffers it reads; equal for nodes that may be exchanged.
  std::size_t hash(const Node* node) {
    if (auto at = hashes_.find(node); at != hashes_.end()) return at->second;
    std::size_t h = static_cast<std::size_t>(node->op) + 1;
    const auto mix = [&h](std::size_t v) { h = (h ^ v) * 0x9E3779B97F4A7C15u, h ^= h >> 29; };
    if (node == kernel_->contraction) {
      mix(1);
    } else if (computed_in(*kernel_, node, plan_)) {
      std::vector<std::size_t> operands;
      for (const Node* operand : node->operands) operands.push_back(hash(operand));
      if (ir::info(node).commutative) std::sort(operands.begin(), operands.end());
      for (std::size_t operand : operands) mix(operand);
    } else if (node->op != Op::rng_uniform) {
      const Leaf& leaf = leaf_of(node);
      const Node* source = leaf.view.source;
      mix(static_cast<std::size_t>(source->op == Op::constant));
      mix(std::hash<std::string>{}(leaf.place));
      if (source->op == Op::constant) mix(std::hash<double>{}(source->attributes.value));
    }
    return hashes_[node] = h;
  }

  std::string source_text(const Node* source) {
    if (source->op == Op::constant) return fmt::format("{:a}", source->attributes.value);
    if (source->op == Op::dimension) return source->attributes.shape[0].to_string();
    if (source->op == Op::counter) return source->attributes.name;
    if (source->op == Op::iota) return "iota";
    return fmt::format(".{}", slot(plan_.stored.at(source)));
  }

  int number(const Node* node) {
    if (auto at = numbers_.find(node); at != numbers_.end()) return at->second;
    std::string line;
    if (node == kernel_->contraction) {
      line = "contraction " + ir::to_string(node->type.dtype);
    } else if (node->op == Op::rng_uniform) {
      line = fmt::format("rng {} {}", position(signature_.streams, node->attributes.value),
                         ir::to_string(node->type.dtype));
    } else if (computed_in(*kernel_, node, plan_)) {
      std::vector<const Node*> operands = node->operands;
      if (ir::info(node).commutative) {
        std::stable_sort(operands.begin(), operands.end(),
                         [this](const Node* a, const Node* b) { return hash(a) < hash(b); });
      }
      line = std::string(ir::info(node).name) + ":" + ir::to_string(node->type.dtype);
      std::string arguments;
      for (const Node* operand : operands) arguments += fmt::format(" {}", number(operand));
      line += arguments;
    } else {
      const Leaf& leaf = leaf_of(node);
      for (const Node* source : sources(leaf.view)) line += source_text(source) + " ";
      line += leaf.place + " " + ir::to_string(node->type.dtype);
    }
    const int value = static_cast<int>(numbers_.size());
    numbers_[node] = value;
    fmt::format_to(std::back_inserter(text_), "\n{}: {}", value, line);
    return value;
  }

  const Kernel* kernel_;  // or the phase that is being written
  const KernelPlan& plan_;
  const std::unordered_map<int, std::int64_t> firsts_;
  std::string text_;
  Signature signature_;
  std::unordered_map<const Node*, int> numbers_;
  std::unordered_map<const Node*, std::size_t> hashes_;
  std::unordered_map<const Node*, Leaf> leaves_;
};

}  // namespace

Signature signature_of(const Kernel& kernel, const KernelPlan& plan) { return Writer(kernel, plan).run(); }

}  // namespace descent::passes
