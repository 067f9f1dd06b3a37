// A few blocks without keys and values of their own.
#include "lib/model/assistant.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "lib/base/concat.h"

namespace hearth {
namespace {
Error does_not_fit(const std::string& what) {
  return {ErrorCode::kInvalidArgument, "the assistant was made for another model: " + what};
}

/// The last layer with attention that slides, or does not; -1: there is none.
int last_layer(const HParams& hp, bool slides) {
  for (int i = hp.n_layers; i-- > 0;) {
    const LayerShape& layer = hp.layers[static_cast<size_t>(i)];
    if (!layer.recurrent && (layer.window > 0) == slides) return i;
  }
  return -1;
}

}  // namespace

Result<HParams> join_assistant(const HParams& assistant, const HParams& target) {
  if (assistant.d_target != target.d_model) {
    return does_not_fit(concat("it takes hidden states of ", assistant.d_target, ", the model has ", target.d_model));
  }
  if (assistant.n_vocab != target.n_vocab) {
    return does_not_fit(concat("it has ", assistant.n_vocab, " tokens, the model ", target.n_vocab));
  }
  if (target.latent.kv_rank > 0) return does_not_fit("the model's keys and values are compressed");
  HParams hp = assistant;
  hp.ropes = target.ropes;
  for (int i = 0; i < hp.n_layers; ++i) {
    LayerShape& layer = hp.layers[static_cast<size_t>(i)];
    const int last = last_layer(target, layer.window > 0);
    if (last < 0) return does_not_fit(concat("the model has no layer that sees what layer ", i, " does"));
    const LayerShape& other = target.layers[static_cast<size_t>(last)];
    if (layer.k_dim != other.k_dim || layer.v_dim != other.v_dim || layer.n_heads % other.n_kv_heads != 0) {
      return does_not_fit(concat("layer ", i, " has ", layer.n_heads, " heads of ", layer.k_dim, " and ", layer.v_dim,
                                 ", layer ", last, " of the model ", other.n_kv_heads, " of ", other.k_dim, " and ",
                                 other.v_dim));
    }
    layer.n_kv_heads = other.n_kv_heads;
    layer.window = other.window;
    layer.rope = other.rope;
    layer.kv_layer = other.kv_layer;
  }
  return hp;
}

void assistant_predict(const ForwardContext& c, const ForwardContext& target, std::span<const BatchToken> batch,
                       std::span<const float* const> hidden, float* pairs, float* next) {
  const Scratch& s = *c.scratch;
  const int64_t d = c.hp->d_model, d_target = c.hp->d_target;
  const auto n = static_cast<int>(batch.size());
  const Matrix& table = target.weights->token_embedding.w;
  for (int t = 0; t < n; ++t) {
    float* pair = pairs + int64_t{t} * 2 * d_target;
    kernels::kernels().types[static_cast<int>(table.type)].dequantize(
        pair, table.data + batch[static_cast<size_t>(t)].id * table.row_bytes, d_target);
    kernels::kernels().scale(pair, target.hp->embedding_scale * table.scale, d_target);
    std::copy_n(hidden[static_cast<size_t>(t)], d_target, pair + d_target);
  }
  linear(c, {pairs, 2 * d_target, n}, {{&c.weights->mtp.projection, s.x, d}});
  norm_rows(c, s.h, s.x, c.weights->layers[0].attn_norm, n, c.hp->d_model);
  position_angles(c, batch);
  std::iota(s.all_rows, s.all_rows + n, 0);
  for (int l = 0; l < c.hp->n_layers; ++l) {
    const bool last = l + 1 == c.hp->n_layers;
    block(c, l, batch, {s.all_rows, batch.size()},
          last ? c.weights->output_norm : c.weights->layers[static_cast<size_t>(l) + 1].attn_norm);
  }
  linear(c, {s.h, d, n}, {{&c.weights->mtp.next_hidden, next, d_target}});
  output_logits(c, c.weights->output, s.logits, n);
}

}  // namespace hearth
