// Panels of integer codes multiplied by groups of quantized activations, with AVX-512 VNNI.
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
    for (const char* const end = ahead + x.ahead_bytes; ahead < end; ahead += 64) {
      if (x.ahead_far) {
        _mm_prefetch(ahead, _MM_HINT_T1);
      } else {
        _mm_prefetch(ahead, _MM_HINT_T0);
      }
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

}  // namespace

#include "kernels/simd/define_multiply.inc"

}  // namespace hearth::kernels::avx512
