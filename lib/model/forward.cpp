// The graph of a decoder, short enough to read on one screen.
#include "lib/model/forward.h"

#include <cstring>

namespace hearth {
namespace {

using kernels::kernels;

/// x[t] = E[id_t] * embedding_scale.
void embed(const ForwardContext& c, std::span<const BatchToken> batch) {
  const Matrix& table = c.weights->token_embedding.w;
  const auto dequantize = kernels().types[static_cast<int>(table.type)].dequantize;
  for_rows(c, static_cast<int>(batch.size()), c.hp->d_model, [&](int t) {
    float* x = c.scratch->x + int64_t{t} * c.hp->d_model;
    dequantize(x, table.data + batch[static_cast<size_t>(t)].id * table.row_bytes, c.hp->d_model);
    if (c.hp->embedding_scale != 1.0f) kernels().scale(x, c.hp->embedding_scale, c.hp->d_model);
  });
  if (c.weights->embedding_norm) {
    norm_rows(c, c.scratch->x, c.scratch->x, c.weights->embedding_norm, static_cast<int>(batch.size()), c.hp->d_model);
  }
}

/// cos and sin of every token's position, once for all layers.
void position_angles(const ForwardContext& c, std::span<const BatchToken> batch) {
  for (size_t i = 0; i < c.ropes.size(); ++i) {
    const RopeTable& rope = c.ropes[i];
    for_rows(c, static_cast<int>(batch.size()), rope.n_rot * 8, [&](int t) {
      const int32_t pos = batch[static_cast<size_t>(t)].pos;
      rope_cos_sin(c.scratch->cos_sin[i] + int64_t{t} * rope.n_rot, rope, {&pos, 1});
    });
  }
}

/// Keeps only the rows of x whose logits are wanted.
void keep_rows(const ForwardContext& c, std::span<const int32_t> rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] == static_cast<int32_t>(i)) continue;
    std::memcpy(c.scratch->x + static_cast<int64_t>(i) * c.hp->d_model, c.scratch->x + int64_t{rows[i]} * c.hp->d_model,
                static_cast<size_t>(c.hp->d_model) * sizeof(float));
  }
}

/// Adds a stage's output y to x and prepares h, the input of the next stage: x += post(y), h = next(x). Where the
/// architecture normalises after adding: x = h = post(x + y).
void residual(const ForwardContext& c, const Norm& post, const Norm& next, int n) {
  Scratch& s = *c.scratch;
  if (c.arch->norm_place == NormPlace::kAfterAdd) {
    add_norm_rows(c, s.x, s.y, c.hp->residual_scale, s.h, post, n);
    std::memcpy(s.x, s.h, static_cast<size_t>(n) * static_cast<size_t>(c.hp->d_model) * sizeof(float));
    return;
  }
  if (post) norm_rows(c, s.y, s.y, post, n, c.hp->d_model);
  add_norm_rows(c, s.x, s.y, c.hp->residual_scale, s.h, next, n);
}

/// One transformer block. The last layer keeps only `rows` after its attention.
void block(const ForwardContext& c, int l, std::span<const BatchToken> batch, std::span<const int32_t> rows) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(l)];
  const int n = static_cast<int>(rows.size());
  const bool last = l + 1 == c.hp->n_layers;

  attention(c, l, batch, rows);  // y = Attention(h)
  if (rows.size() < batch.size()) keep_rows(c, rows);
  residual(c, w.attn_post_norm, w.ffn_norm, n);  // x += y; h = norm(x)
  if (w.router) {
    mixture_of_experts(c, l, n);  // y = sum of the chosen experts of h
  } else {
    feed_forward(c, l, n);  // y = FFN(h)
  }
  residual(c, w.ffn_post_norm,  // x += y; h = norm(x) of what follows
           last ? c.weights->output_norm : c.weights->layers[static_cast<size_t>(l) + 1].attn_norm, n);
}

/// logits = h W_out^T, scaled and capped.
void output_logits(const ForwardContext& c, float* logits, int n) {
  const int64_t n_vocab = c.hp->n_vocab;
  const Product product{&c.weights->output.w, logits, n_vocab, c.weights->output.bias()};
  matmul(c.matmul, c.scratch->h, c.hp->d_model, n, {&product, 1});
  if (c.hp->logit_scale == 1.0f && c.hp->final_soft_cap == 0.0f) return;
  for_rows(c, n, n_vocab, [&](int t) {
    if (c.hp->logit_scale != 1.0f) kernels().scale(logits + t * n_vocab, c.hp->logit_scale, n_vocab);
    if (c.hp->final_soft_cap > 0.0f) kernels().soft_cap(logits + t * n_vocab, c.hp->final_soft_cap, n_vocab);
  });
}

}  // namespace

int forward(const ForwardContext& c, std::span<const BatchToken> batch, int first_row, bool want_logits) {
  Scratch& s = *c.scratch;
  const int n = static_cast<int>(batch.size());
  int n_rows = 0;
  for (int t = 0; t < n; ++t) {
    if (batch[static_cast<size_t>(t)].logits) s.rows[n_rows++] = t;
  }
  std::vector<int32_t> all(static_cast<size_t>(n));
  for (int t = 0; t < n; ++t) all[static_cast<size_t>(t)] = t;

  embed(c, batch);
  position_angles(c, batch);
  norm_rows(c, s.h, s.x, c.weights->layers[0].attn_norm, n, c.hp->d_model);
  for (int l = 0; l < c.hp->n_layers; ++l) {
    const bool last = l + 1 == c.hp->n_layers;
    block(c, l, batch, last ? std::span<const int32_t>(s.rows, static_cast<size_t>(n_rows)) : all);
  }
  if (n_rows == 0) return 0;
  std::memcpy(s.hidden + int64_t{first_row} * c.hp->d_model, s.h,
              static_cast<size_t>(n_rows) * static_cast<size_t>(c.hp->d_model) * sizeof(float));
  if (want_logits) output_logits(c, s.logits + int64_t{first_row} * c.hp->n_vocab, n_rows);
  return n_rows;
}

}  // namespace hearth
