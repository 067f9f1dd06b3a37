// Activations quantised to 8 bits per 32 and interleaved into a group of columns, with AVX2.
#include "kernels/avx2/simd.h"
//
#include "kernels/avx2/matmul.h"

namespace hearth::kernels::avx2 {
namespace {

inline int32_t sum_ints(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

/// 32 integers as bytes, in order.
inline __m256i pack_bytes(const __m256i v[4]) {
  const __m256i words0 = _mm256_packs_epi32(v[0], v[1]), words1 = _mm256_packs_epi32(v[2], v[3]);
  const __m256i bytes = _mm256_packs_epi16(words0, words1);
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/// The number of steps to the largest magnitude that codes 32 values with the smallest squared error; a lane is a
/// grid.
inline float best_grid(const float* x, float per_unit) {
  const __m256 scale = _mm256_mul_ps(_mm256_load_ps(kActGridSteps), _mm256_set1_ps(per_unit));
  __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (int i = 0; i < kActBlock; ++i) {
    const __m256 scaled = _mm256_mul_ps(_mm256_broadcast_ss(x + i), scale);
    const __m256 rest = _mm256_sub_ps(scaled, _mm256_round_ps(scaled, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    sum[i % 2] = _mm256_fmadd_ps(rest, rest, sum[i % 2]);
  }
  const __m256 error =
      _mm256_fmadd_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_load_ps(kActGridArea), _mm256_load_ps(kActGridBias));
  __m256 least = _mm256_min_ps(error, _mm256_permute2f128_ps(error, error, 1));
  least = _mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0x4e));
  least = _mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0xb1));
  const int equal = _mm256_movemask_ps(_mm256_cmp_ps(error, least, _CMP_EQ_OQ));
  return kActGridSteps[__builtin_ctz(static_cast<unsigned>(equal) | 0x80u)];  // not-a-number: the last
}

}  // namespace

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  const int64_t n_cols = group.n_cols;
  for (int64_t b = 0; b < k / kActBlock; ++b, x += kActBlock) {
    Floats v[4], largest = zero(), xq = zero(), qq = zero();
    Ints codes[4];
    for (int i = 0; i < 4; ++i) {
      v[i] = load(x + 8 * i);
      largest = max(largest, abs(v[i]));
    }
    const float magnitude = max_lanes(largest);
    const bool tiny = magnitude < 1e-30f;  // the quotient could overflow: the block counts as zero
    const float per_unit = tiny ? 0.0f : 1.0f / magnitude;
    const Floats inverse = splat(best_grid(x, per_unit) * per_unit);
    for (int i = 0; i < 4; ++i) {
      codes[i] = to_ints(mul(v[i], inverse));
      const Floats q = to_floats(codes[i]);
      xq = fma(v[i], q, xq);
      qq = fma(q, q, qq);
    }
    const float squares = sum_lanes(qq);
    const float d = tiny ? 0.0f : sum_lanes(xq) / squares;  // least squares: d q is nearest to x
    alignas(32) int32_t dwords[8];
    store_ints(dwords, pack_bytes(codes));
    int8_t* q = group.q + (b * 8 * n_cols + c) * 4;
    for (int i = 0; i < 8; ++i) __builtin_memcpy(q + i * n_cols * 4, &dwords[i], 4);
    const auto low = static_cast<float>(sum_ints(_mm256_add_epi32(codes[0], codes[1])));
    const auto high = static_cast<float>(sum_ints(_mm256_add_epi32(codes[2], codes[3])));
    group.d[b * n_cols + c] = d;
    group.sum16[2 * b * n_cols + c] = d * low;
    group.sum16[(2 * b + 1) * n_cols + c] = d * high;
    group.sum32[b * n_cols + c] = d * (low + high);
  }
}

}  // namespace hearth::kernels::avx2
