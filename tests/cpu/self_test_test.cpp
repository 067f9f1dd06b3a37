// The library's own self-test and the measurement of the machine's limits.
#include <gtest/gtest.h>

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
  broken.mul = broken.add;
  broken.attend_run = [](const kernels::AttentionState& state, const float*, int, const kernels::PageRun&,
                         const kernels::AttentionShape&, void*) { state.sum[0] = 1.0f; };
  std::vector<KernelCheck> checks;
  kernels::check_vector_kernels(checks, broken, *kernels::isa_table(0));
  kernels::check_attention_kernels(checks, broken, *kernels::isa_table(0));
  broken.matmul.decode[static_cast<int>(kernels::TypeIndex::kQ5_0)] =
      broken.matmul.decode[static_cast<int>(kernels::TypeIndex::kQ4_0)];
  kernels::check_matmul_kernels(checks, broken, *kernels::isa_table(0));
  for (const KernelCheck& check : checks) {
    const bool is_broken = check.name == "mul" || check.name.rfind("attend_run", 0) == 0 ||
                           (check.name.rfind("matmul", 0) == 0 && check.name.find("Q5_0") != std::string::npos);
    EXPECT_EQ(check.passed, !is_broken) << check.name << ": " << check.detail;
  }
}

TEST(SlowMachineLimits, ArePositive) {
  const auto limits = measure_machine_limits(2);
  ASSERT_TRUE(limits.ok());
  EXPECT_EQ(limits->n_threads, 2);
  EXPECT_GT(limits->read_gb_per_s, 0.1);
  EXPECT_GT(limits->int8_gmac_per_s, 0.1);
  EXPECT_FALSE(measure_machine_limits(0).ok());
  std::printf("%.1f GB/s, %.0f GMAC/s\n", limits->read_gb_per_s, limits->int8_gmac_per_s);
}

}  // namespace
}  // namespace hearth
