// The dense feed-forward stage: y = W_down(gate(W_gate h) * W_up h), "GLU variants improve transformer" (Shazeer 2020).
#include "lib/model/forward.h"

namespace hearth {
namespace {

/// ff = gate(W_gate h) * (W_up h), or gate(W_up h) where the architecture has no gate.
void feed_forward_input(const ForwardContext& c, const LayerWeights& w, int n, int64_t d_ff) {
  Scratch& s = *c.scratch;
  const Linear &gate = w.gate, &up = w.up;
  const MatmulContext context = c.matmul.before({&w.down.w});
  if (gate) {
    matmul_gated(context, s.h, c.hp->d_model, n, {&gate.w, &up.w, gate.bias(), up.bias(), s.ff, d_ff, c.arch->gate});
    return;
  }
  const Product product{&up.w, s.ff, d_ff, up.bias()};
  matmul(context, s.h, c.hp->d_model, n, {&product, 1});
  for_rows(c, n, d_ff,
           [&](int t) { kernels::kernels().gate_mul(s.ff + t * d_ff, s.ff + t * d_ff, nullptr, d_ff, c.arch->gate); });
}

/// What is read first after a layer.
std::array<const Matrix*, 3> after_layer(const ForwardContext& c, int layer) {
  if (layer + 1 == c.hp->n_layers) return {&c.weights->output.w};
  const LayerWeights& next = c.weights->layers[static_cast<size_t>(layer) + 1];
  return {&next.q.w, &next.k.w, &next.v.w};
}

}  // namespace

void feed_forward(const ForwardContext& c, int layer, int n) {
  const LayerWeights& w = c.weights->layers[static_cast<size_t>(layer)];
  const int64_t d_ff = w.up.w.rows;
  feed_forward_input(c, w, n, d_ff);
  const Product down{&w.down.w, c.scratch->y, c.hp->d_model, w.down.bias()};
  matmul(c.matmul.before(after_layer(c, layer)), c.scratch->ff, d_ff, n, {&down, 1});
}

}  // namespace hearth
