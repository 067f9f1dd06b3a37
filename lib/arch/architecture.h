// What a model architecture is, as data: one row of options each (registry.cpp), no mathematics. Sizes come from the
// file (lib/model/hparams.h); a stage of lib/model branches on an option, never on an architecture's name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/gate.h"

namespace hearth {

enum class NormKind : uint8_t { kRms, kLayer };

/// Where a block normalizes. x is the residual stream, f the attention or feed-forward stage.
enum class NormPlace : uint8_t {
  kPre,       ///< x += f(norm(x)), or x += post(f(norm(x))) with post_norms
  kPostOnly,  ///< x += post(f(x)), with post_norms (OLMo 2)
  kAfterAdd,  ///< x = norm(x + f(x))            (BERT)
};

/// How pairs of elements rotate.
enum class RopeLayout : uint8_t { kNone, kPairs, kHalves };

/// Which layers see only a sliding window.
enum class WindowPattern : uint8_t {
  kNone,      ///< every layer sees everything, whatever the file's sliding_window says
  kInterval,  ///< of every `window_interval` layers the last sees everything
  kFromFile,  ///< attention.sliding_window_pattern: an array of booleans, or an interval
};

/// How scores of the router become weights of the chosen experts.
enum class Router : uint8_t {
  kSoftmaxTopK,        ///< softmax over all, then top-k; renormalized if the option below says so
  kTopKSoftmax,        ///< top-k of the logits, then softmax over the chosen (gpt-oss)
  kFromFile,           ///< expert_gating_func: softmax, also where it is absent, or sigmoid (DeepSeek)
  kFromFileOrSigmoid,  ///< the same, but sigmoid where it is absent (GLM-4.5)
};

constexpr bool gating_from_file(Router router) {
  return router == Router::kFromFile || router == Router::kFromFileOrSigmoid;
}

/// Scale of attention scores where the file has none.
enum class AttentionScale : uint8_t {
  kHeadDim,         ///< 1 / sqrt(k_dim)
  kEmbeddingShare,  ///< 1 / sqrt(d_model / n_heads), for the depth in scale_layers (Gemma 2 and 3, 27 B)
  kOne,
};

/// Norms of queries and keys before they rotate.
enum class QkNorm : uint8_t {
  kNone,
  kPerHead,          ///< each head by itself
  kPerHeadOptional,  ///< the same, where the file has them
  kAllHeads,         ///< all heads of a token together
  kAllOptional,      ///< the same, where the file has them
};

struct Architecture {
  const char* name;  ///< general.architecture
  NormKind norm = NormKind::kRms;
  float norm_eps = 0;  ///< where the file does not say; 0: it must
  NormPlace norm_place = NormPlace::kPre;
  bool post_norms = false;  ///< norms follow the stages, before the residual is added
  const char* attn_post_norm_name = "post_attention_norm";
  const char* ffn_norm_name = "ffn_norm";
  const char* ffn_post_norm_name = "post_ffw_norm";

  // Embedding of a token.
  bool embedding_norm = false;     ///< token_embd_norm follows the embedding
  bool embedding_scaled = false;   ///< embeddings times sqrt(d_model)
  bool learned_positions = false;  ///< position_embd is added to the embedding
  bool token_types = false;        ///< the first row of token_types is added, where the file has it

  // Attention.
  RopeLayout rope = RopeLayout::kPairs;
  int rope_skip_interval = 0;       ///< every n-th layer has no rotary embedding; 0: all have it (SmolLM 3: 4)
  float local_rope_base = 0;        ///< rope base of sliding layers where the file has none; 0: as the others
  bool local_rope_scaled = true;    ///< sliding layers use the file's rope scaling and factors too
  bool yarn_scales_scores = false;  ///< YaRN's temperature multiplies the scores, not cos and sin (DeepSeek)
  float alibi_max_bias = 0;         ///< > 0: scores fall with distance instead of rotating (Press et al. 2021)
  QkNorm qk_norm = QkNorm::kNone;
  bool gated_queries =
      false;                ///< the rows of a query head are (query, gate): outputs times sigmoid(gate) (Qwen 3 Next)
  bool v_norm = false;      ///< values are normalized per head, without a weight (Gemma 4)
  bool v_may_be_k = false;  ///< where the file has no attn_v, values are the projected keys (Gemma 4)
  bool latent = false;      ///< MLA: keys and values are compressed to one latent vector (DeepSeek-V2, section 2.1)
  WindowPattern window = WindowPattern::kNone;
  int window_interval = 0;
  int window_default = 0;         ///< positions, where the file does not say
  bool window_symmetric = false;  ///< half of the window lies before a query, half after it
  AttentionScale attention_scale = AttentionScale::kHeadDim;
  int scale_layers = 0;          ///< depth that kEmbeddingShare applies to
  float attention_soft_cap = 0;  ///< where the file does not say; 0: none
  float final_soft_cap = 0;      ///< of the logits, likewise
  bool causal = true;
  bool assistant = false;  ///< drafts for another model, with queries alone to that model's cache (assistant.h)

  // Layers that keep a state of fixed size instead of keys and values (Gated DeltaNet, Yang et al. 2024).
  bool recurrent = false;          ///< all but each full_attention_interval-th layer are such
  bool value_heads_tiled = false;  ///< value head h reads key head h % n_k_heads; otherwise neighbors share one

  // Feed-forward.
  kernels::Gate gate = kernels::Gate::kSilu;
  bool gated = true;  ///< feed-forward is gate(x Wg) * (x Wu); otherwise gate(x Wu)
  Router router = Router::kSoftmaxTopK;
  bool renormalize_experts = true;   ///< chosen weights sum to 1, where the file does not say
  bool experts_share_width = false;  ///< d_ff of an expert, where the file does not say: the dense one / n_used
  bool shared_expert_is_dense =
      false;                          ///< that of the shared expert: the dense one; otherwise the experts' times count
  bool experts_beside_dense = false;  ///< layers with experts have a dense feed-forward too (Gemma 4)
};

/// nullptr when unknown.
const Architecture* find_architecture(std::string_view name);
/// Of models that generate or embed by themselves.
std::vector<std::string> architecture_names();

}  // namespace hearth
