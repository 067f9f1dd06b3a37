// The weights of a model, bound to the tensors of its file: matrices stay in the mapping, norms and biases are small
// and copied out as floats. Field names are those of the papers; GGUF names are in bind.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "hearth/gguf.h"
#include "hearth/result.h"
#include "lib/arch/architecture.h"
#include "lib/model/hparams.h"
#include "lib/model/matmul.h"

namespace hearth {

/// A small vector of floats owned by the model; empty when the file has none.
using Floats = std::vector<float>;

/// y = x W^T + b; b may be empty.
struct Linear {
  Matrix w;
  Floats b;
  const float* bias() const { return b.empty() ? nullptr : b.data(); }
  explicit operator bool() const { return static_cast<bool>(w); }
};

struct Norm {
  Floats w;  ///< empty: no norm here
  Floats b;
  explicit operator bool() const { return !w.empty(); }
};

/// Experts of one projection, one after the other.
struct ExpertLinear {
  Matrix w;  ///< shape of one expert, data of expert 0
  int64_t stride_bytes = 0;
  Floats b;  ///< [n_experts, rows] or empty
  const float* bias() const { return b.empty() ? nullptr : b.data(); }
};

struct LayerWeights {
  Norm attn_norm, attn_post_norm;
  Linear q, k, v;
  Norm q_norm, k_norm;
  Linear o;
  Floats sinks;  ///< [n_heads] or empty

  Norm ffn_norm, ffn_post_norm;
  Linear gate, up, down;  ///< gate is empty where the feed-forward is not gated

  Linear router;
  Floats router_selection_bias;  ///< [n_experts], added for the choice only
  ExpertLinear expert_gate, expert_up, expert_down;
  Linear shared_gate, shared_up, shared_down;
};

struct Weights {
  Linear token_embedding;  ///< [n_vocab, d_model]
  Norm embedding_norm;
  std::vector<LayerWeights> layers;
  Norm output_norm;
  Linear output;  ///< [n_vocab, d_model]; the embedding where tied
  Floats rope_factors, rope_factors_long, rope_factors_short;
};

/// Binds every tensor of the file. kFormat names a missing, misshapen or left-over tensor, kUnsupported one whose type
/// cannot be computed with. Also completes `hp` (n_vocab).
Result<Weights> bind_weights(const GgufFile& file, const Architecture& arch, HParams& hp);

}  // namespace hearth
