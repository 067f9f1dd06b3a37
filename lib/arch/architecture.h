// What a model architecture is, as data: one row of options each (registry.cpp), no mathematics. Sizes come from the
// file (lib/model/hparams.h); a stage of lib/model branches on an option, never on an architecture's name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernel_table.h"

namespace hearth {

enum class NormKind : uint8_t { kRms, kLayer };

/// Where a block normalises. x is the residual stream, f the attention or feed-forward stage.
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
  kAll,       ///< every layer slides, if the file has a window
  kInterval,  ///< of every `window_interval` layers the last sees everything
  kFromFile,  ///< attention.sliding_window_pattern: an array of booleans, or an interval
};

/// How scores of the router become weights of the chosen experts.
enum class Router : uint8_t {
  kSoftmaxTopK,  ///< softmax over all, then top-k; renormalised if the option below says so
  kTopKSoftmax,  ///< top-k of the logits, then softmax over the chosen (gpt-oss)
  kFromFile,     ///< expert_gating_func: softmax or sigmoid (DeepSeek)
};

/// Scale of attention scores where the file has none.
enum class AttentionScale : uint8_t {
  kHeadDim,         ///< 1 / sqrt(k_dim)
  kEmbeddingShare,  ///< 1 / sqrt(d_model / n_heads), for the depth in scale_layers (Gemma 2 and 3, 27 B)
  kOne,
};

struct Architecture {
  const char* name;  ///< general.architecture
  NormKind norm = NormKind::kRms;
  NormPlace norm_place = NormPlace::kPre;
  bool post_norms = false;  ///< post_attention_norm and post_ffw_norm follow the stages, before the residual is added
  RopeLayout rope = RopeLayout::kPairs;
  int rope_skip_interval = 0;  ///< every n-th layer has no rotary embedding; 0: all have it (SmolLM 3: 4)
  kernels::Gate gate = kernels::Gate::kSilu;
  bool gated = true;              ///< feed-forward is gate(x Wg) * (x Wu); otherwise gate(x Wu)
  bool qk_norm = false;           ///< the file must have q and k norms, per head or over all heads by their shape
  bool embedding_norm = false;    ///< token_embd_norm follows the embedding
  bool embedding_scaled = false;  ///< embeddings times sqrt(d_model)
  const char* ffn_norm_name = "ffn_norm";  ///< tensor of the norm before the feed-forward
  WindowPattern window = WindowPattern::kNone;
  int window_interval = 0;
  float local_rope_base = 0;      ///< rope base of sliding layers where the file has none; 0: as the others
  bool local_rope_scaled = true;  ///< sliding layers use the file's rope scaling too
  AttentionScale attention_scale = AttentionScale::kHeadDim;
  int scale_layers = 0;  ///< depth that kEmbeddingShare applies to
  Router router = Router::kSoftmaxTopK;
  bool renormalize_experts = true;  ///< chosen weights sum to 1, where the file does not say
  bool causal = true;
};

/// nullptr when unknown.
const Architecture* find_architecture(std::string_view name);
std::vector<std::string> architecture_names();

}  // namespace hearth
