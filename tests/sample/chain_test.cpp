// The chain: determinism, extreme logits, host stages, bad settings.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "hearth/sampler.h"

namespace hearth {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> random_logits(Rng& rng, size_t n) {
  std::vector<float> logits(n);
  for (float& x : logits) x = static_cast<float>(rng.uniform() * 16 - 8);
  return logits;
}

Sampler make(int32_t n_vocab, const SamplerOptions& options) {
  auto sampler = Sampler::create(n_vocab, options);
  EXPECT_TRUE(sampler) << sampler.error().message;
  return std::move(*sampler);
}

std::vector<Token> draw_sequence(Sampler& sampler, size_t n_vocab, int n) {
  Rng rng(99);
  std::vector<Token> ids;
  for (int i = 0; i < n; ++i) {
    const auto next = sampler.sample(random_logits(rng, n_vocab));
    ids.push_back(*next);
    sampler.accept(*next);
  }
  return ids;
}

SamplerOptions everything() {
  SamplerOptions o;
  o.seed = 42;
  o.repeat_penalty = 1.1f;
  o.frequency_penalty = 0.1f;
  o.presence_penalty = 0.1f;
  o.dry_multiplier = 0.8f;
  o.top_n_sigma = 2.5f;
  o.typical_p = 0.97f;
  o.xtc_probability = 0.5f;
  o.xtc_threshold = 0.05f;
  o.dynatemp_range = 0.3f;
  return o;
}

// The values come from an independent implementation in Python of the generator, softmax and the stages.
TEST(Sampler, ASeedGivesTheseTokensEverywhere) {
  Sampler sampler = make(50, {.seed = 1234, .top_k = 20, .top_p = 0.9f, .min_p = 0.02f, .temperature = 1.2f});
  EXPECT_EQ(draw_sequence(sampler, 50, 16),
            (std::vector<Token>{46, 25, 44, 47, 30, 18, 25, 24, 19, 9, 21, 37, 36, 33, 25, 22}));
  Sampler plain = make(50, {.seed = 7, .top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1});
  EXPECT_EQ(draw_sequence(plain, 50, 16),
            (std::vector<Token>{6, 9, 43, 42, 49, 18, 42, 2, 48, 0, 1, 29, 36, 9, 21, 18}));
}

TEST(Sampler, ResetRestartsAndCloneBranches) {
  Sampler sampler = make(300, everything());
  const auto first = draw_sequence(sampler, 300, 40);
  const auto second = draw_sequence(sampler, 300, 40);
  EXPECT_NE(first, second);
  sampler.reset();
  EXPECT_EQ(draw_sequence(sampler, 300, 40), first);
  auto branch = sampler.clone();
  ASSERT_TRUE(branch);
  EXPECT_EQ(draw_sequence(*branch, 300, 40), second);
  EXPECT_EQ(draw_sequence(sampler, 300, 40), second);
}

TEST(Sampler, ForgettingHistoryKeepsTheGeneratorGoing) {
  Sampler sampler = make(300, {.seed = 5, .repeat_penalty = 5, .top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1});
  Sampler never = make(300, {.seed = 5, .top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1});
  const auto first = draw_sequence(sampler, 300, 40);
  (void)draw_sequence(never, 300, 40);
  sampler.reset_history();
  const std::vector<float> logits(300, 1.0f);
  // Without a history there is no penalty, and the generators have given equally many numbers.
  EXPECT_EQ(*sampler.sample(logits), *never.sample(logits));
  sampler.reset();
  EXPECT_EQ(draw_sequence(sampler, 300, 40), first);
}

TEST(Sampler, GreedyTakesTheBestAndTheLowestOfEquals) {
  for (const SamplerOptions& o : {SamplerOptions{.greedy = true}, SamplerOptions{.temperature = 0},
                                  SamplerOptions{.temperature = -1}, SamplerOptions{.top_k = 1}}) {
    Sampler sampler = make(5, o);
    EXPECT_EQ(*sampler.sample(std::vector<float>{1, 4, 4, 2, -kInf}), 1);
    EXPECT_EQ(sampler.last_candidates().size(), 1u);
    EXPECT_EQ(sampler.last_candidates()[0].p, 1);
  }
}

TEST(Sampler, GreedySeesPenaltiesAndBias) {
  Sampler sampler = make(3, {.greedy = true, .logit_bias = {{2, 10.0f}}, .repeat_penalty = 100});
  const std::vector<float> logits{3, 2, 1};
  EXPECT_EQ(*sampler.sample(logits), 2);
  sampler.accept(2);
  EXPECT_EQ(*sampler.sample(logits), 0);
  sampler.accept(0);
  EXPECT_EQ(*sampler.sample(logits), 1);
}

TEST(Sampler, PenaltiesForgetWhatLeftTheWindow) {
  Sampler sampler = make(4, {.greedy = true, .penalty_last_n = 2, .presence_penalty = 100});
  const std::vector<float> logits{4, 3, 2, 1};
  std::vector<Token> ids;
  for (int i = 0; i < 400; ++i) {
    ids.push_back(*sampler.sample(logits));
    sampler.accept(ids.back());
  }
  for (int i = 0; i < 400; ++i) ASSERT_EQ(ids[i], i % 3);
}

TEST(Sampler, PenaltiesOverEverythingNeverForget) {
  Sampler sampler = make(300, {.greedy = true, .penalty_last_n = -1, .presence_penalty = 100});
  const std::vector<float> logits(300, 1.0f);
  for (Token i = 0; i < 300; ++i) {
    ASSERT_EQ(*sampler.sample(logits), i);
    sampler.accept(i);
  }
}

TEST(Sampler, ExtremeLogits) {
  for (const SamplerOptions& o : {SamplerOptions{}, SamplerOptions{.greedy = true}, SamplerOptions{.mirostat = 1},
                                  SamplerOptions{.mirostat = 2}, SamplerOptions{.top_k = 0}, everything()}) {
    Sampler sampler = make(4, o);
    EXPECT_EQ(*sampler.sample(std::vector<float>{NAN, NAN, 1, -kInf}), 2);
    EXPECT_EQ(*sampler.sample(std::vector<float>{3, kInf, 2, NAN}), 1);
    EXPECT_EQ(*sampler.sample(std::vector<float>(4, -kInf)), 0);
    EXPECT_EQ(*sampler.sample(std::vector<float>(4, NAN)), 0);
    EXPECT_TRUE(sampler.sample(std::vector<float>(4, kInf)));
    EXPECT_TRUE(sampler.sample(std::vector<float>{3e38f, -3e38f, 3e38f, 0}));
    EXPECT_TRUE(sampler.sample(std::vector<float>(4, 0.0f)));
    for (const Candidate& c : sampler.last_candidates()) EXPECT_TRUE(c.p >= 0 && c.p <= 1);
  }
}

TEST(Sampler, ForbiddenTokensAreNotTheFallback) {
  Sampler sampler = make(3, {.logit_bias = {{0, -kInf}, {1, -kInf}}});
  EXPECT_EQ(*sampler.sample(std::vector<float>{NAN, 1, NAN}), 2);
  EXPECT_EQ(*sampler.sample(std::vector<float>{5, 5, -9}), 2);
  EXPECT_EQ(*sampler.sample(std::vector<float>{kInf, 5, -9}), 2);
  Sampler none_left = make(2, {.logit_bias = {{0, -kInf}, {1, -kInf}}});
  EXPECT_EQ(*none_left.sample(std::vector<float>{1, 2}), 0);
}

TEST(Sampler, HostStagesRunInTheirPlaces) {
  Sampler sampler = make(100, {.top_k = 10});
  std::vector<size_t> sizes;
  for (StagePosition where :
       {StagePosition::kLast, StagePosition::kBeforeTruncation, StagePosition::kAfterTruncation}) {
    sampler.add_stage(where, [&sizes](Candidates& c) { sizes.push_back(c.items.size()); });
  }
  Rng rng(1);
  ASSERT_TRUE(sampler.sample(random_logits(rng, 100)));
  ASSERT_EQ(sizes.size(), 3u);
  EXPECT_EQ(sizes[0], 100u);
  EXPECT_LE(sizes[1], 10u);
  EXPECT_EQ(sizes[2], sizes[1]);
}

TEST(Sampler, HostStagesMayMisbehave) {
  const std::vector<float> logits{1, 2, 3, 0};
  for (const SamplerOptions& o : {SamplerOptions{}, SamplerOptions{.greedy = true}, SamplerOptions{.mirostat = 2}}) {
    for (StagePosition where :
         {StagePosition::kBeforeTruncation, StagePosition::kAfterTruncation, StagePosition::kLast}) {
      Sampler dropping = make(4, o);
      dropping.add_stage(where, [](Candidates& c) { c.items.clear(); });
      EXPECT_EQ(*dropping.sample(logits), 2);
      Sampler poisoning = make(4, o);
      poisoning.add_stage(where, [](Candidates& c) {
        for (Candidate& item : c.items) item.logit = NAN;
      });
      EXPECT_EQ(*poisoning.sample(logits), 2);
      Sampler foreign = make(4, o);
      foreign.add_stage(where, [](Candidates& c) { c.items = {{-5, 1, 0}, {77, kInf, 0}, {1, 0, 0}}; });
      EXPECT_EQ(*foreign.sample(logits), 1);
      Sampler forcing = make(4, o);
      forcing.add_stage(where, [](Candidates& c) { c.items.front().logit = kInf; });
      EXPECT_TRUE(forcing.sample(logits));
    }
  }
}

TEST(Sampler, DrawsInProportion) {
  Sampler sampler = make(3, {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 1});
  const std::vector<float> logits{std::log(0.2f), std::log(0.5f), std::log(0.3f)};
  int counts[3] = {};
  for (int i = 0; i < 20000; ++i) ++counts[*sampler.sample(logits)];
  EXPECT_NEAR(counts[0] / 20000.0, 0.2, 0.01);
  EXPECT_NEAR(counts[1] / 20000.0, 0.5, 0.01);
  EXPECT_NEAR(counts[2] / 20000.0, 0.3, 0.01);
}

TEST(Sampler, MirostatHoldsTheSurprise) {
  for (int version : {1, 2}) {
    Sampler sampler = make(1000, {.temperature = 1, .mirostat = version, .mirostat_tau = 3});
    std::vector<float> logits(1000);
    for (size_t i = 0; i < logits.size(); ++i) logits[i] = -1.1f * std::log(static_cast<float>(i + 1));
    double surprise = 0;
    for (int i = 0; i < 2000; ++i) {
      const Token id = *sampler.sample(logits);
      for (const Candidate& c : sampler.last_candidates()) {
        if (c.id == id && i >= 200) surprise -= std::log2(c.p);
      }
    }
    EXPECT_NEAR(surprise / 1800, 3, 0.2) << version;
  }
}

TEST(Sampler, InvariantsOverRandomSettings) {
  Rng rng(2024);
  for (int round = 0; round < 300; ++round) {
    const auto maybe = [&](float off, float low, float high) {
      return rng.uniform() < 0.5 ? off : low + static_cast<float>(rng.uniform()) * (high - low);
    };
    SamplerOptions o;
    o.seed = rng.next();
    o.repeat_penalty = maybe(1, 0.5f, 2);
    o.dry_multiplier = maybe(0, 0, 2);
    o.dry_allowed_length = static_cast<int32_t>(rng.next() % 3);
    o.top_n_sigma = maybe(-1, 0.01f, 3);
    o.top_k = static_cast<int32_t>(maybe(0, 1, 60));
    o.typical_p = maybe(1, 0, 1);
    o.top_p = maybe(1, 0, 1);
    o.min_p = maybe(0, 0, 2);
    o.xtc_probability = maybe(0, 0, 1);
    o.temperature = maybe(0.8f, 0, 3);
    o.dynatemp_range = maybe(0, 0, 2);
    o.min_keep = static_cast<int32_t>(rng.next() % 4);
    o.mirostat = rng.uniform() < 0.2 ? 1 + static_cast<int32_t>(rng.next() % 2) : 0;
    Sampler sampler = make(64, o);
    for (int i = 0; i < 10; ++i) {
      auto logits = random_logits(rng, 64);
      if (round % 3 == 0) logits[rng.next() % 64] = NAN;
      if (round % 5 == 0) logits[rng.next() % 64] = -kInf;
      const auto id = sampler.sample(logits);
      ASSERT_TRUE(id);
      ASSERT_TRUE(*id >= 0 && *id < 64);
      ASSERT_TRUE(logits[static_cast<size_t>(*id)] > -kInf);
      sampler.accept(*id);
      double sum = 0;
      bool is_among = false;
      float before = kInf;
      for (const Candidate& c : sampler.last_candidates()) {
        sum += c.p;
        is_among |= c.id == *id && c.p > 0;
        ASSERT_LE(c.logit, before);
        before = c.logit;
      }
      ASSERT_NEAR(sum, 1, 1e-5);
      ASSERT_TRUE(is_among);
    }
  }
}

TEST(Sampler, RefusesBadSettings) {
  const auto error_of = [](const SamplerOptions& o, int32_t n_vocab = 10) {
    const auto sampler = Sampler::create(n_vocab, o);
    return sampler ? std::string() : sampler.error().message;
  };
  EXPECT_EQ(error_of({}), "");
  EXPECT_NE(error_of({.temperature = NAN}).find("temperature"), std::string::npos);
  EXPECT_NE(error_of({.top_p = NAN}).find("top_p"), std::string::npos);
  EXPECT_NE(error_of({.min_p = kInf}).find("min_p"), std::string::npos);
  EXPECT_NE(error_of({.repeat_penalty = 0}).find("repeat_penalty"), std::string::npos);
  EXPECT_NE(error_of({.penalty_last_n = -2}).find("penalty_last_n"), std::string::npos);
  EXPECT_NE(error_of({.dry_multiplier = 1, .dry_base = 0.5f}).find("dry_base"), std::string::npos);
  EXPECT_NE(error_of({.xtc_probability = 1.5f}).find("xtc_probability"), std::string::npos);
  EXPECT_NE(error_of({.mirostat = 3}).find("mirostat"), std::string::npos);
  EXPECT_NE(error_of({.logit_bias = {{10, 1.0f}}}).find("logit_bias"), std::string::npos);
  EXPECT_NE(error_of({.logit_bias = {{-1, 1.0f}}}).find("logit_bias"), std::string::npos);
  EXPECT_NE(error_of({.logit_bias = {{1, NAN}}}).find("logit_bias"), std::string::npos);
  EXPECT_NE(error_of({}, 0).find("n_vocab"), std::string::npos);
}

TEST(Sampler, RefusesLogitsOfAnotherVocabulary) {
  Sampler sampler = make(10, {});
  const auto next = sampler.sample(std::vector<float>(11));
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, ErrorCode::kInvalidArgument);
  sampler.accept(-1);
  sampler.accept(10);
}

}  // namespace
}  // namespace hearth
