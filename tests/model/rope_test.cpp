// Rotary embeddings: frequencies with every scaling, angles, and both layouts of pairs, against numbers worked out by
// hand.
#include "lib/model/rope.h"

#include <gtest/gtest.h>

#include "kernels/kernel_table.h"
#include "support/stage_world.h"

namespace hearth {
namespace {

using testing::FamilyModel;
using testing::StageWorld;

void expect_frequencies(const RopeTable& table, const std::vector<double>& expected) {
  ASSERT_EQ(table.frequency.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(table.frequency[i], expected[i], 1e-12 * expected[i]) << i;
}

RopeParams params(RopeScaling scaling, double factor) {
  RopeParams p;
  p.n_rot = 8;
  p.scaling = scaling;
  p.factor = factor;
  p.n_ctx_original = 4096;
  return p;
}

TEST(Rope, PlainFrequenciesAreAGeometricSeries) {
  const RopeTable table = make_rope_table(params(RopeScaling::kNone, 1), {}, 64);
  expect_frequencies(table, {1, 0.1, 0.01, 0.001});  // 10000^(-2i/8)
  EXPECT_EQ(table.magnitude, 1.0f);
}

TEST(Rope, LinearScalingDividesEveryFrequency) {
  expect_frequencies(make_rope_table(params(RopeScaling::kLinear, 4), {}, 64), {0.25, 0.025, 0.0025, 0.00025});
}

// Pairs turn 4096 f / (2 pi) times over the original context: 652, 65.2, 6.52, 0.652. Of 32 turns and more is pair
// 8 ln(4096 / (32 2 pi)) / (2 ln 10000) = 1.31 -> 1, of one turn pair 2.81 -> 3: pairs 0 and 1 keep their frequency,
// pair 3 is divided by the factor, pair 2 is half of each.
TEST(Rope, YarnKeepsFastPairsAndInterpolatesSlowOnes) {
  const RopeTable table = make_rope_table(params(RopeScaling::kYarn, 4), {}, 64);
  expect_frequencies(table, {1, 0.1, 0.01 * (0.5 + 0.5 / 4), 0.001 / 4});
  EXPECT_NEAR(double{table.magnitude}, 1 + 0.1 * std::log(4.0), 1e-7);
  EXPECT_EQ(yarn_score_temperature(params(RopeScaling::kYarn, 4)), 1.0);
}

TEST(Rope, YarnOfDeepSeekScalesTheScores) {
  RopeParams p = params(RopeScaling::kYarn, 40);
  p.yarn_scales_scores = true;
  p.yarn_log_multiplier = 0.0707;
  EXPECT_EQ(make_rope_table(p, {}, 64).magnitude, 1.0f);
  EXPECT_NEAR(yarn_score_temperature(p), 1 + 0.1 * 0.707 * std::log(40.0), 1e-12);
}

TEST(Rope, FactorsDivideFrequenciesPairByPair) {
  Weights weights;
  weights.rope_factors = {1, 2, 4, 8};
  RopeParams p = params(RopeScaling::kNone, 1);
  expect_frequencies(make_rope_table(p, weights, 64), {1, 0.05, 0.0025, 0.000125});
  p.use_factors = false;
  expect_frequencies(make_rope_table(p, weights, 64), {1, 0.1, 0.01, 0.001});
}

TEST(Rope, LongRopeChoosesItsFactorsByTheContext) {
  Weights weights;
  weights.rope_factors_short = {1, 1, 2, 2};
  weights.rope_factors_long = {1, 4, 8, 16};
  RopeParams p = params(RopeScaling::kLongRope, 1);
  p.attn_factor = 1.19;
  const RopeTable within = make_rope_table(p, weights, 4096), beyond = make_rope_table(p, weights, 4097);
  expect_frequencies(within, {1, 0.1, 0.005, 0.0005});
  expect_frequencies(beyond, {1, 0.025, 0.00125, 0.0000625});
  EXPECT_EQ(beyond.magnitude, 1.19f);
}

TEST(Rope, LongRopeIsReadFromTheFile) {
  FamilyModel family(*find_architecture("phi3"));
  family.tiny.texts["phi3.rope.scaling.type"] = "longrope";
  family.integer("rope.scaling.original_context_length", 128);
  family.number("rope.scaling.attn_factor", 1.25f);
  family.tiny.tensors["rope_factors_short.weight"] = {{4}, {1, 1, 2, 2}, 0, {}};
  family.tiny.tensors["rope_factors_long.weight"] = {{4}, {1, 4, 8, 16}, 0, {}};
  const StageWorld within(*find_architecture("phi3"), family.tiny, 128);
  const StageWorld beyond(*find_architecture("phi3"), family.tiny, 129);
  expect_frequencies(within.c.ropes[0], {1, 0.1, 0.005, 0.0005});
  expect_frequencies(beyond.c.ropes[0], {1, 0.025, 0.00125, 0.0000625});
  EXPECT_EQ(beyond.c.ropes[0].magnitude, 1.25f);
}

TEST(Rope, AnglesAreMultiplesOfThePosition) {
  RopeTable table;
  table.n_rot = 4;
  table.frequency = {1, 0.5};
  table.magnitude = 2;
  const int32_t positions[2] = {0, 3};
  float cs[8];
  rope_cos_sin(cs, table, positions);
  const double expected[8] = {2, 0, 2, 0, 2 * std::cos(3.0), 2 * std::sin(3.0), 2 * std::cos(1.5), 2 * std::sin(1.5)};
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(double{cs[i]}, expected[i], 2.5e-7) << i;
}

// A quarter turn of the first pair takes (a, b) to (-b, a); the second pair stays.
TEST(Rope, LayoutsPairNeighborsOrHalves) {
  const float quarter[4] = {0, 1, 1, 0};
  float pairs[5] = {1, 2, 3, 4, 5}, halves[5] = {1, 2, 3, 4, 5};
  kernels::kernels().rope_pairs(pairs, quarter, 4);
  kernels::kernels().rope_halves(halves, quarter, 4);
  const float expected_pairs[5] = {-2, 1, 3, 4, 5}, expected_halves[5] = {-3, 2, 1, 4, 5};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(pairs[i], expected_pairs[i]) << i;
    EXPECT_EQ(halves[i], expected_halves[i]) << i;
  }
}

/// Queries and keys of the attention stage, rotated by the position of their token.
void expect_rotated(const Architecture& arch) {
  const FamilyModel family(arch);
  StageWorld world(arch, family.tiny);
  const BatchToken batch[2] = {{1, 0, 0, true}, {2, 1, 0, true}};
  const auto h = testing::random_rows(world.scratch().h, 2, FamilyModel::kWidth, 3);
  for (int t = 0; t < 2; ++t) rope_cos_sin(world.scratch().cos_sin[0] + t * 8, world.c.ropes[0], {&batch[t].pos, 1});
  world.reserve(batch);
  const int32_t rows[2] = {0, 1};
  attention(world.c, 0, batch, rows);
  constexpr size_t kHeadDim = FamilyModel::kHeadDim;
  testing::Vec q = testing::times(family.tiny.tensors.at("blk.0.attn_q.weight"), h[1]);
  for (size_t head = 0; head < q.size(); head += kHeadDim) {
    for (size_t i = 0; i < kHeadDim / 2; ++i) {
      const bool pairs = arch.rope == RopeLayout::kPairs;
      double& a = q[head + (pairs ? 2 * i : i)];
      double& b = q[head + (pairs ? 2 * i + 1 : i + kHeadDim / 2)];
      const double angle = std::pow(10.0, -static_cast<double>(i)), x = a;
      a = x * std::cos(angle) - b * std::sin(angle);
      b = x * std::sin(angle) + b * std::cos(angle);
    }
  }
  const int64_t width = (FamilyModel::kHeads + 2 * FamilyModel::kKvHeads) * FamilyModel::kHeadDim;
  testing::expect_close(world.scratch().qkv + width, q, arch.name);
}

TEST(Rope, AttentionRotatesByTheArchitecturesLayout) {
  expect_rotated({.name = "pairs"});
  expect_rotated({.name = "halves", .rope = RopeLayout::kHalves});
}

TEST(Rope, EveryNthLayerMayBeWithout) {
  const Architecture arch{.name = "skips", .rope_skip_interval = 3};
  const StageWorld world(arch, FamilyModel(arch).tiny);
  std::vector<int> ropes;
  for (const LayerShape& layer : world.hp().layers) ropes.push_back(layer.rope);
  EXPECT_EQ(ropes, (std::vector<int>{0, 0, -1, 0}));
}

}  // namespace
}  // namespace hearth
