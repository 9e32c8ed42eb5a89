// What groups of nodes write in place, what random numbers are stored, and in which order the groups run.
#include <algorithm>
#include <set>

#include "descent/error.h"
#include "ir/op.h"
#include "passes/kernel_access.h"
#include "passes/planner.h"
#include "passes/rematerialize.h"
#include "passes/row_fusion.h"
#include "passes/schedule.h"
#include "passes/single_pass.h"

namespace descent::passes {

using ir::Node;
using ir::Op;

void Planner::bind_result(const ir::Binding& result) {
  const int b = add_buffer(Buffer::Kind::result, result.name, result.node->type);
  auto at = plan_.stored.find(result.node);
  if (at != plan_.stored.end() && plan_.buffers[static_cast<std::size_t>(at->second)].kind == Buffer::Kind::temporary &&
      producers_.contains(at->second)) {
    // The temporary becomes the result.
    auto& buffers = plan_.buffers;
    buffers[static_cast<std::size_t>(at->second)].kind = Buffer::Kind::result;
    buffers[static_cast<std::size_t>(at->second)].name = result.name;
    buffers.pop_back();
    if (auto name = plan_.names.find(result.name); name->second == b) name->second = at->second;
    return;
  }
  store_into(result.node, b);
  if (at == plan_.stored.end() && plan_.group.contains(result.node)) plan_.stored[result.node] = b;
}

void Planner::bind_updates() {
  std::vector<std::pair<const Node*, int>> free;  // that no group computes
  for (const ir::Binding& update : function_.updates) {
    const int variable = plan_.buffer(update.name);
    if (is_tensor_leaf(update.node) && update.node->attributes.name == update.name) continue;
    const Store store = update_store(update.node, variable);
    if (plan_.group.contains(store.node))
      add_update(store_part(store), update.node, variable);
    else
      free.emplace_back(update.node, variable);
  }
  std::unordered_map<int, int> readers;  // of variables, among the groups of updates
  const auto note = [&](int g) {
    for (int b : buffers_read(group(g), plan_)) readers[b] = g;
  };
  for (const Update& update : updates_) note(update.group);
  int last = -1;
  for (const auto& [node, variable] : free) {
    const Store store = update_store(node, variable);
    const auto reader = readers.find(variable);
    int g = -1;
    for (int candidate : {reader == readers.end() ? -1 : reader->second, last}) {
      if (g < 0 && candidate >= 0 && takes_update(candidate, store)) g = candidate;
    }
    if (g < 0) {
      g = last = store_part(store);
      note(g);
    } else {
      group(g).stores.push_back(store);
      producers_[variable].insert(g);
    }
    add_update(g, node, variable);
  }
}

bool Planner::takes_update(int g, const Store& store) {
  return group(g).space == store.node->shape() && group(g).stores.size() < 8 && may_join(store.node, g);
}

void Planner::add_update(int g, const Node* node, int variable) {
  require(g, node->operands);
  updates_.push_back({g, group(g).stores.size() - 1, variable, node});
}

Store Planner::update_store(const Node* node, int variable) const {
  if (node->op != Op::scatter) return {node, variable};
  const Node *table = node->operands[0], *indices = node->operands[1], *rows = node->operands[2];
  if (plan_.stored.at(table) != variable) throw Error("internal: a scatter into another variable than it updates");
  const View place = picked(view_of(table, plan_), view_of(indices, plan_), table->shape(),
                            static_cast<std::size_t>(node->attributes.axes[0]), indices->shape().size(), rows->shape())
                         .value();
  return {rows, variable, place.offset, place.strides, place.indirections};
}

bool Planner::same_rows(const View& view, const Store& store) const {
  if (view.indirections.size() != 1 || store.indirections.size() != 1) return false;
  View place{view.source, store.offset, store.strides};
  place.indirections = store.indirections;
  return to_string(view) == to_string(place) && sources(view) == sources(place);
}

bool Planner::reads_out_of_place(int g, const Store& store) const {
  const int variable = store.buffer;
  const Kernel& kernel = groups_[static_cast<std::size_t>(g)];
  if (kernel.contraction) {
    for (const Node* operand : kernel.contraction->operands) {
      if (plan_.stored.at(view_of(operand, plan_).source) == variable) return true;
    }
  }
  std::set<const Node*> seen;
  std::vector<const Node*> work;
  for (const Store& s : kernel.stores) work.push_back(s.node);
  for (const auto& [node, b] : kernel.reductions) work.insert(work.end(), node->operands.begin(), node->operands.end());
  while (!work.empty()) {
    const Node* node = work.back();
    work.pop_back();
    if (!seen.insert(node).second) continue;
    if (is_access(node)) {
      const View view = view_of(node, plan_, !writes(kernel, node));
      if (same_rows(view, store)) continue;
      for (const Node* source : sources(view)) {
        auto at = plan_.stored.find(source);
        if (at != plan_.stored.end() && at->second == variable) return true;
      }
    } else if (ir::is_elementwise(node)) {
      work.insert(work.end(), node->operands.begin(), node->operands.end());
    }
  }
  return false;
}

void Planner::collect_computed(const Kernel& kernel, const Node* node, std::set<const Node*>& found) const {
  if (!computed_in(kernel, node, plan_) || !found.insert(node).second) return;
  for (const Node* operand : node->operands) collect_computed(kernel, operand, found);
}

void Planner::share_random_numbers() {
  std::unordered_map<const Node*, std::set<int>> users;  // groups
  std::vector<const Node*> random;
  const auto is_random = [&](const Node* node) {
    return ir::is_elementwise(node) && std::any_of(node->operands.begin(), node->operands.end(), [&](auto* operand) {
             return operand->op == Op::rng_uniform || users.contains(operand);
           });
  };
  for (const Node* node : ir::reachable(function_.roots())) {
    if (plan_.group.contains(node) || !is_random(node)) continue;
    users[node];
    random.push_back(node);
  }
  if (random.empty()) return;
  const auto find_uses = [&](int g) {
    for (auto& [node, groups] : users) groups.erase(g);
    std::set<const Node*> found;
    for (const Store& s : group(g).stores) collect_computed(group(g), s.node, found);
    for (const auto& [node, b] : group(g).reductions) collect_computed(group(g), reduced_value(node), found);
    for (const Node* node : found) {
      if (auto at = users.find(node); at != users.end()) at->second.insert(g);
    }
  };
  for (int g = 0; g < dependencies_.size(); ++g) find_uses(g);
  std::reverse(random.begin(), random.end());  // what is made of others first
  for (const Node* node : random) {
    const std::set<int> groups = users.at(node);
    const auto stored = plan_.stored.find(node);  // for a contraction: then by the group that stores it
    const auto can_wait = [&](int home) {
      if (stored != plan_.stored.end() && !producers_.at(stored->second).contains(home)) return false;
      return std::none_of(groups.begin(), groups.end(), [&](int g) { return dependencies_.waits(home, g); });
    };
    const auto home = std::find_if(groups.begin(), groups.end(), can_wait);
    if (groups.size() < 2 || home == groups.end()) continue;
    plan_.group[node] = *home;
    store(node);
    for (int g : groups) {
      if (g == *home) continue;
      dependencies_.require(g, *home);
      find_uses(g);
    }
  }
}

void Planner::order() {
  drop_empty_groups();
  const auto count = groups_.size();
  Dependencies before;
  std::vector<std::vector<int>> readers(plan_.buffers.size());  // of each buffer, by group
  for (std::size_t g = 0; g < count; ++g) before.add();
  for (std::size_t g = 0; g < count; ++g) {
    for (int b : buffers_read(groups_[g], plan_)) {
      readers[static_cast<std::size_t>(b)].push_back(static_cast<int>(g));
      auto at = producers_.find(b);
      if (at == producers_.end() || plan_.buffers[static_cast<std::size_t>(b)].kind == Buffer::Kind::variable) continue;
      for (int producer : at->second) {
        if (producer == static_cast<int>(g)) continue;
        if (before.waits(producer, static_cast<int>(g))) throw Error("internal: kernels wait for each other");
        before.require(static_cast<int>(g), producer);
      }
    }
  }
  std::vector<Kernel> copies;
  for (const Update& update : updates_) {
    Store& store = group(update.group).stores[update.store];
    const auto& others = readers[static_cast<std::size_t>(update.variable)];
    const bool in_place =
        !reads_out_of_place(update.group, store) &&
        std::none_of(others.begin(), others.end(), [&](int g) { return before.waits(g, update.group); });
    if (in_place) {
      for (int g : others) {
        if (g != update.group) before.require(update.group, g);
      }
      continue;
    }
    const int temporary = add_buffer(Buffer::Kind::temporary, "", store.node->type);
    Kernel copy;
    copy.space = store.node->shape();
    copy.group = -2 - temporary;
    copy.stores.push_back(store);
    store = {store.node, temporary};
    copies.push_back(copy);
    copied_[copy.group] = temporary;
  }
  for (int g : before.order()) {
    const Kernel& kernel = group(g);
    if (!kernel.stores.empty() || !kernel.reductions.empty() || kernel.scan) plan_.kernels.push_back(kernel);
  }
  for (const Kernel& copy : copies) plan_.kernels.push_back(copy_kernel(copy));
  fuse_rows(plan_);
  schedule(plan_);
  if (function_.memory_limit) return fit_memory(plan_, *function_.memory_limit);
  fuse_products(plan_, machine_);
  set_lives(plan_, kRest);
}

Kernel Planner::copy_kernel(Kernel kernel) {
  const int temporary = copied_.at(kernel.group);
  const Node* leaf = leaf_of(temporary, kernel.stores[0].node);
  kernel.stores[0].node = leaf;
  return kernel;
}

void Planner::drop_empty_groups() {
  // A contraction whose value is only used by its own group needs no store; a group without any effect needs no
  // kernel.
  for (Kernel& kernel : groups_) {
    if (kernel.stores.empty() && kernel.reductions.empty() && kernel.contraction) kernel.contraction = nullptr;
  }
}

}  // namespace descent::passes
