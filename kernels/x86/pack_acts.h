// Activations quantized to 8 bits per 32 and interleaved into a group of columns, in registers of 256 bits. What the
// loops of an instruction set want to know of each block besides is up to its Planes.
#pragma once

#include "kernels/matmul_kernels.h"
#include "kernels/simd/vectors.h"

namespace hearth::kernels {
namespace {

/// 32 integers as bytes, in order.
inline __m256i pack_bytes(const __m256i v[4]) {
  const __m256i words0 = _mm256_packs_epi32(v[0], v[1]), words1 = _mm256_packs_epi32(v[2], v[3]);
  const __m256i bytes = _mm256_packs_epi16(words0, words1);
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/// Sums of words 0, 2, 4, 6 and of words 1, 3, 5, 7 of each 128-bit lane, in every dword of the lane.
inline __m256i sum_pairs(__m256i words) {
  words = _mm256_add_epi16(words, _mm256_shuffle_epi32(words, 0x4e));
  return _mm256_add_epi16(words, _mm256_shuffle_epi32(words, 0xb1));
}

/// sum + (the distance of x to the nearest step, in steps)^2; a lane is a trial scale.
inline __m256 add_error(__m256 sum, float x, __m256 scale) {
  const __m256 scaled = _mm256_mul_ps(_mm256_set1_ps(x), scale);
  const __m256 rest = _mm256_sub_ps(scaled, _mm256_round_ps(scaled, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  return _mm256_fmadd_ps(rest, rest, sum);
}

/// The number of steps of the trial with the least error.
inline float steps_of_least(__m256 sum) {
  const __m256 error = _mm256_fmadd_ps(sum, _mm256_load_ps(kActTrialArea), _mm256_load_ps(kActTrialBias));
  __m256 least = _mm256_min_ps(error, _mm256_permute2f128_ps(error, error, 1));
  least = _mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0x4e));
  least = _mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0xb1));
  const int equal = _mm256_movemask_ps(_mm256_cmp_ps(error, least, _CMP_EQ_OQ));
  return kActTrialSteps[__builtin_ctz(static_cast<unsigned>(equal) | 0x80u)];  // not-a-number: the last
}

/// The number of steps to the largest magnitude that codes 32 values with the smallest squared error, for two blocks at
/// once: the sums are chains, and four of them keep the processor busy.
inline void best_trials(float steps[2], const float* x, const float* y, float x_per_unit, float y_per_unit) {
  const __m256 trial = _mm256_load_ps(kActTrialSteps);
  const __m256 x_scale = _mm256_mul_ps(trial, _mm256_set1_ps(x_per_unit));
  const __m256 y_scale = _mm256_mul_ps(trial, _mm256_set1_ps(y_per_unit));
  __m256 x_even = _mm256_setzero_ps(), x_odd = x_even, y_even = x_even, y_odd = x_even;
#pragma GCC unroll 2
  for (int i = 0; i < kActBlock; i += 2) {
    x_even = add_error(x_even, x[i], x_scale);
    y_even = add_error(y_even, y[i], y_scale);
    x_odd = add_error(x_odd, x[i + 1], x_scale);
    y_odd = add_error(y_odd, y[i + 1], y_scale);
  }
  steps[0] = steps_of_least(_mm256_add_ps(x_even, x_odd));
  steps[1] = steps_of_least(_mm256_add_ps(y_even, y_odd));
}

constexpr int kBatch = 8;  // blocks whose steps overlap (each alone is a long chain of operations): a superblock

/// 1 / largest magnitude of each of n blocks of 32; 0 for those below 1e-30, whose quotients could overflow.
inline void inverse_magnitudes(float* per_unit, const float* x, int n) {
  alignas(32) float magnitude[kBatch] = {};
  for (int b = 0; b < n; ++b) {
    const float* v = x + b * kActBlock;
    const Floats low = max(abs(load(v)), abs(load(v + 8))), high = max(abs(load(v + 16)), abs(load(v + 24)));
    magnitude[b] = max_lanes(max(high, max(low, zero())));
  }
  const Floats largest = load(magnitude);
  store(per_unit, select(less(largest, splat(1e-30f)), zero(), div(splat(1.0f), largest)));
}

/// Stores one block's codes and what does not depend on their scale; gives the sums of each half of them.
template <typename Planes>
inline void store_codes(const ActGroup& group, int64_t b, int c, __m256i bytes, float sums[2]) {
  const int64_t n_cols = group.n_cols;
  alignas(32) int32_t dwords[8];
  store_ints(dwords, bytes);
  int8_t* q = group.q + (b * 8 * n_cols + c) * 4;
  for (int i = 0; i < 8; ++i) __builtin_memcpy(q + i * n_cols * 4, &dwords[i], 4);
  const __m256i pairs = sum_pairs(_mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes));
  const __m256i total = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  const int whole[2] = {_mm_cvtsi128_si32(_mm256_castsi256_si128(total)),
                        _mm_cvtsi128_si32(_mm256_extracti128_si256(total, 1))};
  Planes::store_block(group, b, c, pairs, whole);
  for (int i = 0; i < 2; ++i) sums[i] = static_cast<float>(whole[i]);
}

/// Planes::store_block(group, b, c, pairs, whole) gets the sums of both halves of block b: as words of those of even
/// and of odd elements, in every dword of a 128-bit lane, and whole; store_superblock(group, super, c, sums) the float
/// sums of eight blocks, 0 beyond the last.
template <typename Planes>
inline void pack_column(const ActGroup& group, int c, const float* x, int64_t k) {
  const int64_t n_cols = group.n_cols, nb = k / kActBlock;
  for (int64_t first = 0; first < nb; first += kBatch, x += kBatch * kActBlock) {
    const int n = static_cast<int>(nb - first < kBatch ? nb - first : kBatch);
    alignas(32) float per_unit[kBatch], steps[kBatch], xqs[kBatch] = {}, qqs[kBatch] = {}, d[kBatch],
                                                       sum32[kBatch] = {};
    float sums[kBatch][2];
    inverse_magnitudes(per_unit, x, n);
    for (int b = 0; b < n; b += 2) {
      const int second = (b + 1 < n) ? b + 1 : b;
      best_trials(steps + b, x + b * kActBlock, x + second * kActBlock, per_unit[b], per_unit[second]);
    }
    for (int b = 0; b < n; ++b) {
      const Floats inverse = splat(steps[b] * per_unit[b]);
      Floats xq = zero(), qq = zero();
      Ints codes[4];
      for (int i = 0; i < 4; ++i) {
        const Floats v = load(x + b * kActBlock + 8 * i);
        codes[i] = to_ints(mul(v, inverse));
        const Floats q = to_floats(codes[i]);
        xq = fma(v, q, xq);
        qq = fma(q, q, qq);
      }
      xqs[b] = sum_lanes(xq);
      qqs[b] = sum_lanes(qq);
      store_codes<Planes>(group, first + b, c, pack_bytes(codes), sums[b]);
    }
    // Least squares: d q is nearest to x; not-a-number stays.
    const Mask nothing = _mm256_cmp_ps(load(per_unit), zero(), _CMP_EQ_OQ);
    store(d, select(nothing, zero(), div(load(xqs), load(qqs))));
    for (int b = 0; b < n; ++b) {
      const int64_t at = (first + b) * n_cols + c;
      group.d[at] = d[b];
      group.sum16[2 * (first + b) * n_cols + c] = d[b] * sums[b][0];
      group.sum16[(2 * (first + b) + 1) * n_cols + c] = d[b] * sums[b][1];
      sum32[b] = d[b] * (sums[b][0] + sums[b][1]);
      group.sum32[at] = sum32[b];
    }
    Planes::store_superblock(group, first / kBatch, c, sum32);
  }
}

}  // namespace
}  // namespace hearth::kernels
