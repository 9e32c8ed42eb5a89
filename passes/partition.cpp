#include "passes/partition.h"

#include <algorithm>

#include "passes/estimate.h"

namespace descent::passes {

using ir::Dimension;

namespace {

/// Threads for which the axis is chosen, and what a time on so many counts.
constexpr struct {
  std::int64_t threads;
  double weight;
} kTeams[] = {{2, 1}, {4, 0.5}};

/// For how many threads further axes are cut. It costs one thread up to 3 % of small products, whose code is then made
/// for any part of a row.
constexpr struct {
  std::int64_t threads = 32;
  double multiply_adds = 4e6;   ///< of less, they have some microseconds each
  double bytes = 256 * 1024.0;  ///< of an operand that all of them read, from which on they had better read a part
} kManyThreads;

/// Whether the elements of each part go to a piece of the result of their own: along the axis nothing is summed, and
/// it is the result's outermost.
bool keeps(const ir::Node* reduction, const KernelPlan& plan, const ir::Shape& space, std::size_t axis) {
  const View place = reduction_place(reduction, plan);
  if (!place.indirections.empty()) return false;
  std::size_t at = 0;
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (space[i].is_one()) continue;
    const bool reduced = place.strides[i] == Dimension(0);
    if (at == axis) return !reduced;
    if (!reduced) return false;
    ++at;
  }
  return false;
}

bool all_keep(const Kernel& kernel, const KernelPlan& plan, std::size_t axis) {
  return std::all_of(kernel.reductions.begin(), kernel.reductions.end(),
                     [&](const auto& r) { return keeps(r.first, plan, kernel.space, axis); });
}

bool writes_rows_by_index(const Kernel& kernel) {
  return std::any_of(kernel.stores.begin(), kernel.stores.end(),
                     [](const Store& store) { return !store.indirections.empty(); });
}

/// The first axis of the space, where it has more than one element.
Partition along_first(const Kernel& kernel, const KernelPlan& plan) {
  const auto first = std::find_if(kernel.space.begin(), kernel.space.end(), [](auto& d) { return !d.is_one(); });
  if (first == kernel.space.end()) return {};
  const bool kept = kernel.phases.empty() ? all_keep(kernel, plan, 0)
                                          : std::all_of(kernel.phases.begin(), kernel.phases.end(),
                                                        [&](const Kernel& phase) { return all_keep(phase, plan, 0); });
  if (!kept) return {};
  const bool line = kernel.phases.empty() && first + 1 == kernel.space.end();
  constexpr std::int64_t together = 64;  // numbers: whole vectors and cache lines
  if (line && first->is_constant() && first->constant() <= together) return {};
  return {{Cut::Axis::first, 0, *first, line ? together : 1}};
}

/// What one thread of several does beyond its fair share: the last part of an uneven cut, and operands that every
/// thread packs for itself.
double waste(const Cut& cut, double work, double packed) {
  const std::int64_t units = (estimate(cut.size) + cut.unit - 1) / cut.unit;
  constexpr double packing = 8;  // multiply-adds in the time that it takes to pack a number
  double all = 0;
  for (const auto& [threads, weight] : kTeams) {
    const std::int64_t largest = (units + threads - 1) / threads;
    const double share = static_cast<double>(largest) / static_cast<double>(units);
    all += weight * (work * (share - 1.0 / static_cast<double>(threads)) + packed * packing);
  }
  return all;
}

/// Where a contraction's last axes of rows and columns are in the space, not counting axes of size 1.
struct Places {
  std::size_t row, column;
};

Places places_of(const ContractionAxes& axes) {
  const auto count = [](const auto& begin, const auto& end) {
    return static_cast<std::size_t>(std::count_if(begin, end, [](const auto& axis) { return !axis.size.is_one(); }));
  };
  const std::size_t row = count(axes.batch.begin(), axes.batch.end()) + count(axes.rows.begin(), axes.rows.end() - 1);
  return {row, row + count(axes.rows.end() - 1, axes.rows.end()) + count(axes.columns.begin(), axes.columns.end() - 1)};
}

Partition of_contraction(const Kernel& kernel, const KernelPlan& plan, const Machine& of_floats) {
  const Machine machine = for_elements(of_floats, ir::element_bytes(kernel.contraction->type.dtype));
  const ContractionAxes axes = contraction_axes(kernel.contraction, plan);
  const Blocking& blocking = kernel.blocking;
  const Places places = places_of(axes);
  Partition candidates;
  const auto add = [&](Cut::Axis axis, std::size_t place, const Dimension& size, std::int64_t unit) {
    const bool one_part = size.is_constant() && size.constant() <= unit;
    if (!one_part && all_keep(kernel, plan, place)) candidates.push_back({axis, place, size, unit});
  };
  const auto batch =
      std::find_if(axes.batch.begin(), axes.batch.end(), [](const auto& axis) { return !axis.size.is_one(); });
  // Of several batches each goes to one thread, and nothing is packed twice.
  const bool has_batch = batch != axes.batch.end();
  if (has_batch) add(Cut::Axis::outer, 0, batch->size, 1);
  const bool by_batch = !candidates.empty();
  // Of several row axes the outermost is mostly the batch's, by which all that is made of its rows is cut.
  if (!has_batch && axes.rows.size() > 1) add(Cut::Axis::outer, 0, axes.rows.front().size, 1);
  const std::int64_t panel = blocking.panel(machine);
  const Dimension &row = axes.rows.back().size, &column = axes.columns.back().size;
  if (!row.is_one()) {
    const std::int64_t unit = blocking.form == Blocking::Form::tiles  ? blocking.tile_rows
                              : blocking.form == Blocking::Form::dots ? blocking.block_rows
                                                                      : panel;
    add(Cut::Axis::rows, places.row, row, unit);
  }
  if (!column.is_one()) add(Cut::Axis::columns, places.column, column, panel);

  double depth = 1;
  for (const auto& axis : axes.contracted) depth *= static_cast<double>(estimate(axis.size));
  double rows = 1;
  for (const auto& axis : axes.rows) rows *= static_cast<double>(estimate(axis.size));
  const auto columns = static_cast<double>(estimate(column));
  // By columns, which come last, only if that saves something: parts of rows lie in one piece, and products that differ
  // in sizes alone are then mostly cut along the same axis.
  constexpr double something = 0.02;
  const double work = rows * columns * depth;
  std::size_t best = 0;
  double least = 0;
  for (std::size_t i = 0; i < candidates.size() && !by_batch; ++i) {
    const Cut& cut = candidates[i];
    const bool by_rows = cut.axis != Cut::Axis::columns;
    const double again = by_rows ? (blocking.pack_rhs ? columns : 0) : (blocking.pack_lhs ? rows : 0);
    const double loss = waste(cut, work, again * depth) + (by_rows ? 0 : something * work);
    if (i == 0 || loss < least) best = i, least = loss;
  }
  if (candidates.empty()) return {};
  std::swap(candidates.front(), candidates[best]);
  const Cut& first = candidates[0];
  const double read_by_all =
      (first.axis == Cut::Axis::columns ? rows : columns) * depth * static_cast<double>(machine.element);
  const bool is_enough =
      estimate(first.size) >= kManyThreads.threads * first.unit && (by_batch || read_by_all < kManyThreads.bytes);
  double multiply_adds = rows * columns;
  for (const auto& axis : axes.contracted) multiply_adds *= estimated_length(axis.size);
  // A sum of a part of one axis would be begun, and added to, by all who share another.
  if (!kernel.reductions.empty() || multiply_adds < kManyThreads.multiply_adds || is_enough) candidates.resize(1);
  return candidates;
}

}  // namespace

bool shares_columns_alone(const Kernel& kernel, const KernelPlan& plan, const ContractionAxes& axes) {
  const bool single = std::all_of(axes.batch.begin(), axes.batch.end(), [](auto& axis) { return axis.size.is_one(); });
  if (!single || axes.rows.back().size.is_one() || axes.columns.back().size.is_one()) return false;
  const Places places = places_of(axes);
  if (axes.rows.size() > 1 && all_keep(kernel, plan, 0)) return false;
  return !all_keep(kernel, plan, places.row) && all_keep(kernel, plan, places.column);
}

Partition partition_of(const Kernel& kernel, const KernelPlan& plan, const Machine& machine) {
  if (kernel.scan != nullptr || kernel.in_blocks || writes_rows_by_index(kernel)) return {};
  return kernel.contraction != nullptr ? of_contraction(kernel, plan, machine) : along_first(kernel, plan);
}

}  // namespace descent::passes
