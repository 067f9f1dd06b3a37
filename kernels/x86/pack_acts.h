// Activations quantized to 8 bits per 32 and interleaved into a group of columns, in registers of 256 bits. What the
// loops of an instruction set want to know of each block besides is up to its Planes.
#pragma once

#include "kernels/matmul_kernels.h"
#include "kernels/simd/vectors.h"

namespace hearth::kernels {
namespace {

/// 32 words of a block; order_bytes brings what becomes of them as bytes into the order of the elements.
struct Words {
  __m256i v[2];
};
inline Words to_words(const float* x, Floats unit) {
  Ints whole[4];
  for (int i = 0; i < 4; ++i) whole[i] = to_ints(mul(load(x + 8 * i), unit));
  return {_mm256_packs_epi32(whole[0], whole[1]), _mm256_packs_epi32(whole[2], whole[3])};
}
inline __m256i order_bytes(const Words& words) {
  const __m256i bytes = _mm256_packs_epi16(words.v[0], words.v[1]);
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
/// Sums of eight products each.
inline Ints dot(const Words& a, const Words& b) {
  return _mm256_add_epi32(_mm256_madd_epi16(a.v[0], b.v[0]), _mm256_madd_epi16(a.v[1], b.v[1]));
}
/// Lane i: the sum of the lanes of v[i].
inline Ints sum_each(const Ints v[8]) {
  const Ints low = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
  const Ints high = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]), _mm256_hadd_epi32(v[6], v[7]));
  return _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31));
}

/// Sums of words 0, 2, 4, 6 and of words 1, 3, 5, 7 of each 128-bit lane, in every dword of the lane.
inline __m256i sum_pairs(__m256i words) {
  words = _mm256_add_epi16(words, _mm256_shuffle_epi32(words, 0x4e));
  return _mm256_add_epi16(words, _mm256_shuffle_epi32(words, 0xb1));
}

constexpr int kBatch = 8;  // blocks whose steps overlap (each alone is a long chain of operations): a superblock

/// [trial][block]: the squares of what is left of the words, eight sums.
struct Errors {
  Ints v[kActTrials][kBatch];
};

inline void try_scales(Errors& errors, int b, const Words& words) {
  Words fraction, rest;
  for (int i = 0; i < 2; ++i) {
    fraction.v[i] = _mm256_slli_epi16(words.v[i], 2);
    rest.v[i] = _mm256_slli_epi16(words.v[i], 9);
  }
#pragma GCC unroll 8
  for (int g = 0; g < kActTrials; ++g) {
#pragma GCC unroll 4
    for (int steps = g == 0 ? 128 : kActTrialSteps[g - 1]; steps > kActTrialSteps[g]; --steps) {
      for (int i = 0; i < 2; ++i) rest.v[i] = _mm256_sub_epi16(rest.v[i], fraction.v[i]);
    }
    const Words kept = {_mm256_srai_epi16(rest.v[0], kActRestShift), _mm256_srai_epi16(rest.v[1], kActRestShift)};
    errors.v[g][b] = dot(kept, kept);
  }
}

/// Lane i: twice the number of steps to the largest magnitude of block i that codes it with the smallest squared error,
/// as a pair of words.
inline Ints best_trials(const Errors& errors) {
  Floats least = zero(), steps = zero();
#pragma GCC unroll 8
  for (int g = 0; g < kActTrials; ++g) {
    const Ints sums = _mm256_add_epi32(sum_each(errors.v[g]), splat_int(kActTrialBias[g]));
    const Floats weighed = mul(to_floats(sums), splat(kActTrialArea[g]));
    const Floats own = _mm256_castsi256_ps(_mm256_set1_epi16(static_cast<int16_t>(2 * kActTrialSteps[g])));
    const Mask better = g == 0 ? _mm256_cmp_ps(weighed, weighed, _CMP_TRUE_UQ) : less(weighed, least);
    least = select(better, weighed, least);
    steps = select(better, own, steps);
  }
  return _mm256_castps_si256(steps);
}

/// Lane i: the largest magnitude of block i of n; not-a-number when there is one.
inline Floats largest_magnitudes(const float* x, int n) {
  Floats each[kBatch];
#pragma GCC unroll 8
  for (int b = 0; b < kBatch; ++b) {
    const float* v = x + (b < n ? b : 0) * kActBlock;
    each[b] = max_magnitude(max_magnitude(load(v), load(v + 8)), max_magnitude(load(v + 16), load(v + 24)));
  }
  Floats four[2];
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const Floats* v = each + 4 * i;
    const Floats ab = max_magnitude(_mm256_unpacklo_ps(v[0], v[1]), _mm256_unpackhi_ps(v[0], v[1]));
    const Floats cd = max_magnitude(_mm256_unpacklo_ps(v[2], v[3]), _mm256_unpackhi_ps(v[2], v[3]));
    four[i] = max_magnitude(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
  }
  return max_magnitude(_mm256_permute2f128_ps(four[0], four[1], 0x20), _mm256_permute2f128_ps(four[0], four[1], 0x31));
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
    alignas(32) float unit[kBatch], d[kBatch], sum32[kBatch] = {};
    float sums[kBatch][2];
    Ints products[kBatch], squares[kBatch];  // of words and codes, and of codes
    const Floats largest = largest_magnitudes(x, n);
    const Mask nothing = less(largest, splat(kActSmallest));
    store(unit, select(nothing, zero(), div(splat(kActUnit), largest)));
    Words words[kBatch];
    Errors errors;
    for (int b = 0; b < n; ++b) {
      words[b] = to_words(x + b * kActBlock, splat(unit[b]));
      try_scales(errors, b, words[b]);
    }
    for (int b = n; b < kBatch; ++b) {
      for (auto& trial : errors.v) trial[b] = _mm256_setzero_si256();
      products[b] = squares[b] = _mm256_setzero_si256();
    }
    alignas(32) int32_t steps[kBatch];
    store_ints(steps, best_trials(errors));
    for (int b = 0; b < n; ++b) {
      const __m256i pairs = splat_int(steps[b]);
      const Words codes = {_mm256_mulhrs_epi16(words[b].v[0], pairs), _mm256_mulhrs_epi16(words[b].v[1], pairs)};
      products[b] = dot(words[b], codes);
      squares[b] = dot(codes, codes);
      store_codes<Planes>(group, first + b, c, order_bytes(codes), sums[b]);
    }
    // Least squares: d q is nearest to x. What is not finite gives not-a-number.
    const Floats fitted =
        mul(div(to_floats(sum_each(products)), to_floats(sum_each(squares))), div(largest, splat(kActUnit)));
    store(d, select(nothing, zero(), add(fitted, sub(largest, largest))));
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
