// Each stage on candidates against values computed by hand.
#include "lib/sample/stages.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hearth::sample {
namespace {

Candidates with_probabilities(std::initializer_list<double> probabilities) {
  Candidates candidates;
  for (double p : probabilities) {
    candidates.items.push_back({static_cast<Token>(candidates.items.size()), static_cast<float>(std::log(p)), 0});
  }
  return candidates;
}

Candidates with_logits(std::initializer_list<float> logits) {
  Candidates candidates;
  for (float logit : logits) candidates.items.push_back({static_cast<Token>(candidates.items.size()), logit, 0});
  return candidates;
}

/// Ids and renormalized probabilities, best first.
std::vector<std::pair<Token, float>> outcome(Candidates candidates) {
  candidates.sorted = false;
  candidates.softmax();
  std::vector<std::pair<Token, float>> result;
  for (const Candidate& c : candidates.items) result.push_back({c.id, c.p});
  return result;
}

void expect_outcome(const Candidates& candidates, const std::vector<std::pair<Token, double>>& expected) {
  const auto found = outcome(candidates);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].first, expected[i].first) << i;
    EXPECT_NEAR(found[i].second, expected[i].second, 1e-6) << i;
  }
}

TEST(Candidates, SortIsByLogitThenId) {
  Candidates c = with_logits({1, 3, 3, 2});
  c.sort();
  EXPECT_EQ(c.items[0].id, 1);
  EXPECT_EQ(c.items[1].id, 2);
  EXPECT_EQ(c.items[2].id, 3);
  EXPECT_EQ(c.items[3].id, 0);
}

TEST(Candidates, SoftmaxSumsToOne) {
  Candidates c = with_logits({1000, 999, -1000});
  c.softmax();
  EXPECT_NEAR(c.items[0].p, 1 / (1 + std::exp(-1.0)), 1e-7);
  EXPECT_NEAR(c.items[1].p, std::exp(-1.0) / (1 + std::exp(-1.0)), 1e-7);
  EXPECT_EQ(c.items[2].p, 0);
}

TEST(TopK, KeepsTheBest) {
  Candidates c = with_probabilities({0.1, 0.2, 0.3, 0.4});
  top_k(c, 2);
  expect_outcome(c, {{3, 4.0 / 7}, {2, 3.0 / 7}});
  top_k(c, 0);
  EXPECT_EQ(c.items.size(), 2u);
  top_k(c, 9);
  EXPECT_EQ(c.items.size(), 2u);
}

TEST(TopP, KeepsTheSmallestSetThatReachesTheMass) {
  const auto cut = [](float p, size_t min_keep = 1) {
    Candidates c = with_probabilities({0.1, 0.2, 0.3, 0.4});
    top_p(c, p, min_keep);
    return c;
  };
  expect_outcome(cut(0), {{3, 1}});
  expect_outcome(cut(0.39f), {{3, 1}});
  expect_outcome(cut(0.69f), {{3, 4.0 / 7}, {2, 3.0 / 7}});
  expect_outcome(cut(0.8f), {{3, 4.0 / 9}, {2, 3.0 / 9}, {1, 2.0 / 9}});
  EXPECT_EQ(cut(0.95f).items.size(), 4u);
  EXPECT_EQ(cut(0, 3).items.size(), 3u);
}

TEST(TopP, ProgressiveSortingGivesTheFullSortsResult) {
  Rng rng(3);
  for (float p : {0.01f, 0.3f, 0.9f, 0.99f}) {
    Candidates slow;
    for (int i = 0; i < 3000; ++i) slow.items.push_back({i, static_cast<float>(rng.uniform() * 4), 0});
    Candidates fast = slow;
    slow.sort();
    top_p(slow, p, 1);
    top_p(fast, p, 1);
    ASSERT_EQ(slow.items.size(), fast.items.size());
    for (size_t i = 0; i < slow.items.size(); ++i) ASSERT_EQ(slow.items[i].id, fast.items[i].id);
  }
}

TEST(MinP, KeepsWhatIsNotFarBelowTheBest) {
  const auto cut = [](float p, size_t min_keep = 1) {
    Candidates c = with_probabilities({0.1, 0.2, 0.3, 0.4});
    min_p(c, p, min_keep);
    return c;
  };
  expect_outcome(cut(0.24f), {{3, 0.4}, {2, 0.3}, {1, 0.2}, {0, 0.1}});
  expect_outcome(cut(0.26f), {{3, 4.0 / 9}, {2, 3.0 / 9}, {1, 2.0 / 9}});
  expect_outcome(cut(0.51f), {{3, 4.0 / 7}, {2, 3.0 / 7}});
  expect_outcome(cut(0.76f), {{3, 1}});
  expect_outcome(cut(1.0f), {{3, 1}});
  expect_outcome(cut(5.0f), {{3, 1}});
  EXPECT_EQ(cut(1.0f, 3).items.size(), 3u);
}

TEST(Typical, KeepsWhatIsClosestToTheEntropy) {
  std::vector<std::pair<float, Candidate>> scratch;
  // Entropy 0.5 nats is closest to the tail's surprise only for flat sets: here 0.97 dominates.
  Candidates peaked = with_probabilities({0.97, 0.01, 0.01, 0.01});
  typical(peaked, 0.5f, 1, scratch);
  expect_outcome(peaked, {{0, 1}});
  // H = -(0.4 ln 0.4 + 3 * 0.2 ln 0.2) = 1.332; |0.916 - 1.332| = 0.416, |1.609 - 1.332| = 0.277: the 0.2s first.
  Candidates flat = with_probabilities({0.4, 0.2, 0.2, 0.2});
  typical(flat, 0.5f, 1, scratch);
  expect_outcome(flat, {{1, 1.0 / 3}, {2, 1.0 / 3}, {3, 1.0 / 3}});
}

TEST(TopNSigma, KeepsWithinDeviationsOfTheBest) {
  // Logits 0, 1, 2, 5: mean 2, sigma sqrt(14 / 4) = 1.871.
  Candidates one = with_logits({0, 1, 2, 5});
  top_n_sigma(one, 1);
  ASSERT_EQ(one.items.size(), 1u);
  EXPECT_EQ(one.items[0].id, 3);
  Candidates two = with_logits({0, 1, 2, 5});
  top_n_sigma(two, 1.7f);  // limit 1.82
  ASSERT_EQ(two.items.size(), 2u);
  EXPECT_EQ(two.items[0].id, 2);
}

TEST(Xtc, DropsTheTopChoicesButTheLeastOfThem) {
  Rng rng(1);
  Candidates c = with_probabilities({0.4, 0.3, 0.2, 0.1});
  xtc(c, 1, 0.15f, 1, rng);
  expect_outcome(c, {{2, 2.0 / 3}, {3, 1.0 / 3}});
  Candidates one_above = with_probabilities({0.4, 0.3, 0.2, 0.1});
  xtc(one_above, 1, 0.35f, 1, rng);
  EXPECT_EQ(one_above.items.size(), 4u);
  Candidates off = with_probabilities({0.4, 0.3, 0.2, 0.1});
  xtc(off, 0, 0.1f, 1, rng);
  xtc(off, 1, 0.51f, 1, rng);
  xtc(off, 1, 0.15f, 3, rng);  // would leave two
  EXPECT_EQ(off.items.size(), 4u);
}

TEST(Temperature, DividesLogits) {
  Candidates c = with_probabilities({0.1, 0.2, 0.3, 0.4});
  temperature(c, 0.5f, 0, 1);  // p^2
  expect_outcome(c, {{3, 16.0 / 30}, {2, 9.0 / 30}, {1, 4.0 / 30}, {0, 1.0 / 30}});
  temperature(c, 1e-30f, 0, 1);
  expect_outcome(c, {{3, 1}, {2, 0}, {1, 0}, {0, 0}});
  temperature(c, 0, 0, 1);
  expect_outcome(c, {{3, 1}});
}

TEST(Temperature, FollowsTheEntropy) {
  Candidates uniform = with_logits({2, 2, 2, 2});
  temperature(uniform, 1, 0.5f, 1);
  expect_outcome(uniform, {{0, 0.25}, {1, 0.25}, {2, 0.25}, {3, 0.25}});
  // p = {0.8, 0.2}: H = 0.5004, ln 2 = 0.6931, evenness 0.7219; t = 0.5 + 1 * 0.7219 = 1.2219.
  Candidates two = with_probabilities({0.8, 0.2});
  temperature(two, 1, 0.5f, 1);
  const double ratio = std::pow(4.0, 1 / 1.2219281);
  expect_outcome(two, {{0, ratio / (1 + ratio)}, {1, 1 / (1 + ratio)}});
  // Exponent 2: t = 0.5 + 0.7219^2 = 1.0212.
  Candidates squared = with_probabilities({0.8, 0.2});
  temperature(squared, 1, 0.5f, 2);
  const double ratio2 = std::pow(4.0, 1 / (0.5 + 0.7219281 * 0.7219281));
  expect_outcome(squared, {{0, ratio2 / (1 + ratio2)}, {1, 1 / (1 + ratio2)}});
}

TEST(Mirostat, Version2CutsBySurprise) {
  Mirostat state{.mu = 2};  // p >= 1/4
  Candidates c = with_probabilities({0.1, 0.2, 0.3, 0.4});
  state.truncate_v2(c);
  expect_outcome(c, {{3, 4.0 / 7}, {2, 3.0 / 7}});
  state.mu = 0.1f;
  state.truncate_v2(c);
  expect_outcome(c, {{3, 1}});
  state.mu = 3;
  state.observe(0.125, 2, 0.5f);  // surprise 3 bits: mu -= 0.5 * (3 - 2)
  EXPECT_NEAR(state.mu, 2.5f, 1e-6);
}

TEST(Mirostat, Version1CutsByZipfsLaw) {
  // Exact Zipf with s = 2: k = ((s - 1) 2^mu / (1 - n^-(s - 1)))^(1/s) = (2^6 / (1 - 1/1000))^(1/2) = 8.004
  Candidates c;
  for (int i = 0; i < 1000; ++i) c.items.push_back({i, static_cast<float>(-2 * std::log(i + 1.0)), 0});
  Mirostat state{.mu = 6};
  state.truncate_v1(c, 1000);
  EXPECT_EQ(c.items.size(), 8u);
  EXPECT_EQ(c.items.back().id, 7);
  Candidates flat = with_logits({1, 1, 1});
  state.truncate_v1(flat, 3);
  EXPECT_GE(flat.items.size(), 1u);
}

TEST(Gather, TakesTheBestAndBreaksTiesByLowerId) {
  Candidates c;
  const std::vector<float> logits{1, 5, NAN, 5, -INFINITY, 5, 2};
  gather(c, logits, 2);
  ASSERT_EQ(c.items.size(), 2u);
  EXPECT_EQ(c.items[0].id, 1);
  EXPECT_EQ(c.items[1].id, 3);
  gather(c, logits, 0);
  EXPECT_EQ(c.items.size(), 5u);
  EXPECT_EQ(argmax(logits), 1);
}

TEST(Gather, AgreesWithSortingEverything) {
  Rng rng(11);
  std::vector<float> logits(5000);
  for (float& x : logits) x = static_cast<float>(static_cast<int>(rng.uniform() * 800));  // many ties
  for (size_t k : {1u, 2u, 40u, 1000u, 4999u, 5000u, 9000u}) {
    Candidates best, all;
    gather(best, logits, k);
    gather(all, logits, 0);
    all.sort();
    all.items.resize(std::min(k, logits.size()));
    best.sort();
    ASSERT_EQ(best.items.size(), all.items.size());
    for (size_t i = 0; i < all.items.size(); ++i) ASSERT_EQ(best.items[i].id, all.items[i].id) << k << " " << i;
  }
}

}  // namespace
}  // namespace hearth::sample
