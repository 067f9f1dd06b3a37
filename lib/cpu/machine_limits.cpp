// Measures what this machine can do: reading memory, and 8-bit multiply-adds of the instruction set in use.
#include <time.h>

#include <algorithm>
#include <cstring>

#include "hearth/cpu.h"
#include "kernels/kernel_table.h"
#include "lib/base/buffer.h"
#include "lib/base/guard.h"
#include "lib/base/parallel.h"

namespace hearth {
namespace {

constexpr int64_t kReadBytes = int64_t{512} << 20;  // beyond any cache that a thread can count on
constexpr int64_t kChunkBytes = int64_t{2} << 20;
constexpr int kChunks = static_cast<int>(kReadBytes / kChunkBytes);
constexpr int kPasses = 5;
constexpr double kPassSeconds = 0.05;

double now_seconds() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double measure_read(Parallel& parallel, const char* memory) {
  const auto& table = kernels::kernels();
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const double begin = now_seconds();
    parallel.run(kChunks, [&](int chunk, int) {
      volatile uint64_t sink = table.read_once(memory + chunk * kChunkBytes, kChunkBytes);
      (void)sink;
    });
    best = std::max(best, static_cast<double>(kReadBytes) / (now_seconds() - begin));
  }
  return best;
}

/// One long task a thread: the loop lives in registers, so nothing but the clock bounds it.
double measure_peak(Parallel& parallel, int64_t (*peak)(int64_t rounds)) {
  const int n = parallel.n_threads();
  double best = 0, seconds = 0;
  int64_t rounds = 10000;
  for (int pass = 0; pass < kPasses;) {
    int64_t macs = 0;
    const double begin = now_seconds();
    parallel.run(n, [&](int task, int) {
      const int64_t done = peak(rounds);
      if (task == 0) macs = done;
    });
    seconds = now_seconds() - begin;
    if (seconds < kPassSeconds) {
      rounds *= 2;
      continue;
    }
    best = std::max(best, static_cast<double>(macs) * n / seconds);
    ++pass;
  }
  return best;
}

}  // namespace

Result<MachineLimits> measure_machine_limits(int n_threads) {
  return guard([&]() -> Result<MachineLimits> {
    auto parallel = Parallel::create(n_threads);
    if (!parallel) return parallel.error();
    auto memory = AlignedBuffer::allocate(kReadBytes, "measuring the reading speed");
    if (!memory) return memory.error();
    std::memset(memory->data(), 1, static_cast<size_t>(kReadBytes));
    MachineLimits limits;
    limits.n_threads = (*parallel)->n_threads();
    limits.read_gb_per_s = 1e-9 * measure_read(**parallel, reinterpret_cast<const char*>(memory->data()));
    const auto& table = kernels::kernels();
    limits.int8_gmac_per_s = 1e-9 * measure_peak(**parallel, table.int8_peak);
    if (table.bf16_peak != nullptr) limits.bf16_gmac_per_s = 1e-9 * measure_peak(**parallel, table.bf16_peak);
    return limits;
  });
}

}  // namespace hearth
