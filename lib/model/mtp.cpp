// Predicts further tokens: pairs of embeddings and hidden states through one more block.
#include "lib/model/mtp.h"

#include <algorithm>

namespace hearth {
namespace {

using kernels::kernels;

int64_t held_at(SeqId seq, int32_t pos) {
  return int64_t{seq} * MtpScratch::kHeld + pos % MtpScratch::kHeld;
}

/// The second half of a pair; nullptr: zeros.
void set_hidden(const ForwardContext& c, int64_t t, const float* hidden) {
  const int64_t d = c.hp->d_model;
  float* to = c.scratch->mtp.pairs + (2 * t + 1) * d;
  if (hidden != nullptr) {
    std::copy_n(hidden, d, to);
  } else {
    std::fill_n(to, d, 0.0f);
  }
}

/// h = attn_norm(u), where x = u = W [norm_e(E[id]); norm_h(hidden)] and the pairs hold the hidden states.
void enter(const ForwardContext& c, std::span<const BatchToken> batch) {
  const MtpWeights& w = c.weights->mtp;
  const int64_t d = c.hp->d_model;
  const Matrix& table = w.embedding.w;
  const auto n = static_cast<int>(batch.size());
  for_rows(c, n, 2 * d, [&](int t) {
    float* pair = c.scratch->mtp.pairs + int64_t{t} * 2 * d;
    kernels().types[static_cast<int>(table.type)].dequantize(
        pair, table.data + batch[static_cast<size_t>(t)].id * table.row_bytes, d);
    kernels().scale(pair, c.hp->embedding_scale * table.scale, d);
    norm_row(c, pair, pair, w.embedding_norm, d);
    norm_row(c, pair + d, pair + d, w.hidden_norm, d);
  });
  linear(c, {c.scratch->mtp.pairs, 2 * d, n}, {{&w.projection, c.scratch->x, d}});
  const LayerWeights& layer = c.weights->layers.back();
  norm_rows(c, c.scratch->h, c.scratch->x, layer.attn_norm, n, c.hp->d_model);
}

/// Adapters were made for the model's other layers.
ForwardContext without_adapters(const ForwardContext& c) {
  ForwardContext own = c;
  own.adapters = nullptr;
  return own;
}

}  // namespace

const float* mtp_hidden(const ForwardContext& c, SeqId seq, int32_t pos, Token id) {
  if (pos < 0) return nullptr;
  const MtpScratch& s = c.scratch->mtp;
  const int64_t at = held_at(seq, pos);
  return s.held_pos[at] == pos && s.held_id[at] == id ? s.held + at * c.hp->d_model : nullptr;
}

void mtp_pair(const ForwardContext& c, std::span<const BatchToken> batch) {
  const MtpScratch& s = c.scratch->mtp;
  const int64_t d = c.hp->d_model;
  for (size_t t = 0; t < batch.size(); ++t) {  // in order: a token finds what the one before it has left
    const auto& [id, pos, seq, logits] = batch[t];
    set_hidden(c, static_cast<int64_t>(t),
               pos > 0 ? mtp_hidden(c, seq, pos - 1, c.cache->token(seq, pos - 1)) : nullptr);
    const int64_t at = held_at(seq, pos);
    std::copy_n(c.scratch->h + static_cast<int64_t>(t) * d, d, s.held + at * d);
    s.held_pos[at] = pos;
    s.held_id[at] = id;
  }
}

void mtp_store(const ForwardContext& c, std::span<const BatchToken> batch) {
  const ForwardContext own = without_adapters(c);
  enter(own, batch);
  attention(own, c.hp->n_layers, batch, {});
}

void mtp_predict(const ForwardContext& c, std::span<const BatchToken> batch, std::span<const float* const> hidden) {
  const ForwardContext own = without_adapters(c);
  Scratch& s = *c.scratch;
  int n_rows = 0;
  for (size_t t = 0; t < batch.size(); ++t) {
    set_hidden(c, static_cast<int64_t>(t), hidden[t]);
    if (batch[t].logits && n_rows < MtpScratch::kTexts) s.rows[n_rows++] = static_cast<int32_t>(t);
  }
  position_angles(own, batch);
  enter(own, batch);
  block(own, c.hp->n_layers, batch, {s.rows, static_cast<size_t>(n_rows)}, c.weights->mtp.output_norm);
  std::copy_n(s.h, int64_t{n_rows} * c.hp->d_model, s.mtp.hidden);
  output_logits(own, c.weights->mtp.output, s.mtp.logits, n_rows);
}

}  // namespace hearth
