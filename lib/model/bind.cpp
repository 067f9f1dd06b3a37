// Binds tensors to weights by name and shape. Every tensor of the file must be used exactly once.
#include <algorithm>
#include <cmath>
#include <string>

#include "lib/base/concat.h"
#include "lib/model/binder.h"
#include "lib/model/limits.h"
#include "lib/model/weights.h"

namespace hearth {
namespace {

constexpr int64_t kMaxVocab = 1 << 24;

/// What binding one layer needs to know.
struct LayerBinding {
  Binder& bind;
  const Architecture& arch;
  const HParams& hp;
  const LayerShape& shape;
  int index;
  std::string blk;  ///< "blk.<index>."
  int64_t d;        ///< d_model
  bool keeps_kv() const { return shape.kv_layer == index; }
};

/// q, k and v as one tensor or three. Layers that use the keys and values of another have neither k nor v.
void bind_qkv(const LayerBinding& b, LayerWeights& layer) {
  const int64_t q_rows = int64_t{b.shape.n_heads} * b.shape.k_dim * (b.arch.gated_queries ? 2 : 1);
  const int64_t k_rows = int64_t{b.shape.n_kv_heads} * b.shape.k_dim;
  const int64_t v_rows = int64_t{b.shape.n_kv_heads} * b.shape.v_dim;
  if (b.bind.has(b.blk + "attn_qkv.weight")) {
    return b.bind.fused({{&layer.q, q_rows}, {&layer.k, k_rows}, {&layer.v, v_rows}}, b.blk + "attn_qkv", b.d);
  }
  b.bind.linear(layer.q, b.blk + "attn_q", b.d, q_rows);
  if (!b.keeps_kv()) return;
  b.bind.linear(layer.k, b.blk + "attn_k", b.d, k_rows);
  b.bind.linear(layer.v, b.blk + "attn_v", b.d, v_rows, !(b.arch.v_may_be_k && v_rows == k_rows));
}

void bind_qk_norms(const LayerBinding& b, LayerWeights& layer) {
  const QkNorm kind = b.arch.qk_norm;
  if (kind == QkNorm::kNone) return;
  const bool all = kind == QkNorm::kAllHeads || kind == QkNorm::kAllOptional;
  const bool required = kind == QkNorm::kPerHead || kind == QkNorm::kAllHeads;
  b.bind.norm(layer.q_norm, b.blk + "attn_q_norm", (all ? b.shape.n_heads : 1) * int64_t{b.shape.k_dim}, required);
  if (!b.keeps_kv()) return;
  b.bind.norm(layer.k_norm, b.blk + "attn_k_norm", (all ? b.shape.n_kv_heads : 1) * int64_t{b.shape.k_dim}, required);
}

/// Keys and values of each head in one matrix (older files): the rows of values are used where they are.
void bind_joined_latent(const LayerBinding& b, LatentWeights& w) {
  const LatentParams& p = b.hp.latent;
  const int64_t n_heads = b.shape.n_heads, stride = p.nope_dim + p.v_dim;
  Linear whole;
  b.bind.linear(whole, b.blk + "attn_kv_b", p.kv_rank, n_heads * stride);
  if (!whole) return;
  b.bind.transposed(w.k_up, w.k_up_memory, whole, stride, p.nope_dim, n_heads);
  Matrix values = whole.w;
  values.rows = p.v_dim;
  if (values.data) values.data += p.nope_dim * values.row_bytes;
  w.v_up = {values, stride * values.row_bytes, {}, {}, {}, whole.name, p.nope_dim};
}

void bind_latent(const LayerBinding& b, LayerWeights& layer) {
  const LatentParams& p = b.hp.latent;
  const int64_t n_heads = b.shape.n_heads;
  const int64_t q_rows = n_heads * (p.nope_dim + p.rope_dim);
  LatentWeights& w = layer.latent;
  if (p.q_rank > 0) {
    b.bind.linear(w.q_down, b.blk + "attn_q_a", b.d, p.q_rank);
    b.bind.norm(w.q_down_norm, b.blk + "attn_q_a_norm", p.q_rank);
    b.bind.linear(w.q_up, b.blk + "attn_q_b", p.q_rank, q_rows);
  } else {
    b.bind.linear(layer.q, b.blk + "attn_q", b.d, q_rows);
  }
  b.bind.linear(w.kv_down, b.blk + "attn_kv_a_mqa", b.d, p.kv_rank + p.rope_dim);
  b.bind.norm(w.kv_down_norm, b.blk + "attn_kv_a_norm", p.kv_rank);
  const bool split = b.bind.has_shape(b.blk + "attn_k_b.weight", {p.nope_dim, p.kv_rank, n_heads});
  if (!split && b.bind.has(b.blk + "attn_kv_b.weight")) {
    b.bind.pass_over(b.blk + "attn_k_b.");  // the same once more, and below
    b.bind.pass_over(b.blk + "attn_v_b.");
    return bind_joined_latent(b, w);
  }
  b.bind.pass_over(b.blk + "attn_kv_b.");
  b.bind.experts(w.k_up, b.blk + "attn_k_b", p.nope_dim, p.kv_rank, n_heads);
  b.bind.experts(w.v_up, b.blk + "attn_v_b", p.kv_rank, p.v_dim, n_heads);
}

void bind_recurrent(const LayerBinding& b, LayerWeights& layer) {
  const RecurrentParams& p = b.hp.recurrent;
  RecurrentWeights& w = layer.recurrent;
  if (b.arch.norm_place == NormPlace::kPre) b.bind.norm(layer.attn_norm, b.blk + "attn_norm", b.d);
  if (p.joined) {
    b.bind.linear(w.joined, b.blk + "ssm_in", b.d, p.channels() + p.v_width());
  } else {
    b.bind.linear(w.qkv, b.blk + "attn_qkv", b.d, p.channels());
    b.bind.linear(w.z, b.blk + "attn_gate", b.d, p.v_width());
  }
  if (b.bind.has(b.blk + "ssm_ba.weight")) {
    b.bind.linear(w.beta_alpha, b.blk + "ssm_ba", b.d, 2 * int64_t{p.n_v_heads});
  } else {
    b.bind.linear(w.beta, b.blk + "ssm_beta", b.d, p.n_v_heads);
    b.bind.linear(w.alpha, b.blk + "ssm_alpha", b.d, p.n_v_heads);
  }
  b.bind.grid(w.conv, b.blk + "ssm_conv1d.weight", p.conv_width, p.channels());
  b.bind.floats(w.dt, b.blk + (b.bind.has(b.blk + "ssm_dt") ? "ssm_dt" : "ssm_dt.bias"), p.n_v_heads);
  b.bind.floats(w.a, b.blk + "ssm_a", p.n_v_heads);
  b.bind.norm(w.norm, b.blk + "ssm_norm", p.v_dim);
  b.bind.linear(w.out, b.blk + "ssm_out", p.v_width(), b.d);
}

void bind_attention(const LayerBinding& b, LayerWeights& layer) {
  const bool latent = b.hp.latent.kv_rank > 0;
  if (b.arch.norm_place == NormPlace::kPre) b.bind.norm(layer.attn_norm, b.blk + "attn_norm", b.d);
  if (latent) {
    bind_latent(b, layer);
  } else {
    bind_qkv(b, layer);
    bind_qk_norms(b, layer);
  }
  const int64_t v_dim = latent ? b.hp.latent.v_dim : b.shape.v_dim;
  b.bind.linear(layer.o, b.blk + "attn_output", b.shape.n_heads * v_dim, b.d);
  b.bind.floats(layer.sinks, b.blk + "attn_sinks.weight", b.shape.n_heads, false);
}

void bind_shared_experts(const LayerBinding& b, LayerWeights& layer) {
  const int64_t d_ff = b.hp.experts.d_ff_shared;
  if (d_ff == 0) return;
  b.bind.linear(layer.shared_gate, b.blk + "ffn_gate_shexp", b.d, d_ff);
  b.bind.linear(layer.shared_up, b.blk + "ffn_up_shexp", b.d, d_ff);
  b.bind.linear(layer.shared_down, b.blk + "ffn_down_shexp", d_ff, b.d);
  b.bind.linear(layer.shared_scale, b.blk + "ffn_gate_inp_shexp", b.d, 1, false);
}

/// One projection of all experts: a tensor, or one for each expert (older files).
void bind_projection(const LayerBinding& b, ExpertLinear& out, const std::string& name, int64_t cols, int64_t rows) {
  const int64_t n = b.hp.experts.n_experts;
  if (b.bind.has(concat(b.blk, name, ".0.weight"))) {
    return b.bind.separate_experts(out, b.blk + name, cols, rows, n);
  }
  b.bind.experts(out, concat(b.blk, name, "_exps"), cols, rows, n);
}

void bind_experts(const LayerBinding& b, LayerWeights& layer) {
  const ExpertParams& moe = b.hp.experts;
  b.bind.linear(layer.router, b.blk + "ffn_gate_inp", b.d, moe.n_experts);
  b.bind.floats(layer.router_selection_bias, b.blk + "exp_probs_b.bias", moe.n_experts, false);
  if (b.bind.has(b.blk + "ffn_gate_up_exps.weight")) {
    b.bind.fused_experts(layer.expert_gate, layer.expert_up, b.blk + "ffn_gate_up_exps", b.d, moe.d_ff, moe.n_experts);
  } else {
    if (b.arch.gated) bind_projection(b, layer.expert_gate, "ffn_gate", b.d, moe.d_ff);
    bind_projection(b, layer.expert_up, "ffn_up", b.d, moe.d_ff);
  }
  bind_projection(b, layer.expert_down, "ffn_down", moe.d_ff, b.d);
  bind_shared_experts(b, layer);
}

/// The dense feed-forward; gate and up may be one tensor.
void bind_dense(const LayerBinding& b, LayerWeights& layer) {
  const int64_t d_ff = b.shape.d_ff;
  if (b.arch.gated && !b.bind.has(b.blk + "ffn_gate.weight")) {
    b.bind.fused({{&layer.gate, d_ff}, {&layer.up, d_ff}}, b.blk + "ffn_up", b.d);
  } else {
    if (b.arch.gated) b.bind.linear(layer.gate, b.blk + "ffn_gate", b.d, d_ff);
    b.bind.linear(layer.up, b.blk + "ffn_up", b.d, d_ff);
  }
  b.bind.linear(layer.down, b.blk + "ffn_down", d_ff, b.d);
}

/// Norms around experts that stand beside a dense feed-forward. The router sees x / |x| * scale / sqrt(d_model).
void bind_side_norms(const LayerBinding& b, LayerWeights& layer) {
  b.bind.norm(layer.dense_post_norm, b.blk + "post_ffw_norm_1", b.d);
  b.bind.norm(layer.expert_norm, b.blk + "pre_ffw_norm_2", b.d);
  b.bind.norm(layer.expert_post_norm, b.blk + "post_ffw_norm_2", b.d);
  b.bind.floats(layer.router_norm.w, b.blk + "ffn_gate_inp.scale", b.d);
  for (float& w : layer.router_norm.w) w /= std::sqrt(static_cast<float>(b.d));
}

void bind_ffn(const LayerBinding& b, LayerWeights& layer) {
  if (b.arch.norm_place == NormPlace::kPre) b.bind.norm(layer.ffn_norm, b.blk + b.arch.ffn_norm_name, b.d);
  if (b.shape.experts) bind_experts(b, layer);
  if (b.shape.experts && b.arch.experts_beside_dense) bind_side_norms(b, layer);
  if (!b.shape.experts || b.arch.experts_beside_dense) bind_dense(b, layer);
}

/// What follows the feed-forward in a layer.
void bind_layer_end(const LayerBinding& b, LayerWeights& layer) {
  if (const int64_t d_input = b.hp.d_layer_embedding; d_input > 0) {
    b.bind.linear(layer.layer_embedding_gate, b.blk + "inp_gate", b.d, d_input);
    b.bind.linear(layer.layer_embedding_up, b.blk + "proj", d_input, b.d);
    b.bind.norm(layer.layer_embedding_norm, b.blk + "post_norm", b.d);
  }
  b.bind.floats(layer.output_scale, b.blk + "layer_output_scale.weight", 1, false);
}

void bind_layer(const LayerBinding& b, LayerWeights& layer) {
  const bool post = b.arch.post_norms || b.arch.norm_place == NormPlace::kAfterAdd;
  if (b.shape.recurrent) {
    bind_recurrent(b, layer);
  } else {
    bind_attention(b, layer);
  }
  if (post) b.bind.norm(layer.attn_post_norm, b.blk + b.arch.attn_post_norm_name, b.d);
  bind_ffn(b, layer);
  if (post) b.bind.norm(layer.ffn_post_norm, b.blk + b.arch.ffn_post_norm_name, b.d);
  bind_layer_end(b, layer);
}

/// The embedding tensors.
void bind_embedding(Binder& bind, Weights& weights, const GgufFile& file, const Architecture& arch, const HParams& hp) {
  const int64_t d = hp.d_model;
  bind.linear(weights.token_embedding, "token_embd", d, hp.n_vocab);
  if (arch.embedding_norm) bind.norm(weights.embedding_norm, "token_embd_norm", d);
  if (arch.learned_positions) bind.matrix(weights.positions, "position_embd.weight", d, hp.max_position);
  if (const GgufTensor* types = arch.token_types ? file.tensor("token_types.weight") : nullptr) {
    bind.matrix(weights.token_types, "token_types.weight", d, types->dims[1]);
  }
  if (const int64_t width = int64_t{hp.n_layers} * hp.d_layer_embedding; width > 0) {
    bind.matrix(weights.layer_embedding, "per_layer_token_embd.weight", width, hp.n_vocab);
    bind.linear(weights.layer_projection, "per_layer_model_proj", d, width);
    bind.norm(weights.layer_projection_norm, "per_layer_proj_norm", hp.d_layer_embedding);
  }
}

/// Output tensors: norm, matrix, and the heads of embedders and rerankers.
void bind_output(Binder& bind, Weights& weights, const GgufFile& file, const Architecture& arch, const HParams& hp) {
  const int64_t d = hp.d_model;
  if (arch.norm_place != NormPlace::kAfterAdd) bind.norm(weights.output_norm, "output_norm", d);
  bind.linear(weights.output, "output", d, hp.n_vocab, false);
  if (!weights.output) weights.output = weights.token_embedding;
  int64_t width = d;
  for (int i = 0; i < 2; ++i) {
    const std::string name = concat("dense_", i + 2);
    const GgufTensor* dense = file.tensor(name + ".weight");
    if (!dense) continue;
    if (dense->dims[1] < 1 || dense->dims[1] > kMaxWidth)
      bind.fail(ErrorCode::kFormat, concat("tensor ", name, ".weight has no usable number of rows"));
    bind.linear(weights.pooled[i], name, width, dense->dims[1]);
    width = dense->dims[1];
  }
  if (const GgufTensor* rank = file.tensor("cls.output.weight")) {
    if (rank->dims[1] < 1 || rank->dims[1] > kMaxWidth)
      bind.fail(ErrorCode::kFormat, "tensor cls.output.weight has no usable number of rows");
    bind.linear(weights.rank, "cls", d, d, false);
    bind.linear(weights.rank_output, "cls.output", d, rank->dims[1]);
  }
}

void bind_rope_factors(Binder& bind, Weights& weights, const Architecture& arch, const HParams& hp) {
  if (hp.ropes.empty() || arch.rope == RopeLayout::kNone) return;
  const int64_t half = hp.ropes[0].n_rot / 2;
  bind.floats(weights.rope_factors, "rope_freqs.weight", half, false);
  bind.floats(weights.rope_factors_long, "rope_factors_long.weight", half, false);
  bind.floats(weights.rope_factors_short, "rope_factors_short.weight", half, false);
}

/// Tensors of a file that the text model does not need: layers that predict further tokens, eyes and ears.
void pass_over_others(Binder& bind, const HParams& hp) {
  for (const char* prefix : {"v.", "a.", "mm.", "mtp."}) bind.pass_over(prefix);
  for (int i = hp.n_layers; i < hp.n_layers + hp.n_extra_layers; ++i) bind.pass_over(concat("blk.", i, "."));
}

/// The first layer that predicts further tokens, shaped like the last with attention. Of a file that lacks a part of it
/// the model runs without.
void bind_mtp(Weights& weights, const GgufFile& file, const Architecture& arch, HParams& hp) {
  const std::string blk = concat("blk.", hp.n_layers, ".");
  if (hp.n_extra_layers == 0 || !file.tensor(blk + "nextn.eh_proj.weight")) return;
  LayerShape shape =
      *std::find_if(hp.layers.rbegin(), hp.layers.rend(), [](const LayerShape& l) { return !l.recurrent; });
  shape.kv_layer = hp.n_layers;
  Binder bind(file);
  LayerWeights layer;
  MtpWeights mtp;
  bind_layer({bind, arch, hp, shape, hp.n_layers, blk, hp.d_model}, layer);
  const int64_t d = hp.d_model;
  bind.norm(mtp.embedding_norm, blk + "nextn.enorm", d);
  bind.norm(mtp.hidden_norm, blk + "nextn.hnorm", d);
  bind.linear(mtp.projection, blk + "nextn.eh_proj", 2 * d, d);
  bind.linear(mtp.embedding, blk + "nextn.embed_tokens", d, hp.n_vocab, false);
  bind.norm(mtp.output_norm, blk + "nextn.shared_head_norm", d, false);
  bind.linear(mtp.output, blk + "nextn.shared_head_head", d, hp.n_vocab, false);
  if (!bind.complete()) return;
  if (!mtp.embedding) mtp.embedding = weights.token_embedding;
  if (!mtp.output_norm) mtp.output_norm = weights.output_norm;
  if (!mtp.output) mtp.output = weights.output;
  weights.layers.push_back(std::move(layer));
  weights.mtp = std::move(mtp);
  weights.copied_bytes += bind.copied_bytes();
  hp.layers.push_back(shape);
  hp.widest_input = std::max(hp.widest_input, bind.widest_input());
  hp.has_mtp = true;
}

/// What leads into an assistant's layers and out of them. Clusters of tokens, by which some could leave out most of the
/// logits, are not used.
void bind_assistant(Binder& bind, Weights& weights, const HParams& hp) {
  bind.linear(weights.mtp.projection, "nextn.pre_projection", 2 * int64_t{hp.d_target}, hp.d_model);
  bind.linear(weights.mtp.next_hidden, "nextn.post_projection", hp.d_model, hp.d_target);
  bind.pass_over("masked_embd_");
}

/// Sizes that only tensors tell, checked before anything is allocated by them.
Status read_tensor_sizes(const GgufFile& file, const Architecture& arch, HParams& hp) {
  const GgufTensor* embedding = file.tensor("token_embd.weight");
  if (!embedding) return Error{ErrorCode::kFormat, "missing tensor token_embd.weight"};
  if (embedding->dims[1] < 1 || embedding->dims[1] > kMaxVocab) {
    return Error{ErrorCode::kFormat, concat("tensor token_embd.weight has ", embedding->dims[1], " rows")};
  }
  hp.n_vocab = static_cast<int>(embedding->dims[1]);
  for (int i = 0; i < hp.n_layers && !hp.recurrent.joined; ++i) {
    hp.recurrent.joined = file.tensor(concat("blk.", i, ".ssm_in.weight")) != nullptr;
  }
  const std::string last =
      concat("blk.", hp.n_layers - 1, (hp.layers.back().recurrent ? ".ssm_out" : ".attn_output"), ".weight");
  if (file.tensor(last)) return {};
  return Error{ErrorCode::kFormat,
               concat(arch.name, ".block_count: ", hp.n_layers, " layers, but there is no tensor ", last)};
}

}  // namespace

Result<Weights> bind_weights(const GgufFile& file, const Architecture& arch, HParams& hp) {
  if (Status status = read_tensor_sizes(file, arch, hp); !status) return status.error();
  Binder bind(file);
  Weights weights;
  bind_embedding(bind, weights, file, arch, hp);
  bind_output(bind, weights, file, arch, hp);
  bind_rope_factors(bind, weights, arch, hp);
  weights.layers.resize(static_cast<size_t>(hp.n_layers));
  for (int i = 0; i < hp.n_layers; ++i) {
    const auto at = static_cast<size_t>(i);
    bind_layer({bind, arch, hp, hp.layers[at], i, concat("blk.", i, "."), hp.d_model}, weights.layers[at]);
  }
  if (arch.assistant) bind_assistant(bind, weights, hp);
  pass_over_others(bind, hp);
  if (Status status = bind.finish(); !status) return status.error();
  weights.linear_tensors = bind.take_linear_tensors();
  weights.copied_bytes = bind.copied_bytes();
  hp.widest_input = bind.widest_input();
  bind_mtp(weights, file, arch, hp);
  return weights;
}

}  // namespace hearth
