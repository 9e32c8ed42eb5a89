// train { accumulate = 4 }: gradients are added up over so many steps, and the optimizer acts in the last of them, as
// if their rows had been one batch: each step counts by its rows, since the last batch of an epoch has fewer. Until
// then parameters, averages and the optimizer's states stay as they are.
//
// The optimizer's `step` counts the times it has acted.
#include "frontend/lower.h"
#include "ir/op.h"

namespace descent::frontend {

using ir::Expr;
using ir::Node;
using ir::Op;

/// The mean of the gradients since the optimizer last acted, with this step's; the states that keep it.
std::vector<Value> Lowering::accumulate(int rounds, const std::vector<ir::Variable>& parameters,
                                        const std::vector<Value>& gradients) {
  const auto state = [&](const std::string& name, const ir::Shape& shape, ir::DType dtype) {
    const ir::Variable v{name, shape, ir::Variable::Kind::state, true, dtype};
    const Expr leaf(graph_, leaf_of(graph_, v));
    add_variable(v, ir::like(leaf, 0).node);
    return leaf;
  };
  const Expr gathered = state("accumulate.gathered", {}, ir::DType::f32),
             acted = state("accumulate.acted", {}, ir::DType::f32), rows = state("accumulate.rows", {}, ir::DType::f32);
  const std::vector<std::string> symbols = program_.dimensions();
  const ir::Dimension batch = symbols.empty() ? ir::Dimension(1) : ir::Dimension::symbol(symbols[0]);
  const Expr all_rows = rows + Expr(graph_, graph_.dimension(batch));
  const Expr acts = gathered + 1.0 == ir::like(gathered, rounds);
  const auto keep = [&](Expr s, Expr when_acting, Expr otherwise) {
    const Expr condition = ir::broadcast(acts, s.shape(), {});
    state_updates_.push_back({s.node->attributes.name, ir::select(condition, when_acting, otherwise).node});
  };
  keep(gathered, ir::like(gathered, 0), gathered + 1.0);
  keep(acted, acted + 1.0, acted);
  keep(rows, ir::like(rows, 0), all_rows);
  std::vector<Value> means;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Expr sum = state(parameters[i].name + ".gathered", parameters[i].shape, parameters[i].dtype);
    const auto repeated = [&](Expr number) { return ir::broadcast(number, sum.shape(), {}); };
    const Expr weight(graph_, graph_.dimension(batch, sum.node->type.dtype));
    const Expr all = sum + Expr(graph_, gradients[i].node) * repeated(weight);
    keep(sum, ir::like(sum, 0), all);
    means.push_back(Value::of((all / repeated(ir::convert(all_rows, sum.node->type.dtype))).node));
  }
  acts_ = acts.node;
  step_ = ir::convert(ir::convert(acted + 1.0, ir::DType::i32), ir::DType::f32).node;  // a whole number: of any type
  return means;
}

/// Makes updates that were added since there were `from` of them wait for the step in which the optimizer acts.
void Lowering::wait_to_act(std::vector<ir::Binding>& updates, std::size_t from) {
  if (acts_ == nullptr) return;
  for (std::size_t i = from; i < updates.size(); ++i) {
    const ir::Variable& v = program_.variables[variable_index_.at(updates[i].name)];
    const Expr before(graph_, leaf_of(graph_, v));
    const Expr condition = ir::broadcast(Expr(graph_, acts_), v.shape, {});
    updates[i].node = ir::select(condition, Expr(graph_, updates[i].node), before).node;
  }
}

}  // namespace descent::frontend
