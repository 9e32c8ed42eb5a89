#include "passes/schedule.h"

#include <algorithm>

#include "passes/estimate.h"

namespace descent::passes {

namespace {

std::int64_t estimated_count(const ir::Shape& shape) {
  std::int64_t count = 1;
  for (const ir::Dimension& d : shape) count *= estimate(d);
  return count;
}

class Scheduler {
 public:
  explicit Scheduler(const KernelPlan& plan) : plan_(plan), tasks_(plan.kernels.size()) {
    std::vector<std::vector<int>> readers(plan.buffers.size());  // since the last write
    std::vector<int> writer(plan.buffers.size(), -1);
    uses_.assign(plan.buffers.size(), 0);
    for (std::size_t k = 0; k < tasks_.size(); ++k) {
      const Kernel& kernel = plan.kernels[k];
      const std::vector<int> reads = buffers_read(kernel, plan), writes = buffers_written(kernel);
      for (int b : reads) follow(k, writer[static_cast<std::size_t>(b)]);
      for (int b : writes) {
        follow(k, writer[static_cast<std::size_t>(b)]);
        for (int reader : readers[static_cast<std::size_t>(b)]) follow(k, reader);
      }
      for (int b : reads) readers[static_cast<std::size_t>(b)].push_back(static_cast<int>(k));
      for (int b : writes) {
        readers[static_cast<std::size_t>(b)].clear();
        writer[static_cast<std::size_t>(b)] = static_cast<int>(k);
      }
      auto& touched = tasks_[k].temporaries;
      for (const auto* list : {&reads, &writes}) {
        for (int b : *list) {
          const auto i = static_cast<std::size_t>(b);
          if (plan.buffers[i].kind == Buffer::Kind::temporary) touched.push_back(i);
        }
      }
      std::sort(touched.begin(), touched.end());
      touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
      for (std::size_t b : touched) ++uses_[b];
    }
  }

  std::vector<std::size_t> run() {
    std::vector<std::size_t> ready, sequence;
    for (std::size_t k = 0; k < tasks_.size(); ++k) {
      if (tasks_[k].waits_for == 0) ready.push_back(k);
    }
    alive_.assign(plan_.buffers.size(), 0);
    left_ = uses_;
    while (!ready.empty()) {
      // The earlier one of equals: the order was a good one before.
      const auto least = std::min_element(ready.begin(), ready.end(), [&](std::size_t a, std::size_t b) {
        return std::pair(growth(a), a) < std::pair(growth(b), b);
      });
      const std::size_t k = *least;
      ready.erase(least);
      finish(k);
      sequence.push_back(k);
      for (std::size_t next : tasks_[k].followers) {
        if (--tasks_[next].waits_for == 0) ready.push_back(next);
      }
    }
    return sequence;
  }

  /// The most memory that is in use at once, in this order.
  std::int64_t peak(const std::vector<std::size_t>& sequence) {
    alive_.assign(plan_.buffers.size(), 0);
    left_ = uses_;
    std::int64_t now = 0, most = 0;
    for (std::size_t k : sequence) {
      for (std::size_t b : tasks_[k].temporaries) now += alive_[b] != 0 ? 0 : size(b);
      most = std::max(most, now);
      finish(k);
      for (std::size_t b : tasks_[k].temporaries) now -= alive_[b] != 0 ? 0 : size(b);
    }
    return most;
  }

 private:
  struct Task {
    std::vector<std::size_t> temporaries;  ///< that it reads or writes
    std::vector<std::size_t> followers;
    int waits_for = 0;
  };

  void follow(std::size_t k, int earlier) {
    if (earlier < 0 || static_cast<std::size_t>(earlier) == k) return;
    auto& followers = tasks_[static_cast<std::size_t>(earlier)].followers;
    if (!followers.empty() && followers.back() == k) return;
    followers.push_back(k);
    ++tasks_[k].waits_for;
  }

  std::int64_t size(std::size_t buffer) const { return estimated_count(plan_.buffers[buffer].shape); }

  /// Memory in use after the task, less than before: what it begins to use, less what it is the last to use.
  std::int64_t growth(std::size_t k) const {
    std::int64_t sum = 0;
    for (std::size_t b : tasks_[k].temporaries) {
      if (alive_[b] == 0) sum += size(b);
      if (left_[b] == 1) sum -= size(b);
    }
    return sum;
  }

  void finish(std::size_t k) {
    for (std::size_t b : tasks_[k].temporaries) alive_[b] = --left_[b] > 0 ? 1 : 0;
  }

  const KernelPlan& plan_;
  std::vector<Task> tasks_;
  std::vector<int> uses_, left_;  ///< of temporaries, by buffer
  std::vector<char> alive_;
};

}  // namespace

void schedule(KernelPlan& plan) {
  Scheduler scheduler(plan);
  std::vector<std::size_t> before(plan.kernels.size());
  for (std::size_t k = 0; k < before.size(); ++k) before[k] = k;
  const std::vector<std::size_t> sequence = scheduler.run();
  if (scheduler.peak(sequence) > scheduler.peak(before)) return;
  std::vector<Kernel> kernels;
  for (std::size_t k : sequence) kernels.push_back(std::move(plan.kernels[k]));
  plan.kernels = std::move(kernels);
}

}  // namespace descent::passes
