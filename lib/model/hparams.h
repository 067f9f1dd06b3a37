// The sizes and constants of one model, read from its file and checked. No weights here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/model.h"
#include "hearth/result.h"
#include "lib/arch/architecture.h"

namespace hearth {

enum class RopeScaling : uint8_t { kNone, kLinear, kYarn, kLongRope };

/// One rotary embedding: global layers use the first of a model, sliding layers the second.
struct RopeParams {
  int n_rot = 0;  ///< leading elements of a head that rotate; even
  double base = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;       ///< context extension
  double attn_factor = 1.0;  ///< multiplies cos and sin
  double yarn_ext = 1.0;     ///< share of the frequencies that YaRN keeps; 0: it only interpolates
  double beta_fast = 32.0;   ///< YaRN (Peng et al. 2023, section 3.2)
  double beta_slow = 1.0;
  double yarn_log_multiplier = 0.0;
  bool yarn_scales_scores = false;  ///< YaRN's temperature multiplies the scores, not cos and sin
  int64_t n_ctx_original = 0;       ///< context before extension
  bool use_factors = true;          ///< rope_freqs / rope_factors_* tensors apply
};

/// Sizes of one layer.
struct LayerShape {
  int n_heads = 0;
  int n_kv_heads = 0;
  int k_dim = 0;  ///< of a query and key head
  int v_dim = 0;  ///< of a value head
  int d_ff = 0;
  int window = 0;          ///< positions that a query sees, itself included; 0: all
  int rope = 0;            ///< index into HParams::ropes; -1: none
  int kv_layer = 0;        ///< layer whose keys and values this one attends to; itself, unless they are shared; -1: one
                           ///< of another model
  bool recurrent = false;  ///< keeps a state instead of keys and values
  bool experts = false;    ///< the feed-forward is a mixture of experts

  /// Whether entries of this layer in the KV cache have the sizes of the other's.
  bool same_kv(const LayerShape& other) const {
    return n_kv_heads == other.n_kv_heads && k_dim == other.k_dim && v_dim == other.v_dim && window == other.window;
  }
};

struct ExpertParams {
  int n_experts = 0;  ///< 0: dense
  int n_used = 0;
  int d_ff = 0;          ///< of one expert
  int d_ff_shared = 0;   ///< of all shared experts together; 0: none
  bool sigmoid = false;  ///< router scores by sigmoid; otherwise softmax
  bool renormalize = true;
  float weights_scale = 1.0f;
  int n_groups = 0;  ///< 0: no groups
  int n_groups_used = 0;
};

/// Multi-head latent attention, MLA (DeepSeek-V2, section 2.1): keys and values of all heads come from one vector.
struct LatentParams {
  int q_rank = 0;    ///< of compressed queries; 0: not compressed
  int kv_rank = 0;   ///< length of the latent vector; 0: no latent attention
  int nope_dim = 0;  ///< of a query or key head, the part that does not rotate
  int rope_dim = 0;  ///< the part that does; keys share it over all heads
  int v_dim = 0;     ///< of a value head
};

/// Gated DeltaNet layers: a short convolution over time, then a state matrix [k_dim, v_dim] for each value head.
struct RecurrentParams {
  int conv_width = 0;  ///< tokens that the convolution sees; 0: no such layers
  int n_k_heads = 0;
  int n_v_heads = 0;
  int k_dim = 0;
  int v_dim = 0;
  bool joined = false;  ///< one matrix makes q, k, v and the gate (older files); known when the weights are bound
  int channels() const { return 2 * n_k_heads * k_dim + n_v_heads * v_dim; }  ///< q | k | v
  int v_width() const { return n_v_heads * v_dim; }
  int64_t conv_floats() const { return int64_t{conv_width - 1} * channels(); }
  int64_t state_floats() const { return conv_floats() + int64_t{n_v_heads} * k_dim * v_dim; }
};

struct HParams {
  int n_layers = 0;        ///< that compute; layers that predict further tokens stand behind them in the file
  int n_extra_layers = 0;  ///< those; all but the first are left out, and the first where the file lacks a part of it
  bool has_mtp = false;    ///< layers[n_layers] is that layer (mtp.h); known when the weights are bound
  int d_model = 0;
  int d_target = 0;  ///< of an assistant (assistant.h): d_model of the model that it drafts for; 0: it is none
  int n_vocab = 0;
  int n_ctx_train = 0;
  float norm_eps = 0;
  float embedding_scale = 1.0f;
  float residual_scale = 1.0f;
  float logit_scale = 1.0f;            ///< logits are multiplied by this
  float attention_scale = 0.0f;        ///< 0: 1/sqrt(k_dim) of the layer
  float attention_temperature = 0.0f;  ///< queries grow by 1 + this * ln(1 + floor(pos / n_ctx_original)); 0: off
  float attention_soft_cap = 0.0f;
  float final_soft_cap = 0.0f;
  bool causal = true;
  bool decoder = true;  ///< has logits; otherwise hidden states are all that comes out
  Pooling pooling = Pooling::kNone;
  int max_position = 0;       ///< positions that have a learned embedding; 0: any position will do
  int d_layer_embedding = 0;  ///< width of the per-layer embeddings; 0: none
  int64_t widest_input = 0;   ///< columns of the widest matrix; known when the weights are bound
  ExpertParams experts;
  LatentParams latent;
  RecurrentParams recurrent;
  std::vector<RopeParams> ropes;
  std::vector<LayerShape> layers;

  /// Attention scale of a layer.
  float score_scale(int layer) const;
};

/// Reads `<arch>.*` keys. kNotFound names a missing key, kFormat one out of range.
Result<HParams> read_hparams(const GgufFile& file, const Architecture& arch);

}  // namespace hearth
