// Which nodes are computed together, and what is stored for others.
#include "passes/kernels.h"

#include <algorithm>
#include <set>

#include "ir/op.h"
#include "passes/equal_blockings.h"
#include "passes/kernel_access.h"
#include "passes/partition.h"
#include "passes/planner.h"

namespace descent::passes {

using ir::Dimension;
using ir::Node;
using ir::Op;
using ir::Shape;

KernelPlan Planner::run() {
  for (const ir::Input& input : program_.inputs)
    add_buffer(Buffer::Kind::input, input.name, {input.dtype, input.shape});
  for (const ir::Variable& v : program_.variables) add_buffer(Buffer::Kind::variable, v.name, {v.dtype, v.shape});
  const auto nodes = ir::reachable(function_.roots());
  for (const Node* node : nodes) {
    if (is_tensor_leaf(node)) plan_.stored[node] = plan_.buffer(node->attributes.name);
  }
  for (const Node* node : nodes) {
    for (const Node* operand : node->operands) ++uses_[operand];
  }
  for (const Node* node : nodes) place(node);
  for (const ir::Binding& result : function_.results) bind_result(result);
  bind_updates();
  share_random_numbers();
  cut_contractions();
  order();
  return std::move(plan_);
}

int Planner::add_buffer(Buffer::Kind kind, const std::string& name, const ir::Type& type) {
  plan_.buffers.push_back(Buffer{kind, name, type.shape, type.dtype});
  const int b = static_cast<int>(plan_.buffers.size()) - 1;
  if (!name.empty()) plan_.names.try_emplace(name, b);
  return b;
}

int Planner::add_group(const Shape& space) {
  Kernel kernel;
  kernel.space = space;
  kernel.group = dependencies_.add();
  groups_.push_back(kernel);
  return kernel.group;
}

void Planner::require(int g, const std::vector<const Node*>& nodes) {
  std::set<int> needed;
  std::set<const Node*> seen;
  for (const Node* node : nodes) collect_groups(node, needed, seen);
  for (int other : needed) {
    if (other != g) dependencies_.require(g, other);
  }
}

Kernel& Planner::group(int index) { return groups_[static_cast<std::size_t>(index)]; }

void Planner::cut_contractions() {
  std::vector<CutProduct> products;
  for (Kernel& kernel : groups_) {
    const Node* node = kernel.contraction;
    if (node == nullptr) continue;
    CutProduct product{&kernel, contraction_axes(node, plan_), false};
    product.by_columns = shares_columns_alone(kernel, plan_, product.axes);
    const Machine machine = for_elements(machine_, ir::element_bytes(node->type.dtype));
    kernel.blocking = choose_blocking(product.axes, machine, product.by_columns);
    products.push_back(std::move(product));
  }
  make_blockings_equal(products, plan_, machine_);
  for (const auto& [cut, axes, by_columns] : products) {
    Kernel& kernel = *cut;
    const Node* node = kernel.contraction;
    const Machine machine = for_elements(machine_, ir::element_bytes(node->type.dtype));
    if (!kernel.blocking.pack_lhs && !kernel.blocking.pack_rhs) continue;
    const Dimension numbers = packed_lhs_size(axes, kernel.blocking) + packed_rhs_size(axes, kernel.blocking, machine);
    kernel.workspace = add_buffer(Buffer::Kind::temporary, "", {node->type.dtype, {numbers}});
  }
}

void Planner::place(const Node* node) {
  if (ir::is_leaf(node)) return;
  if (is_access(node)) {
    // A view of a view is composed; one that cannot be needs its operand stored in row-major order.
    for (const Node* operand : node->operands) make_viewable(operand);
    if (!find_view(node, plan_, true)) store_operand(node->operands[0]);
  } else if (node->op == Op::dot_general) {
    for (const Node* operand : node->operands) make_plain(operand);
    const int g = add_group(node->shape());
    group(g).contraction = node;
    plan_.group[node] = g;
    require(g, node->operands);
  } else if (is_accumulated(node)) {
    place_reduction(node);
  } else if (node->op == Op::first_occurrence) {
    scan(node);
  } else if (node->op == Op::scatter) {
    // Written by the update of its variable.
    make_viewable(node->operands[1]);
  } else if (node->op == Op::concatenate) {
    concatenate(node);
  } else {
    join(node);
  }
}

void Planner::scan(const Node* node) {
  make_viewable(node->operands[0]);
  const int g = add_group(node->shape());
  group(g).scan = node;
  group(g).scanned = add_buffer(Buffer::Kind::temporary, "", node->type);
  group(g).workspace = add_buffer(Buffer::Kind::temporary, "", {node->type.dtype, node->attributes.shape});
  require(g, node->operands);
  plan_.stored[node] = group(g).scanned;
  producers_[group(g).scanned].insert(g);
}

void Planner::place_reduction(const Node* node) {
  const Node* value = reduced_value(node);
  if (node->op == Op::scatter_add) make_viewable(node->operands[0]);
  auto home = plan_.group.find(value);
  bool joins = home != plan_.group.end() && group(home->second).space == value->shape();
  if (joins && node->op == Op::scatter_add) joins = may_join(node, home->second);
  const bool is_free = home == plan_.group.end() && node->op != Op::scatter_add;
  const int g = joins ? home->second : is_free ? group_that_makes(value) : add_group(value->shape());
  if (!joins && home != plan_.group.end()) store(value);
  const int b = add_buffer(Buffer::Kind::temporary, "", node->type);
  group(g).reductions.emplace_back(node, b);
  require(g, node->operands);
  plan_.stored[node] = b;
  producers_[b].insert(g);
}

void Planner::join(const Node* node) {
  int best = -1;
  for (const Node* operand : node->operands) {
    auto at = plan_.group.find(operand);
    if (at == plan_.group.end() || group(at->second).space != node->shape()) continue;
    if (at->second > best && may_join(node, at->second)) best = at->second;
  }
  if (best < 0) {
    for (const Node* operand : node->operands) {
      if (plan_.group.contains(operand)) {
        best = add_group(node->shape());
        break;
      }
    }
  }
  if (best < 0) {  // made of stored tensors alone: computed wherever it is needed
    if (uses_[node] < 2 || node->shape().empty() || !takes_long(node)) return;
    best = group_beside(node);
  }
  plan_.group[node] = best;
  for (const Node* operand : node->operands) {
    auto at = plan_.group.find(operand);
    if (at == plan_.group.end() || at->second == best) continue;
    if (!compute_again(operand)) store(operand);
  }
  require(best, node->operands);
}

bool Planner::compute_again(const Node* node) {
  if (plan_.stored.contains(node) || !ir::is_elementwise(node)) return false;
  const auto at_hand = [&](const Node* operand) { return is_immediate(operand) || plan_.stored.contains(operand); };
  const bool is_truth =
      node->type.dtype == ir::DType::boolean && std::all_of(node->operands.begin(), node->operands.end(), at_hand);
  std::set<const Node*> made, loaded;
  if (!is_truth && (!collect_cheap(node, made, loaded) || loaded.size() != 1)) return false;
  plan_.group.erase(node);
  for (const Node* part : made) plan_.group.erase(part);
  return true;
}

int Planner::group_beside(const Node* node) {
  std::set<int> needed;
  std::set<const Node*> seen;
  for (const Node* operand : node->operands) collect_groups(operand, needed, seen);
  constexpr std::size_t kRecent = 8;
  const std::size_t from = long_groups_.size() - std::min(kRecent, long_groups_.size());
  for (std::size_t i = from; i < long_groups_.size(); ++i) {
    const auto& [others_need, other] = long_groups_[i];
    if (others_need == needed && group(other).space == node->shape() && may_join(node, other)) return other;
  }
  const int g = add_group(node->shape());
  long_groups_.emplace_back(std::move(needed), g);
  return g;
}

bool Planner::takes_long(const Node* node) const {
  constexpr int kLong = 30;
  std::vector<const Node*> left{node};
  std::set<const Node*> made;
  int instructions = 0;
  while (!left.empty() && instructions <= kLong) {
    const Node* part = left.back();
    left.pop_back();
    if (is_immediate(part) || plan_.stored.contains(part) || !ir::is_elementwise(part) || !made.insert(part).second)
      continue;
    instructions += ir::instruction_count(part);
    left.insert(left.end(), part->operands.begin(), part->operands.end());
  }
  return instructions > kLong;
}

bool Planner::collect_cheap(const Node* node, std::set<const Node*>& made, std::set<const Node*>& loaded) const {
  constexpr int kFew = 4;
  if (is_immediate(node) || made.contains(node)) return true;
  if (plan_.stored.contains(node)) {
    loaded.insert(node);
    return true;
  }
  if (!ir::is_elementwise(node)) return false;
  made.insert(node);
  int instructions = 0;
  for (const Node* part : made) instructions += ir::instruction_count(part);
  return instructions <= kFew && std::all_of(node->operands.begin(), node->operands.end(),
                                             [&](const Node* operand) { return collect_cheap(operand, made, loaded); });
}

void Planner::collect_groups(const Node* node, std::set<int>& found, std::set<const Node*>& seen) const {
  if (!seen.insert(node).second) return;
  if (auto at = plan_.group.find(node); at != plan_.group.end()) {
    found.insert(at->second);
  } else if (auto b = plan_.stored.find(node); b != plan_.stored.end() && producers_.contains(b->second)) {
    const std::set<int>& producers = producers_.at(b->second);
    found.insert(producers.begin(), producers.end());
  } else {
    for (const Node* operand : node->operands) collect_groups(operand, found, seen);
  }
}

bool Planner::may_join(const Node* node, int target) const {
  std::set<int> needed;
  std::set<const Node*> visited{node};
  for (const Node* operand : node->operands) {
    auto at = plan_.group.find(operand);
    if (at == plan_.group.end() || at->second != target) collect_groups(operand, needed, visited);
  }
  return std::none_of(needed.begin(), needed.end(),
                      [&](int g) { return g == target || dependencies_.waits(g, target); });
}

void Planner::make_plain(const Node* operand) {
  const auto plain = [&](const Node* node) {
    const View view = view_of(node, plan_);
    return view.bounds.empty() && view.indirections.empty();
  };
  if (!is_access(operand) || is_immediate(view_of(operand, plan_).source)) {
    store(operand);
    return;
  }
  while (!plain(operand)) {
    // The innermost view that is not plain: those around it stay views.
    const Node* inner = operand;
    while (is_access(inner->operands[0]) && !plain(inner->operands[0])) inner = inner->operands[0];
    store(inner);
  }
}

void Planner::make_viewable(const Node* node) {
  if (!is_access(node) && !is_immediate(node)) store(node);
}

void Planner::store_operand(const Node* node) {
  if (!is_immediate(node)) {
    store(node);
    return;
  }
  const int b = add_buffer(Buffer::Kind::temporary, "", node->type);
  store_into(node, b);
  plan_.in_memory[node] = leaf_of(b, node);
}

const Node* Planner::leaf_of(int buffer, const Node* like) {
  if (!plan_.own_graph) plan_.own_graph = std::make_shared<ir::Graph>();
  const Node* leaf =
      plan_.own_graph->leaf(Op::state, "@buffer" + std::to_string(buffer), like->shape(), like->type.dtype);
  plan_.stored[leaf] = buffer;
  return leaf;
}

int Planner::store(const Node* node) {
  if (auto at = plan_.stored.find(node); at != plan_.stored.end()) return at->second;
  const int b = add_buffer(Buffer::Kind::temporary, "", node->type);
  store_into(node, b);
  plan_.stored[node] = b;
  return b;
}

int Planner::store_into(const Node* node, int b) { return store_part({node, b}); }

int Planner::store_part(const Store& part) {
  auto at = plan_.group.find(part.node);
  const int g = at != plan_.group.end() ? at->second : group_for(part);
  group(g).stores.push_back(part);
  require(g, part.node->operands);
  producers_[part.buffer].insert(g);
  return g;
}

int Planner::group_that_makes(const Node* node) {
  const auto [at, is_new] = made_by_.try_emplace(node, -1);
  if (is_new) at->second = add_group(node->shape());
  return at->second;
}

int Planner::group_for(const Store& part) {
  const bool temporary = plan_.buffers[static_cast<std::size_t>(part.buffer)].kind == Buffer::Kind::temporary;
  if (!temporary) return add_group(part.node->shape());
  if (!part.node->shape().empty()) return group_that_makes(part.node);
  std::set<int> needed;
  std::set<const Node*> seen;
  collect_groups(part.node, needed, seen);
  if (!needed.empty()) return add_group({});
  if (numbers_group_ < 0) numbers_group_ = add_group({});
  return numbers_group_;
}

void Planner::concatenate(const Node* node) {
  const int b = add_buffer(Buffer::Kind::temporary, "", node->type);
  const auto axis = static_cast<std::size_t>(node->attributes.axes[0]);
  const auto strides = row_major(node->shape());
  Dimension offset(0);
  for (const Node* operand : node->operands) {
    store_part({operand, b, offset, strides});
    offset = offset + operand->shape()[axis] * strides[axis];
  }
  plan_.stored[node] = b;
}

KernelPlan plan_kernels(const ir::Program& program, const ir::Function& function, const Machine& machine) {
  return Planner(program, function, machine).run();
}

}  // namespace descent::passes
