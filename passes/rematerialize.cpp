// The kernels are gone through in order, with a budget of memory, as if they ran. When one needs more than is free, a
// buffer is given up whose content will be needed again: the one for which the time to compute it again is least for
// its bytes and for how long they stay free. What a kernel needs and is not there is computed again before it, with
// what that needs in turn. This is the algorithm of Kirisame et al., "Dynamic Tensor Rematerialization" (ICLR 2021),
// h(t) = cost / (bytes * staleness), which is within a constant of the best for chains; as all uses are known here, the
// distance to the next one takes the place of staleness (Belady, "A study of replacement algorithms", 1966). Evenly
// spread checkpoints (Chen et al., "Training deep nets with sublinear memory cost", 2016) come out by themselves: the
// cost of a buffer grows with the chain behind it that has been given up.
#include "passes/rematerialize.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "descent/error.h"

namespace descent::passes {

namespace {

constexpr int kNever = std::numeric_limits<int>::max();

std::size_t at(int index) { return static_cast<std::size_t>(index); }

class Rematerializer {
 public:
  Rematerializer(const KernelPlan& plan, const ir::DimensionValues& sizes)
      : plan_(plan), contents_(plan.buffers.size()), tasks_(plan.kernels.size()) {
    for (std::size_t k = 0; k < tasks_.size(); ++k) describe_task(static_cast<int>(k), sizes);
    for (std::size_t b = 0; b < contents_.size(); ++b) {
      contents_[b].bytes = arena_bytes(plan.buffers[b], sizes);
      if (plan.buffers[b].kind == Buffer::Kind::result) always_in_use_ += contents_[b].bytes;
    }
    for (std::size_t k = 0; k < tasks_.size(); ++k) find_needs(tasks_[k]);
  }

  /// The kernels in the order in which they run, some of them several times, and the lives of the buffers.
  struct Sequence {
    std::vector<int> kernels;
    std::vector<std::vector<Life>> lives;
  };

  /// Aims at a budget of memory in use at once, and goes beyond it only where nothing can be given up. Nothing where
  /// that takes too long.
  std::optional<Sequence> run(std::int64_t budget) {
    constexpr std::size_t kMost = 8;  // times as many kernels: a step that slow is none
    budget_ = budget;
    most_ = kMost * tasks_.size();
    in_use_ = always_in_use_;
    sequence_ = {{}, std::vector<std::vector<Life>>(contents_.size())};
    held_.clear();
    for (Content& c : contents_) c.is_there = false, c.pins = 0, c.next = 0, c.kept_for = -1;
    for (int k = 0; k < static_cast<int>(tasks_.size()); ++k) {
      now_ = k;
      if (!run_task(k, k + 1)) return std::nullopt;
      for (int b : std::vector<int>(held_.begin(), held_.end())) release(b);  // also what was kept for a task before it
    }
    return std::move(sequence_);
  }

 private:
  struct Task {
    std::vector<int> reads, writes;  ///< temporaries; of those written also the workspace
    double us = 0;
    bool can_run_again = true;
    int until = kNever;  ///< kernels before which it can run again, with all it needs: then variables have changed
    std::set<int> needs = {};  ///< temporaries that cannot be computed again, but that it needs to run again, also
                               ///< through others
  };

  /// What is in a temporary.
  struct Content {
    std::int64_t bytes = 0;
    std::vector<int> makers, uses;  ///< kernels that write it, kernels that read it, in order
    bool is_there = false;
    int pins = 0;             ///< by kernels that are about to run
    std::size_t next = 0;     ///< of `uses`, the first that is still to come
    int kept_for = -1;        ///< a kernel before which something is computed again that needs it
    int begin = 0, last = 0;  ///< of the present life
  };

  void describe_task(int k, const ir::DimensionValues& sizes) {
    const Kernel& kernel = plan_.kernels[at(k)];
    Task& task = tasks_[at(k)];
    task.us = estimated_us(work_of(kernel, plan_), sizes);
    const std::vector<int> written = buffers_written(kernel);
    for (int b : buffers_read(kernel, plan_)) {
      if (is_temporary(b)) {
        if (std::find(written.begin(), written.end(), b) != written.end()) {
          if (contents_[at(b)].makers.empty()) continue;  // one phase reads what another has made
          task.can_run_again = false;                     // it changes what others have made
        }
        task.reads.push_back(b);
        contents_[at(b)].uses.push_back(k);
      } else if (plan_.buffers[at(b)].kind == Buffer::Kind::variable) {
        readers_[b].push_back(k);
      }
    }
    for (int b : written) {
      if (is_temporary(b)) {
        task.writes.push_back(b);
        contents_[at(b)].makers.push_back(k);
      } else if (plan_.buffers[at(b)].kind == Buffer::Kind::variable) {
        task.can_run_again = false;
        for (int reader : readers_[b]) tasks_[at(reader)].until = std::min(tasks_[at(reader)].until, k);
      }
    }
    if (kernel.workspace >= 0) task.writes.push_back(kernel.workspace);
  }

  /// Tasks before it have been asked.
  void find_needs(Task& task) {
    for (int b : task.reads) {
      if (!can_be_made_again(b)) {
        task.needs.insert(b);
        continue;
      }
      for (int maker : contents_[at(b)].makers) {
        const Task& other = tasks_[at(maker)];
        task.until = std::min(task.until, other.until);
        task.needs.insert(other.needs.begin(), other.needs.end());
      }
    }
  }

  bool is_temporary(int b) const { return plan_.buffers[at(b)].kind == Buffer::Kind::temporary; }

  bool can_be_made_again(int b) const {
    const auto& makers = contents_[at(b)].makers;
    return std::all_of(makers.begin(), makers.end(), [&](int k) { return tasks_[at(k)].can_run_again; });
  }

  /// The kernel that uses it next, the present one included; kNever: none.
  int next_use(Content& c) const {
    while (c.next < c.uses.size() && c.uses[c.next] < now_) ++c.next;
    return c.next < c.uses.size() ? c.uses[c.next] : kNever;
  }

  /// Runs a kernel, after what it needs has been computed again. From then on `now` is the kernel that is to come.
  bool run_task(int k, int now) {
    const Task& task = tasks_[at(k)];
    for (int b : task.reads) {
      if (!need(b)) return false;
    }
    for (int b : task.writes) {
      begin(b);
      ++contents_[at(b)].pins;
    }
    const int position = static_cast<int>(sequence_.kernels.size());
    sequence_.kernels.push_back(k);
    now_ = now;
    for (const auto* list : {&task.reads, &task.writes}) {
      for (int b : *list) {
        contents_[at(b)].last = position;
        --contents_[at(b)].pins;
      }
    }
    for (const auto* list : {&task.reads, &task.writes}) {
      for (int b : *list) release(b);
    }
    return sequence_.kernels.size() <= most_;
  }

  /// Sees to it that the content is there, and keeps it there until the pin is taken away.
  bool need(int b) {
    Content& c = contents_[at(b)];
    ++c.pins;
    if (c.is_there) return true;
    if (!can_be_made_again(b)) throw Error("internal: a value was given up that cannot be computed again");
    return std::all_of(c.makers.begin(), c.makers.end(), [&](int maker) { return run_task(maker, now_); });
  }

  void begin(int b) {
    Content& c = contents_[at(b)];
    if (c.is_there) return;
    while (in_use_ + c.bytes > budget_ && give_one_up()) {
    }
    c.is_there = true;
    c.begin = static_cast<int>(sequence_.kernels.size());
    in_use_ += c.bytes;
    held_.insert(b);
  }

  void end(int b) {
    Content& c = contents_[at(b)];
    c.is_there = false;
    in_use_ -= c.bytes;
    held_.erase(b);
    sequence_.lives[at(b)].push_back({c.begin, c.last});
  }

  /// What nothing will read any more needs no memory.
  void release(int b) {
    Content& c = contents_[at(b)];
    if (c.is_there && c.pins == 0 && next_use(c) == kNever && c.kept_for < now_) end(b);
  }

  bool give_one_up() {
    int best = -1;
    double least = 0;
    for (int b : held_) {
      if (!can_give_up(b)) continue;
      Content& c = contents_[at(b)];
      const double distance = next_use(c) - now_ + 1;
      const double score = cost(b) / (static_cast<double>(c.bytes) * distance);
      if (best < 0 || score < least) best = b, least = score;
    }
    if (best < 0) return false;
    Content& c = contents_[at(best)];
    for (int maker : c.makers) {
      for (int other : tasks_[at(maker)].needs) {
        contents_[at(other)].kept_for = std::max(contents_[at(other)].kept_for, next_use(c));
      }
    }
    end(best);
    return true;
  }

  bool can_give_up(int b) {
    Content& c = contents_[at(b)];
    const int use = next_use(c);
    if (c.pins > 0 || use == kNever || c.bytes == 0 || !can_be_made_again(b)) return false;
    return std::all_of(c.makers.begin(), c.makers.end(), [&](int maker) {
      const Task& task = tasks_[at(maker)];
      return maker < now_ && use <= task.until &&
             std::all_of(
                 task.needs.begin(), task.needs.end(), [&](int other) { return contents_[at(other)].is_there; });
    });
  }

  /// The time that it takes to compute it again, with what is not there either. Long chains are dear enough when a part
  /// of them has been looked at.
  double cost(int b) const {
    constexpr std::size_t kEnough = 64;
    std::vector<int> work(contents_[at(b)].makers);
    std::set<int> seen(work.begin(), work.end());
    double us = 0;
    while (!work.empty()) {
      const Task& task = tasks_[at(work.back())];
      work.pop_back();
      us += task.us;
      for (int read : task.reads) {
        if (contents_[at(read)].is_there) continue;
        for (int maker : contents_[at(read)].makers) {
          if (seen.size() < kEnough && seen.insert(maker).second) work.push_back(maker);
        }
      }
    }
    return us;
  }

  const KernelPlan& plan_;
  std::vector<Content> contents_;  ///< by buffer
  std::vector<Task> tasks_;        ///< by kernel
  std::map<int, std::vector<int>> readers_;
  std::int64_t always_in_use_ = 0;

  // Of one run:
  std::int64_t budget_ = 0, in_use_ = 0;
  std::size_t most_ = 0;
  int now_ = 0;
  std::set<int> held_;  ///< temporaries whose content is there
  Sequence sequence_;
};

/// The memory that the plan takes with these lives.
std::int64_t bytes_with(KernelPlan& plan, const Rematerializer::Sequence& sequence, const ir::DimensionValues& sizes) {
  for (std::size_t b = 0; b < plan.buffers.size(); ++b) {
    Buffer& buffer = plan.buffers[b];
    buffer.lives = sequence.lives[b];
    if (buffer.kind == Buffer::Kind::result) buffer.lives = {{0, static_cast<int>(sequence.kernels.size())}};
  }
  return plan_memory(plan, sizes).bytes;
}

void apply(KernelPlan& plan, const std::vector<int>& sequence) {
  std::vector<Kernel> kernels;
  std::set<int> seen;
  for (int k : sequence) {
    kernels.push_back(plan.kernels[at(k)]);
    kernels.back().again = !seen.insert(k).second;
  }
  plan.kernels = std::move(kernels);
}

[[noreturn]] void fail(const ir::MemoryLimit& limit, std::int64_t least) {
  Diagnostic d = limit.place;
  std::string sizes;
  for (const auto& [name, size] : limit.sizes) sizes += fmt::format("{}{} = {}", sizes.empty() ? "" : ", ", name, size);
  d.message = fmt::format("the training step does not fit into {}: for {} it needs at least {}",
                          memory_text(limit.bytes), sizes, memory_text(least));
  d.hint = fmt::format("write memory = {}, or a smaller batch", memory_text(least));
  throw Error(d);
}

}  // namespace

void set_lives(KernelPlan& plan, int rest) {
  for (Buffer& buffer : plan.buffers) buffer.lives.clear();
  for (std::size_t k = 0; k < plan.kernels.size(); ++k) {
    const Kernel& kernel = plan.kernels[k];
    std::vector<int> touched = buffers_read(kernel, plan);
    for (int b : buffers_written(kernel)) touched.push_back(b);
    if (kernel.workspace >= 0) touched.push_back(kernel.workspace);
    for (int b : touched) {
      std::vector<Life>& lives = plan.buffers[at(b)].lives;
      if (lives.empty()) lives.push_back({static_cast<int>(k), 0});
      lives.back().last = static_cast<int>(k) + rest;
    }
  }
  for (Buffer& buffer : plan.buffers) {
    if (buffer.kind == Buffer::Kind::result) buffer.lives = {{0, static_cast<int>(plan.kernels.size())}};
  }
}

void fit_memory(KernelPlan& plan, const ir::MemoryLimit& limit) {
  plan.limit = limit.bytes;
  plan.limit_sizes = limit.sizes;
  std::int64_t least = 0;
  for (int rest : {kRest, 0}) {
    set_lives(plan, rest);
    least = plan_memory(plan, limit.sizes).bytes;
    if (least <= limit.bytes) return;
  }
  // What is in use at once may leave gaps in memory, so that less must be in use than there is.
  constexpr int kParts = 32;
  const std::int64_t unlimited = least;
  Rematerializer rematerializer(plan, limit.sizes);
  const auto bytes_within = [&](std::int64_t budget) {
    const auto sequence = rematerializer.run(budget);
    if (!sequence) return std::numeric_limits<std::int64_t>::max();
    const std::int64_t bytes = bytes_with(plan, *sequence, limit.sizes);
    if (bytes <= limit.bytes) apply(plan, sequence->kernels);
    return bytes;
  };
  for (int part = kParts; part >= 0; --part) {
    const std::int64_t bytes = bytes_within(limit.bytes / kParts * part);
    if (bytes <= limit.bytes) return;
    least = std::min(least, bytes);
  }
  for (int part = 0; part < kParts; ++part) least = std::min(least, bytes_within(unlimited / kParts * part));
  fail(limit, least);
}

}  // namespace descent::passes
