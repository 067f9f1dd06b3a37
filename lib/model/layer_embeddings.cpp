// Per-layer embeddings (PLE, Gemma 3n and 4): besides the residual stream every layer gets a short vector of its own,
// made from the token's row of a second table and from a projection of the first embedding.
#include <cmath>

#include "lib/model/forward.h"

namespace hearth {

/// layer_embeddings[t, l] = (E_l[id] * sqrt(d_in) + norm(W_l x / sqrt(d_model))) / sqrt(2).
void prepare_layer_embeddings(const ForwardContext& c, std::span<const BatchToken> batch) {
  Scratch& s = *c.scratch;
  const Weights& w = *c.weights;
  const int n = static_cast<int>(batch.size());
  const int64_t d_in = c.hp->d_layer_embedding;
  const int64_t width = c.hp->n_layers * d_in;
  const Matrix& table = w.layer_embedding;
  linear(c, {s.x, c.hp->d_model, n}, {{&w.layer_projection, s.layer_embeddings, width}});
  for_rows(c, n, width, [&](int t) {
    float* out = s.layer_embeddings + t * width;
    float* row = s.layer_embedding_rows + t * width;
    kernels::kernels().types[static_cast<int>(table.type)].dequantize(
        row, table.data + batch[static_cast<size_t>(t)].id * table.row_bytes, width);
    kernels::kernels().scale(out, 1.0f / std::sqrt(static_cast<float>(c.hp->d_model)), width);
    for (int64_t at = 0; at < width; at += d_in) norm_row(c, out + at, out + at, w.layer_projection_norm, d_in);
    kernels::kernels().axpy(out, std::sqrt(static_cast<float>(d_in)), row, width);
    kernels::kernels().scale(out, std::sqrt(0.5f), width);
  });
}

void end_layer(const ForwardContext& c, int layer, std::span<const int32_t> rows) {
  Scratch& s = *c.scratch;
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  const int n = static_cast<int>(rows.size());
  const int64_t d = c.hp->d_model;
  if (w.layer_embedding_gate) {
    const int64_t d_in = c.hp->d_layer_embedding;
    linear(c, {s.h, d, n}, {{&w.layer_embedding_gate, s.layer_embedding_gates, d_in}});
    for (int i = 0; i < n; ++i) {
      const int64_t input = int64_t{rows[static_cast<size_t>(i)]} * c.hp->n_layers + layer;
      kernels::kernels().gate_mul(s.layer_embedding_gates + i * d_in, s.layer_embedding_gates + i * d_in,
                                  s.layer_embeddings + input * d_in, d_in, c.arch->gate);
    }
    linear(c, {s.layer_embedding_gates, d_in, n}, {{&w.layer_embedding_up, s.y, d}});
    norm_rows(c, s.y, s.y, w.layer_embedding_norm, n, c.hp->d_model);
    add_norm_rows(c, s.x, s.y, 1.0f, s.h, {}, n);
  }
  if (w.output_scale.empty()) return;
  for_rows(c, n, d, [&](int i) { kernels::kernels().scale(s.x + i * d, w.output_scale[0], d); });
}

}  // namespace hearth
