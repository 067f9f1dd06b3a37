// Penalties, bias and DRY against values computed by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "lib/sample/stages.h"

namespace hearth::sample {
namespace {

TEST(TokenCounts, CountsAndForgets) {
  TokenCounts counts(10);
  for (Token id : {3, 5, 3, 7}) counts.add(id);
  EXPECT_EQ(counts.count(3), 2);
  EXPECT_EQ(counts.distinct().size(), 3u);
  counts.remove(3);
  EXPECT_EQ(counts.distinct().size(), 3u);
  counts.remove(3);
  counts.remove(7);
  ASSERT_EQ(counts.distinct().size(), 1u);
  EXPECT_EQ(counts.distinct()[0], 5);
  counts.clear();
  EXPECT_EQ(counts.count(5), 0);
}

TEST(Penalties, RepeatDividesPositiveAndMultipliesNegative) {
  TokenCounts window(4);
  for (Token id : {0, 1, 1}) window.add(id);
  std::vector<float> logits{2, -1, 3, 0};
  apply_penalties(logits, window, {.repeat_penalty = 2});
  EXPECT_EQ(logits, (std::vector<float>{1, -2, 3, 0}));
}

TEST(Penalties, FrequencyCountsAndPresenceDoesNot) {
  TokenCounts window(3);
  for (Token id : {0, 1, 1}) window.add(id);
  std::vector<float> logits{2, 2, 2};
  apply_penalties(logits, window, {.frequency_penalty = 0.5f, .presence_penalty = 0.25f});
  EXPECT_EQ(logits, (std::vector<float>{1.25f, 0.75f, 2}));
}

TEST(Bias, ForbidsAndForces) {
  std::vector<float> logits{1, 2, INFINITY};
  const std::vector<std::pair<Token, float>> bias{{0, 1.5f}, {1, -INFINITY}, {2, -INFINITY}};
  apply_bias(logits, bias);
  EXPECT_EQ(logits[0], 2.5f);
  EXPECT_EQ(argmax(logits), 0);
}

class Dry : public ::testing::Test {
 protected:
  std::vector<float> run(const std::vector<Token>& history, const std::vector<DryBreaker>& breakers = {}) {
    std::vector<float> logits(10, 0);
    apply_dry(logits, history, breakers, options_, scratch_);
    return logits;
  }
  SamplerOptions options_{.dry_multiplier = 1, .dry_base = 2, .dry_allowed_length = 2};
  DryScratch scratch_;
};

TEST_F(Dry, PenalisesTheContinuationOfARepetition) {
  // "1 2 3" again: 4 followed it before. Length 3: 2^(3-2).
  const auto logits = run({1, 2, 3, 4, 1, 2, 3});
  EXPECT_FLOAT_EQ(logits[4], -2);
  for (Token id : {0, 1, 2, 3, 5, 6, 7, 8, 9}) EXPECT_EQ(logits[static_cast<size_t>(id)], 0) << id;
}

TEST_F(Dry, TakesTheLongestRepetition) {
  // The end "5 1 2" was followed by 9; its last two "1 2" also by 7.
  const auto logits = run({5, 1, 2, 9, 1, 2, 7, 5, 1, 2});
  EXPECT_FLOAT_EQ(logits[9], -2);
  EXPECT_FLOAT_EQ(logits[7], -1);
}

TEST_F(Dry, FreeUpToTheAllowedLength) {
  EXPECT_EQ(run({1, 4, 1}), std::vector<float>(10, 0));
  options_.dry_allowed_length = 1;
  EXPECT_FLOAT_EQ(run({1, 4, 1})[4], -1);
  options_.dry_allowed_length = 0;  // every token seen before loses base^length
  const auto logits = run({1, 4, 1});
  EXPECT_FLOAT_EQ(logits[4], -2);
  EXPECT_FLOAT_EQ(logits[1], -1);
}

TEST_F(Dry, RunsOfOneTokenAreCounted) {
  // 6 6 6 6: the end repeats with an overlap of 3.
  EXPECT_FLOAT_EQ(run({6, 6, 6, 6})[6], -2);
}

TEST_F(Dry, BreakersLimitTheLength) {
  // Token 3 breaks: only "1 2" after it counts.
  const std::vector<DryBreaker> single{{3, {}}};
  EXPECT_FLOAT_EQ(run({3, 1, 2, 4, 3, 1, 2}, single)[4], -1);
  EXPECT_FLOAT_EQ(run({3, 1, 2, 4, 3, 1, 2})[4], -2);
  // The breaker "3 1" ends before the last 2: one token is left, fewer than allowed.
  const std::vector<DryBreaker> pair{{3, {1}}};
  EXPECT_EQ(run({3, 1, 2, 4, 3, 1, 2}, pair), std::vector<float>(10, 0));
  // A breaker itself is never penalised.
  const std::vector<DryBreaker> next{{4, {}}};
  EXPECT_EQ(run({1, 2, 3, 4, 1, 2, 3}, next)[4], 0);
}

TEST_F(Dry, HugeRepetitionsStayFinite) {
  options_.dry_base = 100;
  const auto logits = run(std::vector<Token>(4000, 2));
  EXPECT_TRUE(std::isfinite(logits[2]));
  EXPECT_LT(logits[2], -1e37f);
}

/// Lengths by comparing at every place, as the definition says.
TEST_F(Dry, AgreesWithTheDefinition) {
  Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<Token> history;
    for (int i = 0; i < 40; ++i) history.push_back(static_cast<Token>(rng.next() % 3));
    std::vector<float> expected(10, 0);
    std::vector<int> longest(10, -1);
    const int n = static_cast<int>(history.size());
    for (int end = 1; end < n; ++end) {  // the earlier copy ends before `end`
      int length = 0;
      while (length < end && history[end - 1 - length] == history[n - 1 - length]) ++length;
      longest[history[end]] = std::max(longest[history[end]], length);
    }
    for (Token id = 0; id < 10; ++id) {
      if (longest[id] >= 2) expected[id] = static_cast<float>(-std::pow(2.0, longest[id] - 2));
    }
    EXPECT_EQ(run(history), expected);
  }
}

}  // namespace
}  // namespace hearth::sample
