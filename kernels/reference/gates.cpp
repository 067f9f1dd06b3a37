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

double activate(double x, Gate gate) {
  constexpr double kSqrt2OverPi = 0.79788456080286535588;
  constexpr double kSqrtHalf = 0.70710678118654752440;
  switch (gate) {
    case Gate::kSilu: return x * sigmoid(x);
    case Gate::kGelu: return 0.5 * x * (1.0 + std::tanh(kSqrt2OverPi * (x + 0.044715 * x * x * x)));
    case Gate::kGeluErf: return 0.5 * x * (1.0 + std::erf(x * kSqrtHalf));
    case Gate::kRelu: return x > 0 ? x : 0;
    case Gate::kReluSquared: return x > 0 ? x * x : 0;
    case Gate::kSwigluClamped: return std::fmin(x, 7.0) * sigmoid(1.702 * std::fmin(x, 7.0));
  }
  return x;
}

}  // namespace

void gate_mul(float* y, const float* g, const float* u, int64_t n, Gate gate) {
  for (int64_t i = 0; i < n; ++i) {
    double factor = u != nullptr ? double{u[i]} : 1.0;
    if (gate == Gate::kSwigluClamped && u != nullptr) factor = std::fmin(std::fmax(factor, -7.0), 7.0) + 1.0;
    y[i] = static_cast<float>(activate(double{g[i]}, gate) * factor);
  }
}

}  // namespace hearth::kernels::reference
