// Equal bits, whoever computes and whatever was known before: over numbers of threads, with and without prefixes that
// are known, for every type of cells and for layers of every kind.
#include <cstddef>

#include "hearth/hearth.h"
#include "support/family_test.h"

namespace hearth {
namespace {

class SameBits : public testing::FamilyTest {
 protected:
  static constexpr int32_t kShared = 200, kOwn = 90;

  Session session(KVType k, KVType v, int n_threads, bool batch_invariant) const {
    auto made = Session::create(*model_, {.n_ctx = 1024,
                                          .n_seqs = 2,
                                          .n_batch = 128,
                                          .k_type = k,
                                          .v_type = v,
                                          .n_threads = n_threads,
                                          .batch_invariant = batch_invariant,
                                          .reuse_prefixes = true,
                                          .n_kept_prefixes = 8});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  /// A shared beginning and tokens of one's own.
  static std::vector<Token> prompt(int who) {
    std::vector<Token> ids;
    for (int i = 0; i < kShared; ++i) ids.push_back(3 + (i * 7 + i * i) % 250);
    for (int i = 0; i < kOwn; ++i) ids.push_back(3 + (i * 11 + who * 5) % 250);
    return ids;
  }
  /// Logits behind a prompt and behind three more tokens; how many tokens of it were known.
  static std::vector<float> start(Session& s, SeqId seq, int who, int32_t& known) {
    const std::vector<Token> ids = prompt(who);
    const auto reused = s.reuse(seq, ids);
    EXPECT_TRUE(reused);
    known = reused.value_or(0);
    Status status = s.prefill(std::span(ids).subspan(static_cast<size_t>(known)), {.seq = seq});
    std::vector<float> all(s.logits(0).begin(), s.logits(0).end());
    for (int32_t i = 0; status && i < 3; ++i) {
      const BatchToken next{5 + 3 * i, kShared + kOwn + i, seq, true};
      status = s.decode({&next, 1});
      all.insert(all.end(), s.logits(0).begin(), s.logits(0).end());
    }
    EXPECT_TRUE(status) << status.error().message;
    return all;
  }
  void expect_same(KVType k, KVType v, bool batch_invariant) {
    const std::string what = std::string(kv_type_name(k)) + " and " + kv_type_name(v);
    std::vector<float> first;
    for (const int threads : {1, 3}) {
      int32_t known = 0;
      Session fresh = session(k, v, threads, batch_invariant);
      const std::vector<float> alone = start(fresh, 0, 1, known);
      ASSERT_EQ(known, 0);
      if (first.empty()) first = alone;
      EXPECT_TRUE(alone == first) << what << ", threads " << threads;
      Session used = session(k, v, threads, batch_invariant);
      // States are kept where a prompt filled its last page and where two parted: a third one finds both.
      EXPECT_FALSE(start(used, 0, 2, known) == first) << what;
      start(used, 0, 3, known);
      EXPECT_TRUE(start(used, 1, 1, known) == first) << what << ", threads " << threads << ", known " << known;
      EXPECT_GE(known, std::string(GetParam()) == "gemma3" ? 128 : 192) << what;
    }
  }
};

TEST_P(SameBits, WithAndWithoutKnownPrefixesByAnyThreads) {
  const auto types = list_kv_types();
  for (size_t i = 0; i < types.size(); ++i) {
    expect_same(types[i], types[i], false);
    expect_same(types[i], types[(i + 1) % types.size()], true);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, SameBits,
                         ::testing::Values("llama", "gemma3", "deepseek2", "gpt-oss", "qwen3next", "qwen35"),
                         testing::family_name);

}  // namespace
}  // namespace hearth
