// Normalizations, against numbers worked out by hand.
#include <gtest/gtest.h>

#include "support/stage_world.h"

namespace hearth {
namespace {

using testing::FamilyModel;
using testing::StageWorld;

/// A context whose model has the given kind of norm and an epsilon of 0.5.
struct NormWorld {
  explicit NormWorld(NormKind kind) : arch{.name = "norms", .norm = kind}, family(make()), world(arch, family.tiny) {}
  FamilyModel make() const {
    FamilyModel made(arch);
    for (const char* key : {"attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"}) made.number(key, 0.5f);
    return made;
  }
  Architecture arch;
  FamilyModel family;
  StageWorld world;
};

// Mean square of (1, 3, -1, 1) is 3, plus 0.5: the root is sqrt(3.5).
TEST(Norms, RmsNorm) {
  NormWorld w(NormKind::kRms);
  const float x[4] = {1, 3, -1, 1};
  float y[4];
  norm_row(w.world.c, y, x, {{1, 2, 1, -1}, {}}, 4);
  const double r = std::sqrt(3.5);
  testing::expect_close(y, {1 / r, 6 / r, -1 / r, -1 / r}, "rms", 3e-7);
  norm_row(w.world.c, y, x, {{1, 2, 1, -1}, {10, 0, 0, 20}}, 4);
  testing::expect_close(y, {1 / r + 10, 6 / r, -1 / r, -1 / r + 20}, "rms with a bias", 3e-7);
}

// Mean of (1, 3, -1, 1) is 1, variance 2, plus 0.5.
TEST(Norms, LayerNorm) {
  NormWorld w(NormKind::kLayer);
  const float x[4] = {1, 3, -1, 1};
  float y[4];
  norm_row(w.world.c, y, x, {{1, 2, 1, 5}, {0, 0, 1, 7}}, 4);
  const double d = std::sqrt(2.5);
  testing::expect_close(y, {0, 4 / d, -2 / d + 1, 7}, "layer norm", 3e-7);
  norm_row(w.world.c, y, x, {{1, 2, 1, 5}, {}}, 4);
  testing::expect_close(y, {0, 4 / d, -2 / d, 0}, "without a bias", 3e-7);
}

TEST(Norms, RowsAreNormalizedOneByOneAndAnAbsentNormCopies) {
  NormWorld w(NormKind::kRms);
  const float x[4] = {1, 3, 1, -1};
  float y[4];
  norm_rows(w.world.c, y, x, {{1, 1}, {}}, 2, 2);
  const double a = std::sqrt(5.5), b = std::sqrt(1.5);
  testing::expect_close(y, {1 / a, 3 / a, 1 / b, -1 / b}, "rows", 3e-7);
  norm_rows(w.world.c, y, x, {}, 2, 2);
  testing::expect_close(y, {1, 3, 1, -1}, "no norm", 0);
}

TEST(Norms, TheResidualIsAddedFirst) {
  NormWorld w(NormKind::kRms);
  constexpr int kWidth = FamilyModel::kWidth;
  std::vector<float> x(2 * kWidth, 1.0f), y(2 * kWidth, 4.0f), h(2 * kWidth);
  for (size_t i = kWidth; i < y.size(); ++i) y[i] = -8.0f;
  const Norm norm{FloatArray(kWidth, 2.0f), {}};
  add_norm_rows(w.world.c, x.data(), y.data(), 0.25f, h.data(), norm, 2);
  EXPECT_EQ(x.front(), 2.0f);  // 1 + 0.25 * 4
  EXPECT_EQ(x.back(), -1.0f);  // 1 - 0.25 * 8
  EXPECT_NEAR(double{h.front()}, 2 * 2 / std::sqrt(4.5), 1e-6);
  EXPECT_NEAR(double{h.back()}, -1 * 2 / std::sqrt(1.5), 1e-6);
  add_norm_rows(w.world.c, x.data(), y.data(), 1.0f, h.data(), {}, 2);
  EXPECT_EQ(h.front(), 6.0f);
  EXPECT_EQ(h.back(), -9.0f);
}

/// Rows of queries and keys after the attention stage at position 0, where nothing is rotated.
void expect_query_norms(QkNorm kind, size_t group) {
  const Architecture arch{.name = "qk", .qk_norm = kind};
  const FamilyModel family(arch);
  StageWorld world(arch, family.tiny);
  const BatchToken batch[1] = {{1, 0, 0, true}};
  const auto h = testing::random_rows(world.scratch().h, 1, FamilyModel::kWidth, 3);
  rope_cos_sin(world.scratch().cos_sin[0], world.c.ropes[0], {&batch[0].pos, 1});
  world.reserve(batch);
  const int32_t rows[1] = {0};
  attention(world.c, 0, batch, rows);
  const testing::Vec q = testing::times(family.tiny.tensors.at("blk.0.attn_q.weight"), h[0]);
  const auto& weight = family.tiny.tensors.at("blk.0.attn_q_norm.weight").values;
  testing::Vec expected;
  for (size_t at = 0; at < q.size(); at += group) {
    const testing::Vec part(q.begin() + static_cast<std::ptrdiff_t>(at),
                            q.begin() + static_cast<std::ptrdiff_t>(at + group));
    const testing::Vec normed = testing::rms_norm(part, weight, 1e-5);
    expected.insert(expected.end(), normed.begin(), normed.end());
  }
  testing::expect_close(world.scratch().qkv, expected, "queries");
}

TEST(Norms, QueriesAreNormalizedPerHeadOrTogether) {
  expect_query_norms(QkNorm::kPerHead, FamilyModel::kHeadDim);
  expect_query_norms(QkNorm::kAllHeads, size_t{FamilyModel::kHeads} * FamilyModel::kHeadDim);
}

}  // namespace
}  // namespace hearth
