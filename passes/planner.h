// Builds the plan of one function: groups of nodes that are computed together first (passes/kernels.cpp), then what is
// written in place and in which order the groups run (passes/planner_order.cpp).
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "passes/dependencies.h"
#include "passes/kernels.h"

namespace descent::passes {

class Planner {
 public:
  Planner(const ir::Program& program, const ir::Function& function, const Machine& machine)
      : program_(program), function_(function), machine_(machine) {}
  KernelPlan run();

 private:
  int add_buffer(Buffer::Kind kind, const std::string& name, const ir::Type& type);
  int add_group(const ir::Shape& space);
  /// The group waits for what these nodes are made of.
  void require(int g, const std::vector<const ir::Node*>& nodes);
  Kernel& group(int index);
  void place(const ir::Node* node);
  void scan(const ir::Node* node);
  /// A reduction is accumulated by the group that computes what it takes in.
  void place_reduction(const ir::Node* node);
  /// An elementwise node joins the last group that computes an operand, if none of its other operands waits for that
  /// group.
  void join(const ir::Node* node);
  /// Whether a node is no sooner loaded than computed: a truth value about stored numbers (the derivative of relu, from
  /// what relu gave), or a few instructions on one stored tensor (that of tanh, 1 - h * h), to load which takes as
  /// long. It stays in no group, with what it is made of, so that every kernel that needs it computes it.
  bool compute_again(const ir::Node* node);
  /// Whether it takes so many instructions to compute a node from what is stored that it should not be done twice: the
  /// cell of a recurrent network, which follows from all cells before it, would take longer at each step.
  bool takes_long(const ir::Node* node) const;
  /// The group for such a node: that of another one, over the same space, which is made of the same (the gates of a
  /// recurrent cell).
  int group_beside(const ir::Node* node);
  /// What a node is computed from in few instructions; false where it takes more.
  bool collect_cheap(const ir::Node* node, std::set<const ir::Node*>& made, std::set<const ir::Node*>& loaded) const;
  /// The groups whose results `node` needs.
  void collect_groups(const ir::Node* node, std::set<int>& found, std::set<const ir::Node*>& seen) const;
  /// Whether `node` can be computed on the element that the target group has just made: what it needs of that group are
  /// operands of that element, not a reduction or a view, which are complete only when the group's loops are.
  bool may_join(const ir::Node* node, int target) const;
  /// Makes memory that strides alone describe of a contraction's operand: what is padded or gathered is stored.
  void make_plain(const ir::Node* operand);
  void make_viewable(const ir::Node* node);
  /// Stores what a view looks at, also what is otherwise made where it is needed (positions).
  void store_operand(const ir::Node* node);
  /// A leaf that stands for a buffer with values like the node's, in a graph of the plan's own: the program's is shared
  /// between threads and stays as it is.
  const ir::Node* leaf_of(int buffer, const ir::Node* like);
  /// Gives `node` a buffer of its own.
  int store(const ir::Node* node);
  int store_into(const ir::Node* node, int b);
  int store_part(const Store& part);
  /// A group of its own for a node that is in none: the same one for its sum, its maximum and its store.
  int group_that_makes(const ir::Node* node);
  /// A group for a node that is in none. Single numbers that wait for nothing (the corrections of an optimizer's
  /// moments) are all made by one.
  int group_for(const Store& part);
  /// Every operand goes straight to its part of the result.
  void concatenate(const ir::Node* node);
  void bind_result(const ir::Binding& result);
  /// A variable is overwritten in place by the kernel that computes its new value, which then runs after all other
  /// readers of the old one. Where that is impossible the value goes to a temporary that is copied at the end.
  void bind_updates();
  /// The moments and the parameter of an optimizer are computed in one pass: by the group that reads the old moments,
  /// or with the update before.
  bool takes_update(int g, const Store& store);
  void add_update(int g, const ir::Node* node, int variable);
  /// The new value as a whole, or the rows of a scatter alone.
  Store update_store(const ir::Node* node, int variable) const;
  /// Whether the view reads the rows that the store writes, each where it is written.
  bool same_rows(const View& view, const Store& store) const;
  bool reads_out_of_place(int g, const Store& store) const;
  void collect_computed(const Kernel& kernel, const ir::Node* node, std::set<const ir::Node*>& found) const;
  /// A random number takes a hundred instructions and more. What is made of one, and needed by several groups (what
  /// dropout keeps, by the backward pass too), is computed by one of them, for which no other is needed, and stored.
  void share_random_numbers();
  /// How each product is cut, once it is known what its kernel does with the numbers.
  void cut_contractions();
  void order();
  /// A kernel that copies a temporary into a variable: the temporary stands as a stored leaf.
  Kernel copy_kernel(Kernel kernel);
  void drop_empty_groups();

  struct Update {
    int group;
    std::size_t store;
    int variable;
    const ir::Node* node;
  };

  const ir::Program& program_;
  const ir::Function& function_;
  const Machine machine_;
  KernelPlan plan_;
  std::vector<Kernel> groups_;
  Dependencies dependencies_;                         // between groups
  std::unordered_map<const ir::Node*, int> uses_;     // as an operand
  std::unordered_map<int, std::set<int>> producers_;  // buffer → groups that write it, or parts of it
  std::vector<Update> updates_;
  int numbers_group_ = -1;
  std::unordered_map<const ir::Node*, int> made_by_;  ///< nodes that are in no group but have one of their own
  std::vector<std::pair<std::set<int>, int>>
      long_groups_;  ///< of nodes that take long: the groups they need, their own
  std::unordered_map<int, int> copied_;
};

}  // namespace descent::passes
