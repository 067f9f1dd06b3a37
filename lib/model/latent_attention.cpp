// Projections of latent attention.
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
  const Product products[2] = {
      {&w.kv_down.w, s.latent_kv, p.kv_rank + p.rope_dim, w.kv_down.bias()},
      {&q.w, low ? s.latent_low : s.latent_q, low ? p.q_rank : q_width, q.bias()},
  };
  matmul(c.matmul, s.h, c.hp->d_model, n, products);
  if (!low) return;
  norm_rows(c, s.latent_low, s.latent_low, w.q_down_norm, n, p.q_rank);
  const Product up{&w.q_up.w, s.latent_q, q_width, w.q_up.bias()};
  matmul(c.matmul, s.latent_low, p.q_rank, n, {&up, 1});
}

/// out[t, h] = W_h x[t, h]: one matrix a head.
void per_head(const ForwardContext& c, const ExpertLinear& w, const float* x, int64_t ldx, float* out, int n,
              int n_heads) {
  Scratch& s = *c.scratch;
  for (int32_t i = 0; i < n * n_heads; ++i) {
    s.latent_head[i] = i % n_heads;
    s.latent_row[i] = i;
  }
  const ExpertProduct product{&w.w,         w.stride_bytes,       n_heads, w.bias(), s.latent_head,
                              s.latent_row, int64_t{n} * n_heads, out,     w.w.rows, w.scales()};
  matmul_experts(c.matmul, x, ldx, int64_t{n} * n_heads, {&product, 1});
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
