// Rotary position embedding of one head (Su et al. 2021, "RoFormer"): reference versions.
//   (a, b) -> (a cos - b sin, a sin + b cos)
#include "kernels/reference/vector_ops.h"

namespace hearth::kernels::reference {

void rope_pairs(float* x, const float* cs, int64_t n_rot) {
  for (int64_t i = 0; i < n_rot / 2; ++i) {
    const float c = cs[2 * i], s = cs[2 * i + 1];
    const float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * c - b * s;
    x[2 * i + 1] = a * s + b * c;
  }
}

void rope_halves(float* x, const float* cs, int64_t n_rot) {
  const int64_t half = n_rot / 2;
  for (int64_t i = 0; i < half; ++i) {
    const float c = cs[2 * i], s = cs[2 * i + 1];
    const float a = x[i], b = x[i + half];
    x[i] = a * c - b * s;
    x[i + half] = a * s + b * c;
  }
}

}  // namespace hearth::kernels::reference
