// The library's own self-test and the measurement of the machine's limits.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <set>

#include "hearth/cpu.h"
#include "kernels/dispatch.h"
#include "lib/cpu/self_test.h"

namespace hearth {
namespace {

TEST(SelfTest, PassesOnEveryUsableSet) {
  std::set<std::string> seen;
  for (const KernelCheck& check : self_test()) {
    EXPECT_TRUE(check.passed) << check.isa << " " << check.name << ": " << check.detail;
    seen.insert(check.isa);
  }
  for (const IsaInfo& isa : list_isas()) {
    EXPECT_EQ(seen.count(isa.name), isa.usable && std::string(isa.name) != "scalar" ? 1u : 0u);
  }
}

TEST(SelfTest, FindsABrokenKernel) {
  kernels::KernelTable broken = *kernels::isa_table(0);
  broken.add = [](float* y, const float* x, int64_t n) {
    for (int64_t i = 0; i < n; ++i) y[i] -= x[i];
  };
  broken.attend_run = [](const kernels::AttentionState& state, const float*, int, const kernels::PageRun&,
                         const kernels::AttentionShape&, void*) { state.sum[0] = 1.0f; };
  std::vector<KernelCheck> checks;
  kernels::check_vector_kernels(checks, broken, *kernels::isa_table(0));
  kernels::check_attention_kernels(checks, broken, *kernels::isa_table(0));
  broken.matmul.decode[static_cast<int>(kernels::TypeIndex::kQ5_0)] =
      broken.matmul.decode[static_cast<int>(kernels::TypeIndex::kQ4_0)];
  kernels::check_matmul_kernels(checks, broken, *kernels::isa_table(0));
  for (const KernelCheck& check : checks) {
    const bool is_broken = check.name == "add" || check.name.rfind("attend_run", 0) == 0 ||
                           (check.name.rfind("matmul", 0) == 0 && check.name.find("Q5_0") != std::string::npos);
    EXPECT_EQ(check.passed, !is_broken) << check.name << ": " << check.detail;
  }
}

/// Seconds that a function takes, the least of five times.
template <typename F>
double seconds(F f) {
  double least = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return least;
}
/// One thread adds up 256 MB of words.
double plain_read_gb_per_s() {
  const std::vector<uint64_t> words(size_t{32} << 20, 1);
  volatile uint64_t kept = 0;
  return 1e-9 * 8 * static_cast<double>(words.size()) /
         seconds([&] { kept = std::accumulate(words.begin(), words.end(), uint64_t{0}); });
}
/// One thread multiplies and adds integers one after the other.
double plain_gmac_per_s() {
  constexpr int kCount = 10000000;
  volatile int factor = 3;
  return 1e-9 * kCount / seconds([&] {
           int sum = 0;
           for (int i = 0; i < kCount; ++i) sum += i * factor;
           factor = sum | 1;
         });
}

TEST(SlowMachineLimits, AreAboveWhatAPlainLoopReachesAndBelowAnyProcessor) {
  const auto limits = measure_machine_limits(2);
  ASSERT_TRUE(limits.ok());
  EXPECT_EQ(limits->n_threads, 2);
  // What is called a limit must be above what a plain loop of one thread reaches on the same machine, at the same time.
  EXPECT_GT(limits->read_gb_per_s, 0.5 * plain_read_gb_per_s());
  EXPECT_GT(limits->int8_gmac_per_s, plain_gmac_per_s());
  EXPECT_LT(limits->read_gb_per_s, 5000);
  EXPECT_LT(limits->int8_gmac_per_s,
            2 * 64 * 2 * 4 * 6);  // two threads, four units of 64 products each, at 6 GHz and more
  EXPECT_FALSE(measure_machine_limits(0).ok());
  std::printf("%.1f GB/s, %.0f GMAC/s\n", limits->read_gb_per_s, limits->int8_gmac_per_s);
}

}  // namespace
}  // namespace hearth
