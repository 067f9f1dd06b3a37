// A small model of any architecture with seeded random weights, as GGUF bytes: the keys and tensors that a row of
// lib/arch asks for.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lib/arch/architecture.h"
#include "support/tiny_model.h"

namespace hearth::testing {

/// What a family's files may have or not have.
struct FamilyOptions {
  bool experts = false;
  bool shared_experts = true;  ///< layers with experts have one for every token
  int shared_width = 24;       ///< of that one
  bool shared_scale = false;   ///< its output is scaled by a sigmoid
  bool own_width = true;       ///< experts have a width of their own; otherwise that of the dense feed-forward
  int every = 1;               ///< n > 1: of every n layers the second has experts, the others are dense
  bool biases = false;         ///< of attention, dense feed-forward and norms
  bool fused_qkv = false;      ///< q, k and v are one tensor
  bool fused_up = false;       ///< gate and up of the dense feed-forward are one tensor
  bool all_kv_heads = false;   ///< as many heads of keys and values as of queries
  bool output = false;         ///< an output matrix; otherwise the embedding is the output too
  int layer_embedding = 0;     ///< width of per-layer embeddings; 0: none
};

class FamilyModel {
 public:
  static constexpr int kLayers = 4, kWidth = 48, kHeads = 6, kKvHeads = 2, kHeadDim = 8, kFf = 80, kVocab = 300;
  static constexpr int kExperts = 4, kExpertFf = 32;
  static constexpr int kConv = 3, kKeyHeads = 2, kValueHeads = 4, kStateDim = 6;

  explicit FamilyModel(const Architecture& arch, const FamilyOptions& options = {}) : arch_(arch), o_(options) {
    tiny.ints.clear(), tiny.floats.clear(), tiny.tensors.clear();
    tiny.architecture = arch.name;
    keys();
    tensor("token_embd", {kWidth, kVocab});
    if (arch.embedding_norm) norm("token_embd_norm");
    if (arch.learned_positions) tensor("position_embd", {kWidth, 256});
    if (arch.token_types) tensor("token_types", {kWidth, 2});
    if (arch.norm_place != NormPlace::kAfterAdd) norm("output_norm");
    if (options.output) tensor("output", {kWidth, kVocab});
    for (int i = 0; i < kLayers; ++i) layer(i);
    if (options.layer_embedding > 0) layer_embeddings(options.layer_embedding);
  }

  TinyModel tiny;  ///< open for what only one family has
  std::vector<std::byte> gguf() const { return tiny.gguf(); }

  /// Sets a key of the architecture.
  void integer(const std::string& key, int64_t value) { tiny.set_int(own_key(key), value); }
  void number(const std::string& key, float value) { tiny.set_float(own_key(key), value); }
  std::string own_key(const std::string& key) const { return std::string(arch_.name) + "." + key; }

 private:
  void tensor(const std::string& base, std::vector<int64_t> dims) {
    const int64_t rows = dims.back();
    tiny.add(base + ".weight", std::move(dims));
    const bool stage = base.starts_with("blk.") && tiny.tensors[base + ".weight"].dims.size() == 2;
    if (o_.biases && stage) tiny.add(base + ".bias", {rows});
  }
  void norm(const std::string& base, int64_t n = kWidth) {
    tiny.add(base + ".weight", {n}, 1.0f);
    if (o_.biases && arch_.norm == NormKind::kLayer) tiny.add(base + ".bias", {n});
  }
  void layer_embeddings(int width) {
    integer("embedding_length_per_layer_input", width);
    tensor("per_layer_token_embd", {kLayers * width, kVocab});
    tensor("per_layer_model_proj", {kWidth, kLayers * width});
    norm("per_layer_proj_norm", width);
    for (int i = 0; i < kLayers; ++i) {
      const std::string blk = "blk." + std::to_string(i) + ".";
      tensor(blk + "inp_gate", {kWidth, width});
      tensor(blk + "proj", {width, kWidth});
      norm(blk + "post_norm");
      tiny.add(blk + "layer_output_scale.weight", {1}, 0.75f);
    }
  }
  bool has_experts(int layer) const { return o_.experts && (o_.every == 1 || layer % o_.every == 1); }
  int kv_heads() const { return o_.all_kv_heads ? kHeads : kKvHeads; }
  int expert_width() const { return o_.own_width ? kExpertFf : kFf; }

  void keys() {
    integer("block_count", kLayers);
    integer("embedding_length", kWidth);
    integer("context_length", 256);
    integer("feed_forward_length", kFf);
    integer("attention.head_count", kHeads);
    integer("attention.head_count_kv", arch_.latent ? 1 : kv_heads());
    integer("attention.key_length", arch_.latent ? 28 : kHeadDim);
    integer("attention.value_length", arch_.latent ? 24 : kHeadDim);
    integer("attention.sliding_window", 20);
    integer("rope.dimension_count", arch_.latent ? 4 : kHeadDim);
    number(arch_.norm == NormKind::kRms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon", 1e-5f);
    if (arch_.window == WindowPattern::kFromFile) integer("attention.sliding_window_pattern", 2);
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
    if (o_.experts) expert_keys();
  }

  void expert_keys() {
    integer("expert_count", kExperts);
    integer("expert_used_count", 2);
    if (o_.own_width) integer("expert_feed_forward_length", kExpertFf);
    if (o_.shared_experts) integer("expert_shared_feed_forward_length", o_.shared_width);
    if (o_.every > 1) integer("moe_every_n_layers", o_.every);
    if (gating_from_file(arch_.router)) integer("expert_gating_func", 2);
  }

  void attention(const std::string& blk) {
    if (arch_.latent) {
      latent(blk);
    } else if (o_.fused_qkv) {
      tensor(blk + "attn_qkv", {kWidth, (kHeads + 2 * kv_heads()) * kHeadDim});
    } else {
      tensor(blk + "attn_q", {kWidth, kHeads * kHeadDim * (arch_.gated_queries ? 2 : 1)});
      tensor(blk + "attn_k", {kWidth, kv_heads() * kHeadDim});
      if (!arch_.v_may_be_k) tensor(blk + "attn_v", {kWidth, kv_heads() * kHeadDim});
    }
    if (arch_.qk_norm != QkNorm::kNone) {
      const bool all = arch_.qk_norm == QkNorm::kAllHeads || arch_.qk_norm == QkNorm::kAllOptional;
      norm(blk + "attn_q_norm", all ? kHeads * kHeadDim : kHeadDim);
      norm(blk + "attn_k_norm", all ? kv_heads() * kHeadDim : kHeadDim);
    }
    tensor(blk + "attn_output", {kHeads * 8, kWidth});
  }

  void latent(const std::string& blk) {
    tensor(blk + "attn_q_a", {kWidth, 16}), norm(blk + "attn_q_a_norm", 16);
    tensor(blk + "attn_q_b", {16, kHeads * 12});
    tensor(blk + "attn_kv_a_mqa", {kWidth, 28}), norm(blk + "attn_kv_a_norm", 24);
    tensor(blk + "attn_k_b", {8, 24, kHeads}), tensor(blk + "attn_v_b", {24, 8, kHeads});
  }

  void recurrent(const std::string& blk) {
    const int64_t channels = (2 * kKeyHeads + kValueHeads) * kStateDim, inner = kValueHeads * kStateDim;
    tensor(blk + "attn_qkv", {kWidth, channels}), tensor(blk + "attn_gate", {kWidth, inner});
    tensor(blk + "ssm_beta", {kWidth, kValueHeads}), tensor(blk + "ssm_alpha", {kWidth, kValueHeads});
    tensor(blk + "ssm_conv1d", {kConv, channels}), norm(blk + "ssm_norm", kStateDim);
    tiny.add(blk + "ssm_dt.bias", {kValueHeads}), tiny.add(blk + "ssm_a", {kValueHeads}, -1.0f);
    tensor(blk + "ssm_out", {inner, kWidth});
  }

  void dense(const std::string& blk) {
    if (arch_.gated && !o_.fused_up) tensor(blk + "ffn_gate", {kWidth, kFf});
    tensor(blk + "ffn_up", {kWidth, arch_.gated && o_.fused_up ? 2 * kFf : kFf});
    tensor(blk + "ffn_down", {kFf, kWidth});
  }

  void experts(const std::string& blk) {
    tiny.add(blk + "ffn_gate_inp.weight", {kWidth, kExperts});
    if (arch_.gated) tensor(blk + "ffn_gate_exps", {kWidth, expert_width(), kExperts});
    tensor(blk + "ffn_up_exps", {kWidth, expert_width(), kExperts});
    tensor(blk + "ffn_down_exps", {expert_width(), kWidth, kExperts});
    if (o_.shared_experts) {
      tensor(blk + "ffn_gate_shexp", {kWidth, o_.shared_width}),
          tensor(blk + "ffn_up_shexp", {kWidth, o_.shared_width});
      tensor(blk + "ffn_down_shexp", {o_.shared_width, kWidth});
    }
    if (o_.shared_scale) tiny.add(blk + "ffn_gate_inp_shexp.weight", {kWidth});
    if (!arch_.experts_beside_dense) return;
    for (const char* name : {"post_ffw_norm_1", "pre_ffw_norm_2", "post_ffw_norm_2"}) norm(blk + name);
    tiny.add(blk + "ffn_gate_inp.scale", {kWidth}, 1.0f);
  }

  void layer(int i) {
    const std::string blk = "blk." + std::to_string(i) + ".";
    const bool pre = arch_.norm_place == NormPlace::kPre;
    if (pre) norm(blk + "attn_norm"), norm(blk + arch_.ffn_norm_name);
    if (arch_.post_norms || arch_.norm_place == NormPlace::kAfterAdd)
      norm(blk + arch_.attn_post_norm_name), norm(blk + arch_.ffn_post_norm_name);
    arch_.recurrent&& i != kLayers - 1 ? recurrent(blk) : attention(blk);
    if (!has_experts(i) || arch_.experts_beside_dense) dense(blk);
    if (has_experts(i)) experts(blk);
  }

  const Architecture& arch_;
  FamilyOptions o_;
};

}  // namespace hearth::testing
