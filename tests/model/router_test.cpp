// Which experts the router chooses and with which weights, against numbers worked out by hand; and what becomes of the
// experts' outputs.
#include <gtest/gtest.h>

#include "support/stage_world.h"

namespace hearth {
namespace {

using testing::FamilyModel;
using testing::StageWorld;
using testing::Vec;

constexpr int kExperts = FamilyModel::kExperts;  // 4

/// A model whose router gives these logits for the input (1, 0, 0, ...).
struct RouterWorld {
  RouterWorld(
      const Architecture& row, const std::vector<float>& logits,
      const std::function<void(FamilyModel&)>& adjust = [](FamilyModel&) {})
      : arch(row), family(arch, {.experts = true, .shared_experts = false}) {
    auto& router = family.tiny.tensors.at("blk.0.ffn_gate_inp.weight").values;
    for (size_t e = 0; e < kExperts; ++e) router[e * FamilyModel::kWidth] = logits[e];
    adjust(family);
    world.emplace(arch, family.tiny);
    std::fill_n(world->scratch().h, FamilyModel::kWidth, 0.0f);
    world->scratch().h[0] = 1;
    mixture_of_experts(world->c, 0, 1);
  }
  void expect(const std::vector<int32_t>& experts, const std::vector<double>& weights) {
    const Scratch& s = world->scratch();
    EXPECT_EQ(std::vector<int32_t>(s.chosen, s.chosen + experts.size()), experts);
    for (size_t i = 0; i < weights.size(); ++i) EXPECT_NEAR(double{s.chosen_weight[i]}, weights[i], 1e-6) << i;
  }
  Architecture arch;
  FamilyModel family;
  std::optional<StageWorld> world;
};

const std::vector<float> kLogits = {1, -1, 3, 2};
const double kSum = std::exp(1.0) + std::exp(-1.0) + std::exp(3.0) + std::exp(2.0);

void selection_bias(FamilyModel& m, std::vector<float> bias) {
  for (int i = 0; i < FamilyModel::kLayers; ++i) {
    m.tiny.tensors["blk." + std::to_string(i) + ".exp_probs_b.bias"] = {{kExperts}, bias, 0, {}};
  }
}

TEST(Router, SoftmaxOverAllThenTheBest) {
  RouterWorld({.name = "r", .renormalize_experts = false}, kLogits)
      .expect({2, 3}, {std::exp(3.0) / kSum, std::exp(2.0) / kSum});
}

TEST(Router, WeightsOfTheChosenMaySumToOne) {
  RouterWorld({.name = "r"}, kLogits).expect({2, 3}, {1 / (1 + std::exp(-1.0)), 1 / (1 + std::exp(1.0))});
}

TEST(Router, SoftmaxOverTheChosen) {
  RouterWorld({.name = "r", .router = Router::kTopKSoftmax}, {1, -1, 3.5, 2})
      .expect({2, 3}, {1 / (1 + std::exp(-1.5)), 1 / (1 + std::exp(1.5))});
}

TEST(Router, EqualScoresTakeTheLowerIndex) {
  RouterWorld({.name = "r"}, {2, 5, 5, 5}).expect({1, 2}, {0.5, 0.5});
}

TEST(Router, WeightsAreScaled) {
  RouterWorld({.name = "r"}, {2, 5, 5, 1}, [](FamilyModel& m) {
    m.number("expert_weights_scale", 2.5f);
  }).expect({1, 2}, {1.25, 1.25});
}

constexpr Architecture kFromFile{.name = "r", .router = Router::kFromFile, .renormalize_experts = false};

TEST(Router, SigmoidScores) {
  RouterWorld(kFromFile, kLogits).expect({2, 3}, {testing::sigmoid(3), testing::sigmoid(2)});
}

TEST(Router, WhatAnAbsentGatingFunctionMeans) {
  constexpr Architecture kGlm{.name = "r", .router = Router::kFromFileOrSigmoid, .renormalize_experts = false};
  EXPECT_EQ(find_architecture("glm4moe")->router, kGlm.router);
  const std::function<void(FamilyModel&)> changes[] = {
      [](FamilyModel& m) { m.tiny.ints.erase(m.own_key("expert_gating_func")); },
      [](FamilyModel& m) { m.integer("expert_gating_func", 0); }};
  for (const auto& change : changes) {
    RouterWorld(kGlm, kLogits, change).expect({2, 3}, {testing::sigmoid(3), testing::sigmoid(2)});
    RouterWorld(kFromFile, kLogits, change).expect({2, 3}, {std::exp(3.0) / kSum, std::exp(2.0) / kSum});
  }
  RouterWorld(kGlm, kLogits, [](FamilyModel& m) {
    m.integer("expert_gating_func", 1);
  }).expect({2, 3}, {std::exp(3.0) / kSum, std::exp(2.0) / kSum});
}

TEST(Router, TheSelectionBiasCountsForTheChoiceOnly) {
  // sigmoid(1) = 0.73, sigmoid(-1) = 0.27, sigmoid(3) = 0.95, sigmoid(2) = 0.88; with the bias 0.73, 1.27, 0.95, 0.38
  RouterWorld(kFromFile, kLogits, [](FamilyModel& m) {
    selection_bias(m, {0, 1, 0, -0.5f});
  }).expect({1, 2}, {testing::sigmoid(-1), testing::sigmoid(3)});
}

void two_groups(FamilyModel& m) {
  m.integer("expert_group_count", 2);
  m.integer("expert_group_used_count", 1);
}

TEST(Router, OnlyTheBestGroupIsVisited) {
  // Groups (0, 1) and (2, 3): the best expert is in the second, but the first group's two sum to more.
  RouterWorld(kFromFile, {1.5, 1.25, 2, -3}, two_groups)
      .expect({0, 1}, {testing::sigmoid(1.5), testing::sigmoid(1.25)});
  RouterWorld(kFromFile, {1.5, 1.25, 2, 1}, two_groups).expect({2, 3}, {testing::sigmoid(2), testing::sigmoid(1)});
}

TEST(Router, GroupsAreChosenByBiasedScores) {
  RouterWorld(kFromFile, {1.5, 1.25, 2, -3}, [](FamilyModel& m) {
    two_groups(m);
    selection_bias(m, {0, 0, 0, 1});
  }).expect({3, 2}, {testing::sigmoid(-3), testing::sigmoid(2)});
}

TEST(Router, EqualGroupsTakeTheEarlier) {
  RouterWorld(kFromFile, {1, 2, 2, 1}, two_groups).expect({1, 0}, {testing::sigmoid(2), testing::sigmoid(1)});
}

/// W_down(silu(W_gate h) * W_up h), expert e of tensors with several.
Vec feed_forward_of(const FamilyModel& family, const std::string& suffix, size_t e, const Vec& h) {
  const auto part = [&](const std::string& name) {
    testing::TinyModel::Tensor w = family.tiny.tensors.at("blk.0." + name + suffix + ".weight");
    if (w.dims.size() < 3) return w;
    const size_t size = static_cast<size_t>(w.dims[0] * w.dims[1]);
    w.values = std::vector<float>(w.values.begin() + static_cast<std::ptrdiff_t>(e * size),
                                  w.values.begin() + static_cast<std::ptrdiff_t>((e + 1) * size));
    w.dims.pop_back();
    return w;
  };
  const Vec gate = testing::times(part("ffn_gate"), h);
  Vec up = testing::times(part("ffn_up"), h);
  for (size_t i = 0; i < up.size(); ++i) up[i] *= testing::silu(gate[i]);
  return testing::times(part("ffn_down"), up);
}

TEST(Router, OutputsAreSummedWithTheirWeights) {
  const Architecture arch{.name = "r"};
  const FamilyModel family(arch, {.experts = true, .shared_scale = true});
  StageWorld world(arch, family.tiny);
  const auto h = testing::random_rows(world.scratch().h, 3, FamilyModel::kWidth, 8);
  mixture_of_experts(world.c, 0, 3);
  for (size_t t = 0; t < 3; ++t) {
    Vec logits = testing::times(family.tiny.tensors.at("blk.0.ffn_gate_inp.weight"), h[t]);
    Vec expected = feed_forward_of(family, "_shexp", 0, h[t]);
    const double share =
        testing::sigmoid(testing::times(family.tiny.tensors.at("blk.0.ffn_gate_inp_shexp.weight"), h[t])[0]);
    for (double& y : expected) y *= share;
    std::vector<size_t> order = {0, 1, 2, 3};
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
    for (int i = 0; i < 2; ++i) {  // softmax over all, renormalized, is a softmax over the chosen
      const double weight =
          1 / (1 + std::exp(logits[order[static_cast<size_t>(1 - i)]] - logits[order[static_cast<size_t>(i)]]));
      const Vec y = feed_forward_of(family, "_exps", order[static_cast<size_t>(i)], h[t]);
      for (size_t d = 0; d < y.size(); ++d) expected[d] += weight * y[d];
    }
    testing::expect_close(world.scratch().y + t * FamilyModel::kWidth, expected, "token " + std::to_string(t));
  }
}

}  // namespace
}  // namespace hearth
