#include "runtime/team.h"

namespace descent::runtime {

Team::Team(int size) : size_(size) {
  for (int member = 1; member < size; ++member) threads_.emplace_back([this, member] { serve(member); });
}

Team::~Team() {
  stops_ = true;
  forks_.set(forks_.get() + 1);
  for (std::thread& thread : threads_) thread.join();
}

void Team::barrier() {
  const std::uint32_t number = barriers_.get();
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<std::uint32_t>(size_)) {
    arrived_.store(0, std::memory_order_relaxed);
    barriers_.set(number + 1);
    return;
  }
  barriers_.wait_until(number + 1);
}

void Team::run(const std::function<void(int)>& work) {
  work_ = &work;
  forks_.set(forks_.get() + 1);
  work(0);
  barrier();
}

void Team::serve(int member) {
  for (std::uint32_t served = 0;; ++served) {
    forks_.wait_until(served + 1);
    if (stops_) return;
    (*work_)(member);
    barrier();
  }
}

}  // namespace descent::runtime
