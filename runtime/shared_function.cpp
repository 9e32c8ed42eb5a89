#include "runtime/shared_function.h"

#include <algorithm>
#include <limits>

namespace descent::runtime {

namespace {

/// A piece of memory that a kernel reads or writes.
struct Touched {
  const std::byte *begin, *end;
  bool written, is_workspace;
  bool by_all;  ///< members, not only the first

  bool conflicts_with(const Touched& later) const {
    if (!by_all && !later.by_all) return false;            // one after the other on the same thread
    if (is_workspace && later.is_workspace) return false;  // each member has its own
    return (written || later.written) && begin < later.end && later.begin < end;
  }
};

}  // namespace

SharedFunction::SharedFunction(const codegen::KernelCalls& kernels, const std::string& function,
                               const ir::DimensionValues& sizes, std::vector<std::int64_t> dimensions,
                               const codegen::AddressTable& addresses, int threads, double barrier_us)
    : threads_(threads),
      barrier_us_(barrier_us),
      dimensions_(std::move(dimensions)),
      addresses_(static_cast<std::size_t>(threads), addresses) {
  const passes::KernelPlan& plan = kernels.plans.at(function);
  double saved = 0;
  for (const codegen::KernelCall& call : kernels.calls.at(function)) {
    const passes::Kernel& kernel = plan.kernels[tasks_.size()];
    tasks_.push_back({call, false, {}});
    saved += share(tasks_.back(), kernel, plan, sizes);
  }
  place_barriers(plan, sizes);
  for (const Task& task : tasks_) saved -= task.waits ? barrier_us_ : 0;
  worth_it_ = saved > 4 * barrier_us_;
  if (worth_it_) give_workspaces(plan, sizes);
}

/// Cuts the kernel in parts of about equal size, if that is worth a barrier; returns the time that it saves.
double SharedFunction::share(Task& task, const passes::Kernel& kernel, const passes::KernelPlan& plan,
                             const ir::DimensionValues& sizes) const {
  const passes::Partition& partition = task.call.partition;
  if (partition.axis == passes::Partition::Axis::none) return 0;
  const std::int64_t size = partition.size.evaluate(sizes), unit = partition.unit;
  // No part is shorter than a unit: the tiles at its end would reach into another.
  const std::int64_t units = std::max<std::int64_t>(size / unit, 1), members = std::min<std::int64_t>(threads_, units);
  if (members < 2) return 0;
  const double largest = static_cast<double>((units + members - 1) / members) / static_cast<double>(units);
  const double saved = passes::estimated_us(passes::work_of(kernel, plan, sizes)) * (1 - largest);
  if (saved < 2 * barrier_us_) return 0;
  for (std::int64_t member = 0; member < threads_; ++member) {
    const auto boundary = [&](std::int64_t m) { return m == threads_ ? size : units * m / threads_ * unit; };
    task.shares.push_back({boundary(member), boundary(member + 1)});
  }
  return saved;
}

void SharedFunction::place_barriers(const passes::KernelPlan& plan, const ir::DimensionValues& sizes) {
  std::vector<Touched> since;  // the last barrier
  for (std::size_t k = 0; k < tasks_.size(); ++k) {
    const passes::Kernel& kernel = plan.kernels[k];
    const bool by_all = !tasks_[k].shares.empty();
    std::vector<Touched> now;
    const auto touch = [&](int buffer, bool written) {
      const auto b = static_cast<std::size_t>(buffer);
      const auto* begin = static_cast<const std::byte*>(addresses_[0].buffer(b));
      if (begin == nullptr) return;  // an input, which is only read
      now.push_back(
          {begin, begin + passes::bytes_of(plan.buffers[b], sizes), written, buffer == kernel.workspace, by_all});
    };
    for (int buffer : passes::buffers_read(kernel, plan)) touch(buffer, false);
    for (int buffer : passes::buffers_written(kernel)) touch(buffer, true);
    if (kernel.workspace >= 0) touch(kernel.workspace, true);
    tasks_[k].waits = std::any_of(since.begin(), since.end(), [&](const Touched& earlier) {
      return std::any_of(now.begin(), now.end(), [&](const Touched& t) { return earlier.conflicts_with(t); });
    });
    if (tasks_[k].waits) since.clear();
    since.insert(since.end(), now.begin(), now.end());
  }
}

void SharedFunction::give_workspaces(const passes::KernelPlan& plan, const ir::DimensionValues& sizes) {
  std::int64_t most = 0;
  for (std::size_t k = 0; k < tasks_.size(); ++k) {
    const int workspace = plan.kernels[k].workspace;
    if (workspace < 0 || tasks_[k].shares.empty()) continue;
    most = std::max(most, passes::bytes_of(plan.buffers[static_cast<std::size_t>(workspace)], sizes));
  }
  for (std::size_t member = 1; member < addresses_.size(); ++member) {
    auto& memory = workspaces_.emplace_back(static_cast<std::size_t>(most));
    for (const passes::Kernel& kernel : plan.kernels) {
      if (kernel.workspace >= 0) addresses_[member].set(static_cast<std::size_t>(kernel.workspace), memory.data());
    }
  }
}

void SharedFunction::set_buffer(std::size_t buffer, void* address) {
  for (codegen::AddressTable& table : addresses_) table.set(buffer, address);
}

void SharedFunction::run(int member, Team& team, codegen::RunState* state) const {
  void* const* addresses = addresses_[static_cast<std::size_t>(member)].data();
  for (const Task& task : tasks_) {
    if (task.waits) team.barrier();
    const auto call = [&](Range range) {
      task.call.code(addresses + task.call.first_slot, dimensions_.data(), state, range.begin, range.end);
    };
    if (!task.shares.empty()) {
      const Range range = task.shares[static_cast<std::size_t>(member)];
      if (range.begin < range.end) call(range);
    } else if (member == 0) {
      call({0, std::numeric_limits<std::int64_t>::max()});
    }
  }
}

}  // namespace descent::runtime
