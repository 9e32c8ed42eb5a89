#include "passes/equal_blockings.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "ir/op.h"

namespace descent::passes {

using ir::Dimension;
using ir::Node;

namespace {

/// What kernels have in common that may be the same code: what they compute, on operands that lie the same way, with
/// the same packed.
std::string text_of(const CutProduct& product, const KernelPlan& plan) {
  const Kernel& kernel = *product.kernel;
  const Blocking& b = kernel.blocking;
  std::string text =
      fmt::format("{} {} {} {} {} {} {}", fmt::ptr(&kernel.contraction->attributes), static_cast<int>(b.form),
                  b.pack_lhs, b.pack_rhs, b.slabs, b.depth, product.by_columns);
  const auto add = [&](const std::string& more) { text += ' ' + more; };
  const auto kind = [](const Dimension& d) {
    return std::string(!d.is_constant() ? d.to_string() : d.is_one() ? "1" : d == Dimension(0) ? "0" : "*");
  };
  for (const auto* axes : {&product.axes.batch, &product.axes.rows, &product.axes.columns, &product.axes.contracted}) {
    add("|");
    for (const auto& axis : *axes) add(kind(axis.size) + kind(axis.lhs) + kind(axis.rhs));
  }
  std::set<const Node*> seen;
  const auto visit = [&](const auto& self, const Node* node) -> void {
    add(ir::info(node).name);
    if (!seen.insert(node).second || node == kernel.contraction || !computed_in(kernel, node, plan)) return;
    for (const Node* operand : node->operands) self(self, operand);
  };
  for (const Store& store : kernel.stores) visit(visit, store.node);
  for (const auto& [node, buffer] : kernel.reductions) visit(visit, node->operands[0]);
  return text;
}

/// Whether a product may be cut as another has been for itself.
bool is_nearly_as_fast(const Blocking& other, const Blocking& own, const ContractionAxes& axes, const Machine& m) {
  constexpr double for_many = 1.01, for_few = 1.1;
  return other.few.below == own.few.below && other.few.tiles_from == own.few.tiles_from &&
         estimated_cycles(other, axes, m) <= for_many * estimated_cycles(own, axes, m) &&
         estimated_cycles(other.few, axes, m) <= for_few * estimated_cycles(own.few, axes, m);
}

/// Products of the same sizes: what is decided for the first one holds for all, however many equal layers there are.
using EqualProducts = std::vector<const CutProduct*>;

/// Of all their cuts the one that suits the most of them, and of several the fastest; then again for the others.
void make_equal(std::vector<const EqualProducts*> products, const Machine& machine) {
  while (products.size() > 1) {
    const ir::DType dtype = products[0]->front()->kernel->contraction->type.dtype;
    const Machine m = for_elements(machine, ir::element_bytes(dtype));
    std::vector<const EqualProducts*> best, others;
    Blocking chosen;
    double least = 0;
    for (const EqualProducts* candidate : products) {
      const Blocking& cut = candidate->front()->kernel->blocking;
      std::vector<const EqualProducts*> suited, rest;
      double total = 0;
      for (const EqualProducts* equal : products) {
        const ContractionAxes& axes = equal->front()->axes;
        const bool suits = is_nearly_as_fast(cut, equal->front()->kernel->blocking, axes, m);
        (suits ? suited : rest).push_back(equal);
        if (suits) total += estimated_cycles(cut, axes, m);
      }
      if (suited.size() < best.size() || (suited.size() == best.size() && total >= least)) continue;
      chosen = cut, least = total;
      best = std::move(suited), others = std::move(rest);
    }
    for (const EqualProducts* equal : best) {
      for (const CutProduct* product : *equal) product->kernel->blocking = chosen;
    }
    products = std::move(others);
  }
}

}  // namespace

void make_blockings_equal(const std::vector<CutProduct>& products, const KernelPlan& plan, const Machine& machine) {
  std::map<std::string, std::vector<EqualProducts>> families;
  for (const CutProduct& product : products) {
    const Blocking& own = product.kernel->blocking;
    if (own.form != Blocking::Form::tiles || own.outer || !is_large(product.axes)) continue;
    std::vector<EqualProducts>& family = families[text_of(product, plan)];
    const auto same = std::find_if(family.begin(), family.end(),
                                   [&](const EqualProducts& equal) { return equal.front()->axes == product.axes; });
    if (same == family.end())
      family.push_back({&product});
    else
      same->push_back(&product);
  }
  for (const auto& [text, family] : families) {
    std::vector<const EqualProducts*> all;
    for (const EqualProducts& equal : family) all.push_back(&equal);
    make_equal(std::move(all), machine);
  }
}

}  // namespace descent::passes
