// Read bandwidth: every thread sums its own part of a buffer larger than the caches.
#include "machine_limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "hearth/cpu.h"

namespace hearth_tool {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBufferBytes = size_t{512} << 20;
constexpr int kPasses = 5;

std::atomic<uint64_t> sink;  // keeps the sums from being optimised away

void sum(const uint64_t* words, size_t n) {
  uint64_t totals[8] = {};
  for (size_t i = 0; i + 32 <= n; i += 32) {
    __builtin_prefetch(words + i + 512);
    __builtin_prefetch(words + i + 520);
    __builtin_prefetch(words + i + 528);
    __builtin_prefetch(words + i + 536);
    for (size_t j = 0; j < 32; ++j) totals[j % 8] += words[i + j];
  }
  for (uint64_t total : totals) sink += total;
}

/// Seconds that `work(thread)` takes on n threads at once.
template <typename Work>
double time_threads(int n_threads, Work work) {
  const auto begin = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 1; i < n_threads; ++i) threads.emplace_back(work, i);
  work(0);
  for (std::thread& thread : threads) thread.join();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double measure_read_bandwidth(int n_threads) {
  const size_t n_words = kBufferBytes / sizeof(uint64_t), part = n_words / static_cast<size_t>(n_threads);
  const std::unique_ptr<uint64_t[]> words(new (std::nothrow) uint64_t[n_words]);
  if (!words) return 0;
  const auto own = [&](int thread) { return words.get() + static_cast<size_t>(thread) * part; };
  time_threads(n_threads, [&](int thread) {  // first touch
    for (size_t i = 0; i < part; ++i) own(thread)[i] = i;
  });
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const double seconds = time_threads(n_threads, [&](int thread) { sum(own(thread), part); });
    best = std::max(best, static_cast<double>(part * static_cast<size_t>(n_threads) * sizeof(uint64_t)) / seconds);
  }
  return best;
}

}  // namespace

MachineLimits measure_limits(int n_threads) {
  return {measure_read_bandwidth(n_threads), measure_int8_peak(hearth::active_isa(), n_threads)};
}

}  // namespace hearth_tool
