// The memory plan against what is resident, over random options.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <random>

#include "hearth/hearth.h"
#include "support/tiny_model.h"

namespace hearth {
namespace {

using testing::TinyModel;

/// Bytes of the process that lie in memory; -1 where the system does not tell.
int64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  long long size = 0, resident = 0;
  const bool known = file != nullptr && std::fscanf(file, "%lld %lld", &size, &resident) == 2;
  if (file != nullptr) std::fclose(file);
  return known ? resident * ::sysconf(_SC_PAGESIZE) : -1;
}

SessionOptions random_options(std::mt19937& random) {
  const auto up_to = [&](int bits) { return static_cast<int32_t>(1u << random() % static_cast<unsigned>(bits + 1)); };
  SessionOptions o;
  o.n_ctx = 64 * up_to(11);
  o.n_seqs = up_to(12);
  o.n_batch = up_to(9);
  o.n_logits = std::min(up_to(8), o.n_ctx);
  o.n_threads = 1 + static_cast<int>(random() % 3);
  o.k_type = random() % 2 == 0 ? KVType::kF16 : KVType::kF32;
  o.v_type = random() % 2 == 0 ? KVType::kF16 : KVType::kF32;
  return o;
}

TEST(PlanMemory, HoldsWhatASessionTakes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  if (resident_bytes() < 0) GTEST_SKIP() << "the system does not tell how much memory is resident";
  const std::vector<std::byte> bytes = TinyModel().gguf();
  const auto model = Model::from_memory(bytes);
  ASSERT_TRUE(model);
  std::mt19937 random(5);
  for (int round = 0; round < 30; ++round) {
    const SessionOptions options = random_options(random);
    SCOPED_TRACE(std::to_string(options.n_ctx) + " positions, " + std::to_string(options.n_seqs) + " sequences");
    const int64_t before = resident_bytes();
    auto session = Session::create(*model, options);
    ASSERT_TRUE(session) << session.error().message;
    const MemoryPlan plan = session->plan();
    for (int32_t pos = 0, seq = 0; pos < std::min(options.n_ctx, 512); ++pos, seq = (seq + 1) % options.n_seqs) {
      const BatchToken token{40 + pos % 200, session->cache().length(seq), seq, true};
      ASSERT_TRUE(session->decode({&token, 1}));
    }
    const auto planned = static_cast<int64_t>(plan.kv_cache_bytes + plan.scratch_bytes + plan.process_bytes);
    EXPECT_LE(resident_bytes() - before, planned);
  }
}

TEST(PlanMemory, SequencesThatNeverComeCostAddressesAlone) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  const std::vector<std::byte> bytes = TinyModel().gguf();
  const auto model = Model::from_memory(bytes);
  ASSERT_TRUE(model);
  const int64_t before = resident_bytes();
  const auto session = Session::create(*model, {.n_ctx = 1 << 17, .n_seqs = 4096, .n_threads = 1});
  ASSERT_TRUE(session) << session.error().message;
  const uint64_t tables = uint64_t{4096} * (1 << 17) / 64 * 16;
  EXPECT_GT(session->plan().kv_cache_bytes, tables) << "the plan is for the worst case";
  EXPECT_LT(resident_bytes() - before, 16 << 20);
}

}  // namespace
}  // namespace hearth
