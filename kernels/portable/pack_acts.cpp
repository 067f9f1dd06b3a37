// Activations quantized to 8 bits per block of 32, as reference/matmul.cpp has it, eight words at once.
#include "kernels/portable/matmul.h"
#include "kernels/portable/vectors.h"

namespace hearth::kernels::portable {
namespace {

constexpr int kWordVectors = kActBlock / 8;

/// The largest magnitude of a block: infinity and not-a-number are larger than numbers as integers, too.
float largest_magnitude(const float* x) {
  int32_t largest = 0;
  for (int i = 0; i < kActBlock; ++i) {
    int32_t bits;
    __builtin_memcpy(&bits, x + i, sizeof bits);
    bits &= 0x7fffffff;
    largest = (bits > largest) ? bits : largest;
  }
  float magnitude;
  __builtin_memcpy(&magnitude, &largest, sizeof magnitude);
  return magnitude;
}

/// Nearest words, ties to even: 1.5 * 2^23 leaves no bit for a fraction and its own last 16 bits are zero.
inline I16x8 round_to_words(F32x8 v) {
  constexpr float kMagic = 12582912.0f;
  return convert<I16x8>(reinterpret_cast<I32x8>(v + kMagic));
}

/// The number of steps to the largest magnitude that codes 32 words with the smallest squared error.
int best_trial(const I16x8 words[kWordVectors]) {
  static_assert(kActTrials == 8);
  U16x8 fraction[kWordVectors], rest[kWordVectors];
  I32x4 error[kActTrials] = {};
  for (int i = 0; i < kWordVectors; ++i) {
    fraction[i] = reinterpret_cast<U16x8>(words[i]) * uint16_t{4};
    rest[i] = fraction[i] * static_cast<uint16_t>(kActTrialSteps[0]);
  }
  for (int g = 0; g < kActTrials; ++g) {
    const int fewer = g == 0 ? 0 : kActTrialSteps[g - 1] - kActTrialSteps[g];  // steps than before
    for (int i = 0; i < kWordVectors; ++i) {
      rest[i] -= fraction[i] * static_cast<uint16_t>(fewer);
      const I16x8 kept = reinterpret_cast<I16x8>(rest[i]) >> kActRestShift;
      error[g] += multiply_add_words(kept, kept);
    }
  }
  float weighed[kActTrials];
  for (int g = 0; g < kActTrials; g += 4) {
    const I32x4 sums = sum_each(error + g) + load<I32x4>(kActTrialBias + g);
    store(weighed + g, convert<F32x4>(sums) * load<F32x4>(kActTrialArea + g));
  }
  int best = 0;
  for (int g = 1; g < kActTrials; ++g) best = (weighed[g] < weighed[best]) ? g : best;
  return kActTrialSteps[best];
}

}  // namespace

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  const int n_cols = group.n_cols;
  for (int64_t b = 0; b < k / kActBlock; ++b, x += kActBlock) {
    const float largest = largest_magnitude(x);
    const float unit = (largest < kActSmallest) ? 0.0f : kActUnit / largest;
    I16x8 vectors[kWordVectors];
    for (int i = 0; i < kWordVectors; ++i) vectors[i] = round_to_words(load<F32x8>(x + 8 * i) * unit);
    const int steps = best_trial(vectors);
    int16_t words[kActBlock];
    for (int i = 0; i < kWordVectors; ++i) store(words + 8 * i, vectors[i]);
    int sum[2] = {0, 0}, products = 0, squares = 0;
    for (int i = 0; i < kActBlock; ++i) {
      const int code = (words[i] * steps + (1 << 13)) >> 14;
      group.q[((b * 8 + i / 4) * n_cols + c) * 4 + i % 4] = static_cast<int8_t>(code);
      sum[i / 16] += code;
      products += words[i] * code;
      squares += code * code;
    }
    // Least squares: d q is nearest to x. What is not finite gives not-a-number.
    const float fitted = static_cast<float>(products) / static_cast<float>(squares) * (largest / kActUnit);
    const float d = (largest < kActSmallest) ? 0.0f : fitted + (largest - largest);
    group.d[b * n_cols + c] = d;
    group.sum16[(2 * b) * n_cols + c] = d * static_cast<float>(sum[0]);
    group.sum16[(2 * b + 1) * n_cols + c] = d * static_cast<float>(sum[1]);
    group.sum32[b * n_cols + c] = d * static_cast<float>(sum[0] + sum[1]);
  }
}

}  // namespace hearth::kernels::portable
