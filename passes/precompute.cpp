// What follows from constants alone is computed once, before training: tables of positions, products of constants,
// tensors written out as numbers. It becomes a variable of its own that `initial` gives its value, in float64, and that
// nothing changes.
//
// Only what is dearer to compute than to load: constants and positions (iota) are made in registers, and a mask is a
// comparison of them. A view stays a view, of the smaller tensor. Tables are bounded, as they are computed whenever a
// model is loaded.
#include <algorithm>
#include <map>
#include <set>

#include "ir/expr.h"
#include "ir/op.h"
#include "passes/passes.h"
#include "passes/positions.h"

namespace descent::passes {

namespace {

using ir::Node;
using ir::Op;

constexpr std::int64_t kLargest =
    1 << 16;                      ///< elements: a quarter of a MiB in f32, some milliseconds of the interpreter
constexpr int kWorthLoading = 8;  ///< instructions that a load from the cache is taken to cost

class Hoisting {
 public:
  explicit Hoisting(ir::Program& program) : program_(program), positions_(*program.graph) {}

  void visit(const ir::Function& function) {
    for (const Node* node : ir::reachable(function.roots())) {
      if (is_known(node) || positions_.varying_axes(node)) continue;
      for (const Node* operand : node->operands) consider(operand);
    }
    for (const Node* root : function.roots()) consider(root);
  }

  const std::unordered_map<const Node*, const Node*>& tables() const { return tables_; }

  /// The tables as variables and their first values.
  void declare(ir::Function& initial) {
    std::unordered_map<const Node*, const Node*> leaves;  // by the tables' nodes: several nodes may repeat one
    for (const auto& [id, found] : found_) {
      const auto& [node, table] = found;
      const Node*& leaf = leaves[table];
      if (leaf == nullptr) {
        const std::string name = "@constant." + std::to_string(leaves.size() - 1);
        program_.variables.push_back({name, table->shape(), ir::Variable::Kind::constant, false, table->type.dtype});
        initial.updates.push_back({name, table});
        leaf = program_.graph->leaf(Op::state, name, table->shape(), table->type.dtype);
      }
      tables_[node] =
          table == node
              ? leaf
              : ir::broadcast(ir::Expr(*program_.graph, leaf), node->shape(), *positions_.varying_axes(node)).node;
    }
  }

 private:
  /// Whether it follows from constants alone, in sizes that are known.
  bool is_known(const Node* node) {
    if (const auto at = known_.find(node); at != known_.end()) return at->second;
    const auto& shape = node->shape();
    bool known = std::all_of(shape.begin(), shape.end(), [](const ir::Dimension& d) { return d.is_constant(); });
    if (ir::is_leaf(node)) known = known && (node->op == Op::constant || node->op == Op::iota);
    for (const Node* operand : node->operands) known = is_known(operand) && known;
    return known_[node] = known && node->op != Op::gradient;
  }

  /// A known node that something unknown needs: it, or what it views or selects from, becomes a table. One in the shape
  /// of a batch is a repetition of a table.
  void consider(const Node* node) {
    const bool is_repeated = !is_known(node) && positions_.varying_axes(node);
    if ((!is_known(node) && !is_repeated) || !considered_.insert(node).second) return;
    if (is_real(node->type.dtype) && !ir::is_view(node) && is_dear(node)) {
      const Node* table = is_repeated ? positions_.table_of(node) : node;
      if (table != nullptr && !table->shape().empty() && ir::element_count(table->shape()).constant() <= kLargest) {
        found_[node->id] = {node, table};
        return;
      }
    }
    for (const Node* operand : node->operands) consider(operand);
  }

  /// Whether an element takes longer to compute than to load. What is not elementwise would be stored in every step.
  static bool is_dear(const Node* root) {
    int instructions = 0;
    for (const Node* node : ir::reachable({root})) {
      if (ir::is_leaf(node) || ir::is_view(node)) continue;
      if (!ir::is_elementwise(node)) return true;
      instructions += ir::instruction_count(node);
    }
    return instructions > kWorthLoading;
  }

  ir::Program& program_;
  Positions positions_;
  std::unordered_map<const Node*, bool> known_;
  std::set<const Node*> considered_;
  struct Found {
    const Node *node, *table;  ///< the same, but of one in the shape of a batch
  };
  std::map<std::uint32_t, Found> found_;  ///< in the order of their ids
  std::unordered_map<const Node*, const Node*> tables_;
};

}  // namespace

ir::Program precompute(const ir::Program& program) {
  ir::Program result = program;
  const auto named = [](const char* name) { return [name](const ir::Function& f) { return f.name == name; }; };
  const auto initial = std::find_if(result.functions.begin(), result.functions.end(), named("initial"));
  if (initial == result.functions.end()) return result;
  Hoisting hoisting(result);
  for (const ir::Function& f : result.functions) {
    if (f.name != "initial" && f.name != "metrics") hoisting.visit(f);  // metrics are interpreted
  }
  hoisting.declare(*initial);
  if (hoisting.tables().empty()) return result;
  for (ir::Function& f : result.functions) {
    if (f.name == "initial") continue;
    f.set_roots(substitute(*result.graph, f.roots(), hoisting.tables()));
  }
  return result;
}

}  // namespace descent::passes
