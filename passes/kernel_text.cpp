// Plans as text: what `descent dump --stage=kernels` prints.
#include <fmt/format.h>

#include <algorithm>

#include "ir/op.h"
#include "passes/kernels.h"

namespace descent::passes {

using ir::Node;
using ir::Op;

namespace {

std::string describe(const Blocking& blocking) {
  if (blocking.form == Blocking::Form::dots) return "  (dot products)";
  if (blocking.outer) return "  (outer product)";
  std::string text = fmt::format("  (tiles of {} x {} vectors in blocks of {} x {}", blocking.tile_rows,
                                 blocking.tile_vectors, blocking.block_rows, blocking.block_columns);
  if (blocking.form == Blocking::Form::turned) text += ", operands exchanged";
  if (blocking.depth > 0) text += fmt::format(", depth {}", blocking.depth);
  if (blocking.columns_outside) text += ", columns outside";
  if (blocking.pack_lhs) text += ", first operand packed";
  if (blocking.pack_rhs) text += ", second operand packed";
  const FewRows& few = blocking.few;
  if (few.below > 1) {
    text += fmt::format("; fewer than {} rows: ", few.below);
    if (few.tiles_from < few.below) text += fmt::format("tiles of {}", few.tile_rows);
    if (few.tiles_from < few.below && few.low_rows < few.tile_rows) text += fmt::format(" or {}", few.low_rows);
    if (few.tiles_from < few.below) text += fmt::format(" x {}", few.tile_vectors);
    if (few.tiles_from > 1)
      text += fmt::format("{}single rows x {}", few.tiles_from < few.below ? ", " : "", few.row_vectors);
  }
  return text + ")";
}

/// Names of what a kernel computes once and uses more than once.
using Names = std::unordered_map<const Node*, std::string>;

std::string describe(const Node* node, const Kernel& kernel, const KernelPlan& plan, const Names& names = {}) {
  if (node == kernel.contraction) return "contraction";
  if (auto at = names.find(node); at != names.end()) return at->second;
  if (computed_in(kernel, node, plan)) {
    std::string text = std::string(ir::info(node).name) + "(";
    for (std::size_t i = 0; i < node->operands.size(); ++i) {
      text += (i > 0 ? ", " : "") + describe(node->operands[i], kernel, plan, names);
    }
    return text + ")";
  }
  if (node->op == Op::constant) return fmt::format("{}", node->attributes.value);
  if (node->op == Op::dimension) return node->attributes.shape[0].to_string();
  if (node->op == Op::counter) return node->attributes.name;
  if (node->op == Op::rng_uniform) return "rng_uniform";
  const View view = access(kernel, node, plan);
  const char* padded = view.bounds.empty() ? "" : " padded";
  if (view.source->op == Op::iota) return std::string("iota") + padded;
  if (is_immediate(view.source)) return describe(view.source, kernel, plan) + padded;
  const int b = plan.stored.at(view.source);
  const std::string& name = plan.buffers[static_cast<std::size_t>(b)].name;
  std::string text = (name.empty() ? fmt::format("b{}", b) : name) + padded;
  for (const Indirection& i : view.indirections) {
    text += i.index.source->op == Op::iota ? " by iota" : fmt::format(" by b{}", plan.stored.at(i.index.source));
  }
  return text;
}

}  // namespace

std::string title(const Kernel& kernel, const KernelPlan& plan) {
  std::string text = (kernel.again ? "again " : "") + ir::to_string(kernel.space);
  for (const Kernel& phase : kernel.phases) text += " " + title(phase, plan);
  if (kernel.contraction != nullptr) {
    text += fmt::format(" = {} . {}", describe(kernel.contraction->operands[0], kernel, plan),
                        describe(kernel.contraction->operands[1], kernel, plan));
  }
  bool named = kernel.contraction != nullptr || !kernel.phases.empty();
  const auto add = [&](int buffer, bool temporary) {
    const std::string& name = plan.buffers[static_cast<std::size_t>(buffer)].name;
    if (name.empty() != temporary) return;
    text += " -> " + (temporary ? fmt::format("b{}", buffer) : name);
    named = true;
  };
  for (const bool temporary : {false, true}) {  // temporaries only where nothing else says what the kernel is for
    if (temporary && named) break;
    for (const Store& s : kernel.stores) add(s.buffer, temporary);
    for (const auto& [node, buffer] : kernel.reductions) add(buffer, temporary);
  }
  return text;
}

namespace {

std::string buffer_name(const KernelPlan& plan, int b) {
  const std::string& name = plan.buffers[static_cast<std::size_t>(b)].name;
  return name.empty() ? fmt::format("b{}", b) : name;
}

/// What the kernel's own nodes are made of, operands first, and how often each is used.
std::vector<const Node*> computed_nodes(const Kernel& kernel, const KernelPlan& plan,
                                        std::unordered_map<const Node*, int>& uses) {
  std::vector<const Node*> stack, nodes;
  for (const Store& s : kernel.stores) stack.push_back(s.node);
  if (kernel.scan) stack.push_back(kernel.scan->operands[0]);
  for (const auto& [node, b] : kernel.reductions) stack.push_back(reduced_value(node));
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (++uses[node] > 1 || node == kernel.contraction || !computed_in(kernel, node, plan)) continue;
    nodes.push_back(node);
    stack.insert(stack.end(), node->operands.begin(), node->operands.end());
  }
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->id < b->id; });
  return nodes;
}

/// What the kernel does, a line for each thing it writes, after one for each value that is used more than once.
std::string body_text(const Kernel& kernel, const KernelPlan& plan) {
  const auto name = [&](int b) { return buffer_name(plan, b); };
  std::string text;
  if (kernel.contraction) {
    const ir::Attributes& a = kernel.contraction->attributes;
    text += fmt::format("  contraction = {} . {}  axes [{}] x [{}]{}\n",
                        describe(kernel.contraction->operands[0], kernel, plan),
                        describe(kernel.contraction->operands[1], kernel, plan), fmt::join(a.lhs_contract, ", "),
                        fmt::join(a.rhs_contract, ", "), describe(kernel.blocking));
  }
  Names names;
  std::unordered_map<const Node*, int> uses;
  for (const Node* node : computed_nodes(kernel, plan, uses)) {
    if (uses.at(node) < 2) continue;
    const std::string value = describe(node, kernel, plan, names);
    names[node] = fmt::format("t{}", names.size() + 1);
    text += fmt::format("  {} = {}\n", names.at(node), value);
  }
  for (const Store& s : kernel.stores) {
    std::string where = s.strides.empty() ? "" : s.indirections.empty() ? " in part" : " by row";
    text += fmt::format("  {}{} = {}\n", name(s.buffer), where, describe(s.node, kernel, plan, names));
  }
  if (kernel.scan) {
    text += fmt::format("  {} = {} of {}\n", name(kernel.scanned), ir::info(kernel.scan).name,
                        describe(kernel.scan->operands[0], kernel, plan, names));
  }
  for (const auto& [node, b] : kernel.reductions) {
    text += fmt::format("  {} = {} over axes [{}] of {}\n", name(b), ir::info(node).name,
                        fmt::join(node->attributes.axes, ", "), describe(reduced_value(node), kernel, plan, names));
  }
  for (const Kernel& phase : kernel.phases) text += body_text(phase, plan);
  return text;
}

}  // namespace

std::string print(const KernelPlan& plan) {
  std::string text;
  if (plan.limit > 0) {
    const auto again = std::count_if(plan.kernels.begin(), plan.kernels.end(), [](const Kernel& k) { return k.again; });
    text += fmt::format("memory {} bytes for", plan.limit);
    for (const auto& [name, size] : plan.limit_sizes) text += fmt::format(" {} = {}", name, size);
    text += fmt::format(": {} of {} kernels run again\n", again, plan.kernels.size());
  }
  for (std::size_t k = 0; k < plan.kernels.size(); ++k) {
    const Kernel& kernel = plan.kernels[k];
    text += fmt::format("kernel {} over {}{}\n", k, ir::to_string(kernel.space), kernel.again ? "  again" : "");
    if (!kernel.phases.empty()) {
      text += kernel.in_blocks ? "  for each block of rows, in phases\n" : "  for each row, in phases\n";
    }
    text += body_text(kernel, plan);
  }
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    const Buffer& b = plan.buffers[i];
    static const char* kinds[] = {"input", "variable", "temporary", "result"};
    text += fmt::format("buffer b{} {} {} {}", i, kinds[static_cast<int>(b.kind)], b.name,
                        b.dtype == ir::DType::f64 ? ir::to_string({b.dtype, b.shape}) : ir::to_string(b.shape));
    for (std::size_t life = 0; life < b.lives.size() && b.kind == Buffer::Kind::temporary; ++life) {
      text += fmt::format("{}{}..{}", life == 0 ? "  kernels " : ", ", b.lives[life].first, b.lives[life].last);
    }
    text += "\n";
  }
  return text;
}

}  // namespace descent::passes
