// What the projections of the attention stage and its walk over the cache agree on.
#pragma once

#include <span>

#include "kernels/kv_blocks.h"
#include "lib/model/forward.h"

namespace hearth {

/// Offsets into a row of scratch.qkv.
struct QkvRow {
  int64_t k, v, width;
  explicit QkvRow(const LayerShape& s)
      : k(int64_t{s.n_heads} * s.k_dim),
        v(k + int64_t{s.n_kv_heads} * s.k_dim),
        width(v + int64_t{s.n_kv_heads} * s.v_dim) {}
};

/// Turns heads [n, dim] of queries or keys (type: of keys), or of values, as their type is stored
/// (kernels/kv_blocks.h).
inline void rotate_for_cache(float* heads, int64_t n, int64_t dim, kernels::KvType type) {
  const int64_t size = kernels::kv_rotation(type, dim);
  if (size > 1) kernels::kernels().hadamard(heads, n * dim, size);
}

/// Turns a head of queries or keys as the keys of an unturned page stand.
inline void turn_back(const ForwardContext& c, float* head, int rope) {
  if (rope < 0) return;
  (c.arch->rope == RopeLayout::kPairs ? kernels::kernels().rope_pairs : kernels::kernels().rope_halves)(
      head, c.turn_back[static_cast<size_t>(rope)].data(), c.ropes[static_cast<size_t>(rope)].n_rot);
}

inline kernels::AttentionShape attention_shape(const ForwardContext& c, const LayerShape& shape) {
  return {shape.k_dim, shape.v_dim, c.k_type, c.v_type, c.hp->attention_soft_cap};
}

/// heads[t] = softmax(q k^T * scale + mask) v over the positions that each token sees; q lies in scratch.qkv.
void attend(const ForwardContext& c, int layer, std::span<const BatchToken> batch);

/// The shares that the heads of one token (row t of the batch) give to positions: weights[head, pos] of [n_heads,
/// n_positions], 0 where it sees nothing. A row sums to 1, to less where the layer has sinks. For people to look at:
/// every position costs what 64 cost in attend().
void attention_weights(const ForwardContext& c, int layer, std::span<const BatchToken> batch, int t,
                       std::span<float> weights, int64_t n_positions);

}  // namespace hearth
