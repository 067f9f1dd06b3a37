// Whether models fit: verdicts follow the plan, and the plan the context and the cache.
#include "examples/store/fit.h"

#include "examples/store/machine.h"
#include "store_world.h"

namespace hearth_store {
namespace {

uint64_t planned(int32_t n_ctx, hearth::KVType type) {
  hearth::SessionOptions options;
  options.n_ctx = n_ctx;
  options.k_type = options.v_type = type;
  const auto plan = hearth::Model::plan(kSmallWorld, options);
  return plan ? plan->total() : 0;
}

TEST(Fit, VerdictsFollowThePlan) {
  const uint64_t whole = planned(8192, hearth::KVType::kF16), small = planned(8192, hearth::KVType::kQ8_0);
  ASSERT_GT(whole, small);
  const auto with_room = [](uint64_t bytes) {
    hearth::SessionOptions options;
    options.n_ctx = 8192;
    return find_fit(kSmallWorld, options, bytes / 9 * 10 + 10, 1e9);
  };
  Fit fit = with_room(whole);
  EXPECT_EQ(Fit::Verdict::kFits, fit.verdict);
  EXPECT_EQ(8192, fit.context);
  EXPECT_EQ(whole, fit.bytes);
  EXPECT_EQ("fits", verdict_text(fit));
  fit = with_room(whole - 100);
  EXPECT_EQ(Fit::Verdict::kReduced, fit.verdict);
  EXPECT_EQ(8192, fit.context);
  EXPECT_EQ(hearth::KVType::kQ8_0, fit.kv_type);
  EXPECT_EQ("fits with a context of 8192, q8_0 cache", verdict_text(fit));
  fit = with_room(small - 100);
  EXPECT_EQ(Fit::Verdict::kReduced, fit.verdict);
  EXPECT_EQ(4096, fit.context);
  fit = with_room(1000);
  EXPECT_EQ(Fit::Verdict::kTooLarge, fit.verdict);
  EXPECT_NE(std::string::npos, verdict_text(fit).find("too large"));
  EXPECT_EQ(Fit::Verdict::kUnknown, find_fit("/no/such/file", {}, 1, 0).verdict);
}

TEST(Fit, SpeedIsThatOfReadingTheWeights) {
  const auto file = hearth::GgufFile::open(kSmallWorld, {.metadata_only = true});
  ASSERT_TRUE(file);
  const uint64_t bytes = bytes_per_token(*file);
  EXPECT_GT(bytes, fs::file_size(kSmallWorld) / 2);
  EXPECT_LE(bytes, fs::file_size(kSmallWorld));
  const Fit slow = find_fit(kSmallWorld, {}, 0, 1e9), fast = find_fit(kSmallWorld, {}, 0, 2e9);
  EXPECT_NEAR(2.0, fast.tokens_per_second / slow.tokens_per_second, 1e-9);
  EXPECT_GT(available_memory(), 0u);
  // The matrices are Q8_0, which are read at three quarters of the speed.
  EXPECT_NEAR(0.75e9 / static_cast<double>(bytes), slow.tokens_per_second, 0.02 * slow.tokens_per_second);
}

}  // namespace
}  // namespace hearth_store
