// Multi-head latent attention (MLA) in its absorbed form (DeepSeek-V2, section 2.1 and appendix C): every head attends
// to the same latent vectors, so that the cache holds one short key per token. A key is (rotated part, latent vector),
// a value the latent vector alone.
#pragma once

#include "lib/model/forward.h"

namespace hearth {

/// Fills the rows of scratch.qkv from h: q [n_heads, rope | kv_rank], k [rope | kv_rank], v [kv_rank].
void project_latent(const ForwardContext& c, int layer, int n);

/// Attention outputs of n tokens from latent vectors to values: [n, n_heads * v_dim].
const float* expand_values(const ForwardContext& c, int layer, int n);

}  // namespace hearth
