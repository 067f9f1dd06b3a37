// Normalizations of one row: reference versions.
#include <cmath>

#include "kernels/reference/vector_ops.h"

namespace hearth::kernels::reference {

// y = x / sqrt(mean(x^2) + eps) * w   (Zhang & Sennrich 2019, "Root Mean Square Layer Normalization")
void rms_norm(float* y, const float* x, const float* w, int64_t n, float eps) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += double{x[i]} * double{x[i]};
  const float inverse = static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(n) + double{eps}));
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * inverse * (w != nullptr ? w[i] : 1.0f);
}

// y = (x - mean) / sqrt(var + eps) * w + b   (Ba, Kiros & Hinton 2016, "Layer Normalization")
void layer_norm(float* y, const float* x, const float* w, const float* b, int64_t n, float eps) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double{x[i]};
  const double mean = sum / static_cast<double>(n);
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += (double{x[i]} - mean) * (double{x[i]} - mean);
  const double inverse = 1.0 / std::sqrt(squares / static_cast<double>(n) + double{eps});
  for (int64_t i = 0; i < n; ++i) {
    const float normed = static_cast<float>((double{x[i]} - mean) * inverse);
    y[i] = normed * (w != nullptr ? w[i] : 1.0f) + (b != nullptr ? b[i] : 0.0f);
  }
}

}  // namespace hearth::kernels::reference
