// Processor time of a call against the size of its input.
#pragma once

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <string>

namespace hearth::testing {

/// Of the calling thread alone: what else runs on the machine does not count.
inline double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// How much longer programs take under a sanitizer, at most.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr double kSlowdown = 20;
#else
inline constexpr double kSlowdown = 1;
#endif

/// The least of some runs.
template <typename Call>
double cost_of(const Call& call, int runs = 3) {
  double least = 1e9;
  for (int i = 0; i < runs; ++i) {
    const double begin = thread_seconds();
    call();
    least = std::min(least, thread_seconds() - begin);
  }
  return least;
}

/// `make(n)` gives a call on an input of size n. Twice the size may cost a little more than twice the time (caches,
/// sorting); the square would be four times. A disturbed measurement is repeated.
template <typename Make>
void expect_linear(const std::string& name, size_t n, const Make& make) {
  constexpr double kMostGrowth = 2.9, kNoise = 0.002;
  double one = 0, two = 0;
  for (int attempt = 0; attempt < 4; ++attempt) {
    one = cost_of(make(n));
    two = cost_of(make(2 * n));
    if (two <= kMostGrowth * one + kNoise) return;
  }
  ADD_FAILURE() << name << ": " << one << " s for size " << n << ", " << two << " s for twice that";
}

}  // namespace hearth::testing
