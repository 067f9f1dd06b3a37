// The weights of a model, bound to the tensors of its file: matrices stay in the mapping, norms and biases are small
// and copied out as floats. Field names are those of the papers; GGUF names are in bind.cpp.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "lib/arch/architecture.h"
#include "lib/matmul/matmul.h"
#include "lib/model/hparams.h"

namespace hearth {

/// A small vector of floats owned by the model; empty when the file has none.
using FloatArray = std::vector<float>;

/// y = x W^T + b; b may be empty. linear() computes it.
struct Linear {
  Matrix w;
  FloatArray b;
  std::string_view name;  ///< of the weights' tensor, e.g. "blk.0.attn_q.weight"; owned by the file
  int64_t first_row = 0;  ///< of that tensor, where the layer is a part of it
  const float* bias() const { return b.empty() ? nullptr : b.data(); }
  explicit operator bool() const { return static_cast<bool>(w); }
};

struct Norm {
  FloatArray w;  ///< empty: no norm here
  FloatArray b;
  explicit operator bool() const { return !w.empty(); }
};

/// Experts of one projection, one after the other.
struct ExpertLinear {
  Matrix w;  ///< shape of one expert, data of expert 0
  int64_t stride_bytes = 0;
  std::vector<const std::byte*> parts;  ///< data of each expert where these are tensors of their own, or empty
  FloatArray b;                         ///< [n_experts, rows] or empty
  FloatArray scale;                     ///< [n_experts] or empty
  std::string_view name;                ///< as of Linear
  int64_t first_row = 0;                ///< of each expert's rows in that tensor
  const float* bias() const { return b.empty() ? nullptr : b.data(); }
  const float* scales() const { return scale.empty() ? nullptr : scale.data(); }
  const std::byte* const* parts_or_null() const { return parts.empty() ? nullptr : parts.data(); }
};

/// Multi-head latent attention (MLA): queries compressed and expanded, keys and values from one latent vector. k_up and
/// v_up hold one matrix per head: scores are taken in the space of the latent vector, so that keys are never expanded.
struct LatentWeights {
  Linear q_down;  ///< [q_rank, d_model]; empty: LayerWeights::q instead
  Norm q_down_norm;
  Linear q_up;     ///< [n_heads * (nope + rope), q_rank]
  Linear kv_down;  ///< [kv_rank + rope, d_model]
  Norm kv_down_norm;
  ExpertLinear k_up;       ///< per head: [kv_rank, nope], transposed against the paper's W^UK
  ExpertLinear v_up;       ///< per head: [v, kv_rank]
  FloatArray k_up_memory;  ///< of k_up, where the file has it untransposed in one matrix with v_up (older files)
};

/// A Gated DeltaNet layer (Yang et al. 2024).
struct RecurrentWeights {
  Linear qkv;          ///< [q | k | v, d_model]
  Linear z;            ///< output gate [n_v_heads * v_dim, d_model]; or ...
  Linear joined;       ///< ... both: q | k | v | z of each key head in turn (older files)
  Linear beta, alpha;  ///< [n_v_heads, d_model]; or ...
  Linear beta_alpha;   ///< ... both, [beta | alpha] of the value heads of each key head in turn
  FloatArray conv;     ///< [channels, conv_width], the newest token last
  FloatArray dt, a;    ///< [n_v_heads]: decay exp(a softplus(alpha + dt)), a < 0
  Norm norm;           ///< of a value head's output
  Linear out;          ///< [d_model, n_v_heads * v_dim]
};

/// What stands around the layer that predicts further tokens (mtp.h), or around those of an assistant (assistant.h).
struct MtpWeights {
  Norm embedding_norm, hidden_norm;
  Linear projection;   ///< [d_model, embedding | hidden state]
  Linear next_hidden;  ///< of an assistant: [d_target, d_model]
  Linear embedding;    ///< [n_vocab, d_model]; the model's where the layer has none of its own
  Norm output_norm;    ///< likewise
  Linear output;       ///< likewise
};

struct LayerWeights {
  Norm attn_norm, attn_post_norm;
  Linear q, k, v;  ///< no k: the keys and values of another layer are used; no v: values are the projected keys
  LatentWeights latent;
  RecurrentWeights recurrent;
  Norm q_norm, k_norm;
  Linear o;
  FloatArray sinks;  ///< [n_heads] or empty

  Norm ffn_norm, ffn_post_norm;
  Linear gate, up, down;  ///< gate is empty where the feed-forward is not gated

  Linear router;
  Norm router_norm;                  ///< of the residual stream, where the router has an input of its own
  FloatArray router_selection_bias;  ///< [n_experts], added for the choice only
  ExpertLinear expert_gate, expert_up, expert_down;  ///< gate is empty where the feed-forward is not gated
  Linear shared_gate, shared_up, shared_down;
  Linear shared_scale;                                  ///< [1, d_model]: the shared experts count sigmoid(h w) times
  Norm dense_post_norm, expert_norm, expert_post_norm;  ///< where experts stand beside a dense feed-forward

  Linear layer_embedding_gate,
      layer_embedding_up;  ///< per-layer embedding (PLE): x += norm(up(gelu(gate x) * embedding))
  Norm layer_embedding_norm;
  FloatArray output_scale;  ///< [1] factor on the residual stream after the layer, or empty
};

/// A tensor of the file that linear() or expert_linear() multiplies with under its own name: [rows, cols], n_experts
/// times (0: once).
struct LinearTensor {
  std::string_view name;  ///< as of Linear
  int64_t cols = 0, rows = 0, n_experts = 0;
};

struct Weights {
  std::vector<LinearTensor> linear_tensors;  ///< what adapters may change
  Linear token_embedding;                    ///< [n_vocab, d_model]
  Norm embedding_norm;
  Matrix token_types;       ///< [n types, d_model]
  Matrix positions;         ///< [max_position, d_model]
  Matrix layer_embedding;   ///< [n_vocab, n_layers * d_layer_embedding]
  Linear layer_projection;  ///< [n_layers * d_layer_embedding, d_model]
  Norm layer_projection_norm;
  std::vector<LayerWeights> layers;  ///< [n_layers], or one more: that of mtp
  MtpWeights mtp;
  Norm output_norm;
  Linear output;             ///< [n_vocab, d_model]; the embedding where tied
  Linear rank, rank_output;  ///< head of a reranker: output(tanh(rank h)), or output(h)
  Linear pooled[2];          ///< applied to a pooled embedding, one after the other; or empty
  FloatArray rope_factors, rope_factors_long, rope_factors_short;
  uint64_t copied_bytes = 0;  ///< of all vectors that were copied out of the file
};

/// Binds every tensor of the file. kFormat names a missing, misshapen or left-over tensor, kUnsupported one whose type
/// cannot be computed with. Also completes `hp` (n_vocab).
Result<Weights> bind_weights(const GgufFile& file, const Architecture& arch, HParams& hp);

}  // namespace hearth
