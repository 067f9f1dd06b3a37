// The graph of a decoder, short enough to read on one screen.
#include "lib/model/forward.h"

#include <cstring>
#include <numeric>

#include "lib/model/mtp.h"

namespace hearth {
namespace {

using kernels::kernels;

/// y += row of a table of any type; `row` is scratch memory.
void add_table_row(float* y, const Matrix& table, int64_t index, float* row) {
  if (!table) return;
  kernels().types[static_cast<int>(table.type)].dequantize(row, table.data + index * table.row_bytes, table.cols);
  kernels().add(y, row, table.cols);
}

/// x[t] = norm(E[id_t] * embedding_scale + type + position).
void embed(const ForwardContext& c, std::span<const BatchToken> batch) {
  const Matrix& table = c.weights->token_embedding.w;
  const auto dequantize = kernels().types[static_cast<int>(table.type)].dequantize;
  for_rows(c, static_cast<int>(batch.size()), c.hp->d_model, [&](int t) {
    float* x = c.scratch->x + int64_t{t} * c.hp->d_model;
    const BatchToken& token = batch[static_cast<size_t>(t)];
    dequantize(x, table.data + token.id * table.row_bytes, c.hp->d_model);
    const float scale = c.hp->embedding_scale * table.scale;
    if (scale != 1.0f) kernels().scale(x, scale, c.hp->d_model);
    add_table_row(x, c.weights->token_types, 0, c.scratch->y + int64_t{t} * c.hp->d_model);
    add_table_row(x, c.weights->positions, token.pos, c.scratch->y + int64_t{t} * c.hp->d_model);
  });
  if (c.adapters != nullptr) c.adapters->embed(c, batch);
  if (c.weights->embedding_norm) {
    norm_rows(c, c.scratch->x, c.scratch->x, c.weights->embedding_norm, static_cast<int>(batch.size()), c.hp->d_model);
  }
}

/// Adds a stage's output y to x and prepares h, the input of the next stage: x += post(y), h = next(x). Where the
/// architecture normalizes after adding: x = h = post(x + y).
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

/// y = FFN(h), the sum of the chosen experts of h, or both.
void feed_forward_stage(const ForwardContext& c, int l, int n) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(l)];
  if (w.router && w.up) return dense_and_experts(c, l, n);
  if (w.router) return mixture_of_experts(c, l, n);
  feed_forward(c, l, n);
}

}  // namespace

void position_angles(const ForwardContext& c, std::span<const BatchToken> batch) {
  for (size_t i = 0; i < c.ropes.size(); ++i) {
    const RopeTable& rope = c.ropes[i];
    for_rows(c, static_cast<int>(batch.size()), rope.n_rot * 8, [&](int t) {
      const int32_t pos = batch[static_cast<size_t>(t)].pos;
      rope_cos_sin(c.scratch->cos_sin[i] + int64_t{t} * rope.n_rot, rope, {&pos, 1});
    });
  }
}

void block(const ForwardContext& c, int l, std::span<const BatchToken> batch, std::span<const int32_t> rows,
           const Norm& next) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(l)];
  const int n = static_cast<int>(rows.size());

  if (c.hp->layers[static_cast<size_t>(l)].recurrent) {
    delta_net(c, l, batch, rows);  // y = GatedDeltaNet(h)
  } else {
    attention(c, l, batch, rows);  // y = Attention(h)
  }
  if (rows.size() < batch.size()) keep_rows(c, c.scratch->x, c.hp->d_model, rows);
  residual(c, w.attn_post_norm, w.ffn_norm, n);  // x += y; h = norm(x)
  feed_forward_stage(c, l, n);                   // y = FFN(h)
  const bool steered = c.adapters != nullptr && c.adapters->steers(l);
  if (!w.layer_embedding_gate && w.output_scale.empty() && !steered)
    return residual(c, w.ffn_post_norm, next, n);  // x += y; h = norm(x)
  residual(c, w.ffn_post_norm, {}, n);             // x += y; h = x
  end_layer(c, l, rows);
  if (steered) c.adapters->steer(l, c.scratch->x, c.hp->d_model);
  norm_rows(c, c.scratch->h, c.scratch->x, next, n, c.hp->d_model);
}

void output_logits(const ForwardContext& c, const Linear& output, float* logits, int n) {
  const int64_t n_vocab = c.hp->n_vocab;
  linear(c, {c.scratch->h, c.hp->d_model, n}, {{&output, logits, n_vocab}});
  if (c.hp->logit_scale == 1.0f && c.hp->final_soft_cap == 0.0f) return;
  for_rows(c, n, n_vocab, [&](int t) {
    if (c.hp->logit_scale != 1.0f) kernels::kernels().scale(logits + t * n_vocab, c.hp->logit_scale, n_vocab);
    if (c.hp->final_soft_cap > 0.0f) kernels::kernels().soft_cap(logits + t * n_vocab, c.hp->final_soft_cap, n_vocab);
  });
}

void keep_rows(const ForwardContext& c, float* data, int64_t width, std::span<const int32_t> rows) {
  if (c.adapters != nullptr) c.adapters->keep(rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] == static_cast<int32_t>(i)) continue;
    std::memcpy(data + static_cast<int64_t>(i) * width, data + rows[i] * width,
                static_cast<size_t>(width) * sizeof(float));
  }
}

int forward(const ForwardContext& c, std::span<const BatchToken> batch, int first_row, bool want_logits) {
  Scratch& s = *c.scratch;
  const int n = static_cast<int>(batch.size());
  int n_rows = 0;
  for (int t = 0; t < n; ++t) {
    if (batch[static_cast<size_t>(t)].logits) s.rows[n_rows++] = t;
  }
  std::iota(s.all_rows, s.all_rows + n, 0);
  const bool ahead = s.mtp.pairs != nullptr;

  embed(c, batch);
  position_angles(c, batch);
  if (c.hp->d_layer_embedding > 0) prepare_layer_embeddings(c, batch);
  norm_rows(c, s.h, s.x, c.weights->layers[0].attn_norm, n, c.hp->d_model);
  const std::span<const int32_t> all(s.all_rows, batch.size()), wanted(s.rows, static_cast<size_t>(n_rows));
  for (int l = 0; l < c.hp->n_layers; ++l) {
    if (c.cancel && c.cancel->load(std::memory_order_relaxed)) return -1;
    const bool last = l + 1 == c.hp->n_layers;
    const Norm& next = last ? c.weights->output_norm : c.weights->layers[static_cast<size_t>(l) + 1].attn_norm;
    block(c, l, batch, last && !ahead ? wanted : all, next);
  }
  if (ahead) {
    mtp_pair(c, batch);
    keep_rows(c, s.h, c.hp->d_model, wanted);
  }
  std::memcpy(s.hidden + int64_t{first_row} * c.hp->d_model, s.h,
              static_cast<size_t>(n_rows) * static_cast<size_t>(c.hp->d_model) * sizeof(float));
  if (want_logits && n_rows > 0) {
    output_logits(c, c.weights->output, s.logits + int64_t{first_row} * c.hp->n_vocab, n_rows);
  }
  if (ahead) mtp_store(c, batch);
  return n_rows;
}

}  // namespace hearth
