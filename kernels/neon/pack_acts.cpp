// Activations quantized to 8 bits per 32 and interleaved into a group of columns. Sets with further products take them
// as they are here.
#include "kernels/arm/bytes.h"
#include "kernels/neon/matmul.h"
#include "kernels/neon/simd.h"

namespace hearth::kernels::neon {
namespace {

constexpr int kWordVectors = kActBlock / 8;  // of words

/// Lane i: the sum of the lanes of v[i].
HEARTH_INLINE Ints sum_each(const Ints* v) {
  return vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3]));
}

/// The number of steps to the largest magnitude that codes 32 words with the smallest squared error.
HEARTH_INLINE int16_t best_trial(const int16x8_t (&words)[kWordVectors]) {
  static_assert(kActTrials == 8);
  Ints error[kActTrials];
#pragma GCC unroll 8
  for (int g = 0; g < kActTrials; ++g) error[g] = zero_ints();
#pragma GCC unroll 4
  for (int i = 0; i < kWordVectors; ++i) {
    const int16x8_t fraction = vshlq_n_s16(words[i], 2);
    int16x8_t rest = vshlq_n_s16(words[i], 9);
#pragma GCC unroll 8
    for (int g = 0; g < kActTrials; ++g) {
#pragma GCC unroll 4
      for (int steps = g == 0 ? 128 : kActTrialSteps[g - 1]; steps > kActTrialSteps[g]; --steps) {
        rest = vsubq_s16(rest, fraction);
      }
      const int16x8_t kept = vshrq_n_s16(rest, kActRestShift);
      error[g] = add_word_products(error[g], kept, kept);
    }
  }
  alignas(16) float weighed[kActTrials];
  for (int g = 0; g < kActTrials; g += 4) {
    const Ints sums = vaddq_s32(sum_each(error + g), load_ints(kActTrialBias + g));
    store(weighed + g, mul(to_floats(sums), load(kActTrialArea + g)));
  }
  int best = 0;
  for (int g = 1; g < kActTrials; ++g) best = weighed[g] < weighed[best] ? g : best;
  return kActTrialSteps[best];
}

/// Not-a-number when there is one.
HEARTH_INLINE float largest_magnitude(const float* x) {
  Floats largest = zero();
#pragma GCC unroll 8
  for (int i = 0; i < kActBlock; i += kLanes) largest = max_magnitude(load(x + i), largest);
  const int32_t bits = vmaxvq_s32(vreinterpretq_s32_f32(largest));
  float magnitude;
  __builtin_memcpy(&magnitude, &bits, sizeof magnitude);
  return magnitude;
}

}  // namespace

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  const int64_t n_cols = group.n_cols;
  for (int64_t b = 0; b < k / kActBlock; ++b, x += kActBlock) {
    const float largest = largest_magnitude(x);
    const Floats unit = splat(largest < kActSmallest ? 0.0f : kActUnit / largest);
    int16x8_t words[kWordVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kWordVectors; ++i) {
      const Ints low = to_ints(mul(load(x + 8 * i), unit)), high = to_ints(mul(load(x + 8 * i + 4), unit));
      words[i] = vqmovn_high_s32(vqmovn_s32(low), high);
    }
    const int16x8_t steps = vdupq_n_s16(static_cast<int16_t>(2 * best_trial(words)));
    Ints products = zero_ints(), squares = zero_ints();
    int8_t* q = group.q + (b * 8 * n_cols + c) * 4;
    int sum[2];
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      int16x8_t codes[2];
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        codes[i] = vqrdmulhq_s16(words[2 * half + i], steps);
        products = add_word_products(products, words[2 * half + i], codes[i]);
        squares = add_word_products(squares, codes[i], codes[i]);
      }
      const int8x16_t bytes = vqmovn_high_s16(vqmovn_s16(codes[0]), codes[1]);
      int32_t dwords[4];
      vst1q_s32(dwords, vreinterpretq_s32_s8(bytes));
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i, q += n_cols * 4) __builtin_memcpy(q, dwords + i, 4);
      sum[half] = vaddlvq_s8(bytes);
    }
    // Least squares: d q is nearest to x. What is not finite gives not-a-number.
    const Ints both = vpaddq_s32(products, squares), four = vpaddq_s32(both, both);
    const float fitted = static_cast<float>(vgetq_lane_s32(four, 0)) / static_cast<float>(vgetq_lane_s32(four, 1)) *
                         (largest / kActUnit);
    const float d = largest < kActSmallest ? 0.0f : fitted + (largest - largest);
    group.d[b * n_cols + c] = d;
    group.sum16[2 * b * n_cols + c] = d * static_cast<float>(sum[0]);
    group.sum16[(2 * b + 1) * n_cols + c] = d * static_cast<float>(sum[1]);
    group.sum32[b * n_cols + c] = d * static_cast<float>(sum[0] + sum[1]);
  }
}

}  // namespace hearth::kernels::neon
