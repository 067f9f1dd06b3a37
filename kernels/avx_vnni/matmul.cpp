// Panels of integer codes multiplied by groups of quantized activations, with AVX-VNNI.
#include "kernels/avx_vnni/matmul.h"

#include "kernels/avx_vnni/panel.h"

namespace hearth::kernels::avx_vnni {
namespace {

constexpr int kGroups = 2;  // of 8 rows at once

HEARTH_INLINE __m256i load_codes(const char* p) {
  return _mm256_load_si256(static_cast<const __m256i*>(static_cast<const void*>(p)));
}
HEARTH_INLINE __m256 load_factors(const char* p) {
  return _mm256_load_ps(static_cast<const float*>(static_cast<const void*>(p)));
}

/// Prefetches `bytes` from p on, every other line of them.
HEARTH_INLINE void prefetch_acts(uintptr_t p, int bytes, bool far) {
  for (int i = 0; i < bytes; i += 128) {
    const char* line = reinterpret_cast<const char*>(p + static_cast<uintptr_t>(i));
    if (far) {
      _mm_prefetch(line, _MM_HINT_T1);
    } else {
      _mm_prefetch(line, _MM_HINT_T0);
    }
  }
}

/// 16 rows of half `rows_half` times kCols of the kGroup columns of a group, from column kFirst on. kHalves: 1 for a
/// scale per 32 columns of W, 2 for one per 16. Eight sums at most, so that they, what they multiply and what GCC 12
/// moves between stay in the 16 registers: with twelve it keeps three of them in memory, and each addition to those
/// waits for a store (six columns in one pass took 13 to 21% longer than three and three). The totals, needed once in
/// 32 columns, are in memory.
template <int kGroup, int kFirst, int kCols, int kHalves, bool kMin>
HEARTH_INLINE void multiply_cols(float* acc, const char* panel, const ActGroup& x, int64_t nb, int rows_half) {
  const int8_t* q = x.q + 4 * kFirst;
  const float* d = x.d + kFirst;
  const float* sums = ((kHalves == 1) ? x.sum32 : x.sum16) + kFirst;
  const int32_t* init = ((kHalves == 1) ? x.init32 : x.init16) + kFirst;
  uintptr_t ahead = reinterpret_cast<uintptr_t>(x.ahead) + static_cast<uintptr_t>(64 * rows_half);
  acc += kFirst * kPanelRows;
  for (int64_t b = 0; b < nb; ++b, panel += kBlockStride, d += kGroup) {
    if (kFirst == 0) {
      prefetch_acts(ahead, x.ahead_bytes, x.ahead_far);
      ahead += static_cast<uintptr_t>(x.ahead_bytes);
    }
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half, init += kGroup, sums += kGroup) {
      __m256i dot[kGroups][kCols];
#pragma GCC unroll 4
      for (int c = 0; c < kCols; ++c) dot[0][c] = dot[1][c] = splat_dword(init + c);
      constexpr int kSteps = 8 / kHalves;
      const char* codes = panel + half * kSteps * kRowsBytes;
#pragma GCC unroll 8
      for (int s = 0; s < kSteps; ++s, q += 4 * kGroup) {
        const __m256i w[kGroups] = {load_codes(codes + s * kRowsBytes), load_codes(codes + s * kRowsBytes + 32)};
#pragma GCC unroll 4
        for (int c = 0; c < kCols; ++c) {
          const __m256i value = splat_dword(q + c * 4);
#pragma GCC unroll 2
          for (int g = 0; g < kGroups; ++g) dot[g][c] = add_dots(dot[g][c], w[g], value);
        }
      }
      const char* factors = panel + kCodeBytes + half * kFactorBytes;
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
        const __m256 scale = load_factors(factors + g * 32), magic = load_factors(factors + kRowsBytes + g * 32);
        const __m256 min = kMin ? load_factors(factors + 2 * kRowsBytes + g * 32) : _mm256_setzero_ps();
#pragma GCC unroll 4
        for (int c = 0; c < kCols; ++c) {
          float* out = acc + c * kPanelRows + g * 8;
          __m256 total =
              _mm256_fmadd_ps(scale_sum(dot[g][c], scale, magic), _mm256_broadcast_ss(d + c), _mm256_loadu_ps(out));
          if (kMin) total = _mm256_fnmadd_ps(min, _mm256_broadcast_ss(sums + c), total);
          _mm256_storeu_ps(out, total);
        }
      }
    }
  }
}

template <int kHalves, bool kMin>
HEARTH_INLINE void multiply(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  for (int i = 0; first && i < x.n_cols * kPanelRows; i += 8) _mm256_storeu_ps(acc + i, _mm256_setzero_ps());
  for (int half = 0; half < 2; ++half) {
    const char* p = static_cast<const char*>(panel) + half * kHalfStride;
    float* out = acc + half * 16;
    switch (x.n_cols) {
      case 1: multiply_cols<1, 0, 1, kHalves, kMin>(out, p, x, nb, half); break;
      case 2: multiply_cols<2, 0, 2, kHalves, kMin>(out, p, x, nb, half); break;
      case 3: multiply_cols<3, 0, 3, kHalves, kMin>(out, p, x, nb, half); break;
      case 4: multiply_cols<4, 0, 4, kHalves, kMin>(out, p, x, nb, half); break;
      case 5:
        multiply_cols<5, 0, 3, kHalves, kMin>(out, p, x, nb, half);
        multiply_cols<5, 3, 2, kHalves, kMin>(out, p, x, nb, half);
        break;
      default:
        multiply_cols<6, 0, 3, kHalves, kMin>(out, p, x, nb, half);
        multiply_cols<6, 3, 3, kHalves, kMin>(out, p, x, nb, half);
        break;
    }
  }
}

}  // namespace

#include "kernels/simd/define_multiply.inc"

}  // namespace hearth::kernels::avx_vnni
