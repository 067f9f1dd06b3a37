// Texts that changed in the middle: unchanged stretches keep what was computed of them, at their new positions.
#include <algorithm>
#include <cmath>

#include "hearth/hearth.h"
#include "support/family_test.h"

namespace {

using hearth::Session;
using hearth::Token;

class ChangedText : public hearth::testing::FamilyTest {
 protected:
  Session session(hearth::KVType type = hearth::KVType::kF32) const {
    auto made = Session::create(*model_, {.n_ctx = 1024, .k_type = type, .v_type = type, .n_threads = 1});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  static std::vector<Token> words(int n, int who) {
    std::vector<Token> ids;
    for (int i = 0; i < n; ++i) ids.push_back(3 + (i * i + i * (7 + who) + who) % 250);
    return ids;
  }
  static std::vector<Token> join(const std::vector<std::vector<Token>>& parts) {
    std::vector<Token> all;
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  }
  /// How many of the positions are held by tokens of this text.
  static int32_t n_held(const Session& s, const std::vector<Token>& text) {
    int32_t n = 0;
    for (int32_t pos = 0; pos < static_cast<int32_t>(text.size()); ++pos) {
      if (!s.cache().contains(0, pos)) continue;
      EXPECT_EQ(s.cache().token(0, pos), text[static_cast<size_t>(pos)]) << pos;
      ++n;
    }
    EXPECT_LE(s.cache().length(0), static_cast<int32_t>(text.size()));
    return n;
  }
  bool keeps() const { return std::string(GetParam()) != "qwen3next" && std::string(GetParam()) != "gemma3"; }
};

TEST_P(ChangedText, KeepsWhatIsUnchanged) {
  const auto a = words(100, 1), b = words(90, 2), c = words(120, 3), d = words(60, 4), x = words(37, 5),
             longer = words(200, 6), few = words(10, 7);
  struct Change {
    std::vector<Token> before, after;
    int32_t kept;
  };
  const Change changes[] = {
      {join({a, b, c, d}), join({a, c, d}), 280 - 1},             // a part is gone
      {join({a, c, d}), join({a, b, c, d}), 280 - 1},             // a part is new
      {join({a, b, c, d}), join({a, x, c, d}), 280 - 1},          // replaced by less
      {join({a, b, c, d}), join({a, longer, c, d}), 280 - 1},     // replaced by more
      {join({a, b, c, d}), join({a, x, c, longer, d}), 280 - 1},  // one goes down, the next up
      {join({b, c}), join({a, c, few}), 120},                     // another beginning
      {join({a, few, b}), join({a, x, few, c}), 100},             // what is too short is computed again
      {join({a, b}), join({c, d}), 0},
      {join({a, b, c}), join({a, b, c, d}), 310},  // only the end is new
  };
  for (const Change& change : changes) {
    Session s = session();
    ASSERT_TRUE(s.prefill(change.before));
    const auto kept = s.reuse_changed(0, change.after, 32);
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_EQ(*kept, n_held(s, change.after));
    if (keeps()) {
      EXPECT_EQ(*kept, change.kept);
    }
    int32_t last_done = 0;
    const auto status =
        s.prefill(change.after,
                  {.on_progress = [&](int32_t done, int32_t) { return last_done = done, true; }, .skip_held = true});
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_GT(last_done, 0);
    EXPECT_EQ(s.cache().length(0), static_cast<int32_t>(change.after.size()));
    if (std::string(GetParam()) != "gemma3") {  // all of whose layers slide here
      EXPECT_EQ(n_held(s, change.after), static_cast<int32_t>(change.after.size()));
    }
    EXPECT_EQ(s.n_logits(), 1u);
    EXPECT_TRUE(std::all_of(s.logits(0).begin(), s.logits(0).end(), [](float x_) { return std::isfinite(x_); }));
  }
}

/// One layer's keys and values do not depend on what was before, so that the approximation is none.
TEST(ChangedTextOfOneLayer, GivesTheLogitsOfTheText) {
  hearth::testing::TinyModel tiny;
  tiny.ints["llama.block_count"] = 1;
  std::erase_if(tiny.tensors, [](const auto& entry) {
    return entry.first.starts_with("blk.") && !entry.first.starts_with("blk.0.");
  });
  const auto bytes = tiny.gguf();
  const auto model = hearth::Model::from_memory(bytes);
  ASSERT_TRUE(model) << model.error().message;
  const auto session = [&] {
    return *Session::create(*model, {.n_ctx = 512,
                                     .k_type = hearth::KVType::kF32,
                                     .v_type = hearth::KVType::kF32,
                                     .n_threads = 1,
                                     .exact_products = true});
  };
  std::vector<Token> before, after;
  for (int i = 0; i < 200; ++i) before.push_back((i * 7 + i * i) % 50);
  after.assign(before.begin(), before.begin() + 60);
  for (int i = 0; i < 30; ++i) after.push_back((i * 3 + 1) % 50);
  after.insert(after.end(), before.begin() + 75, before.end());
  Session fresh = session(), s = session();
  ASSERT_TRUE(fresh.prefill(after));
  ASSERT_TRUE(s.prefill(before));
  const auto kept = s.reuse_changed(0, after, 20);
  ASSERT_TRUE(kept);
  EXPECT_GE(*kept, 60 + 125 - 1);
  ASSERT_TRUE(s.prefill(after, {.skip_held = true}));
  double error = 0, norm = 0;
  for (size_t i = 0; i < s.logits(0).size(); ++i) {
    const double d = double{s.logits(0)[i]} - double{fresh.logits(0)[i]};
    error += d * d, norm += double{fresh.logits(0)[i]} * double{fresh.logits(0)[i]};
  }
  EXPECT_LE(error, 1e-10 * norm);
}

TEST_P(ChangedText, GenerateAndReuseGoTogether) {
  Session s = session();
  const auto before = join({words(80, 1), words(70, 2), words(150, 3)});
  const auto after = join({words(80, 1), words(20, 9), words(150, 3)});
  hearth::GenerateOptions o{
      .max_tokens = 10, .sampler = {.greedy = true}, .ignore_end = true, .continue_cache = true, .reuse_stretches = 64};
  ASSERT_TRUE(s.generate(std::span<const Token>(before), o));
  const auto made = s.generate(std::span<const Token>(after), o);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->ids.size(), 10u);
  if (keeps()) {
    EXPECT_EQ(made->timings.reused_tokens, 80 + 150 - 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ChangedText, ::testing::Values("llama", "gemma3", "qwen3next", "deepseek2"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
