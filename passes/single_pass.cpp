#include "passes/single_pass.h"

#include <algorithm>

#include "passes/partition.h"
#include "passes/traffic.h"

namespace descent::passes {

using ir::Dimension;

namespace {

constexpr std::int64_t kRows = 16;  // of a block at least: a vector of results

bool is_product(const Kernel& kernel, Blocking::Form form) {
  return kernel.contraction != nullptr && kernel.blocking.form == form;
}

/// One axis of rows, one of columns and one that is contracted, without any other.
bool is_plain(const ContractionAxes& axes) {
  return axes.batch.empty() && axes.rows.size() == 1 && axes.columns.size() == 1 && axes.contracted.size() == 1;
}

/// Whether the kernel stores, element after element, what lies at `view`.
bool stores_rows(const Kernel& kernel, const View& view, const KernelPlan& plan) {
  const auto at = plan.stored.find(view.source);
  return at != plan.stored.end() && view.offset == Dimension(0) &&
         std::any_of(kernel.stores.begin(), kernel.stores.end(), [&](const Store& s) {
           return s.buffer == at->second && s.strides.empty() && s.offset == Dimension(0) && s.indirections.empty();
         });
}

/// Whether `second` contracts the rows of the matrix that `first` multiplies with a column, with numbers that `first`
/// makes of each row.
bool share_rows(const Kernel& first, const Kernel& second, const KernelPlan& plan) {
  const ContractionAxes forward = contraction_axes(first.contraction, plan);
  const ContractionAxes backward = contraction_axes(second.contraction, plan);
  if (!is_plain(forward) || !is_plain(backward)) return false;
  const auto &row = forward.rows[0], &k = forward.contracted[0];
  const auto &result = backward.rows[0], &n = backward.contracted[0];
  const View matrix = view_of(first.contraction->operands[0], plan);
  const View again = view_of(second.contraction->operands[0], plan);
  const bool same = matrix.source == again.source && matrix.offset == again.offset && row.size == n.size &&
                    row.lhs == n.lhs && k.size == result.size && k.lhs.is_one() && result.lhs.is_one();
  // All sums of the second product stay in its block.
  const bool fits = result.size.is_constant() && result.size.constant() <= second.blocking.block_columns;
  return same && fits && n.rhs.is_one() && ir::element_count(first.space) == row.size &&
         stores_rows(first, view_of(second.contraction->operands[1], plan), plan);
}

Kernel together(const Kernel& first, const Kernel& second, const KernelPlan& plan, const Machine& of_floats) {
  const Machine machine = for_elements(of_floats, ir::element_bytes(first.contraction->type.dtype));
  Kernel kernel;
  kernel.space = first.space;
  kernel.group = first.group;
  kernel.in_blocks = true;
  kernel.phases = {first, second};
  const std::int64_t width = contraction_axes(first.contraction, plan).contracted[0].size.constant();
  const std::int64_t held = machine.level1 / 2 / machine.element / width / kRows * kRows;
  Blocking& blocking = kernel.phases[0].blocking;
  blocking.block_rows = std::clamp(held, kRows, blocking.block_rows);
  return kernel;
}

}  // namespace

void fuse_products(KernelPlan& plan, const Machine& machine) {
  constexpr std::size_t window = 8;  // kernels behind the first product among which the second is looked for
  auto& kernels = plan.kernels;
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    if (!is_product(kernels[i], Blocking::Form::dots)) continue;
    if (!partition_of(kernels[i], plan, machine).empty()) continue;  // threads share its rows
    for (std::size_t j = i + 1; j < std::min(kernels.size(), i + window); ++j) {
      if (!is_product(kernels[j], Blocking::Form::turned) || !share_rows(kernels[i], kernels[j], plan)) continue;
      const Traffic second = traffic_of(kernels[j], plan);
      const bool waits = std::any_of(
          kernels.begin() + static_cast<std::ptrdiff_t>(i) + 1, kernels.begin() + static_cast<std::ptrdiff_t>(j),
          [&](const Kernel& between) { return must_follow(second, traffic_of(between, plan)); });
      if (waits) continue;
      kernels[i] = together(kernels[i], kernels[j], plan, machine);
      kernels.erase(kernels.begin() + static_cast<std::ptrdiff_t>(j));
      break;
    }
  }
}

}  // namespace descent::passes
