// Scratch memory fits the widest matrix of a model, wherever it stands.
#include <gtest/gtest.h>

#include <cmath>

#include "support/family_model.h"

namespace {

using hearth::testing::FamilyModel;

hearth::Result<hearth::Model> open(const FamilyModel& family, std::vector<std::byte>& bytes) {
  bytes = family.gguf();
  return hearth::Model::from_memory(bytes);
}

TEST(WideProducts, ValuesOfLatentAttentionMayBeWiderThanTheLatentVector) {
  FamilyModel family(*hearth::find_architecture("deepseek2"));
  constexpr int kWide = 300;
  family.integer("attention.value_length_mla", kWide);
  for (int i = 0; i < FamilyModel::kLayers; ++i) {
    const std::string blk = "blk." + std::to_string(i) + ".";
    family.tiny.add(blk + "attn_v_b.weight", {24, kWide, FamilyModel::kHeads});
    family.tiny.add(blk + "attn_output.weight", {FamilyModel::kHeads * kWide, FamilyModel::kWidth});
  }
  std::vector<std::byte> bytes;
  const auto model = open(family, bytes);
  ASSERT_TRUE(model) << model.error().message;
  auto session = hearth::Session::create(*model, {.n_ctx = 128});
  ASSERT_TRUE(session) << session.error().message;
  std::vector<hearth::BatchToken> batch;
  for (int32_t i = 0; i < 100; ++i) batch.push_back({i % FamilyModel::kVocab, i, 0, i == 99});
  const auto status = session->decode(batch);
  ASSERT_TRUE(status) << status.error().message;
  for (const float logit : session->logits(0)) ASSERT_TRUE(std::isfinite(logit));
}

TEST(WideProducts, MatricesAfterPoolingMayBeWide) {
  FamilyModel family(*hearth::find_architecture("bert"));
  constexpr int kWide = 5000;
  family.tiny.add("dense_2.weight", {FamilyModel::kWidth, kWide});
  family.tiny.add("dense_3.weight", {kWide, 7});
  std::vector<std::byte> bytes;
  const auto model = open(family, bytes);
  ASSERT_TRUE(model) << model.error().message;
  auto embedder = hearth::Embedder::create(*model);
  ASSERT_TRUE(embedder) << embedder.error().message;
  const std::vector<std::vector<hearth::Token>> texts = {{1, 2, 3, 4}};
  const auto all = embedder->embed_tokens(texts);
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->front().values.size(), 7u);
  for (const float value : all->front().values) EXPECT_TRUE(std::isfinite(value));
}

TEST(WideProducts, NoFileHasWiderOnesThanTheLimit) {
  FamilyModel family(*hearth::find_architecture("bert"));
  family.tiny.add("dense_2.weight", {FamilyModel::kWidth, 2});
  family.tiny.add("cls.output.weight", {FamilyModel::kWidth, (1 << 20) + 1});
  std::vector<std::byte> bytes;
  const auto model = open(family, bytes);
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message.find("cls.output.weight"), std::string::npos) << model.error().message;
}

}  // namespace
