// Going back: after a decode() that ended in its middle, and by rollback(); for full, windowed and recurrent layers.
#include <atomic>
#include <functional>

#include "hearth/session.h"
#include "lib/session/session_impl.h"
#include "support/family_test.h"

namespace hearth {
namespace {

using testing::FamilyModel;

/// n tokens of sequence 0 from `pos` on, all with logits.
std::vector<BatchToken> tokens_at(int32_t pos, int n, int seed) {
  std::vector<BatchToken> batch;
  for (int i = 0; i < n; ++i) batch.push_back({(seed * 37 + (pos + i) * 11) % FamilyModel::kVocab, pos + i, 0, true});
  return batch;
}

class GoingBack : public testing::FamilyTest {
 protected:
  Session session(const ThreadPool* pool = nullptr) {
    auto session = Session::create(
        *model_,
        {.n_ctx = 256, .n_batch = 16, .n_logits = 100, .k_type = KVType::kF32, .v_type = KVType::kF32, .pool = pool});
    EXPECT_TRUE(session) << session.error().message;
    return std::move(*session);
  }
  static std::vector<float> logits(const Session& s) {
    std::vector<float> all;
    for (size_t i = 0; i < s.n_logits(); ++i) all.insert(all.end(), s.logits(i).begin(), s.logits(i).end());
    return all;
  }
  /// What the tokens that follow say of the state that a session is in.
  static std::vector<float> after(Session& s) {
    EXPECT_TRUE(s.decode(tokens_at(s.cache().length(0), 9, 5)));
    return logits(s);
  }
};

TEST_P(GoingBack, ADecodeThatEndsInItsMiddleLeavesNothing) {
  Session plain = session(), other = session();
  for (Session* s : {&plain, &other}) {
    ASSERT_TRUE(s->decode(tokens_at(0, 50, 1)));
    ASSERT_TRUE(s->decode(tokens_at(50, 13, 1)));
  }
  Session::Impl& impl = SessionInternals::of(other);
  KVCache::Impl& cache = KVCacheInternals::of(*impl.cache);
  const auto more = tokens_at(63, 64, 2);
  for (const size_t n_parts : {1, 4}) {  // the last part is computed, too, as if cancelled just before its end
    cache.begin();
    for (size_t part = 0; part < n_parts; ++part) {
      const auto tokens = std::span(more).subspan(part * 16, 16);
      ASSERT_TRUE(cache.reserve(tokens));
      forward(impl.context(), tokens, 0, false);
    }
    cache.undo();
    EXPECT_EQ(other.cache().length(0), 63);
  }
  EXPECT_EQ(after(other), after(plain));
}

TEST_P(GoingBack, CancellingLeavesNothingWhereverItHappens) {
  std::atomic<bool> cancel{false};
  int n_calls = 0, cancel_at = -1;
  const ThreadPool pool{.n_threads = 2, .run = [&](int n_tasks, const std::function<void(int)>& task) {
                          if (n_calls++ == cancel_at) cancel = true;
                          for (int i = 0; i < n_tasks; ++i) task(i);
                        }};
  Session plain = session(&pool), other = session(&pool);
  for (Session* s : {&plain, &other}) ASSERT_TRUE(s->decode(tokens_at(0, 63, 1)));
  n_calls = 0;
  ASSERT_TRUE(plain.decode(tokens_at(63, 64, 2)));
  const int n_all = n_calls;
  ASSERT_GT(n_all, 10);
  plain = session(&pool);
  ASSERT_TRUE(plain.decode(tokens_at(0, 63, 1)));
  for (const int percent : {0, 20, 45, 70, 85}) {
    n_calls = 0, cancel_at = n_all * percent / 100, cancel = false;
    const Status status = other.decode(tokens_at(63, 64, 2), &cancel);
    ASSERT_FALSE(status) << percent;
    EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
    EXPECT_EQ(other.cache().length(0), 63);
    EXPECT_EQ(other.n_logits(), 0u);
  }
  cancel_at = -1;
  EXPECT_EQ(after(other), after(plain));
}

TEST_P(GoingBack, RefusedBatchesLeaveNothing) {
  Session plain = session(), other = session();
  for (Session* s : {&plain, &other}) ASSERT_TRUE(s->decode(tokens_at(0, 60, 1)));
  auto bad_id = tokens_at(60, 40, 2), bad_position = bad_id;
  bad_id.back().id = FamilyModel::kVocab;
  bad_position.back().pos = 256;
  EXPECT_FALSE(other.decode(bad_id));
  EXPECT_FALSE(other.decode(bad_position));
  EXPECT_FALSE(other.decode(tokens_at(0, 5, 2)));
  EXPECT_EQ(other.cache().length(0), 60);
  EXPECT_EQ(after(other), after(plain));
}

TEST_P(GoingBack, RollbackIsAsIfTheTokensHadNotBeen) {
  Session plain = session(), other = session();
  for (Session* s : {&plain, &other}) ASSERT_TRUE(s->decode(tokens_at(0, 100, 1)));
  ASSERT_TRUE(other.cache().room(0, 40));
  ASSERT_TRUE(other.decode(tokens_at(100, 40, 2)));
  const Status back = other.cache().rollback(0, 40);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(other.cache().length(0), 100);
  EXPECT_EQ(after(other), after(plain));
}

INSTANTIATE_TEST_SUITE_P(All, GoingBack, ::testing::Values("llama", "gemma3", "qwen3next", "qwen35"),
                         [](const auto& name) { return std::string(name.param); });

}  // namespace
}  // namespace hearth
