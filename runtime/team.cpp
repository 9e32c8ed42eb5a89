#include "runtime/team.h"

namespace descent::runtime {

namespace {

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

Team::Team(int size) : size_(size) {
  for (int member = 1; member < size; ++member) threads_.emplace_back([this, member] { serve(member); });
}

Team::~Team() {
  stops_ = true;
  forks_.fetch_add(1, std::memory_order_release);
  forks_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

/// A wait that the other side ends soon is watched for; whoever waits longer gives the processor back.
void Team::wait_while(const std::atomic<std::uint32_t>& number, std::uint32_t value) {
  constexpr int watched = 1000;  // pauses, each of some 40 cycles
  for (int i = 0; i < watched; ++i) {
    if (number.load(std::memory_order_acquire) != value) return;
    pause();
  }
  while (number.load(std::memory_order_acquire) == value) number.wait(value, std::memory_order_acquire);
}

void Team::barrier() {
  const std::uint32_t number = barriers_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<std::uint32_t>(size_)) {
    arrived_.store(0, std::memory_order_relaxed);
    barriers_.store(number + 1, std::memory_order_release);
    barriers_.notify_all();
    return;
  }
  wait_while(barriers_, number);
}

void Team::run(const std::function<void(int)>& work) {
  work_ = &work;
  forks_.fetch_add(1, std::memory_order_release);
  forks_.notify_all();
  work(0);
  barrier();
}

void Team::serve(int member) {
  for (std::uint32_t served = 0;; ++served) {
    wait_while(forks_, served);
    if (stops_) return;
    (*work_)(member);
    barrier();
  }
}

}  // namespace descent::runtime
