// Elementwise operations and reductions on rows of floats: reference versions.
#include "kernels/reference/vector_ops.h"

#include <cmath>

namespace hearth::kernels::reference {

void add(float* y, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

void scale(float* y, float s, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] *= s;
}

void axpy(float* y, float a, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

float dot(const float* x, const float* y, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double{x[i]} * double{y[i]};
  return static_cast<float>(sum);
}

// H_2n = (H_n H_n; H_n -H_n): butterflies of growing distance
void hadamard(float* y, int64_t n, int64_t size) {
  const float norm = static_cast<float>(1.0 / std::sqrt(static_cast<double>(size)));
  for (int64_t half = 1; half < size; half *= 2) {
    for (int64_t first = 0; first < n; first += 2 * half) {
      for (int64_t i = first; i < first + half; ++i) {
        const float a = y[i], b = y[i + half];
        y[i] = a + b;
        y[i + half] = a - b;
      }
    }
  }
  scale(y, norm, n);
}

// y = cap tanh(y / cap)   (Gemma Team 2024, "Gemma 2", section 2)
void soft_cap(float* y, float cap, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(double{cap} * std::tanh(double{y[i]} / double{cap}));
}

// y_i = exp(y_i - m) / sum_j exp(y_j - m),  m = max_j y_j
void softmax(float* y, int64_t n) {
  float largest = -INFINITY;
  for (int64_t i = 0; i < n; ++i) largest = std::fmax(largest, y[i]);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(double{y[i]} - double{largest});
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(std::exp(double{y[i]} - double{largest}) / sum);
}

}  // namespace hearth::kernels::reference
