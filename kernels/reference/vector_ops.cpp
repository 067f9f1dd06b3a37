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
