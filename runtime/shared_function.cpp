#include "runtime/shared_function.h"

#include <algorithm>
#include <chrono>

namespace descent::runtime {

namespace {

struct Piece {
  const std::byte *begin, *end;
  bool is_empty() const { return begin == end; }
  bool meets(const Piece& other) const {
    return begin < other.end && other.begin < end && !is_empty() && !other.is_empty();
  }
};

}  // namespace

/// What a task reads and writes, as a whole and by member.
struct SharedFunction::Touched {
  Piece all;
  bool written, is_workspace;
  std::vector<Piece> parts;  ///< empty: all members touch the whole, or the first member alone does

  const Piece& part(std::size_t member) const { return parts.empty() ? all : parts[member]; }
  bool conflicts_with(const Touched& other) const {
    if (is_workspace && other.is_workspace) return false;  // each member has its own
    return (written || other.written) && all.meets(other.all) && !is_cut_like(other);
  }
  /// Whether parts of different members never meet: they lie one after the other, those of both tasks alike.
  bool is_cut_like(const Touched& other) const {
    const std::byte* reached = nullptr;
    for (std::size_t member = 0; member < std::min(parts.size(), other.parts.size()); ++member) {
      const Piece pieces[] = {parts[member], other.parts[member]};
      for (const Piece& piece : pieces) {
        if (!piece.is_empty() && piece.begin < reached) return false;
      }
      for (const Piece& piece : pieces) {
        if (!piece.is_empty()) reached = std::max(reached, piece.end);
      }
    }
    return !parts.empty() && !other.parts.empty();
  }
};

std::vector<std::pair<const SharedFunction::Touched*, const SharedFunction::Touched*>> SharedFunction::conflicts(
    const std::vector<Touched>& earlier, const std::vector<Touched>& later) {
  std::vector<std::pair<const Touched*, const Touched*>> found;
  for (const Touched& e : earlier) {
    for (const Touched& l : later) {
      if (e.conflicts_with(l)) found.emplace_back(&e, &l);
    }
  }
  return found;
}

SharedFunction::SharedFunction(const codegen::CompiledProgram& program, const std::string& function,
                               const ir::DimensionValues& sizes, std::vector<std::int64_t> dimensions,
                               const codegen::AddressTable& addresses, int threads, double barrier_us)
    : threads_(threads),
      barrier_us_(barrier_us),
      way_(barrier_us == 0),
      dimensions_(std::move(dimensions)),
      addresses_(static_cast<std::size_t>(threads), addresses),
      members_(std::make_unique<Member[]>(static_cast<std::size_t>(threads))) {
  const codegen::KernelTable& table = program.kernels();
  const codegen::CompiledFunction& compiled = program.function(function);
  double saved = 0;
  for (const codegen::KernelTable::Call& call : table.calls.at(function)) {
    tasks_.push_back({table.kernels[call.kernel], program.kernel(call.kernel), call.first_slot, {}, false, {}, false});
    saved += share(tasks_.back(), compiled, sizes);
  }
  if (saved <= 4 * barrier_us_) return;  // waits only make it less
  place_waits(compiled, sizes);
  for (const Task& task : tasks_) {
    const bool waits =
        std::any_of(task.waits.begin(), task.waits.end(), [](const std::vector<Wait>& w) { return !w.empty(); });
    saved -= waits ? barrier_us_ : 0;
  }
  worth_it_ = saved > 4 * barrier_us_;
  if (worth_it_) give_workspaces(compiled, sizes);
}

bool SharedFunction::is_empty(const Share& share) {
  return std::any_of(share.begin(), share.end(), [](const codegen::Part& part) { return part.begin >= part.end; });
}

/// In how many parts each axis is cut.
struct SharedFunction::Grid {
  struct Axis {
    std::int64_t size, unit, parts = 1;

    /// No part is shorter than a unit: the tiles at its end would reach into another.
    std::int64_t most_parts() const { return std::max<std::int64_t>(size / unit, 1); }
    /// Where a part begins: at the multiple of the unit that is nearest to an even cut.
    std::int64_t begin(std::int64_t part) const {
      if (part == parts) return size;
      const std::int64_t nearest = (2 * size * part + unit * parts) / (2 * unit * parts);
      return std::min(nearest, most_parts() - (parts - part)) * unit;
    }
    /// What the largest part is of the whole.
    double largest() const {
      std::int64_t most = 0;
      for (std::int64_t part = 0; part < parts; ++part) most = std::max(most, begin(part + 1) - begin(part));
      return static_cast<double>(most) / static_cast<double>(size);
    }
  };
  std::vector<Axis> axes;

  std::int64_t members() const {
    std::int64_t all = 1;
    for (const Axis& axis : axes) all *= axis.parts;
    return all;
  }
  double largest() const {
    double all = 1;
    for (const Axis& axis : axes) all *= axis.largest();
    return all;
  }
};

/// What it takes a member to read its part of what others have written.
double SharedFunction::read_us(const Task& task, const codegen::CompiledFunction& function,
                               const ir::DimensionValues& sizes, const Grid& grid) const {
  constexpr double kBytesPerUs = 10e3;  // measured: 7.5 with 16 members on a server's processor, all at once
  double bytes = 0;
  for (const passes::Touch& touch : task.kernel.touches) {
    if (touch.written) continue;
    const std::size_t slot = task.first_slot + static_cast<std::size_t>(touch.slot);
    const auto buffer = static_cast<std::size_t>(function.slots[slot].buffer);
    auto part = static_cast<double>(passes::bytes_of(function.plan.buffers[buffer], sizes));
    for (std::size_t i = 0; i < touch.strides.size(); ++i)
      part *= touch.strides[i].evaluate(sizes) == 0 ? 1 : grid.axes[i].largest();
    bytes += part;
  }
  return bytes / kBytesPerUs;
}

/// The grid in which the member with the largest part is done first. Two or three members share the first axis where
/// it has a part for each.
SharedFunction::Grid SharedFunction::grid(const Task& task, const codegen::CompiledFunction& function,
                                          const ir::DimensionValues& sizes) const {
  Grid grid;
  for (const passes::Cut& cut : task.kernel.partition) grid.axes.push_back({cut.size.evaluate(sizes), cut.unit});
  grid.axes[0].parts = std::min<std::int64_t>(threads_, grid.axes[0].most_parts());
  constexpr int few = 3;
  if (grid.axes.size() < 2 || (threads_ <= few && grid.axes[0].parts == threads_)) return grid;
  const double us = passes::estimated_us(task.kernel.work, sizes);
  const auto time = [&](const Grid& g) { return us * g.largest() + read_us(task, function, sizes, g); };
  Grid best = grid;
  double least = time(grid);
  const auto cut = [&](auto&& self, std::size_t axis, std::int64_t members) -> void {
    if (axis == grid.axes.size()) {
      if (const double now = time(grid); now < least) best = grid, least = now;
      return;
    }
    for (std::int64_t parts = std::min(members, grid.axes[axis].most_parts()); parts > 0; --parts) {
      grid.axes[axis].parts = parts;
      self(self, axis + 1, members / parts);
    }
  };
  cut(cut, 0, threads_);
  return best;
}

/// Cuts the kernel in parts of about equal size, if that can be; returns the time that it saves, if that is worth a
/// barrier.
double SharedFunction::share(Task& task, const codegen::CompiledFunction& function,
                             const ir::DimensionValues& sizes) const {
  const passes::Partition& partition = task.kernel.partition;
  if (partition.empty()) return 0;
  const Grid cut = grid(task, function, sizes);
  if (cut.members() < 2) return 0;
  const double saved = passes::estimated_us(task.kernel.work, sizes) * (1 - cut.largest());
  task.is_small = saved < 2 * barrier_us_;
  for (std::int64_t member = 0; member < threads_; ++member) {
    // Fewer parts than members lie among them, not with the first ones, which have most to do alone.
    std::int64_t left = member * cut.members() / threads_;
    const bool has_part = (member + 1) * cut.members() / threads_ > left;
    Share share(partition.size(), codegen::Part{0, 0});
    for (std::size_t i = has_part ? partition.size() : 0; i-- > 0;) {
      const Grid::Axis& axis = cut.axes[i];
      share[i] = {axis.begin(left % axis.parts), axis.begin(left % axis.parts + 1)};
      left /= axis.parts;
    }
    task.shares.push_back(std::move(share));
  }
  return task.is_small ? 0 : saved;
}

std::vector<SharedFunction::Touched> SharedFunction::touched(const Task& task,
                                                             const codegen::CompiledFunction& function,
                                                             const ir::DimensionValues& sizes) const {
  std::vector<Touched> result;
  const auto slot_of = [&](int slot) -> const codegen::Slot& {
    return function.slots[task.first_slot + static_cast<std::size_t>(slot)];
  };
  const auto buffer_of = [&](int slot) -> const passes::Buffer& {
    return function.plan.buffers[static_cast<std::size_t>(slot_of(slot).buffer)];
  };
  const auto whole = [&](int slot) {
    const auto* begin =
        static_cast<const std::byte*>(addresses_[0].buffer(static_cast<std::size_t>(slot_of(slot).buffer)));
    return Piece{begin, begin == nullptr ? nullptr : begin + passes::bytes_of(buffer_of(slot), sizes)};
  };
  for (const passes::Touch& touch : task.kernel.touches) {
    const Piece all = whole(touch.slot);
    if (all.begin == nullptr) continue;  // an input, which is only read
    Touched now{all, touch.written, false, {}};
    if (!touch.whole && !task.shares.empty()) {
      const std::byte* origin = all.begin + slot_of(touch.slot).value;
      const std::int64_t bytes = ir::element_bytes(buffer_of(touch.slot).dtype);
      const passes::Touch::Reach reach = touch.reach(sizes);
      for (const Share& share : task.shares) {
        if (is_empty(share)) {
          now.parts.push_back({all.begin, all.begin});
          continue;
        }
        std::int64_t low = 0, high = 0;
        for (std::size_t axis = 0; axis < share.size(); ++axis) {
          const auto [least, most] =
              std::minmax({share[axis].begin * reach.strides[axis], (share[axis].end - 1) * reach.strides[axis]});
          low += least, high += most;
        }
        // Padding lies outside of the buffer, and is not read.
        now.parts.push_back({std::max(all.begin, origin + (reach.first + low) * bytes),
                             std::min(all.end, origin + (reach.last + high + 1) * bytes)});
      }
    }
    result.push_back(std::move(now));
  }
  if (task.kernel.workspace >= 0) result.push_back({whole(task.kernel.workspace), true, true, {}});
  return result;
}

/// Until which earlier task each member has waited for each other one: what it touches of those it may touch.
struct SharedFunction::Passed {
  explicit Passed(std::size_t members) : tasks(members, std::vector<std::size_t>(members, 0)) {}
  std::vector<std::vector<std::size_t>> tasks;  ///< [who][for whom]
};

/// For each member of task `k` the last earlier task of every other member that touches the same memory, if it does not
/// wait for that one, or for a later one of the same member, anyway.
std::vector<std::vector<SharedFunction::Wait>> SharedFunction::waits_before(
    std::size_t k, const std::vector<std::vector<Touched>>& all, const std::vector<Touched>& own,
    Passed& passed) const {
  const auto members = static_cast<std::size_t>(threads_);
  const Task& task = tasks_[k];
  std::vector<std::vector<Wait>> waits(members);
  const auto works = [](const Task& t, std::size_t member) { return !t.shares.empty() || member == 0; };
  // Now and then all wait for all, so that what may be waited for is not far away.
  constexpr std::size_t kWindow = 256;
  const auto wait_for = [&](std::size_t who, std::size_t other, std::size_t e) {
    passed.tasks[who][other] = e + 1;
    waits[who].push_back({other, static_cast<std::uint32_t>(e + 1)});
  };
  for (std::size_t who = 0; k > 0 && k % kWindow == 0 && who < members; ++who) {
    for (std::size_t other = 0; other < members; ++other) {
      if (other != who && passed.tasks[who][other] < k) wait_for(who, other, k - 1);
    }
  }
  struct Pair {
    std::size_t who, other;
  };
  std::vector<Pair> open;  // who may still have to wait for whom
  std::size_t least = k;   // until there each of them has waited
  for (std::size_t who = 0; who < members; ++who) {
    if (!works(task, who)) continue;
    for (std::size_t other = 0; other < members; ++other) {
      if (who == other || passed.tasks[who][other] >= k) continue;
      open.push_back({who, other});
      least = std::min(least, passed.tasks[who][other]);
    }
  }
  for (std::size_t e = k; e-- > std::max(k / kWindow * kWindow, least) && !open.empty();) {
    const auto met = conflicts(all[e], own);
    if (met.empty()) continue;
    least = k;
    std::erase_if(open, [&](const Pair& pair) {
      const auto [who, other] = pair;
      if (passed.tasks[who][other] > e) return true;
      const bool parts_meet =
          works(tasks_[e], other) && std::any_of(met.begin(), met.end(), [&, who = who, other = other](const auto& m) {
            return m.first->part(other).meets(m.second->part(who));
          });
      if (parts_meet)
        wait_for(who, other, e);
      else
        least = std::min(least, passed.tasks[who][other]);
      return parts_meet;
    });
  }
  return waits;
}

/// A kernel that is too small to be worth a wait is shared all the same where the first member would have to wait
/// before it makes it alone, and fewer wait if each makes its own: what one member has just written is far away from
/// another.
void SharedFunction::place_waits(const codegen::CompiledFunction& function, const ir::DimensionValues& sizes) {
  const auto count = [](const std::vector<std::vector<Wait>>& waits) {
    std::size_t all = 0;
    for (const std::vector<Wait>& of_member : waits) all += of_member.size();
    return all;
  };
  std::vector<std::vector<Touched>> all;
  Passed passed(static_cast<std::size_t>(threads_));
  for (std::size_t k = 0; k < tasks_.size(); ++k) {
    Task& task = tasks_[k];
    Passed after = passed;
    std::vector<Touched> own = touched(task, function, sizes);
    task.waits = waits_before(k, all, own, after);
    if (task.is_small) {
      std::vector<Share> shares;
      std::swap(shares, task.shares);
      Passed after_alone = passed;
      std::vector<Touched> alone = touched(task, function, sizes);
      auto waits = waits_before(k, all, alone, after_alone);
      if (count(task.waits) < count(waits)) {
        std::swap(shares, task.shares);
      } else {
        own = std::move(alone), after = std::move(after_alone), task.waits = std::move(waits);
      }
    }
    for (const std::vector<Wait>& waits : task.waits) {
      for (const Wait& wait : waits) tasks_[wait.tasks - 1].is_awaited = true;
    }
    all.push_back(std::move(own));
    passed = std::move(after);
  }
}

void SharedFunction::give_workspaces(const codegen::CompiledFunction& function, const ir::DimensionValues& sizes) {
  std::int64_t most = 0;
  std::vector<std::size_t> buffers;
  for (const Task& task : tasks_) {
    if (task.kernel.workspace < 0) continue;
    const auto slot = task.first_slot + static_cast<std::size_t>(task.kernel.workspace);
    buffers.push_back(static_cast<std::size_t>(function.slots[slot].buffer));
    if (!task.shares.empty()) most = std::max(most, passes::bytes_of(function.plan.buffers[buffers.back()], sizes));
  }
  for (std::size_t member = 1; member < addresses_.size(); ++member) {
    auto& memory = workspaces_.emplace_back(static_cast<std::size_t>(most));
    for (std::size_t buffer : buffers) addresses_[member].set(buffer, memory.data());
  }
}

void SharedFunction::set_buffer(std::size_t buffer, void* address) {
  for (codegen::AddressTable& table : addresses_) table.set(buffer, address);
}

void SharedFunction::perform(std::size_t task, std::size_t member, codegen::RunState* state) const {
  const Task& t = tasks_[task];
  const auto call = [&](const codegen::Part* parts) {
    t.code(addresses_[member].data() + t.first_slot, dimensions_.data(), state, parts);
  };
  if (!t.shares.empty()) {
    if (!is_empty(t.shares[member])) call(t.shares[member].data());
  } else if (member == 0) {
    call(codegen::kWhole.data());
  }
}

template <class Say>
void SharedFunction::walk(int member, codegen::RunState* state, Say say) {
  const auto self = static_cast<std::size_t>(member);
  const std::uint32_t before = members_[self].before;
  members_[self].before += static_cast<std::uint32_t>(tasks_.size());
  say();
  for (std::size_t k = 0; k < tasks_.size(); ++k) {
    for (const Wait& wait : tasks_[k].waits[self]) members_[wait.member].done.wait_until(before + wait.tasks);
    say();
    perform(k, self, state);
    if (tasks_[k].is_awaited) members_[self].done.set(before + static_cast<std::uint32_t>(k) + 1);
    say();
  }
}

void SharedFunction::run(int member, codegen::RunState* state) {
  walk(member, state, [] {});
}

void SharedFunction::run(int member, codegen::RunState* state, std::vector<Spent>& spent) {
  using Clock = std::chrono::steady_clock;
  std::vector<Clock::time_point> times;
  times.reserve(2 * tasks_.size() + 1);
  walk(member, state, [&] { times.push_back(Clock::now()); });
  const auto between = [&](std::size_t i) {
    return std::chrono::duration<double, std::micro>(times[i + 1] - times[i]).count();
  };
  spent.clear();
  for (std::size_t k = 0; k < tasks_.size(); ++k) spent.push_back({between(2 * k), between(2 * k + 1)});
}

void SharedFunction::run_apart(const std::vector<std::size_t>& order, codegen::RunState* state) const {
  std::vector<std::size_t> done(order.size(), 0);
  const auto may_go_on = [&](std::size_t member) {
    if (done[member] == tasks_.size()) return false;
    const std::vector<Wait>& waits = tasks_[done[member]].waits[member];
    return std::all_of(waits.begin(), waits.end(), [&](const Wait& wait) { return done[wait.member] >= wait.tasks; });
  };
  for (;;) {
    const auto next = std::find_if(order.begin(), order.end(), may_go_on);
    if (next == order.end()) break;
    perform(done[*next]++, *next, state);
  }
  if (std::any_of(done.begin(), done.end(), [&](std::size_t d) { return d < tasks_.size(); }))
    throw Error("internal: members of a team wait for each other");
}

}  // namespace descent::runtime
