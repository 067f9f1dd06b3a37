// Pages that a shift moved as a whole keep their keys as they were: queries turn back to meet them. Beside a cache
// whose keys were turned at once, whatever happens to the sequence afterwards.
#include <cmath>

#include "hearth/hearth.h"
#include "lib/session/session_impl.h"
#include "support/family_test.h"

namespace hearth {
namespace {

class Unturned : public testing::FamilyTest {
 protected:
  Session session(KVType type = KVType::kF32, int n_threads = 1) const {
    auto made = Session::create(
        *model_, {.n_ctx = 512, .n_seqs = 3, .n_batch = 64, .k_type = type, .v_type = type, .n_threads = n_threads});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  /// A sequence of n tokens that lost its second page. At once: what moves never goes by whole pages.
  static void fill_and_shift(Session& s, SeqId seq, bool at_once, int32_t n = 300) {
    for (int32_t pos = 0; pos < n; ++pos) {
      const BatchToken token{3 + (pos * pos + 7 * pos) % 250, pos, seq, false};
      ASSERT_TRUE(s.decode({&token, 1}));
    }
    ASSERT_TRUE(s.cache().remove(seq, 64, 128));
    ASSERT_TRUE(s.shift(seq, 128, -1, at_once ? -63 : -64));
    if (at_once) {
      ASSERT_TRUE(s.shift(seq, 65, -1, -1));
    }
    ASSERT_EQ(n_unturned(s, seq) == 0, at_once);
  }
  static int64_t n_unturned(Session& s, SeqId seq) {
    int64_t n = 0;
    for (const Sequences& group : KVCacheInternals::of(s.cache()).groups) n += group.n_unturned(seq);
    return n;
  }
  /// Logits of n more tokens, `together` at a time.
  static std::vector<float> go_on(Session& s, SeqId seq, int n = 3, int together = 1) {
    std::vector<float> all;
    for (int i = 0; i < n; i += together) {
      std::vector<BatchToken> batch;
      for (int j = i; j < i + together; ++j) {
        batch.push_back({5 + 3 * j, s.cache().length(seq) + j - i, seq, j + 1 == i + together});
      }
      const Status status = s.decode(batch);
      EXPECT_TRUE(status) << status.error().message;
      all.insert(all.end(), s.logits(0).begin(), s.logits(0).end());
    }
    return all;
  }
  static void expect_near(const std::vector<float>& a, const std::vector<float>& b, double nmse, const char* what) {
    double error = 0, power = 0;
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      error += std::pow(double{a[i]} - double{b[i]}, 2), power += std::pow(double{b[i]}, 2);
    }
    EXPECT_LE(error, nmse * power) << what;
  }
};

/// Two sessions that went the same way, one with unturned pages, and how both go on.
#define EXPECT_SAME(lazy, eager, seq, what) expect_near(go_on(lazy, seq), go_on(eager, seq), 1e-8, what)

TEST_P(Unturned, GoesOnAsIfKeysWereTurned) {
  Session lazy = session(), eager = session();
  fill_and_shift(lazy, 0, false);
  fill_and_shift(eager, 0, true);
  EXPECT_SAME(lazy, eager, 0, "one by one");
  expect_near(go_on(lazy, 0, 40, 40), go_on(eager, 0, 40, 40), 1e-8, "a batch");
  for (Session* s : {&lazy, &eager}) {
    ASSERT_TRUE(s->cache().rollback(0, 60));  // into pages that moved
    ASSERT_TRUE(s->cache().copy(0, 1, 0, -1));
  }
  EXPECT_GT(n_unturned(lazy, 1), 0);
  EXPECT_SAME(lazy, eager, 0, "written into a page that another sequence has");
  EXPECT_SAME(lazy, eager, 1, "written into a copy");
  for (Session* s : {&lazy, &eager}) ASSERT_TRUE(s->cache().remove(0, 70, 80));
  for (Session* s : {&lazy, &eager}) ASSERT_TRUE(s->shift(0, 80, -1, s == &lazy ? 128 : 127));
  ASSERT_TRUE(eager.shift(0, 207, -1, 1));
  EXPECT_SAME(lazy, eager, 0, "another shift");
  EXPECT_SAME(lazy, eager, 1, "whose pages were shared");
}

TEST_P(Unturned, ShiftsAddUp) {
  Session lazy = session(), eager = session();
  fill_and_shift(lazy, 0, false);
  fill_and_shift(eager, 0, true);
  fill_and_shift(lazy, 1, false, 200);
  fill_and_shift(eager, 1, true, 200);
  for (Session* s : {&lazy, &eager}) ASSERT_TRUE(s->cache().remove(0, 64, 128));
  ASSERT_TRUE(lazy.shift(0, 128, -1, -64));  // the same turn again
  ASSERT_TRUE(eager.shift(0, 128, -1, -63));
  ASSERT_TRUE(eager.shift(0, 65, -1, -1));
  EXPECT_GT(n_unturned(lazy, 1), 0);
  EXPECT_SAME(lazy, eager, 0, "twice");
  for (Session* s : {&lazy, &eager}) ASSERT_TRUE(s->shift(0, 64, -1, 10));  // another one: all are turned
  EXPECT_EQ(n_unturned(lazy, -1), 0);
  EXPECT_SAME(lazy, eager, 0, "thrice");
  EXPECT_SAME(lazy, eager, 1, "of another sequence");
}

TEST_P(Unturned, SavedSequencesGoOnToTheBit) {
  for (const KVType type : {KVType::kF16, KVType::kQ4_0}) {
    Session s = session(type), other = session(type, 3);
    fill_and_shift(s, 0, false);
    fill_and_shift(other, 2, false);
    ASSERT_TRUE(other.cache().remove(2, 64, 128));
    ASSERT_TRUE(other.shift(2, 128, -1, 128));  // by another turn
    const auto saved = s.save(0);
    ASSERT_TRUE(saved);
    ASSERT_TRUE(other.restore(1, *saved));
    EXPECT_EQ(n_unturned(other, 1), n_unturned(s, 0));
    EXPECT_EQ(n_unturned(other, 2), 0);
    EXPECT_EQ(go_on(other, 1), go_on(s, 0));
    EXPECT_EQ(go_on(other, 1, 40, 40), go_on(s, 0, 40, 40));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Unturned, ::testing::Values("llama", "gemma3", "deepseek2", "gpt-oss", "smollm3"),
                         testing::family_name);

}  // namespace
}  // namespace hearth
