// Prefixes that come again: held once, computed once, and the same bits as without.
#include <gtest/gtest.h>

#include <algorithm>

#include "hearth/hearth.h"
#include "lib/arch/architecture.h"
#include "support/adapter_file.h"
#include "support/family_model.h"
#include "support/tiny_model.h"

namespace {

using hearth::Session;
using hearth::Token;

class Reuse : public ::testing::Test {
 protected:
  Reuse() : bytes_(hearth::testing::TinyModel().gguf()), model_(open(bytes_)) {}
  static hearth::Model open(std::span<const std::byte> bytes) {
    auto model = hearth::Model::from_memory(bytes);
    EXPECT_TRUE(model) << model.error().message;
    return std::move(*model);
  }
  Session session(hearth::SessionOptions options) const {
    options.reuse_prefixes = true;
    auto made = Session::create(model_, options);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  /// A shared beginning and tokens of one's own.
  static std::vector<Token> prompt(int n_shared, int n_own, int who) {
    std::vector<Token> ids;
    for (int i = 0; i < n_shared; ++i) ids.push_back((i * 7 + 3) % 50);
    for (int i = 0; i < n_own; ++i) ids.push_back((i * 11 + who * 5) % 50);
    return ids;
  }
  /// Starts a sequence; its logits, and how many tokens were known.
  static std::vector<float> start(Session& s, hearth::SeqId seq, const std::vector<Token>& ids, int32_t& known) {
    const auto reused = s.reuse(seq, ids);
    EXPECT_TRUE(reused);
    known = *reused;
    const auto status = s.prefill(std::span(ids).subspan(static_cast<size_t>(known)), {.seq = seq});
    EXPECT_TRUE(status) << status.error().message;
    return {s.logits(0).begin(), s.logits(0).end()};
  }

  std::vector<std::byte> bytes_;
  hearth::Model model_;
};

TEST_F(Reuse, GivesTheSameBits) {
  for (const int n_batch : {64, 128, 512}) {
    for (const int n_own : {1, 2, 40, 64, 65, 200}) {
      const auto ids = prompt(320, n_own, 1);
      int32_t known = 0;
      Session fresh = session({.n_ctx = 1024, .n_seqs = 2, .n_batch = n_batch});
      const std::vector<float> expected = start(fresh, 0, ids, known);
      EXPECT_EQ(known, 0);
      for (const int n_other : {1, 30, 100}) {
        Session used = session({.n_ctx = 1024, .n_seqs = 2, .n_batch = n_batch});
        start(used, 1, prompt(320, n_other, 2), known);
        EXPECT_EQ(start(used, 0, ids, known), expected) << n_batch << " " << n_own << " " << n_other;
        EXPECT_EQ(known, 320);
      }
    }
  }
}

/// What adapters changed is computed for each sequence, and what a sequence computed with them is not known to others,
/// also when it has put them down since.
TEST_F(Reuse, PagesOfAdaptersAreNotShared) {
  const auto adapter_bytes = hearth::testing::AdapterFile(hearth::testing::TinyModel(), 4).gguf();
  const auto adapter = hearth::Adapter::from_memory(adapter_bytes, model_);
  ASSERT_TRUE(adapter) << adapter.error().message;
  const auto ids = prompt(320, 40, 1);
  int32_t known = 0;
  Session fresh = session({.n_ctx = 1024, .n_seqs = 3});
  const std::vector<float> plain = start(fresh, 0, ids, known);
  ASSERT_TRUE(fresh.set_adapters(1, {{*adapter, 1.0f}}));
  const std::vector<float> changed = start(fresh, 1, ids, known);
  EXPECT_EQ(known, 0);
  EXPECT_NE(changed, plain);

  Session s = session({.n_ctx = 2048, .n_seqs = 3});
  ASSERT_TRUE(s.set_adapters(0, {{*adapter, 1.0f}}));
  EXPECT_EQ(start(s, 0, ids, known), changed);
  EXPECT_EQ(start(s, 1, ids, known), plain);
  EXPECT_EQ(known, 0);
  ASSERT_TRUE(s.set_adapters(2, {{*adapter, 0.5f}}));
  EXPECT_NE(start(s, 2, ids, known), changed);
  EXPECT_EQ(known, 0);

  Session t = session({.n_ctx = 2048, .n_seqs = 2});
  ASSERT_TRUE(t.set_adapters(0, {{*adapter, 1.0f}}));
  ASSERT_TRUE(t.prefill(std::span(ids).first(128), {.seq = 0}));
  ASSERT_TRUE(t.set_adapters(0, {}));
  ASSERT_TRUE(t.prefill(std::span(ids).subspan(128), {.seq = 0}));
  EXPECT_EQ(start(t, 1, ids, known), plain);
  EXPECT_EQ(known, 0);
}

TEST_F(Reuse, ManyConversationsHoldAPromptOnce) {
  constexpr int kConversations = 64, kShared = 2000;
  Session s = session({.n_ctx = 2048 + 65 * 64, .n_seqs = kConversations + 1});
  int32_t known = 0;
  for (int i = 0; i < kConversations; ++i) {
    start(s, i, prompt(kShared, 20, i), known);
    EXPECT_EQ(known, i == 0 ? 0 : kShared / 64 * 64);
  }
  EXPECT_EQ(s.cache().stats().pages_used, kShared / 64 + kConversations);  // what is no whole page is each one's own
  int32_t computed = 0;
  const auto ids = prompt(kShared, 20, 99);
  EXPECT_EQ(s.reuse(kConversations, ids).value_or(0), kShared / 64 * 64);
  ASSERT_TRUE(s.prefill(std::span(ids).subspan(kShared / 64 * 64),
                        {.seq = kConversations, .on_progress = [&](int32_t done, int32_t) {
                           computed = done;
                           return true;
                         }}));
  EXPECT_EQ(computed, kShared % 64 + 20);
  EXPECT_EQ(s.cache().stats().pages_used, kShared / 64 + kConversations + 1);
}

TEST_F(Reuse, OutlivesItsSequenceUntilTheRoomIsWanted) {
  Session s = session({.n_ctx = 512});
  int32_t known = 0;
  const auto first = prompt(256, 10, 1);
  const auto expected = start(s, 0, first, known);
  const auto generated = s.generate(std::span<const Token>(first), {.max_tokens = 5, .ignore_end = true});
  ASSERT_TRUE(generated);
  EXPECT_EQ(generated->timings.reused_tokens, 256);
  EXPECT_EQ(s.cache().stats().pages_total, 8);
  start(s, 0, prompt(0, 300, 7), known);  // other tokens: five pages
  EXPECT_EQ(known, 0);
  EXPECT_EQ(s.cache().stats().pages_kept, 3);  // of the first prompt, from its beginning on
  EXPECT_EQ(start(s, 0, first, known), expected);
  EXPECT_EQ(known, 192);
}

/// Recurrent layers begin where a state was kept: at the last page of a prompt, and where prompts parted.
TEST(ReuseOfStates, GivesTheSameBits) {
  const auto bytes = hearth::testing::FamilyModel(*hearth::find_architecture("qwen3next")).gguf();
  const auto model = hearth::Model::from_memory(bytes);
  ASSERT_TRUE(model) << model.error().message;
  const auto session = [&] {
    auto made = Session::create(
        *model, {.n_ctx = 2048, .n_seqs = 1, .n_batch = 128, .reuse_prefixes = true, .n_kept_prefixes = 4});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  };
  const auto prompt = [](int n_shared, int n_own, int who) {
    std::vector<Token> ids;
    for (int i = 0; i < n_shared; ++i) ids.push_back(3 + (i * 7 + i * i) % 250);
    for (int i = 0; i < n_own; ++i) ids.push_back(3 + (i * 11 + who * 5) % 250);
    return ids;
  };
  const auto start = [](Session& s, const std::vector<Token>& ids, int32_t& known) {
    const auto reused = s.reuse(0, ids);
    EXPECT_TRUE(reused);
    known = *reused;
    const auto status = s.prefill(std::span(ids).subspan(static_cast<size_t>(known)));
    EXPECT_TRUE(status) << status.error().message;
    return std::vector<float>(s.logits(0).begin(), s.logits(0).end());
  };
  Session used = session();
  const int32_t expected_known[] = {0, 256, 320, 320, 320};  // n_batch, then where the first two parted
  for (int who = 0; who < 5; ++who) {
    const auto ids = prompt(350, 150, who);
    int32_t known = 0, none = 0;
    Session fresh = session();
    const auto expected = start(fresh, ids, none);
    EXPECT_EQ(start(used, ids, known), expected) << who;
    EXPECT_EQ(none, 0);
    EXPECT_EQ(known, expected_known[who]) << who;
    auto longer = ids;
    for (int i = 0; i < 90; ++i) longer.push_back(3 + (i * 5 + who) % 250);
    EXPECT_EQ(start(used, longer, known), start(fresh, longer, none)) << who;
    EXPECT_EQ(known, 448);  // the last page of 500 tokens
  }
}

/// What adapters act on is known to those with equal ones alone.
TEST_F(Reuse, KnowsAdaptersApart) {
  hearth::testing::TinyModel shape;
  const auto bytes = hearth::testing::AdapterFile(shape, 4).gguf();
  const auto adapter = hearth::Adapter::from_memory(bytes, model_);
  ASSERT_TRUE(adapter) << adapter.error().message;
  const auto ids = prompt(256, 10, 1);
  const auto with = [&](float scale) {
    Session fresh = session({.n_ctx = 512});
    EXPECT_TRUE(fresh.set_adapters(0, {{*adapter, scale}}));
    int32_t known = 0;
    return start(fresh, 0, ids, known);
  };
  Session s = session({.n_ctx = 2048});
  for (int round = 0; round < 2; ++round) {
    for (const float scale : {0.0f, 1.0f, 8.0f}) {
      ASSERT_TRUE(s.set_adapters(0, {{*adapter, scale}}));
      int32_t known = 0;
      EXPECT_EQ(start(s, 0, ids, known), with(scale)) << scale;
      EXPECT_EQ(known, round == 0 ? 0 : 256);
    }
  }
  EXPECT_NE(with(8.0f), with(0.0f));
}

TEST_F(Reuse, PagesThatChangedAreNotKnown) {
  Session s = session({.n_ctx = 1024, .n_seqs = 2});
  int32_t known = 0;
  const auto ids = prompt(256, 10, 1);
  start(s, 0, ids, known);
  ASSERT_TRUE(s.cache().trim(0, 100));
  ASSERT_TRUE(s.prefill(std::span(ids).first(60)));  // other tokens at 100 and later
  ASSERT_TRUE(s.shift(0, 64, -1, 64));
  const auto expected = start(s, 1, ids, known);
  EXPECT_EQ(known, 256);  // the first sequence copied what it changed
  Session fresh = session({.n_ctx = 1024, .n_seqs = 2});
  EXPECT_EQ(start(fresh, 0, ids, known), expected);
}

}  // namespace
