// Reads hyper-parameters: every number is range-checked here, so that later arithmetic on sizes cannot overflow.
#include "lib/model/hparams.h"

#include <cmath>
#include <string>
#include <vector>

#include "lib/base/concat.h"
#include "lib/model/hparams_read.h"
#include "lib/model/limits.h"
#include "lib/model/rope.h"

namespace hearth {
namespace {

/// Widths of the experts' feed-forward; a file may leave them out or say 0.
void read_expert_widths(KeyReader& keys, const Architecture& arch, HParams& hp) {
  ExpertParams& moe = hp.experts;
  const int dense = hp.layers[0].d_ff;
  moe.d_ff = static_cast<int>(keys.integer("expert_feed_forward_length", 0, kMaxWidth, 0));
  if (moe.d_ff == 0) moe.d_ff = arch.experts_share_width ? dense / moe.n_used : dense;
  if (moe.d_ff == 0) keys.fail({ErrorCode::kFormat, keys.name("expert_feed_forward_length") + ": no width of experts"});
  const int64_t shared = keys.integer("expert_shared_count", 0, 64, 0);
  moe.d_ff_shared = static_cast<int>(keys.integer("expert_shared_feed_forward_length", 0, kMaxWidth, 0));
  if (moe.d_ff_shared == 0) {
    moe.d_ff_shared = arch.shared_expert_is_dense ? dense : static_cast<int>(shared) * moe.d_ff;
  }
}

void read_experts(KeyReader& keys, const Architecture& arch, HParams& hp) {
  ExpertParams& moe = hp.experts;
  moe.n_experts = static_cast<int>(keys.integer("expert_count", 0, kMaxExperts, 0));
  if (moe.n_experts == 0) return;
  moe.n_used = static_cast<int>(keys.integer("expert_used_count", 1, moe.n_experts));
  read_expert_widths(keys, arch, hp);
  moe.weights_scale = static_cast<float>(keys.number("expert_weights_scale", 0.0, 1e4, 1.0));
  if (moe.weights_scale == 0.0f) moe.weights_scale = 1.0f;
  moe.renormalize = keys.boolean("expert_weights_norm", arch.renormalize_experts);
  moe.n_groups = static_cast<int>(keys.integer("expert_group_count", 0, moe.n_experts, 0));
  moe.n_groups_used = static_cast<int>(keys.integer("expert_group_used_count", 0, moe.n_experts, 0));
  if (moe.n_groups > 1 &&
      (moe.n_experts % moe.n_groups != 0 || moe.n_groups_used < 1 || moe.n_groups_used > moe.n_groups)) {
    keys.fail({ErrorCode::kFormat, keys.name("expert_group_count") + ": does not divide the experts"});
  }
  if (gating_from_file(arch.router)) {
    const int64_t absent = arch.router == Router::kFromFileOrSigmoid ? 2 : 1;
    const int64_t gating = keys.integer("expert_gating_func", 0, 2, absent);
    moe.sigmoid = (gating == 0 ? absent : gating) == 2;
  }
  const int64_t dense = keys.integer("leading_dense_block_count", 0, hp.n_layers, 0);
  const int64_t interval = keys.integer("moe_every_n_layers", 0, kMaxLayers, 0);
  for (int i = 0; i < hp.n_layers; ++i) {
    hp.layers[static_cast<size_t>(i)].experts = interval > 0 ? i % interval == 1 : i >= dense;
  }
}

/// Which layers are recurrent: what the list says, those without heads of keys, or all between two with attention.
std::vector<bool> recurrent_layers(KeyReader& keys, const HParams& hp) {
  const auto n = static_cast<size_t>(hp.n_layers);
  if (keys.has("attention.recurrent_layers")) return keys.booleans("attention.recurrent_layers", n);
  std::vector<bool> recurrent(n);
  bool any = false;
  for (size_t i = 0; i < n; ++i) {
    recurrent[i] = hp.layers[i].n_kv_heads == 0;
    any = any || recurrent[i];
  }
  const int64_t interval = keys.integer("full_attention_interval", 1, kMaxLayers, 4);
  for (size_t i = 0; !any && i < n; ++i) recurrent[i] = (static_cast<int64_t>(i) + 1) % interval != 0;
  return recurrent;
}

/// Sizes of recurrent layers, and which layers those are.
void read_recurrent(KeyReader& keys, HParams& hp) {
  RecurrentParams& p = hp.recurrent;
  p.conv_width = static_cast<int>(keys.integer("ssm.conv_kernel", 2, 64));
  p.n_k_heads = static_cast<int>(keys.integer("ssm.group_count", 1, kMaxHeads));
  p.n_v_heads = static_cast<int>(keys.integer("ssm.time_step_rank", 1, kMaxHeads));
  p.k_dim = static_cast<int>(keys.integer("ssm.state_size", 1, kMaxHeadDim));
  const int64_t inner = keys.integer("ssm.inner_size", 1, kMaxWidth);
  const std::vector<bool> recurrent = recurrent_layers(keys, hp);
  if (keys.error()) return;
  if (inner % p.n_v_heads != 0 || inner / p.n_v_heads > kMaxHeadDim || p.n_v_heads % p.n_k_heads != 0) {
    return keys.fail({ErrorCode::kFormat, concat(keys.name("ssm.time_step_rank"), ": ", p.n_v_heads,
                                                 " heads do not fit ssm.inner_size and ssm.group_count")});
  }
  p.v_dim = static_cast<int>(inner / p.n_v_heads);
  bool any_attention = false;
  for (int i = 0; i < hp.n_layers; ++i) {
    LayerShape& layer = hp.layers[static_cast<size_t>(i)];
    layer.recurrent = recurrent[static_cast<size_t>(i)];
    any_attention = any_attention || !layer.recurrent;
    if (layer.n_kv_heads == 0 && !layer.recurrent) {
      return keys.fail({ErrorCode::kFormat,
                        concat(keys.name("attention.head_count_kv"), ": 0 in layer ", i, ", which is not recurrent")});
    }
    if (layer.recurrent) layer.n_kv_heads = layer.n_heads;  // not looked at
    if (layer.k_dim != layer.v_dim) {
      return keys.fail({ErrorCode::kFormat, keys.name("attention.value_length") + ": not attention.key_length"});
    }
  }
  if (any_attention) return;
  const char* key = keys.has("attention.recurrent_layers") ? "attention.recurrent_layers" : "full_attention_interval";
  keys.fail({ErrorCode::kFormat, keys.name(key) + ": leaves no layer with attention"});
}

/// Older files give the sizes of a head before compression. What the cache holds is the same.
void share_one_latent_head(HParams& hp) {
  for (LayerShape& layer : hp.layers) {
    layer.n_kv_heads = 1;
    layer.k_dim = hp.latent.kv_rank + hp.latent.rope_dim;
    layer.v_dim = hp.latent.kv_rank;
  }
}

/// Sizes of compressed keys and values; the cache holds one head of (rotated part, latent vector) and the latent
/// vector.
void read_latent(KeyReader& keys, HParams& hp) {
  LatentParams& latent = hp.latent;
  latent.q_rank = static_cast<int>(keys.integer("attention.q_lora_rank", 0, kMaxWidth, 0));
  latent.kv_rank = static_cast<int>(keys.integer("attention.kv_lora_rank", 1, kMaxHeadDim));
  latent.rope_dim = hp.ropes[0].n_rot;
  const bool older = !keys.has("attention.key_length_mla") && !keys.has("attention.value_length_mla");
  const char* k_key = older ? "attention.key_length" : "attention.key_length_mla";
  const auto k_dim = static_cast<int>(keys.integer(k_key, 1, kMaxHeadDim));
  latent.v_dim =
      older ? hp.layers[0].v_dim : static_cast<int>(keys.integer("attention.value_length_mla", 1, kMaxHeadDim));
  if (older) share_one_latent_head(hp);
  latent.nope_dim = k_dim - latent.rope_dim;
  if (keys.error()) return;
  if (latent.nope_dim < 1) {
    return keys.fail({ErrorCode::kFormat, concat(keys.name(k_key), ": ", k_dim, " is not above rope.dimension_count")});
  }
  for (const LayerShape& layer : hp.layers) {
    if (layer.n_kv_heads == 1 && layer.k_dim == latent.kv_rank + latent.rope_dim && layer.v_dim == latent.kv_rank) {
      continue;
    }
    return keys.fail({ErrorCode::kFormat, keys.name("attention.key_length") +
                                              ": not that of one head of kv_lora_rank and rope.dimension_count"});
  }
  const double temperature = yarn_score_temperature(hp.ropes[0]);
  hp.attention_scale = static_cast<float>(temperature * temperature / std::sqrt(static_cast<double>(k_dim)));
}

Pooling read_pooling(KeyReader& keys) {
  switch (keys.integer("pooling_type", 0, 4, 0)) {
    case 1: return Pooling::kMean;
    case 2: return Pooling::kCls;
    case 3: return Pooling::kLast;
    case 4: return Pooling::kRank;
    default: return Pooling::kNone;
  }
}

void read_scales(KeyReader& keys, const Architecture& arch, HParams& hp) {
  hp.embedding_scale = arch.embedding_scaled ? std::sqrt(static_cast<float>(hp.d_model)) : 1.0f;
  hp.embedding_scale *= static_cast<float>(keys.number("embedding_scale", 0.0, 1e6, 1.0));
  hp.residual_scale = static_cast<float>(keys.number("residual_scale", 0.0, 1e6, 1.0));
  const double logit_divisor = keys.number("logit_scale", 0.0, 1e6, 1.0);
  hp.logit_scale = logit_divisor > 0 ? static_cast<float>(1.0 / logit_divisor) : 1.0f;
  hp.attention_scale = static_cast<float>(keys.number("attention.scale", 0.0, 1e6, 0.0));
  if (hp.attention_scale == 0.0f && arch.attention_scale == AttentionScale::kOne) hp.attention_scale = 1.0f;
  if (hp.attention_scale == 0.0f && arch.attention_scale == AttentionScale::kEmbeddingShare &&
      hp.n_layers == arch.scale_layers) {
    hp.attention_scale = 1.0f / std::sqrt(static_cast<float>(hp.d_model) / static_cast<float>(hp.layers[0].n_heads));
  }
  hp.attention_temperature = static_cast<float>(keys.number("attention.temperature_scale", 0.0, 1e3, 0.0));
  hp.attention_soft_cap = static_cast<float>(keys.number("attn_logit_softcapping", 0.0, 1e6, arch.attention_soft_cap));
  hp.final_soft_cap = static_cast<float>(keys.number("final_logit_softcapping", 0.0, 1e6, arch.final_soft_cap));
}

}  // namespace

float HParams::score_scale(int layer) const {
  if (attention_scale > 0) return attention_scale;
  return 1.0f / std::sqrt(static_cast<float>(layers[static_cast<size_t>(layer)].k_dim));
}

Result<HParams> read_hparams(const GgufFile& file, const Architecture& arch) {
  KeyReader keys(file, arch.name);
  HParams hp;
  hp.n_layers = static_cast<int>(keys.integer("block_count", 1, kMaxLayers));
  if (!arch.assistant) {
    hp.n_extra_layers = static_cast<int>(keys.integer("nextn_predict_layers", 0, hp.n_layers - 1, 0));
  }
  hp.n_layers -= hp.n_extra_layers;
  hp.d_model = static_cast<int>(keys.integer("embedding_length", 1, kMaxWidth));
  if (arch.assistant) hp.d_target = static_cast<int>(keys.integer("embedding_length_out", 1, kMaxWidth));
  hp.n_ctx_train = static_cast<int>(keys.integer("context_length", 1, kMaxContext));
  const char* eps = arch.norm == NormKind::kRms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  hp.norm_eps = arch.norm_eps;
  if (keys.has(eps) || arch.norm_eps == 0.0f) hp.norm_eps = static_cast<float>(keys.number(eps, 0.0, 1.0));
  if (keys.error()) return *keys.error();
  hp.layers.resize(static_cast<size_t>(hp.n_layers));
  read_layers(keys, arch, hp);
  if (keys.error()) return *keys.error();
  read_experts(keys, arch, hp);
  read_scales(keys, arch, hp);
  if (arch.latent && !keys.error()) read_latent(keys, hp);
  if (arch.recurrent && !keys.error()) read_recurrent(keys, hp);
  hp.d_layer_embedding = static_cast<int>(keys.integer("embedding_length_per_layer_input", 0, kMaxHeadDim, 0));
  if (arch.learned_positions) hp.max_position = hp.n_ctx_train;
  hp.causal = keys.boolean("attention.causal", arch.causal);
  hp.decoder = arch.causal;
  hp.pooling = read_pooling(keys);
  if (keys.error()) return *keys.error();
  return hp;
}

}  // namespace hearth
