#include "passes/kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "descent/error.h"
#include "ir/op.h"
#include "passes/dependencies.h"
#include "passes/rematerialize.h"
#include "passes/row_fusion.h"
#include "passes/schedule.h"

namespace descent::passes {

using ir::Dimension;
using ir::Node;
using ir::Op;
using ir::Shape;

namespace {

/// Whether a node's elements are those of its operand, found by a view (passes/views.h).
bool is_access(const Node* node) { return ir::is_view(node) || node->op == Op::gather; }
bool is_tensor_leaf(const Node* node) {
  return node->op == Op::input || node->op == Op::parameter || node->op == Op::state;
}
bool is_reduction(const Node* node) {
  return node->op == Op::reduce_sum || node->op == Op::reduce_max || node->op == Op::reduce_min ||
         node->op == Op::scatter_add;
}

/// The view of a node; nothing where it cannot be said as one: of a reshape or gather whose operand is in another
/// order.
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

}  // namespace

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

namespace {

/// Builds the plan of one function: groups first, kernels in order at the end.
class Planner {
 public:
  Planner(const ir::Program& program, const ir::Function& function, const Machine& machine)
      : program_(program), function_(function), machine_(machine) {}

  KernelPlan run() {
    for (const ir::Input& input : program_.inputs)
      add_buffer(Buffer::Kind::input, input.name, {input.dtype, input.shape});
    for (const ir::Variable& v : program_.variables) add_buffer(Buffer::Kind::variable, v.name, {v.dtype, v.shape});
    const auto nodes = ir::reachable(function_.roots());
    for (const Node* node : nodes) {
      if (is_tensor_leaf(node)) plan_.stored[node] = plan_.buffer(node->attributes.name);
    }
    for (const Node* node : nodes) place(node);
    for (const ir::Binding& result : function_.results) bind_result(result);
    bind_updates();
    share_random_numbers();
    order();
    return std::move(plan_);
  }

 private:
  int add_buffer(Buffer::Kind kind, const std::string& name, const ir::Type& type) {
    plan_.buffers.push_back(Buffer{kind, name, type.shape, type.dtype});
    const int b = static_cast<int>(plan_.buffers.size()) - 1;
    if (!name.empty()) plan_.names.try_emplace(name, b);
    return b;
  }

  int add_group(const Shape& space) {
    Kernel kernel;
    kernel.space = space;
    kernel.group = dependencies_.add();
    groups_.push_back(kernel);
    return kernel.group;
  }

  /// The group waits for what these nodes are made of.
  void require(int g, const std::vector<const Node*>& nodes) {
    std::set<int> needed;
    std::set<const Node*> seen;
    for (const Node* node : nodes) collect_groups(node, needed, seen);
    for (int other : needed) {
      if (other != g) dependencies_.require(g, other);
    }
  }

  Kernel& group(int index) { return groups_[static_cast<std::size_t>(index)]; }

  void place(const Node* node) {
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
      const ContractionAxes axes = contraction_axes(node, plan_);
      const Machine machine = for_elements(machine_, ir::element_bytes(node->type.dtype));
      const Blocking blocking = choose_blocking(axes, machine);
      group(g).blocking = blocking;
      if (blocking.pack_lhs || blocking.pack_rhs) {
        const Dimension numbers = packed_lhs_size(axes, blocking) + packed_rhs_size(axes, blocking, machine);
        group(g).workspace = add_buffer(Buffer::Kind::temporary, "", {node->type.dtype, {numbers}});
      }
    } else if (is_reduction(node)) {
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

  void scan(const Node* node) {
    make_viewable(node->operands[0]);
    const int g = add_group(node->shape());
    group(g).scan = node;
    group(g).scanned = add_buffer(Buffer::Kind::temporary, "", node->type);
    group(g).workspace = add_buffer(Buffer::Kind::temporary, "", {node->type.dtype, node->attributes.shape});
    require(g, node->operands);
    plan_.stored[node] = group(g).scanned;
    producers_[group(g).scanned].insert(g);
  }

  /// A reduction is accumulated by the group that computes what it takes in.
  void place_reduction(const Node* node) {
    const Node* value = reduced_value(node);
    if (node->op == Op::scatter_add) make_viewable(node->operands[0]);
    auto home = plan_.group.find(value);
    bool joins = home != plan_.group.end() && group(home->second).space == value->shape();
    if (joins && node->op == Op::scatter_add) joins = may_join(node, home->second);
    const int g = joins ? home->second : add_group(value->shape());
    if (!joins && home != plan_.group.end()) store(value);
    const int b = add_buffer(Buffer::Kind::temporary, "", node->type);
    group(g).reductions.emplace_back(node, b);
    require(g, node->operands);
    plan_.stored[node] = b;
    producers_[b].insert(g);
  }

  /// An elementwise node joins the last group that computes an operand, if none of its other operands waits for that
  /// group.
  void join(const Node* node) {
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
    if (best < 0) return;  // made of stored tensors alone: computed wherever it is needed
    plan_.group[node] = best;
    for (const Node* operand : node->operands) {
      auto at = plan_.group.find(operand);
      if (at == plan_.group.end() || at->second == best) continue;
      if (!compute_again(operand)) store(operand);
    }
    require(best, node->operands);
  }

  /// Whether a node is no sooner loaded than computed: a truth value about stored numbers (the derivative of relu, from
  /// what relu gave), or a few instructions on one stored tensor (that of tanh, 1 - h * h), to load which takes as
  /// long. It stays in no group, with what it is made of, so that every kernel that needs it computes it.
  bool compute_again(const Node* node) {
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

  /// What a node is computed from in few instructions; false where it takes more.
  bool collect_cheap(const Node* node, std::set<const Node*>& made, std::set<const Node*>& loaded) const {
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
    return instructions <= kFew && std::all_of(node->operands.begin(), node->operands.end(), [&](const Node* operand) {
             return collect_cheap(operand, made, loaded);
           });
  }

  /// The groups whose results `node` needs.
  void collect_groups(const Node* node, std::set<int>& found, std::set<const Node*>& seen) const {
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

  /// Whether `node` can be computed on the element that the target group has just made: what it needs of that group are
  /// operands of that element, not a reduction or a view, which are complete only when the group's loops are.
  bool may_join(const Node* node, int target) const {
    std::set<int> needed;
    std::set<const Node*> visited{node};
    for (const Node* operand : node->operands) {
      auto at = plan_.group.find(operand);
      if (at == plan_.group.end() || at->second != target) collect_groups(operand, needed, visited);
    }
    return std::none_of(needed.begin(), needed.end(),
                        [&](int g) { return g == target || dependencies_.waits(g, target); });
  }

  /// Makes memory that strides alone describe of a contraction's operand: what is padded or gathered is stored.
  void make_plain(const Node* operand) {
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

  void make_viewable(const Node* node) {
    if (!is_access(node) && !is_immediate(node)) store(node);
  }

  /// Stores what a view looks at, also what is otherwise made where it is needed (positions).
  void store_operand(const Node* node) {
    if (!is_immediate(node)) {
      store(node);
      return;
    }
    const int b = add_buffer(Buffer::Kind::temporary, "", node->type);
    store_into(node, b);
    plan_.in_memory[node] = leaf_of(b, node);
  }

  /// A leaf that stands for a buffer with values like the node's, in a graph of the plan's own: the program's is shared
  /// between threads and stays as it is.
  const Node* leaf_of(int buffer, const Node* like) {
    if (!plan_.own_graph) plan_.own_graph = std::make_shared<ir::Graph>();
    const Node* leaf =
        plan_.own_graph->leaf(Op::state, "@buffer" + std::to_string(buffer), like->shape(), like->type.dtype);
    plan_.stored[leaf] = buffer;
    return leaf;
  }

  /// Gives `node` a buffer of its own.
  int store(const Node* node) {
    if (auto at = plan_.stored.find(node); at != plan_.stored.end()) return at->second;
    const int b = add_buffer(Buffer::Kind::temporary, "", node->type);
    store_into(node, b);
    plan_.stored[node] = b;
    return b;
  }

  int store_into(const Node* node, int b) { return store_part({node, b}); }

  int store_part(const Store& part) {
    auto at = plan_.group.find(part.node);
    const int g = at != plan_.group.end() ? at->second : group_for(part);
    group(g).stores.push_back(part);
    require(g, part.node->operands);
    producers_[part.buffer].insert(g);
    return g;
  }

  /// A group for a node that is in none. Single numbers that wait for nothing (the corrections of an optimizer's
  /// moments) are all made by one.
  int group_for(const Store& part) {
    const bool temporary = plan_.buffers[static_cast<std::size_t>(part.buffer)].kind == Buffer::Kind::temporary;
    if (!part.node->shape().empty() || !temporary) return add_group(part.node->shape());
    std::set<int> needed;
    std::set<const Node*> seen;
    collect_groups(part.node, needed, seen);
    if (!needed.empty()) return add_group({});
    if (numbers_group_ < 0) numbers_group_ = add_group({});
    return numbers_group_;
  }

  /// Every operand goes straight to its part of the result.
  void concatenate(const Node* node) {
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

  void bind_result(const ir::Binding& result) {
    const int b = add_buffer(Buffer::Kind::result, result.name, result.node->type);
    auto at = plan_.stored.find(result.node);
    if (at != plan_.stored.end() &&
        plan_.buffers[static_cast<std::size_t>(at->second)].kind == Buffer::Kind::temporary &&
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

  /// A variable is overwritten in place by the kernel that computes its new value, which then runs after all other
  /// readers of the old one. Where that is impossible the value goes to a temporary that is copied at the end.
  void bind_updates() {
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

  /// The moments and the parameter of an optimizer are computed in one pass: by the group that reads the old moments,
  /// or with the update before.
  bool takes_update(int g, const Store& store) {
    return group(g).space == store.node->shape() && group(g).stores.size() < 8 && may_join(store.node, g);
  }

  void add_update(int g, const Node* node, int variable) {
    require(g, node->operands);
    updates_.push_back({g, group(g).stores.size() - 1, variable, node});
  }

  /// The new value as a whole, or the rows of a scatter alone.
  Store update_store(const Node* node, int variable) const {
    if (node->op != Op::scatter) return {node, variable};
    const Node *table = node->operands[0], *indices = node->operands[1], *rows = node->operands[2];
    if (plan_.stored.at(table) != variable) throw Error("internal: a scatter into another variable than it updates");
    const View place =
        picked(view_of(table, plan_), view_of(indices, plan_), table->shape(),
               static_cast<std::size_t>(node->attributes.axes[0]), indices->shape().size(), rows->shape())
            .value();
    return {rows, variable, place.offset, place.strides, place.indirections};
  }

  /// Whether the view reads the rows that the store writes, each where it is written.
  bool same_rows(const View& view, const Store& store) const {
    if (view.indirections.size() != 1 || store.indirections.size() != 1) return false;
    View place{view.source, store.offset, store.strides};
    place.indirections = store.indirections;
    return to_string(view) == to_string(place) && sources(view) == sources(place);
  }

  bool reads_out_of_place(int g, const Store& store) const {
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
    for (const auto& [node, b] : kernel.reductions)
      work.insert(work.end(), node->operands.begin(), node->operands.end());
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

  void collect_computed(const Kernel& kernel, const Node* node, std::set<const Node*>& found) const {
    if (!computed_in(kernel, node, plan_) || !found.insert(node).second) return;
    for (const Node* operand : node->operands) collect_computed(kernel, operand, found);
  }

  /// A random number takes a hundred instructions and more. What is made of one, and needed by several groups (what
  /// dropout keeps, by the backward pass too), is computed by one of them, for which no other is needed, and stored.
  void share_random_numbers() {
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

  void order() {
    drop_empty_groups();
    const auto count = groups_.size();
    Dependencies before;
    std::vector<std::vector<int>> readers(plan_.buffers.size());  // of each buffer, by group
    for (std::size_t g = 0; g < count; ++g) before.add();
    for (std::size_t g = 0; g < count; ++g) {
      for (int b : buffers_read(groups_[g], plan_)) {
        readers[static_cast<std::size_t>(b)].push_back(static_cast<int>(g));
        auto at = producers_.find(b);
        if (at == producers_.end() || plan_.buffers[static_cast<std::size_t>(b)].kind == Buffer::Kind::variable)
          continue;
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
    set_lives(plan_, kRest);
  }

  /// A kernel that copies a temporary into a variable: the temporary stands as a stored leaf.
  Kernel copy_kernel(Kernel kernel) {
    const int temporary = copied_.at(kernel.group);
    const Node* leaf = leaf_of(temporary, kernel.stores[0].node);
    kernel.stores[0].node = leaf;
    return kernel;
  }

  void drop_empty_groups() {
    // A contraction whose value is only used by its own group needs no store; a group without any effect needs no
    // kernel.
    for (Kernel& kernel : groups_) {
      if (kernel.stores.empty() && kernel.reductions.empty() && kernel.contraction) kernel.contraction = nullptr;
    }
  }

  struct Update {
    int group;
    std::size_t store;
    int variable;
    const Node* node;
  };

  const ir::Program& program_;
  const ir::Function& function_;
  const Machine machine_;
  KernelPlan plan_;
  std::vector<Kernel> groups_;
  Dependencies dependencies_;                         // between groups
  std::unordered_map<int, std::set<int>> producers_;  // buffer → groups that write it, or parts of it
  std::vector<Update> updates_;
  int numbers_group_ = -1;
  std::unordered_map<int, int> copied_;
};

}  // namespace

void for_each_access(const Kernel& kernel, const KernelPlan& plan, const std::function<void(const View&)>& use) {
  for (const Kernel& phase : kernel.phases) for_each_access(phase, plan, use);
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
  if (kernel.contraction) {
    for (const Node* operand : kernel.contraction->operands) use(view_of(operand, plan));
  }
  if (kernel.scan) use(view_of(kernel.scan->operands[0], plan));
  for (const Store& s : kernel.stores) {
    visit(visit, s.node);
    use_indices(s.indirections);
  }
  for (const auto& [node, b] : kernel.reductions) {
    visit(visit, reduced_value(node));
    use_indices(reduction_place(node, plan).indirections);
  }
}

namespace {

/// Collects the buffers that a kernel reads, without asking where in them: that is asked for more often than all else.
class ReadBuffers {
 public:
  ReadBuffers(const Kernel& kernel, const KernelPlan& plan) : plan_(plan) { read(kernel); }

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
    while (!is_immediate(node) && !(itself_stored && plan_.stored.contains(node)) && is_access(node)) {
      if (node->op == Op::gather) load(node->operands[1], true);
      node = node->operands[0];
      if (const auto at = plan_.in_memory.find(node); at != plan_.in_memory.end()) node = at->second;
      itself_stored = true;
    }
    // A constant is in memory where a contraction reads it.
    if (const auto at = plan_.stored.find(node); at != plan_.stored.end()) found_.push_back(at->second);
  }

  void indices(const std::vector<Indirection>& indirections) {
    for (const Indirection& i : indirections) {
      for (const Node* source : sources(i.index)) {
        if (const auto at = plan_.stored.find(source); at != plan_.stored.end()) found_.push_back(at->second);
      }
    }
  }

  const KernelPlan& plan_;
  std::unordered_set<const Node*> seen_;
  std::vector<int> found_;
};

}  // namespace

std::vector<int> buffers_read(const Kernel& kernel, const KernelPlan& plan) { return ReadBuffers(kernel, plan).take(); }

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

KernelPlan plan_kernels(const ir::Program& program, const ir::Function& function, const Machine& machine) {
  return Planner(program, function, machine).run();
}

namespace {

std::string describe(const Blocking& blocking) {
  if (blocking.form == Blocking::Form::dots) return "  (dot products)";
  std::string text = fmt::format("  (tiles of {} x {} vectors in blocks of {} x {}", blocking.tile_rows,
                                 blocking.tile_vectors, blocking.block_rows, blocking.block_columns);
  if (blocking.form == Blocking::Form::turned) text += ", operands exchanged";
  if (blocking.depth > 0) text += fmt::format(", depth {}", blocking.depth);
  if (blocking.pack_lhs) text += ", first operand packed";
  if (blocking.pack_rhs) text += ", second operand packed";
  if (blocking.packed_from > blocking.tile_rows) text += fmt::format(" from {} rows on", blocking.packed_from);
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

Work work_of(const Kernel& kernel, const KernelPlan& plan, const ir::DimensionValues& sizes) {
  Work work;
  const auto bytes = [&](const Node* node) {
    return ir::element_count(node->shape(), sizes) * ir::element_bytes(node->type.dtype);
  };
  std::set<int> touched;
  for (int b : buffers_read(kernel, plan)) touched.insert(b);
  for (int b : touched) work.bytes += bytes_of(plan.buffers[static_cast<std::size_t>(b)], sizes);
  std::vector<const Kernel*> parts{&kernel};
  for (const Kernel& phase : kernel.phases) parts.push_back(&phase);
  for (const Kernel* part : parts) {
    for (const Store& s : part->stores) work.bytes += bytes(s.node);
    for (const auto& [node, b] : part->reductions) work.bytes += bytes(node);
  }
  if (kernel.contraction != nullptr) {
    work.flops = 2 * ir::element_count(kernel.contraction->shape(), sizes);
    for (const auto& axis : contraction_axes(kernel.contraction, plan).contracted)
      work.flops *= axis.size.evaluate(sizes);
  }
  return work;
}

double estimated_us(const Work& work) {
  constexpr double flops_per_us = 60e3, bytes_per_us = 15e3;
  return std::max(static_cast<double>(work.flops) / flops_per_us, static_cast<double>(work.bytes) / bytes_per_us);
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
    if (!kernel.phases.empty()) text += "  for each row, in phases\n";
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
