// Every row of lib/arch, with and without experts, as a model that the test makes: it opens, and what a token gets does
// not depend on how tokens are grouped. The numbers themselves are the golden tests' business.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lib/arch/architecture.h"
#include "support/tiny_model.h"

namespace {

using hearth::Architecture;
using hearth::NormKind;
using hearth::NormPlace;
using hearth::QkNorm;
using hearth::RopeLayout;
using hearth::Token;
using hearth::testing::TinyModel;

constexpr int kLayers = 4, kWidth = 48, kHeads = 6, kKvHeads = 2, kHeadDim = 8, kFf = 80, kVocab = 300;
constexpr int kExperts = 4, kExpertFf = 32, kSharedFf = 24;
constexpr int kConv = 3, kKeyHeads = 2, kValueHeads = 4, kStateDim = 6;

/// Writes the keys and tensors that a row asks for.
class FamilyModel {
 public:
  FamilyModel(const Architecture& arch, bool experts) : arch_(arch), experts_(experts) {
    tiny_.ints.clear(), tiny_.floats.clear(), tiny_.tensors.clear();
    tiny_.architecture = arch.name;
    keys();
    tensor("token_embd", {kWidth, kVocab});
    if (arch.embedding_norm) norm("token_embd_norm");
    if (arch.learned_positions) tensor("position_embd", {kWidth, 256});
    if (arch.token_types) tensor("token_types", {kWidth, 2});
    if (arch.norm_place != NormPlace::kAfterAdd) norm("output_norm");
    for (int i = 0; i < kLayers; ++i) layer(i);
  }
  std::vector<std::byte> gguf() const { return tiny_.gguf(); }

 private:
  void integer(const std::string& key, int64_t value) { tiny_.set_int(std::string(arch_.name) + "." + key, value); }
  void tensor(const std::string& base, std::vector<int64_t> dims) { tiny_.add(base + ".weight", std::move(dims)); }
  void norm(const std::string& base, int64_t n = kWidth) { tiny_.add(base + ".weight", {n}, 1.0f); }

  void keys() {
    integer("block_count", kLayers);
    integer("embedding_length", kWidth);
    integer("context_length", 256);
    integer("feed_forward_length", kFf);
    integer("attention.head_count", kHeads);
    integer("attention.head_count_kv", arch_.latent ? 1 : kKvHeads);
    integer("attention.key_length", arch_.latent ? 28 : kHeadDim);
    integer("attention.value_length", arch_.latent ? 24 : kHeadDim);
    integer("attention.sliding_window", 20);
    integer("rope.dimension_count", arch_.latent ? 4 : kHeadDim);
    const bool rms = arch_.norm == NormKind::kRms;
    tiny_.set_float(
        std::string(arch_.name) + (rms ? ".attention.layer_norm_rms_epsilon" : ".attention.layer_norm_epsilon"), 1e-5f);
    if (arch_.window == hearth::WindowPattern::kFromFile) integer("attention.sliding_window_pattern", 2);
    if (arch_.latent) {
      integer("attention.q_lora_rank", 16);
      integer("attention.kv_lora_rank", 24);
      integer("attention.key_length_mla", 12);
      integer("attention.value_length_mla", 8);
    }
    if (arch_.recurrent) {
      integer("ssm.conv_kernel", kConv);
      integer("ssm.group_count", kKeyHeads);
      integer("ssm.time_step_rank", kValueHeads);
      integer("ssm.state_size", kStateDim);
      integer("ssm.inner_size", kValueHeads * kStateDim);
    }
    if (!experts_) return;
    integer("expert_count", kExperts);
    integer("expert_used_count", 2);
    integer("expert_feed_forward_length", kExpertFf);
    integer("expert_shared_feed_forward_length", kSharedFf);
    integer("expert_gating_func", 2);
  }

  void attention(const std::string& blk) {
    if (arch_.latent) {
      tensor(blk + "attn_q_a", {kWidth, 16}), norm(blk + "attn_q_a_norm", 16);
      tensor(blk + "attn_q_b", {16, kHeads * 12});
      tensor(blk + "attn_kv_a_mqa", {kWidth, 28}), norm(blk + "attn_kv_a_norm", 24);
      tensor(blk + "attn_k_b", {8, 24, kHeads}), tensor(blk + "attn_v_b", {24, 8, kHeads});
    } else {
      tensor(blk + "attn_q", {kWidth, kHeads * kHeadDim * (arch_.gated_queries ? 2 : 1)});
      tensor(blk + "attn_k", {kWidth, kKvHeads * kHeadDim});
      if (!arch_.v_may_be_k) tensor(blk + "attn_v", {kWidth, kKvHeads * kHeadDim});
      if (arch_.qk_norm != QkNorm::kNone) {
        const bool all = arch_.qk_norm != QkNorm::kPerHead;
        norm(blk + "attn_q_norm", all ? kHeads * kHeadDim : kHeadDim);
        norm(blk + "attn_k_norm", all ? kKvHeads * kHeadDim : kHeadDim);
      }
    }
    tensor(blk + "attn_output", {kHeads * 8, kWidth});
  }

  void recurrent(const std::string& blk) {
    const int64_t channels = (2 * kKeyHeads + kValueHeads) * kStateDim, inner = kValueHeads * kStateDim;
    tensor(blk + "attn_qkv", {kWidth, channels}), tensor(blk + "attn_gate", {kWidth, inner});
    tensor(blk + "ssm_beta", {kWidth, kValueHeads}), tensor(blk + "ssm_alpha", {kWidth, kValueHeads});
    tensor(blk + "ssm_conv1d", {kConv, channels}), norm(blk + "ssm_norm", kStateDim);
    tiny_.add(blk + "ssm_dt.bias", {kValueHeads}), tiny_.add(blk + "ssm_a", {kValueHeads}, -1.0f);
    tensor(blk + "ssm_out", {inner, kWidth});
  }

  void feed_forward(const std::string& blk) {
    if (!experts_ || arch_.experts_beside_dense) {
      if (arch_.gated) tensor(blk + "ffn_gate", {kWidth, kFf});
      tensor(blk + "ffn_up", {kWidth, kFf}), tensor(blk + "ffn_down", {kFf, kWidth});
    }
    if (!experts_) return;
    tensor(blk + "ffn_gate_inp", {kWidth, kExperts});
    if (arch_.gated) tensor(blk + "ffn_gate_exps", {kWidth, kExpertFf, kExperts});
    tensor(blk + "ffn_up_exps", {kWidth, kExpertFf, kExperts});
    tensor(blk + "ffn_down_exps", {kExpertFf, kWidth, kExperts});
    tensor(blk + "ffn_gate_shexp", {kWidth, kSharedFf}), tensor(blk + "ffn_up_shexp", {kWidth, kSharedFf});
    tensor(blk + "ffn_down_shexp", {kSharedFf, kWidth});
    if (!arch_.experts_beside_dense) return;
    for (const char* name : {"post_ffw_norm_1", "pre_ffw_norm_2", "post_ffw_norm_2"}) norm(blk + name);
    tiny_.add(blk + "ffn_gate_inp.scale", {kWidth}, 1.0f);
  }

  void layer(int i) {
    const std::string blk = "blk." + std::to_string(i) + ".";
    const bool pre = arch_.norm_place == NormPlace::kPre;
    if (pre) norm(blk + "attn_norm"), norm(blk + arch_.ffn_norm_name);
    if (arch_.post_norms || arch_.norm_place == NormPlace::kAfterAdd)
      norm(blk + arch_.attn_post_norm_name), norm(blk + arch_.ffn_post_norm_name);
    arch_.recurrent&& i != kLayers - 1 ? recurrent(blk) : attention(blk);
    feed_forward(blk);
  }

  const Architecture& arch_;
  bool experts_;
  TinyModel tiny_;
};

std::vector<Token> some_tokens(int n, int first) {
  std::vector<Token> ids;
  for (int i = 0; i < n; ++i) ids.push_back((first + 37 * i) % kVocab);
  return ids;
}

double relative(std::span<const float> a, std::span<const float> b) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
    norm += double{a[i]} * double{a[i]};
  }
  return std::sqrt(error / norm);
}

/// Logits of all tokens, `step` tokens a decode(); with `strangers`, beside a second sequence.
std::vector<float> run(const hearth::Model& model, const std::vector<Token>& tokens, size_t step, bool strangers) {
  auto session = hearth::Session::create(
      model, {.n_ctx = 400, .n_seqs = 2, .n_logits = 200, .kv_type = hearth::CellType::kF32, .n_threads = 1});
  EXPECT_TRUE(session) << session.error().message;
  std::vector<float> logits;
  for (size_t at = 0; at < tokens.size(); at += step) {
    std::vector<hearth::BatchToken> batch;
    for (size_t i = at; i < std::min(tokens.size(), at + step); ++i) {
      if (strangers) batch.push_back({tokens[tokens.size() - 1 - i], static_cast<int32_t>(i), 1, false});
      batch.push_back({tokens[i], static_cast<int32_t>(i), 0, true});
    }
    const auto status = session->decode(batch);
    EXPECT_TRUE(status) << status.error().message;
    for (size_t i = 0; i < session->n_logits(); ++i)
      logits.insert(logits.end(), session->logits(i).begin(), session->logits(i).end());
  }
  return logits;
}

void expect_groupings_agree(const hearth::Model& model, const std::string& name) {
  const auto tokens = some_tokens(90, 5);
  const auto whole = run(model, tokens, tokens.size(), false);
  ASSERT_TRUE(std::isfinite(whole.front())) << name;
  EXPECT_LE(relative(whole, run(model, tokens, 1, false)), 1e-5) << name;
  EXPECT_LE(relative(whole, run(model, tokens, 13, false)), 1e-5) << name;
  EXPECT_LE(relative(whole, run(model, tokens, tokens.size(), true)), 1e-5) << name;
}

void expect_batches_agree(const hearth::Model& model, const std::string& name) {
  auto embedder = hearth::Embedder::create(model);
  ASSERT_TRUE(embedder) << name << ": " << embedder.error().message;
  const std::vector<std::vector<Token>> texts = {some_tokens(40, 1), some_tokens(3, 2), some_tokens(90, 3)};
  const auto together = embedder->embed_tokens(texts);
  ASSERT_TRUE(together) << name << ": " << together.error().message;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto alone = embedder->embed_tokens(std::span(&texts[i], 1));
    ASSERT_TRUE(alone) << name << ": " << alone.error().message;
    EXPECT_LE(relative(alone->front().values, (*together)[i].values), 1e-5) << name;
  }
}

TEST(EveryArchitecture, OpensAndGroupingDoesNotMatter) {
  for (const std::string& name : hearth::architecture_names()) {
    const Architecture& arch = *hearth::find_architecture(name);
    for (const bool experts : {false, true}) {
      const auto bytes = FamilyModel(arch, experts).gguf();
      const auto model = hearth::Model::open_memory(bytes);
      ASSERT_TRUE(model) << name << ": " << model.error().message;
      EXPECT_EQ(model->info().causal, arch.causal) << name;
      if (arch.causal) {
        expect_groupings_agree(*model, name);
      } else {
        expect_batches_agree(*model, name);
      }
    }
  }
}

TEST(EveryArchitecture, DistanceBiasIsTheSameBothWays) {
  const auto bytes = FamilyModel(*hearth::find_architecture("jina-bert-v2"), false).gguf();
  const auto model = hearth::Model::open_memory(bytes);
  ASSERT_TRUE(model) << model.error().message;
  auto embedder = hearth::Embedder::create(*model, {.pooling = hearth::Pooling::kMean});
  ASSERT_TRUE(embedder);
  // Tokens know nothing of their place but the distance to others: backwards is the same text, shuffled is not.
  const auto text = some_tokens(90, 3);
  auto backwards = text, shuffled = text;
  std::reverse(backwards.begin(), backwards.end());
  std::rotate(shuffled.begin(), shuffled.begin() + 20, shuffled.begin() + 50);
  const auto all = embedder->embed_tokens(std::vector{text, backwards, shuffled});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_LE(relative((*all)[0].values, (*all)[1].values), 1e-5);
  EXPECT_GE(relative((*all)[0].values, (*all)[2].values), 1e-3);
}

TEST(EveryArchitecture, SlidingLayersKeepOnlyTheirWindow) {
  const auto kv_bytes = [](const char* name, int32_t n_ctx) {
    const auto bytes = FamilyModel(*hearth::find_architecture(name), false).gguf();
    const auto plan = hearth::Model::open_memory(bytes)->plan({.n_ctx = n_ctx, .n_batch = 64});
    EXPECT_TRUE(plan) << plan.error().message;
    return plan->kv_cache_bytes;
  };
  // Of these four layers, Gemma 3 has none that sees everything, Gemma 2 two, Llama all.
  EXPECT_EQ(kv_bytes("gemma3", 4096), kv_bytes("gemma3", 8192));
  EXPECT_EQ(kv_bytes("llama", 4096) * 2, kv_bytes("llama", 8192));
  EXPECT_EQ(kv_bytes("gemma2", 8192) - kv_bytes("gemma2", 4096), kv_bytes("llama", 4096) / 2);
}

}  // namespace
