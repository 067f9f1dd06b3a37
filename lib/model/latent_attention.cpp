// Projections of multi-head latent attention (MLA).
#include "lib/model/latent_attention.h"

#include <algorithm>

#include "lib/model/paged_attention.h"

namespace hearth {
namespace {

/// latent_q = queries of all heads [n, n_heads, nope | rope]; latent_kv = [n, kv_rank | rope].
void project_down(const ForwardContext& c, const LayerWeights& layer, int n, int64_t q_width) {
  const LatentParams& p = c.hp->latent;
  const LatentWeights& w = layer.latent;
  Scratch& s = *c.scratch;
  const bool low = p.q_rank > 0;
  const Linear& q = low ? w.q_down : layer.q;
  linear(c, {s.h, c.hp->d_model, n},
         {{&w.kv_down, s.latent_kv, p.kv_rank + p.rope_dim},
          {&q, low ? s.latent_low : s.latent_q, low ? p.q_rank : q_width}});
  if (!low) return;
  norm_rows(c, s.latent_low, s.latent_low, w.q_down_norm, n, p.q_rank);
  linear(c, {s.latent_low, p.q_rank, n}, {{&w.q_up, s.latent_q, q_width}});
}

/// out[t, h] = W_h x[t, h]: one matrix per head.
void per_head(const ForwardContext& c, const ExpertLinear& w, const float* x, int64_t ldx, float* out, int n,
              int n_heads) {
  Scratch& s = *c.scratch;
  const int32_t rows = n * n_heads;
  for (int32_t i = 0; i < rows; ++i) {
    s.latent_head[i] = i % n_heads;
    s.latent_row[i] = i;
  }
  const auto n_rows = static_cast<size_t>(rows);
  expert_linear(c, {x, ldx, rows}, {{s.latent_head, n_rows}, {s.latent_row, n_rows}, n_heads}, {&w, out, w.w.rows});
}

}  // namespace

void project_latent(const ForwardContext& c, int layer, int n) {
  const LatentParams& p = c.hp->latent;
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  const LayerShape& shape = c.hp->layers[static_cast<size_t>(layer)];
  Scratch& s = *c.scratch;
  const QkvRow row(shape);
  const int64_t q_dim = p.nope_dim + p.rope_dim;
  project_down(c, w, n, shape.n_heads * q_dim);
  per_head(c, w.latent.k_up, s.latent_q, q_dim, s.heads, n, shape.n_heads);  // q^T W^UK, instead of expanding keys
  for_rows(c, n, row.width, [&](int t) {
    float* out = s.qkv + t * row.width;
    for (int h = 0; h < shape.n_heads; ++h) {
      const int64_t at = int64_t{t} * shape.n_heads + h;
      out = std::copy_n(s.latent_q + at * q_dim + p.nope_dim, p.rope_dim, out);
      out = std::copy_n(s.heads + at * p.kv_rank, p.kv_rank, out);
    }
    const float* kv = s.latent_kv + int64_t{t} * (p.kv_rank + p.rope_dim);
    out = std::copy_n(kv + p.kv_rank, p.rope_dim, out);
    norm_row(c, out, kv, w.latent.kv_down_norm, p.kv_rank);
    std::copy_n(out, p.kv_rank, out + p.kv_rank);
  });
}

const float* expand_values(const ForwardContext& c, int layer, int n) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  const int n_heads = c.hp->layers[static_cast<size_t>(layer)].n_heads;
  per_head(c, w.latent.v_up, c.scratch->heads, c.hp->latent.kv_rank, c.scratch->latent_q, n, n_heads);
  return c.scratch->latent_q;
}

}  // namespace hearth
