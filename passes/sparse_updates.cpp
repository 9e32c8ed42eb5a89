// Sparse updates: an optimizer's update of a table (an embedding) touches only the rows that the batch has named.
//
// The gradient of a table is a scatter_add of rows: zero but for the rows that the indices name. An update f of a
// variable that becomes the variable itself where such gradients are 0 leaves all other rows alone; that is decided by
// simplifying f with 0 in their place, so that it holds of any optimizer written as algebra:
//
//   sgd              w - lr * g                                     is sparse: w - lr * 0 = w
//   adam             its moments decay everywhere                   is not
//   lazy adam        if max(|g|, axis = 1, keep = true) > 0 then (adam) else m, v, w    is: the condition is false
//
// Such an update is computed on the M named rows alone, each once. With i the indices, V the size of the table:
//
//   first = first_occurrence(i)                     where each row is named first
//   row   = if first = iota then i else -1          the row of each position that counts, once
//   G     = scatter_add(first, rows of g)           the M x ... gradient, summed where a row is named first
//   w    <- scatter(w, row, f(gather(w, row), G))   in place
//
// Everything in f must work row by row: elementwise, repetitions, reductions along other axes.
#include <algorithm>
#include <optional>

#include "ir/op.h"
#include "passes/passes.h"

namespace descent::passes {

using ir::Dimension;
using ir::Expr;
using ir::Graph;
using ir::Node;
using ir::Op;
using ir::Shape;

namespace {

/// Rows that a batch of unknown size is assumed to name for each unit of its symbolic sizes.
constexpr std::int64_t kAssumedSize = 128;

std::int64_t estimate(const Dimension& size) {
  std::vector<std::string> symbols;
  size.collect_symbols(symbols);
  ir::DimensionValues values;
  for (const std::string& symbol : symbols) values[symbol] = kAssumedSize;
  return size.evaluate(values);
}

/// The update of one variable on the rows that are named.
class RowUpdate {
 public:
  RowUpdate(Graph& graph, const Node* update, const Node* variable)
      : graph_(graph), update_(update), variable_(variable) {}

  /// The sparse form; null where there is none, or it would not pay.
  const Node* rewritten() {
    if (variable_->shape().empty() || !variable_->shape()[0].is_constant()) return nullptr;
    for (const Node* node : ir::reachable({update_})) {
      if (node->op != Op::scatter_add || node->attributes.axes[0] != 0) continue;
      if (node->shape()[0] == variable_->shape()[0]) gradients_.push_back(node);
    }
    if (gradients_.empty() || !leaves_other_rows_alone()) return nullptr;
    name_rows();
    if (2 * estimate(count_) > estimate(variable_->shape()[0])) return nullptr;
    const std::optional<Expr> rows = by_row(update_);
    if (!rows) return nullptr;
    ir::Attributes axis;
    axis.axes = {0};
    return graph_.make(Op::scatter, {variable_, row_->node, rows->node}, axis);
  }

 private:
  bool leaves_other_rows_alone() const {
    std::unordered_map<const Node*, const Node*> zeros;
    for (const Node* gradient : gradients_) zeros[gradient] = graph_.constant(0, gradient->type);
    return simplify_nodes(graph_, substitute(graph_, {update_}, zeros))[0] == variable_;
  }

  Expr flat(const Node* indices) const {
    return ir::reshape(Expr(graph_, indices), {ir::element_count(indices->shape())});
  }

  /// All indices in a row, of all gradients; where each row stands first.
  void name_rows() {
    std::vector<Expr> parts;
    for (const Node* gradient : gradients_) {
      const Node* indices = gradient->operands[0];
      if (begins_.contains(indices)) continue;
      begins_.emplace(indices, count_);
      parts.push_back(flat(indices));
      count_ = count_ + parts.back().shape()[0];
    }
    // In range, as gather and scatter_add take them.
    const Expr named = ir::concatenate(parts, 0);
    const double last = static_cast<double>(variable_->shape()[0].constant() - 1);
    const Expr all = ir::min(ir::max(named, ir::like(named, 0)), ir::like(named, last));
    ir::Attributes table;
    table.shape = {variable_->shape()[0]};
    first_ = Expr(graph_, graph_.make(Op::first_occurrence, {all.node}, table));
    row_ = ir::select(*first_ == ir::iota(graph_, {count_}, 0), all, -1);
  }

  /// The shape of a tensor of rows with the named ones in place of all.
  Shape named(const Shape& shape) const {
    Shape result = shape;
    result[0] = count_;
    return result;
  }

  /// The gradient on the named rows: each sum stands where its row is named first.
  Expr gradient_rows(const Node* gradient) const {
    const Node *indices = gradient->operands[0], *updates = gradient->operands[1];
    const Dimension size = ir::element_count(indices->shape());
    Shape shape = gradient->shape();
    shape[0] = size;
    const Dimension begin = begins_.at(indices);
    const Expr first = ir::slice(*first_, {begin}, {begin + size}, {1});
    return ir::scatter_add(first, ir::reshape(Expr(graph_, updates), shape), named(gradient->shape()), 0);
  }

  bool reaches_gradient(const Node* node) const {
    const auto nodes = ir::reachable({node});
    return std::any_of(nodes.begin(), nodes.end(), [&](const Node* n) {
      return std::find(gradients_.begin(), gradients_.end(), n) != gradients_.end();
    });
  }

  /// `node`, whose axis 0 are the table's rows, on the named rows; nothing if it does not work row by row.
  std::optional<Expr> by_row(const Node* node) {
    if (auto at = done_.find(node); at != done_.end()) return at->second;
    const std::optional<Expr> result = make_by_row(node);
    done_.emplace(node, result);
    return result;
  }

  std::optional<Expr> make_by_row(const Node* node) {
    if (node->shape().empty() || node->shape()[0] != variable_->shape()[0]) return std::nullopt;
    if (std::find(gradients_.begin(), gradients_.end(), node) != gradients_.end()) return gradient_rows(node);
    if (node->is_constant()) {
      return Expr(graph_, graph_.constant(node->attributes.value, ir::Type{node->type.dtype, named(node->shape())}));
    }
    if (node->op == Op::parameter || node->op == Op::state) return ir::gather(Expr(graph_, node), *row_, 0);
    ir::Attributes attributes = node->attributes;
    const auto& axes = attributes.axes;
    std::vector<const Node*> operands = node->operands;
    if (node->op == Op::broadcast_in_dim) {
      attributes.shape = named(node->shape());
      const Node* x = operands[0];
      const bool has_rows = !axes.empty() && axes[0] == 0 && !x->shape()[0].is_one();
      if (!has_rows) {  // the same for all rows
        if (reaches_gradient(x)) return std::nullopt;
        return Expr(graph_, graph_.make(node->op, std::move(operands), std::move(attributes)));
      }
    } else if (node->op == Op::reduce_sum || node->op == Op::reduce_max || node->op == Op::reduce_min) {
      if (std::find(axes.begin(), axes.end(), 0) != axes.end()) return std::nullopt;
    } else if (!ir::is_elementwise(node)) {
      return std::nullopt;
    }
    for (const Node*& operand : operands) {
      const std::optional<Expr> rows = by_row(operand);
      if (!rows) return std::nullopt;
      operand = rows->node;
    }
    return Expr(graph_, graph_.make(node->op, std::move(operands), std::move(attributes)));
  }

  Graph& graph_;
  const Node *update_, *variable_;
  std::vector<const Node*> gradients_;                 // the scatter_adds of rows of this table
  std::unordered_map<const Node*, Dimension> begins_;  // indices → where they begin among all
  Dimension count_ = 0;                                // of all
  std::optional<Expr> first_, row_;
  std::unordered_map<const Node*, std::optional<Expr>> done_;
};

}  // namespace

ir::Program sparse_updates(const ir::Program& program) {
  ir::Program result = program;
  for (ir::Function& function : result.functions) {
    const auto nodes = ir::reachable(function.roots());
    if (std::none_of(nodes.begin(), nodes.end(), [](const Node* n) { return n->op == Op::scatter_add; })) continue;
    for (ir::Binding& update : function.updates) {
      const ir::Variable* v = program.find_variable(update.name);
      const Node* variable = ir::leaf_of(*program.graph, *v);
      if (const Node* sparse = RowUpdate(*program.graph, update.node, variable).rewritten()) update.node = sparse;
    }
  }
  return result;
}

}  // namespace descent::passes
