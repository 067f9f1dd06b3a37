// Per-layer embeddings (PLE) and what else ends a layer, and the caps and scales of logits, in double precision.
#include <gtest/gtest.h>

#include "support/stage_world.h"

namespace hearth {
namespace {

using testing::FamilyModel;
using testing::StageWorld;
using testing::Vec;

constexpr int64_t kInput = 8;  // width of a per-layer embedding
constexpr size_t kLayers = FamilyModel::kLayers, kWidth = FamilyModel::kWidth;

FamilyModel with_layer_embeddings(const Architecture& arch) {
  return FamilyModel(arch, {.layer_embedding = static_cast<int>(kInput)});
}

/// gelu(x) in the tanh form.
double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

/// (E_l[id] sqrt(d_in) + norm(W_l x / sqrt(d_model))) / sqrt(2) of one layer.
Vec embedding_of(const FamilyModel& family, Token id, size_t layer, const Vec& x) {
  const auto& tensors = family.tiny.tensors;
  constexpr auto n = static_cast<size_t>(kInput);
  Vec projected = testing::times(tensors.at("per_layer_model_proj.weight"), x);
  projected = Vec(projected.begin() + static_cast<std::ptrdiff_t>(layer * n),
                  projected.begin() + static_cast<std::ptrdiff_t>((layer + 1) * n));
  for (double& value : projected) value /= std::sqrt(static_cast<double>(kWidth));
  Vec out = testing::rms_norm(projected, tensors.at("per_layer_proj_norm.weight").values, 1e-5);
  const float* row =
      tensors.at("per_layer_token_embd.weight").values.data() + (static_cast<size_t>(id) * kLayers + layer) * n;
  for (size_t i = 0; i < n; ++i)
    out[i] = (out[i] + double{row[i]} * std::sqrt(static_cast<double>(n))) / std::sqrt(2.0);
  return out;
}

TEST(LayerEmbeddings, AreMadeOfTokenAndFirstEmbedding) {
  const Architecture arch{.name = "ple", .gate = kernels::Gate::kGelu};
  const FamilyModel family = with_layer_embeddings(arch);
  StageWorld world(arch, family.tiny);
  const BatchToken batch[2] = {{17, 0, 0, true}, {299, 1, 0, true}};
  const auto x = testing::random_rows(world.scratch().x, 2, kWidth, 4);
  prepare_layer_embeddings(world.c, batch);
  for (size_t t = 0; t < 2; ++t) {
    for (size_t layer = 0; layer < kLayers; ++layer) {
      testing::expect_close(world.scratch().layer_embeddings + (t * kLayers + layer) * static_cast<size_t>(kInput),
                            embedding_of(family, batch[t].id, layer, x[t]), "layer " + std::to_string(layer));
    }
  }
}

TEST(LayerEmbeddings, EndALayer) {
  const Architecture arch{.name = "ple", .gate = kernels::Gate::kGelu};
  const FamilyModel family = with_layer_embeddings(arch);
  StageWorld world(arch, family.tiny);
  Scratch& s = world.scratch();
  const BatchToken batch[2] = {{17, 0, 0, true}, {299, 1, 0, true}};
  const auto first = testing::random_rows(s.x, 2, kWidth, 4);
  prepare_layer_embeddings(world.c, batch);
  constexpr int32_t kept[1] = {1};  // only the second token is wanted after this layer
  const auto x = testing::random_rows(s.x, 1, kWidth, 5);
  std::copy_n(s.x, kWidth, s.h);
  end_layer(world.c, 2, kept);
  const auto& tensors = family.tiny.tensors;
  Vec gate = testing::times(tensors.at("blk.2.inp_gate.weight"), x[0]);
  const Vec embedding = embedding_of(family, 299, 2, first[1]);
  for (size_t i = 0; i < gate.size(); ++i) gate[i] = gelu(gate[i]) * embedding[i];
  const Vec up = testing::rms_norm(testing::times(tensors.at("blk.2.proj.weight"), gate),
                                   tensors.at("blk.2.post_norm.weight").values, 1e-5);
  Vec expected = x[0];
  const double scale = double{tensors.at("blk.2.layer_output_scale.weight").values[0]};
  for (size_t i = 0; i < kWidth; ++i) expected[i] = (expected[i] + up[i]) * scale;
  testing::expect_close(s.x, expected, "the residual stream");
}

/// Logits of one token with these keys.
std::vector<float> logits_with(const std::map<std::string, float>& keys) {
  FamilyModel family(*find_architecture("gemma2"));
  for (const auto& [key, value] : keys) family.number(key, value);
  const auto bytes = family.gguf();
  const auto model = Model::from_memory(bytes);
  EXPECT_TRUE(model) << model.error().message;
  auto session = Session::create(*model);
  const BatchToken token{5, 0, 0, true};
  EXPECT_TRUE(session->decode({&token, 1}));
  return {session->logits(0).begin(), session->logits(0).end()};
}

TEST(Logits, SoftCapAndScale) {
  const auto plain = logits_with({{"final_logit_softcapping", 0}});
  Vec capped, scaled, both;
  for (const float logit : plain) {
    capped.push_back(2 * std::tanh(double{logit} / 2));
    scaled.push_back(double{logit} / 8);
    both.push_back(2 * std::tanh(double{logit} / 8 / 2));  // scaled first
  }
  testing::expect_close(logits_with({{"final_logit_softcapping", 2}}).data(), capped, "capped");
  testing::expect_close(logits_with({{"final_logit_softcapping", 0}, {"logit_scale", 8}}).data(), scaled, "scaled");
  testing::expect_close(logits_with({{"final_logit_softcapping", 2}, {"logit_scale", 8}}).data(), both, "both");
}

}  // namespace
}  // namespace hearth
