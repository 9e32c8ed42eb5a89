// A number that one thread counts up and others wait for.
#pragma once

#include <atomic>
#include <cstdint>

namespace descent::runtime {

/// Waiting threads watch memory for some tens of microseconds, and then sleep.
class Progress {
 public:
  /// Only one thread may call it at a time; numbers must not go back, but may begin again at 0 after the largest.
  void set(std::uint32_t number) {
    number_.store(number, std::memory_order_release);
    number_.notify_all();
  }
  std::uint32_t get() const { return number_.load(std::memory_order_acquire); }
  void wait_until(std::uint32_t number) const {
    constexpr int watched = 1000;  // pauses, each of some 40 cycles
    for (int i = 0; i < watched; ++i) {
      if (reached(number)) return;
      pause();
    }
    for (std::uint32_t now = get(); static_cast<std::int32_t>(now - number) < 0; now = get())
      number_.wait(now, std::memory_order_acquire);
  }

 private:
  bool reached(std::uint32_t number) const { return static_cast<std::int32_t>(get() - number) >= 0; }
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  alignas(128) std::atomic<std::uint32_t> number_ = 0;  // on cache lines of its own, since others watch it
};

}  // namespace descent::runtime
