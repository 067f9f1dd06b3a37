// Activations quantised, and panels of integer codes multiplied by them, with AVX-512 VNNI.
#include "kernels/avx512/matmul.h"

#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {
namespace {

inline __attribute__((always_inline)) __m512i broadcast_dword(const void* p) {
  int32_t value;
  __builtin_memcpy(&value, p, 4);
  return _mm512_set1_epi32(value);
}

/// Adds `steps` steps of four columns to the integer sums of 2 x 16 rows and kCols columns.
template <int kCols, int kSteps>
inline __attribute__((always_inline)) void add_dots(__m512i sum[2][kCols], const char* codes, const int8_t* q) {
#pragma GCC unroll 8
  for (int s = 0; s < kSteps; ++s) {
    const __m512i w0 = _mm512_load_si512(codes + s * 128);
    const __m512i w1 = _mm512_load_si512(codes + s * 128 + 64);
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const __m512i a = broadcast_dword(q + (s * kCols + c) * 4);
      sum[0][c] = _mm512_dpbusd_epi32(sum[0][c], w0, a);
      sum[1][c] = _mm512_dpbusd_epi32(sum[1][c], w1, a);
    }
  }
}

/// kHalves: 1 for a scale per 32 columns, 2 for one per 16.
template <int kCols, int kHalves, bool kMin>
inline __attribute__((always_inline)) void multiply_cols(float* acc, const char* panel, const ActGroup& x, int64_t nb,
                                                         bool first) {
  __m512 total[2][kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
    total[0][c] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(acc + c * kPanelRows);
    total[1][c] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(acc + c * kPanelRows + 16);
  }
  const char* ahead = static_cast<const char*>(x.ahead);
  const int8_t* q = x.q;
  const float* d = x.d;
  const float* sums = (kHalves == 1) ? x.sum32 : x.sum16;
  const int32_t* init = (kHalves == 1) ? x.init32 : x.init16;
  for (int64_t b = 0; b < nb; ++b, panel += kBlockStride, q += 32 * kCols, d += kCols) {
    for (int r = 0; r < x.ahead_rows; ++r, ahead += x.ahead_stride) {
      for (int i = 0; i < x.ahead_bytes; i += 64) _mm_prefetch(ahead + i, _MM_HINT_T0);
    }
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half, init += kCols, sums += kCols) {
      __m512i dot[2][kCols];
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) dot[0][c] = dot[1][c] = broadcast_dword(init + c);
      constexpr int kSteps = 8 / kHalves;
      add_dots<kCols, kSteps>(dot, panel + half * kSteps * 128, q + half * kSteps * 4 * kCols);
      const char* factors = panel + kCodeBytes + half * kHalfBytes;
#pragma GCC unroll 2
      for (int g = 0; g < 2; ++g) {
        const __m512 scale = _mm512_load_ps(factors + g * 64);
        const __m512 magic = _mm512_load_ps(factors + kPlaneBytes + g * 64);
        const __m512 min = kMin ? _mm512_load_ps(factors + 2 * kPlaneBytes + g * 64) : _mm512_setzero_ps();
#pragma GCC unroll 6
        for (int c = 0; c < kCols; ++c) {
          const __m512 scaled = _mm512_fmsub_ps(_mm512_castsi512_ps(dot[g][c]), scale, magic);
          total[g][c] = _mm512_fmadd_ps(scaled, _mm512_set1_ps(d[c]), total[g][c]);
          if (kMin) total[g][c] = _mm512_fnmadd_ps(min, _mm512_set1_ps(sums[c]), total[g][c]);
        }
      }
    }
  }
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
    _mm512_storeu_ps(acc + c * kPanelRows, total[0][c]);
    _mm512_storeu_ps(acc + c * kPanelRows + 16, total[1][c]);
  }
}

template <int kHalves, bool kMin>
inline __attribute__((always_inline)) void multiply(float* acc, const void* panel, const ActGroup& x, int64_t nb,
                                                    bool first) {
  const char* p = static_cast<const char*>(panel);
  switch (x.n_cols) {
    case 1: return multiply_cols<1, kHalves, kMin>(acc, p, x, nb, first);
    case 2: return multiply_cols<2, kHalves, kMin>(acc, p, x, nb, first);
    case 3: return multiply_cols<3, kHalves, kMin>(acc, p, x, nb, first);
    case 4: return multiply_cols<4, kHalves, kMin>(acc, p, x, nb, first);
    case 5: return multiply_cols<5, kHalves, kMin>(acc, p, x, nb, first);
    default: return multiply_cols<6, kHalves, kMin>(acc, p, x, nb, first);
  }
}

/// Sums of the two halves of 32 signed bytes.
struct HalfSums {
  int32_t low, high;
};

inline __attribute__((always_inline)) HalfSums half_sums(__m256i codes) {
  const __m256i biased = _mm256_xor_si256(codes, _mm256_set1_epi8(-128));  // code + 128, unsigned
  const __m256i eights = _mm256_sad_epu8(biased, _mm256_setzero_si256());
  const __m128i low = _mm256_castsi256_si128(eights);
  const __m128i high = _mm256_extracti128_si256(eights, 1);
  const int bias = 16 * 128;
  return {_mm_cvtsi128_si32(low) + _mm_extract_epi32(low, 2) - bias,
          _mm_cvtsi128_si32(high) + _mm_extract_epi32(high, 2) - bias};
}

/// The number of steps to the largest magnitude that codes 32 values with the smallest squared error. A lane is a
/// grid; the upper lanes take the second half of the values.
inline __attribute__((always_inline)) float best_grid(const float* x, float per_unit) {
  const __m256 grids = _mm256_mul_ps(_mm256_load_ps(kActGridSteps), _mm256_set1_ps(per_unit));
  const __m512 scale = _mm512_insertf32x8(_mm512_castps256_ps512(grids), grids, 1);
  __m512 sum = _mm512_setzero_ps();
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    const __m512 low = _mm512_castps256_ps512(_mm256_broadcast_ss(x + i));
    const __m512 values = _mm512_insertf32x8(low, _mm256_broadcast_ss(x + i + 16), 1);
    const __m512 rest = _mm512_reduce_ps(_mm512_mul_ps(values, scale), 0);  // v - round(v)
    sum = _mm512_fmadd_ps(rest, rest, sum);
  }
  const __m256 both = _mm256_add_ps(_mm512_castps512_ps256(sum), _mm512_extractf32x8_ps(sum, 1));
  const __m256 error = _mm256_fmadd_ps(both, _mm256_load_ps(kActGridArea), _mm256_load_ps(kActGridBias));
  __m256 least = _mm256_min_ps(error, _mm256_permute2f128_ps(error, error, 1));
  least = _mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0x4e));
  least = _mm256_min_ps(least, _mm256_shuffle_ps(least, least, 0xb1));
  const unsigned equal = _mm256_cmp_ps_mask(error, least, _CMP_EQ_OQ);
  return kActGridSteps[__builtin_ctz(equal | 0x80u)];  // not-a-number: the last
}

}  // namespace

void multiply_scale32(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  multiply<1, false>(acc, panel, x, nb, first);
}
void multiply_scale32_min(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  multiply<1, true>(acc, panel, x, nb, first);
}
void multiply_scale16(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  multiply<2, false>(acc, panel, x, nb, first);
}
void multiply_scale16_min(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  multiply<2, true>(acc, panel, x, nb, first);
}

void pack_acts(const ActGroup& group, int c, const float* x, int64_t k) {
  const int64_t n_cols = group.n_cols;
  const __m512 sign = _mm512_set1_ps(-0.0f);
  for (int64_t b = 0; b < k / kActBlock; ++b, x += kActBlock) {
    const __m512 x0 = _mm512_loadu_ps(x);
    const __m512 x1 = _mm512_loadu_ps(x + 16);
    const __m512 magnitude = _mm512_max_ps(_mm512_andnot_ps(sign, x0), _mm512_andnot_ps(sign, x1));
    const float largest = _mm512_reduce_max_ps(magnitude);
    const bool tiny = largest < 1e-30f;  // the quotient could overflow: the block counts as zero
    const float per_unit = tiny ? 0.0f : 1.0f / largest;
    const __m512 inverse = _mm512_set1_ps(best_grid(x, per_unit) * per_unit);
    const __m512i c0 = _mm512_cvtps_epi32(_mm512_mul_ps(x0, inverse));
    const __m512i c1 = _mm512_cvtps_epi32(_mm512_mul_ps(x1, inverse));
    const __m512 q0 = _mm512_cvtepi32_ps(c0), q1 = _mm512_cvtepi32_ps(c1);
    const float xq = _mm512_reduce_add_ps(_mm512_fmadd_ps(x1, q1, _mm512_mul_ps(x0, q0)));
    const float qq = _mm512_reduce_add_ps(_mm512_fmadd_ps(q1, q1, _mm512_mul_ps(q0, q0)));
    const float d = tiny ? 0.0f : xq / qq;  // least squares: d q is nearest to x
    const __m128i low = _mm512_cvtsepi32_epi8(c0);
    const __m128i high = _mm512_cvtsepi32_epi8(c1);
    const __m256i codes = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    alignas(32) int32_t dwords[8];
    _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(dwords)), codes);
    int8_t* q = group.q + (b * 8 * n_cols + c) * 4;
    for (int i = 0; i < 8; ++i) __builtin_memcpy(q + i * n_cols * 4, &dwords[i], 4);
    const HalfSums sums = half_sums(codes);
    group.d[b * n_cols + c] = d;
    group.sum16[2 * b * n_cols + c] = d * static_cast<float>(sums.low);
    group.sum16[(2 * b + 1) * n_cols + c] = d * static_cast<float>(sums.high);
    group.sum32[b * n_cols + c] = d * static_cast<float>(sums.low + sums.high);
    group.init16[2 * b * n_cols + c] = kMagicBits - kCodeOffset * sums.low;
    group.init16[(2 * b + 1) * n_cols + c] = kMagicBits - kCodeOffset * sums.high;
    group.init32[b * n_cols + c] = kMagicBits - kCodeOffset * (sums.low + sums.high);
  }
}

}  // namespace hearth::kernels::avx512
