// The dense feed-forward stage: y = W_down(gate(W_gate h) * W_up h), "GLU variants improve transformer" (Shazeer 2020).
#include "lib/model/forward.h"

namespace hearth {

NextLinears after_layer(const ForwardContext& c, int layer) {
  if (layer + 1 >= c.hp->n_layers) return {&c.weights->output};
  const LayerWeights& next = c.weights->layers[static_cast<size_t>(layer) + 1];
  return {&next.q, &next.k, &next.v};
}

void feed_forward(const ForwardContext& c, int layer, int n) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  Scratch& s = *c.scratch;
  const int64_t d_ff = w.up.w.rows;
  void* const wide = w.gate && takes_wide_rows(c, w.down, n) ? s.ff : nullptr;  // bfloat16 in the place of floats
  gated_linear(c, {s.h, c.hp->d_model, n}, {&w.gate, &w.up, s.ff, d_ff, wide}, {&w.down});
  linear(c, {s.ff, d_ff, n, wide}, {{&w.down, s.y, c.hp->d_model}}, after_layer(c, layer));
}

}  // namespace hearth
