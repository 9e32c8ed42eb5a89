#include <algorithm>

#include "passes/kernels.h"

namespace descent::passes {

using ir::Dimension;
using ir::Node;

namespace {

using Axis = ContractionAxes::Axis;

/// Axes of one element are none, unless there is no other.
void drop_ones(std::vector<Axis>& axes) {
  axes.erase(std::remove_if(axes.begin(), axes.end(), [](const Axis& axis) { return axis.size.is_one(); }), axes.end());
  if (axes.empty()) axes.push_back({Dimension(1), Dimension(0), Dimension(0), Dimension(0)});
}

/// The order in which products are summed is free: axes that lie closer in the first operand further inside, and two
/// that both operands walk as one (the columns and channels of a window) are one.
void merge(std::vector<Axis>& axes) {
  const auto further = [](const Axis& a, const Axis& b) {
    if (!a.lhs.is_constant() || !b.lhs.is_constant()) return !a.lhs.is_constant() && b.lhs.is_constant();
    return a.lhs.constant() > b.lhs.constant();
  };
  drop_ones(axes);
  std::stable_sort(axes.begin(), axes.end(), further);
  for (std::size_t i = axes.size() - 1; i > 0; --i) {
    Axis &outer = axes[i - 1], &inner = axes[i];
    if (!(outer.lhs == inner.lhs * inner.size) || !(outer.rhs == inner.rhs * inner.size)) continue;
    outer = {outer.size * inner.size, inner.lhs, inner.rhs, Dimension(0)};
    axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace

ContractionAxes contraction_axes(const Node* dot, const KernelPlan& plan) {
  const ir::Attributes& a = dot->attributes;
  const Node *l = dot->operands[0], *r = dot->operands[1];
  const auto ls = view_of(l, plan).strides, rs = view_of(r, plan).strides, os = row_major(dot->shape());
  const auto has = [](const std::vector<int>& axes, std::size_t i) {
    return std::find(axes.begin(), axes.end(), static_cast<int>(i)) != axes.end();
  };
  ContractionAxes axes;
  std::size_t out = 0;
  for (std::size_t i = 0; i < a.lhs_batch.size(); ++i, ++out) {
    const auto p = static_cast<std::size_t>(a.lhs_batch[i]), q = static_cast<std::size_t>(a.rhs_batch[i]);
    axes.batch.push_back({l->shape()[p], ls[p], rs[q], os[out]});
  }
  for (std::size_t i = 0; i < ls.size(); ++i) {
    if (has(a.lhs_batch, i) || has(a.lhs_contract, i)) continue;
    axes.rows.push_back({l->shape()[i], ls[i], Dimension(0), os[out++]});
  }
  for (std::size_t i = 0; i < rs.size(); ++i) {
    if (has(a.rhs_batch, i) || has(a.rhs_contract, i)) continue;
    axes.columns.push_back({r->shape()[i], Dimension(0), rs[i], os[out++]});
  }
  for (std::size_t i = 0; i < a.lhs_contract.size(); ++i) {
    const auto p = static_cast<std::size_t>(a.lhs_contract[i]), q = static_cast<std::size_t>(a.rhs_contract[i]);
    axes.contracted.push_back({l->shape()[p], ls[p], rs[q], Dimension(0)});
  }
  merge(axes.contracted);
  for (auto* list : {&axes.rows, &axes.columns, &axes.contracted}) drop_ones(*list);
  return axes;
}

}  // namespace descent::passes
