// The attention stage: project, normalise and rotate queries and keys, store keys and values, attend, project out.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/model/latent_attention.h"
#include "lib/model/paged_attention.h"

namespace hearth {
namespace {

using kernels::kernels;
using kernels::kPageTokens;

/// Normalizes heads of one row, each by itself or all together, as the norm's length says.
void norm_heads(const ForwardContext& c, float* x, const Norm& norm, int n_heads, int dim) {
  if (!norm) return;
  const auto width = static_cast<int64_t>(norm.w.size());
  for (int64_t at = 0; at < int64_t{n_heads} * dim; at += width) norm_row(c, x + at, x + at, norm, width);
}

void rotate_heads(const ForwardContext& c, float* x, int rope, int t, int n_heads, int dim) {
  if (rope < 0) return;
  const int n_rot = c.ropes[static_cast<size_t>(rope)].n_rot;
  const float* cs = c.scratch->cos_sin[rope] + int64_t{t} * n_rot;
  const auto rotate = c.arch->rope == RopeLayout::kPairs ? kernels().rope_pairs : kernels().rope_halves;
  for (int h = 0; h < n_heads; ++h) rotate(x + int64_t{h} * dim, cs, n_rot);
}

/// Queries of one token out of its row of (query, gate) pairs.
void take_queries(const ForwardContext& c, float* q, int t, int n_heads, int dim) {
  const float* pairs = c.scratch->gated_q + int64_t{t} * n_heads * 2 * dim;
  for (int h = 0; h < n_heads; ++h) std::copy_n(pairs + int64_t{h} * 2 * dim, dim, q + int64_t{h} * dim);
}

/// heads *= sigmoid(gate) for the tokens that are kept.
void gate_heads(const ForwardContext& c, const LayerShape& shape, std::span<const int32_t> rows) {
  const int64_t dim = shape.k_dim;
  for_rows(c, static_cast<int>(rows.size()), shape.n_heads * dim, [&](int i) {
    const int64_t first = int64_t{rows[static_cast<size_t>(i)]} * shape.n_heads;
    for (int64_t h = first; h < first + shape.n_heads; ++h) {
      const float* gate = c.scratch->gated_q + (2 * h + 1) * dim;
      float* out = c.scratch->heads + h * dim;
      for (int64_t d = 0; d < dim; ++d) out[d] /= 1.0f + std::exp(-gate[d]);
    }
  });
}

/// Heads of keys and values that are taken together, and the heads of queries that meet them.
struct HeadRange {
  int first_kv, n_kv;
};

/// Norms and rotates keys, and writes keys and values into the token's page.
void store_position(const ForwardContext& c, int layer, const QkvRow& row, const BatchToken& token, int t,
                    const HeadRange& heads) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  const LayerShape& shape = c.hp->layers[static_cast<size_t>(layer)];
  float* k = c.scratch->qkv + t * row.width + row.k + int64_t{heads.first_kv} * shape.k_dim;
  float* v = c.scratch->qkv + t * row.width + row.v + int64_t{heads.first_kv} * shape.v_dim;
  const bool v_is_k = !w.v && c.hp->latent.kv_rank == 0;
  if (v_is_k) std::memcpy(v, k, static_cast<size_t>(heads.n_kv * shape.v_dim) * sizeof(float));
  for (int h = 0; c.arch->v_norm && h < heads.n_kv; ++h) {
    kernels().rms_norm(v + int64_t{h} * shape.v_dim, v + int64_t{h} * shape.v_dim, nullptr, shape.v_dim,
                       c.hp->norm_eps);
  }
  norm_heads(c, k, w.k_norm, heads.n_kv, shape.k_dim);
  rotate_heads(c, k, shape.rope, t, heads.n_kv, shape.k_dim);
  const PageRef& ref = c.cache->table(layer, token.seq)[static_cast<size_t>(token.pos / kPageTokens)];
  for (int h = 0; ref.unturned && h < heads.n_kv; ++h) turn_back(c, k + int64_t{h} * shape.k_dim, shape.rope);
  rotate_for_cache(k, heads.n_kv, shape.k_dim, c.k_type);
  rotate_for_cache(v, heads.n_kv, shape.v_dim, c.v_type);
  for (int h = 0; h < heads.n_kv; ++h) {
    store_kv(kernels(), c.cache->page(layer, ref.page, heads.first_kv + h), attention_shape(c, shape),
             token.pos % kPageTokens, k + int64_t{h} * shape.k_dim, v + int64_t{h} * shape.v_dim);
  }
}

/// Some heads of one token.
void position_heads(const ForwardContext& c, int layer, const QkvRow& row, const BatchToken& token, int t,
                    const HeadRange& heads) {
  const LayerShape& shape = c.hp->layers[static_cast<size_t>(layer)];
  const int group = shape.n_heads / shape.n_kv_heads;
  const int n_heads = heads.n_kv == shape.n_kv_heads ? shape.n_heads : heads.n_kv * group;
  float* q = c.scratch->qkv + t * row.width + int64_t{heads.first_kv} * group * shape.k_dim;
  norm_heads(c, q, c.weights->layers[static_cast<size_t>(layer)].q_norm, n_heads, shape.k_dim);
  rotate_heads(c, q, shape.rope, t, n_heads, shape.k_dim);
  if (shape.kv_layer == layer && !c.arch->assistant) store_position(c, layer, row, token, t, heads);
}

/// Whether heads of one token go to several threads: many of these would wait longer than calling them takes (a
/// position's values are spread over its page, a cache line for each).
bool shares_heads(const ForwardContext& c, const LayerWeights& w, const LayerShape& shape, size_t n_tokens) {
  constexpr size_t kMostTokens = 8, kMoreThreadsThan = 8;
  const auto alone = [&](const Norm& norm) { return !norm || norm.w.size() == static_cast<size_t>(shape.k_dim); };
  return n_tokens <= kMostTokens && static_cast<size_t>(c.parallel->n_threads()) > kMoreThreadsThan &&
         alone(w.q_norm) && alone(w.k_norm) && shape.n_heads % shape.n_kv_heads == 0;
}

void position_and_store(const ForwardContext& c, int layer, const QkvRow& row, std::span<const BatchToken> batch) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  const LayerShape& shape = c.hp->layers[static_cast<size_t>(layer)];
  const auto n = static_cast<int>(batch.size());
  if (shares_heads(c, w, shape, batch.size()) && !c.arch->gated_queries) {
    return c.parallel->run(n * shape.n_kv_heads, [&](int task, int) {
      const int t = task / shape.n_kv_heads;
      position_heads(c, layer, row, batch[static_cast<size_t>(t)], t, {task % shape.n_kv_heads, 1});
    });
  }
  const auto position = [&](int t) {
    if (c.arch->gated_queries) take_queries(c, c.scratch->qkv + t * row.width, t, shape.n_heads, shape.k_dim);
    position_heads(c, layer, row, batch[static_cast<size_t>(t)], t, {0, shape.n_kv_heads});
  };
  // The keys of a page share their cache lines: one thread writes them, unless too few tasks would be left.
  const bool pages = n >= kPageTokens * c.parallel->n_threads();
  for_rows(c, n, row.width, position, pages ? kPageTokens : kRowsPerTask);
}

}  // namespace

void attention(const ForwardContext& c, int layer, std::span<const BatchToken> batch, std::span<const int32_t> rows) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  const LayerShape& shape = c.hp->layers[static_cast<size_t>(layer)];
  const QkvRow row(shape);
  const bool latent = c.hp->latent.kv_rank > 0;
  const auto n = static_cast<int>(batch.size());
  float* qkv = c.scratch->qkv;
  if (latent) {
    project_latent(c, layer, n);
  } else {  // q = h Wq, k = h Wk, v = h Wv; k and v only where the layer has them
    const bool gated = c.arch->gated_queries;
    linear(c, {c.scratch->h, c.hp->d_model, n},
           {{&w.q, gated ? c.scratch->gated_q : qkv, gated ? w.q.w.rows : row.width},
            {&w.k, qkv + row.k, row.width},
            {&w.v, qkv + row.v, row.width}},
           {&w.o});
  }
  position_and_store(c, layer, row, batch);
  if (c.observe_attention != nullptr) (*c.observe_attention)(c, layer, batch);
  if (rows.empty()) return;
  attend(c, layer, batch);
  if (c.arch->gated_queries) gate_heads(c, shape, rows);
  keep_rows(c, c.scratch->heads, int64_t{shape.n_heads} * shape.v_dim, rows);
  const float* heads = latent ? expand_values(c, layer, static_cast<int>(rows.size())) : c.scratch->heads;
  linear(c, {heads, w.o.w.cols, static_cast<int64_t>(rows.size())}, {{&w.o, c.scratch->y, c.hp->d_model}},
         {w.gate ? &w.gate : &w.up});
}

}  // namespace hearth
