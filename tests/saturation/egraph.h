// Equality saturation over the rule tables (Willsey and others, "egg: Fast and Extensible Equality Saturation", 2021),
// to compare with the greedy rewriter: instead of replacing an expression, both forms are kept as equal, and the
// cheapest is taken at the end.
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"
#include "passes/rules.h"

namespace descent::saturation {

struct Limits {
  std::size_t rounds = 8, nodes = 20000;
  double seconds = 2;
};

/// The roots, each as the cheapest of the expressions found equal to it.
std::vector<const ir::Node*> saturate(ir::Graph& graph, const std::vector<const ir::Node*>& roots,
                                      const Limits& limits);

/// Classes of equal nodes.
///
/// The graph is hash-consed already, so that a node whose operands are the representatives of their classes is the one
/// form of all nodes that are equal to it by congruence: its class is found by its address. Merging two classes changes
/// a representative, and with it the forms of the nodes that use it; they are put right in `rebuild`, all at once.
class Classes {
 public:
  explicit Classes(ir::Graph& graph) : graph_(graph) {}

  std::size_t add(const ir::Node* root);
  /// States that both are equal; true if that was not known.
  bool merge(std::size_t a, std::size_t b);
  void rebuild();

  std::size_t find(std::size_t c);
  std::size_t of(const ir::Node* node) { return find(class_of_.at(node)); }
  const std::vector<const ir::Node*>& members(std::size_t c) const { return classes_[c].members; }
  const ir::Node* representative(std::size_t c) const { return classes_[c].members[0]; }
  const ir::Node* constant(std::size_t c) const { return classes_[c].constant; }
  std::vector<std::size_t> all();
  std::size_t size() const { return size_; }  ///< members of all classes

 private:
  struct Class {
    std::vector<const ir::Node*> members, users;
    const ir::Node* constant = nullptr;
  };
  const ir::Node* canonical(const ir::Node* node);
  void put(const ir::Node* node, std::size_t c);

  ir::Graph& graph_;
  std::vector<std::size_t> parent_;
  std::vector<Class> classes_;
  std::unordered_map<const ir::Node*, std::size_t> class_of_;
  std::vector<std::size_t> changed_;
  std::size_t size_ = 0;
};

}  // namespace descent::saturation
