// Waiting a little before sleeping: a bounded spin whose length follows how often it has been worth it.
#pragma once

#include <time.h>

#include <cstdint>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace hearth {

/// Tells the processor that this is a spin loop.
inline void cpu_relax() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile("yield");
#endif
}

/// One waiting place, used by one thread at a time.
class SpinWait {
 public:
  /// Spins until done() or the limit; the limit halves after a failure and doubles after a success.
  template <typename Done>
  bool spin_until(const Done& done) {
    for (int i = 0; i < kFreeTurns; ++i) {
      if (done()) return true;
      cpu_relax();
    }
    const int64_t end_ns = now_ns() + limit_ns_;
    do {
      for (int i = 0; i < kTurnsPerLook; ++i) {
        if (done()) {
          limit_ns_ = limit_ns_ * 2 < kMaxNs ? limit_ns_ * 2 : kMaxNs;
          return true;
        }
        cpu_relax();
      }
    } while (now_ns() < end_ns);
    limit_ns_ = limit_ns_ / 2 > kMinNs ? limit_ns_ / 2 : kMinNs;
    return false;
  }

 private:
  static constexpr int kFreeTurns = 64;
  static constexpr int kTurnsPerLook = 16;
  static constexpr int64_t kMinNs = 5'000;
  static constexpr int64_t kMaxNs = 100'000;

  static int64_t now_ns() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
  }

  int64_t limit_ns_ = kMaxNs;
};

}  // namespace hearth
