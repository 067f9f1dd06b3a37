// Activations quantized to 8 bits per block of 32: the trial scales side by side in lanes, otherwise as
// reference/matmul.cpp has it.
#include "kernels/portable/matmul.h"
#include "kernels/portable/vectors.h"

namespace hearth::kernels::portable {
namespace {

/// Nearest integers, ties to even, for magnitudes below 2^22: adding 1.5 * 2^23 leaves no bit for a fraction.
template <typename Vector>
inline Vector round_to_integers(Vector v) {
  constexpr float kMagic = 12582912.0f;
  return (v + kMagic) - kMagic;
}

/// The number of steps to the largest magnitude that codes 32 values with the smallest squared error. A lane is a
/// trial.
float best_trial(const float* x, float per_unit) {
  static_assert(kActTrials == 8);
  const F32x8 scale = load<F32x8>(kActTrialSteps) * per_unit;
  F32x8 error = {};
  for (int i = 0; i < kActBlock; ++i) {
    const F32x8 scaled = x[i] * scale;
    const F32x8 rest = scaled - round_to_integers(scaled);
    error += rest * rest;
  }
  error = error * load<F32x8>(kActTrialArea) + load<F32x8>(kActTrialBias);
  int best = 0;
  for (int g = 1; g < kActTrials; ++g) best = (error[g] < error[best]) ? g : best;
  return kActTrialSteps[best];
}

}  // namespace

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  const int n_cols = group.n_cols;
  for (int64_t b = 0; b < k / kActBlock; ++b, x += kActBlock) {
    float largest = 0.0f;
    for (int i = 0; i < kActBlock; ++i) {
      const float magnitude = __builtin_fabsf(x[i]);
      largest = (magnitude > largest) ? magnitude : largest;
    }
    // Below 1e-30 the quotient could overflow; such a block counts as zero.
    const float per_unit = (largest < 1e-30f) ? 0.0f : 1.0f / largest;
    const float inverse = best_trial(x, per_unit) * per_unit;
    int sum[2] = {0, 0};
    float xq = 0.0f, qq = 0.0f;
    for (int i = 0; i < kActBlock; ++i) {
      const float rounded = round_to_integers(x[i] * inverse);
      const int code = (rounded >= -127.0f && rounded <= 127.0f) ? static_cast<int>(rounded) : 0;  // NaN: 0
      group.q[((b * 8 + i / 4) * n_cols + c) * 4 + i % 4] = static_cast<int8_t>(code);
      sum[i / 16] += code;
      xq += x[i] * static_cast<float>(code);
      qq += static_cast<float>(code * code);
    }
    const float d = (qq > 0.0f) ? xq / qq : 0.0f;  // least squares: d q is nearest to x
    group.d[b * n_cols + c] = d;
    group.sum16[(2 * b) * n_cols + c] = d * static_cast<float>(sum[0]);
    group.sum16[(2 * b + 1) * n_cols + c] = d * static_cast<float>(sum[1]);
    group.sum32[b * n_cols + c] = d * static_cast<float>(sum[0] + sum[1]);
  }
}

}  // namespace hearth::kernels::portable
