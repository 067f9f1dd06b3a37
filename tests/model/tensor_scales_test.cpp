// Files whose matrices have a scale of their own beside those of the blocks (as conversions to NVFP4 write): every
// product is scaled by it, exactly as if the weights were.
#include <gtest/gtest.h>

#include "support/family_model.h"

namespace hearth {
namespace {

constexpr int kTokens = 9;

std::vector<float> logits_of(const testing::TinyModel& tiny, int step) {
  const auto bytes = tiny.gguf();
  const auto model = Model::from_memory(bytes);
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return {};
  SessionOptions options;
  options.n_ctx = options.n_logits = kTokens;
  auto session = Session::create(*model, options);
  EXPECT_TRUE(session) << session.error().message;
  std::vector<float> logits;
  for (int at = 0; at < kTokens; at += step) {
    std::vector<BatchToken> batch;
    for (int i = at; i < at + step; ++i) batch.push_back({(11 + 53 * i) % testing::FamilyModel::kVocab, i, 0, true});
    EXPECT_TRUE(session->decode(batch));
    for (size_t i = 0; i < batch.size(); ++i) {
      logits.insert(logits.end(), session->logits(i).begin(), session->logits(i).end());
    }
  }
  return logits;
}

/// Gives the embeddings and every matrix of the layers a scale that is a power of two; `folded` has it in the weights.
void scale_matrices(testing::TinyModel& scaled, testing::TinyModel& folded) {
  const auto matrices = scaled.tensors;
  int i = 0;
  for (const auto& [name, matrix] : matrices) {
    const bool router = name.find("ffn_gate_inp") != std::string::npos;
    if (matrix.dims.size() < 2 || router || (name.find("blk.") != 0 && name != "token_embd.weight")) continue;
    const std::string base = name.substr(0, name.size() - std::string("weight").size());
    const auto n = static_cast<size_t>(matrix.dims.size() == 3 ? matrix.dims[2] : 1);  // experts, or heads
    scaled.add(base + "scale", {static_cast<int64_t>(n)});
    scaled.add(base + "input_scale", {static_cast<int64_t>(n)});
    for (size_t e = 0; e < n; ++e, ++i) {
      const float scale = i % 3 == 0 ? 2.0f : i % 3 == 1 ? 0.5f : 1.0f;
      scaled.tensors[base + "scale"].values[e] = scale;
      std::vector<float>& values = folded.tensors[name].values;
      const size_t part = values.size() / n;
      for (size_t j = e * part; j < (e + 1) * part; ++j) values[j] *= scale;
    }
  }
  EXPECT_GT(i, 8);
}

void expect_same(const char* name, const testing::FamilyOptions& options) {
  const Architecture* arch = find_architecture(name);
  ASSERT_NE(arch, nullptr) << name;
  testing::TinyModel scaled = testing::FamilyModel(*arch, options).tiny;
  testing::TinyModel folded = scaled;
  const std::vector<float> plain = logits_of(scaled, kTokens);
  scale_matrices(scaled, folded);
  for (const int step : {kTokens, 1}) {
    const std::vector<float> actual = logits_of(scaled, step);
    EXPECT_EQ(actual, logits_of(folded, step)) << name << " by " << step;
    EXPECT_NE(actual, plain) << name;
  }
}

TEST(TensorScales, OfDenseLayers) {
  expect_same("llama", {});
  expect_same("qwen3", {.output = true});
}

TEST(TensorScales, OfFusedMatrices) {
  expect_same("phi3", {.fused_qkv = true, .fused_up = true});
}

TEST(TensorScales, OfLatentAttention) {
  expect_same("deepseek2", {.experts = true, .every = 2});
}

TEST(TensorScales, OfExpertsOneByOne) {
  expect_same("qwen3moe", {.experts = true, .shared_experts = false});
}

TEST(TensorScales, OfAnotherShapeAreRefused) {
  testing::TinyModel tiny;
  tiny.add("blk.0.ffn_down.scale", {2});
  const auto bytes = tiny.gguf();
  const auto model = Model::from_memory(bytes);
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message.find("blk.0.ffn_down.scale"), std::string::npos) << model.error().message;
}

}  // namespace
}  // namespace hearth
