// Activations quantized to 8 bits per 32 and interleaved into a group of columns. Sets with further products take them
// as they are here.
#include "kernels/arm/bytes.h"
#include "kernels/neon/matmul.h"
#include "kernels/neon/simd.h"

namespace hearth::kernels::neon {
namespace {

/// sum + (the distance of x to the nearest step, in steps)^2; a lane is a trial scale.
HEARTH_INLINE Floats add_error(Floats sum, float x, Floats scale) {
  const Floats scaled = vmulq_n_f32(scale, x), rest = sub(scaled, round_even(scaled));
  return fma(rest, rest, sum);
}

/// The number of steps of the trial with the least error.
HEARTH_INLINE float steps_of_least(const Floats (&sums)[2]) {
  alignas(16) float error[kActTrials];
  for (int i = 0; i < 2; ++i) {
    store(error + 4 * i, fma(sums[i], load(kActTrialArea + 4 * i), load(kActTrialBias + 4 * i)));
  }
  int best = 0;
  for (int g = 1; g < kActTrials; ++g) best = error[g] < error[best] ? g : best;
  return kActTrialSteps[best];
}

/// The number of steps to the largest magnitude that codes 32 values with the smallest squared error.
HEARTH_INLINE float best_trial(const float* x, float per_unit) {
  static_assert(kActTrials == 8);
  const Floats scale[2] = {mul(load(kActTrialSteps), splat(per_unit)), mul(load(kActTrialSteps + 4), splat(per_unit))};
  Floats even[2] = {zero(), zero()}, odd[2] = {zero(), zero()};
#pragma GCC unroll 4
  for (int i = 0; i < kActBlock; i += 2) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      even[j] = add_error(even[j], x[i], scale[j]);
      odd[j] = add_error(odd[j], x[i + 1], scale[j]);
    }
  }
  const Floats sums[2] = {add(even[0], odd[0]), add(even[1], odd[1])};
  return steps_of_least(sums);
}

HEARTH_INLINE float largest_magnitude(const float* x) {
  Floats largest = zero();
#pragma GCC unroll 8
  for (int i = 0; i < kActBlock; i += kLanes) largest = max(abs(load(x + i)), largest);
  return max_lanes(largest);
}

/// 16 integers as bytes, saturated.
HEARTH_INLINE int8x16_t pack_bytes(const Ints (&v)[4]) {
  const int16x8_t low = vqmovn_high_s32(vqmovn_s32(v[0]), v[1]), high = vqmovn_high_s32(vqmovn_s32(v[2]), v[3]);
  return vqmovn_high_s16(vqmovn_s16(low), high);
}

}  // namespace

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  const int64_t n_cols = group.n_cols;
  for (int64_t b = 0; b < k / kActBlock; ++b, x += kActBlock) {
    const float largest = largest_magnitude(x);
    // Below 1e-30 the quotient could overflow; such a block counts as zero.
    const float per_unit = largest < 1e-30f ? 0.0f : 1.0f / largest;
    const Floats inverse = splat(best_trial(x, per_unit) * per_unit);
    Floats xq = zero(), qq = zero();
    int8_t* q = group.q + (b * 8 * n_cols + c) * 4;
    float sums[2];
    for (int half = 0; half < 2; ++half) {
      Ints codes[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const Floats v = load(x + 16 * half + 4 * i);
        codes[i] = to_ints(mul(v, inverse));
        const Floats code = to_floats(codes[i]);
        xq = fma(v, code, xq);
        qq = fma(code, code, qq);
      }
      const int8x16_t bytes = pack_bytes(codes);
      int32_t dwords[4];
      vst1q_s32(dwords, vreinterpretq_s32_s8(bytes));
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i, q += n_cols * 4) __builtin_memcpy(q, dwords + i, 4);
      sums[half] = static_cast<float>(vaddlvq_s8(bytes));
    }
    // Least squares: d q is nearest to x; not-a-number stays.
    const float d = per_unit == 0.0f ? 0.0f : sum_lanes(xq) / sum_lanes(qq);
    group.d[b * n_cols + c] = d;
    group.sum16[2 * b * n_cols + c] = d * sums[0];
    group.sum16[(2 * b + 1) * n_cols + c] = d * sums[1];
    group.sum32[b * n_cols + c] = d * (sums[0] + sums[1]);
  }
}

}  // namespace hearth::kernels::neon
