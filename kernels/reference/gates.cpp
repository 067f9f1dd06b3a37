// Gate activations of the feed-forward block, y = gate(g) * u: reference versions.
// SiLU: Elfwing et al. 2017; GELU: Hendrycks & Gimpel 2016; gated forms: Shazeer 2020, "GLU Variants Improve
// Transformer"; squared ReLU: So et al. 2021, "Primer".
#include <cmath>

#include "kernels/reference/vector_ops.h"

namespace hearth::kernels::reference {
namespace {

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

/// The tail of GELU is written without cancellation: (1 + tanh z) / 2 = sigmoid(2 z).
double activate(double x, Gate gate) {
  constexpr double kSqrt2OverPi = 0.79788456080286535588;
  switch (gate) {
    case Gate::kSilu: return x * sigmoid(x);
    case Gate::kGelu: return x * sigmoid(2.0 * kSqrt2OverPi * (x + 0.044715 * x * x * x));
    case Gate::kReluSquared: return x > 0 ? x * x : 0;
    case Gate::kSwigluClamped: return (x > 7 ? 7 : x) * sigmoid(1.702 * (x > 7 ? 7 : x));
  }
  return x;
}

}  // namespace

void gate_mul(float* y, const float* g, const float* u, int64_t n, Gate gate) {
  for (int64_t i = 0; i < n; ++i) {
    double factor = u != nullptr ? double{u[i]} : 1.0;
    if (gate == Gate::kSwigluClamped && u != nullptr) factor = (factor > 7 ? 7 : factor < -7 ? -7 : factor) + 1.0;
    y[i] = static_cast<float>(activate(double{g[i]}, gate) * factor);
  }
}

}  // namespace hearth::kernels::reference
