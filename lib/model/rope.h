// Rotary position embedding: frequencies with their scalings, and cos/sin of a batch of positions.
// Su et al. 2021 (RoFormer); position interpolation Chen et al. 2023; YaRN Peng et al. 2023.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/model/hparams.h"
#include "lib/model/weights.h"

namespace hearth {

/// Angle per position of each pair, and the factor on cos and sin.
struct RopeTable {
  int n_rot = 0;
  std::vector<double> frequency;  ///< [n_rot / 2]
  float magnitude = 1.0f;
};

/// The table of one embedding. `n_ctx`: positions that a sequence of the session may have (LongRoPE chooses by it).
RopeTable make_rope_table(const RopeParams& params, const Weights& weights, int64_t n_ctx);

/// YaRN's temperature where it multiplies the scores (twice: once for queries, once for keys); otherwise 1.
double yarn_score_temperature(const RopeParams& params);

/// cs[t, i] = (cos, sin)(pos[t] * frequency[i]) * magnitude. cs: [n_tokens, n_rot/2, 2].
void rope_cos_sin(float* cs, const RopeTable& table, std::span<const int32_t> positions);

}  // namespace hearth
