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

/// What is prefetched with every block.
struct NextActs {
  const char* at;
  int32_t bytes;
  bool far;

  explicit NextActs(const ActGroup& x)
      : at(static_cast<const char*>(x.ahead)), bytes(x.ahead_bytes), far(x.ahead_far) {}
  inline __attribute__((always_inline)) void prefetch() {
    for (const char* const end = at + bytes; at < end; at += 64) {
      if (far) {
        _mm_prefetch(at, _MM_HINT_T1);
      } else {
        _mm_prefetch(at, _MM_HINT_T0);
      }
    }
  }
};

enum class Mins { kNone, kFloat, kSuper };  ///< kSuper: integers of a superblock

/// Takes off what the minimums of a superblock, which begins at `panel`, make with its activations.
template <int kCols>
inline __attribute__((always_inline)) void take_off_super_mins(__m512 total[2][kCols], const char* panel,
                                                               const int32_t* sum256, const float* d256) {
  __m512i dot[2][kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) dot[0][c] = dot[1][c] = _mm512_setzero_si512();
#pragma GCC unroll 4
  for (int pair = 0; pair < 4; ++pair) {
    const char* words = panel + pair * kBlockStride + kMinPlane;
    const __m512i w0 = _mm512_load_si512(words), w1 = _mm512_load_si512(words + 64);
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const __m512i a = broadcast_dword(sum256 + pair * kCols + c);
      dot[0][c] = _mm512_dpwssd_epi32(dot[0][c], w0, a);
      dot[1][c] = _mm512_dpwssd_epi32(dot[1][c], w1, a);
    }
  }
#pragma GCC unroll 2
  for (int g = 0; g < 2; ++g) {
    const __m512 unit = _mm512_load_ps(panel + kMinUnit + g * 64);
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      total[g][c] = take_off_mins(total[g][c], dot[g][c], unit, _mm512_set1_ps(d256[c]));
    }
  }
}

/// One scale per 32 columns.
template <int kCols, Mins kMins>
inline __attribute__((always_inline)) void multiply_by_32(float* acc, const char* panel, const ActGroup& x, int64_t nb,
                                                          bool first) {
  __m512 total[2][kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
    total[0][c] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(acc + c * kPanelRows);
    total[1][c] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(acc + c * kPanelRows + 16);
  }
  NextActs ahead(x);
  const int8_t* q = x.q;
  const float* d = x.d;
  const float* sums = x.sum32;
  const int32_t* init = x.init32;
  const int32_t* sum256 = x.sum256;
  const float* d256 = x.d256;
  for (int64_t b = 0; b < nb; ++b, panel += kBlockStride, q += 32 * kCols, d += kCols, init += kCols, sums += kCols) {
    ahead.prefetch();
    __m512i dot[2][kCols];
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) dot[0][c] = dot[1][c] = broadcast_dword(init + c);
    add_dots<kCols, 8>(dot, panel, q);
    const char* factors = panel + kCodeBytes;
#pragma GCC unroll 2
    for (int g = 0; g < 2; ++g) {
      const __m512 scale = _mm512_load_ps(factors + g * 64);
      const __m512 magic = _mm512_load_ps(factors + kPlaneBytes + g * 64);
      const __m512 min =
          kMins == Mins::kFloat ? _mm512_load_ps(factors + 2 * kPlaneBytes + g * 64) : _mm512_setzero_ps();
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) {
        const __m512 scaled = _mm512_fmsub_ps(_mm512_castsi512_ps(dot[g][c]), scale, magic);
        total[g][c] = _mm512_fmadd_ps(scaled, _mm512_set1_ps(d[c]), total[g][c]);
        if (kMins == Mins::kFloat) total[g][c] = _mm512_fnmadd_ps(min, _mm512_set1_ps(sums[c]), total[g][c]);
      }
    }
    if (kMins == Mins::kSuper && b % 8 == 7) {
      take_off_super_mins<kCols>(total, panel - 7 * kBlockStride, sum256, d256);
      sum256 += 4 * kCols;
      d256 += kCols;
    }
  }
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
    _mm512_storeu_ps(acc + c * kPanelRows, total[0][c]);
    _mm512_storeu_ps(acc + c * kPanelRows + 16, total[1][c]);
  }
}

/// A scale per 16 columns. Both halves of a block meet the same scale of activations, so that they are added before it
/// is applied; as registers have no room for them and the totals, these stay in memory.
template <int kCols, bool kMin>
inline __attribute__((always_inline)) void multiply_by_16(float* acc, const char* panel, const ActGroup& x, int64_t nb,
                                                          bool first) {
  NextActs ahead(x);
  const int8_t* q = x.q;
  const float* d = x.d;
  const float* sums = x.sum16;
  const int32_t* init = x.init16;
  for (int64_t b = 0; b < nb; ++b, panel += kBlockStride, q += 32 * kCols, d += kCols, first = false) {
    ahead.prefetch();
    __m512 part[2][kCols];
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half, init += kCols) {
      __m512i dot[2][kCols];
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) dot[0][c] = dot[1][c] = broadcast_dword(init + c);
      add_dots<kCols, 4>(dot, panel + half * 4 * 128, q + half * 16 * kCols);
      const char* factors = panel + kCodeBytes + half * kHalfBytes;
#pragma GCC unroll 2
      for (int g = 0; g < 2; ++g) {
        const __m512 scale = _mm512_load_ps(factors + g * 64);
        const __m512 magic = _mm512_load_ps(factors + kPlaneBytes + g * 64);
#pragma GCC unroll 6
        for (int c = 0; c < kCols; ++c) {
          part[g][c] = half == 0 ? _mm512_fmsub_ps(_mm512_castsi512_ps(dot[g][c]), scale, magic)
                                 : _mm512_fmadd_ps(sum_to_float(dot[g][c]), scale, part[g][c]);
        }
      }
    }
#pragma GCC unroll 2
    for (int g = 0; g < 2; ++g) {
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) {
        float* const at = acc + c * kPanelRows + 16 * g;
        __m512 total = first ? _mm512_setzero_ps() : _mm512_loadu_ps(at);
        total = _mm512_fmadd_ps(part[g][c], _mm512_set1_ps(d[c]), total);
#pragma GCC unroll 2
        for (int half = 0; half < (kMin ? 2 : 0); ++half) {
          const __m512 min = _mm512_load_ps(panel + kCodeBytes + half * kHalfBytes + 2 * kPlaneBytes + g * 64);
          total = _mm512_fnmadd_ps(min, _mm512_set1_ps(sums[half * kCols + c]), total);
        }
        _mm512_storeu_ps(at, total);
      }
    }
    sums += 2 * kCols;
  }
}

template <int kCols, int kHalves, bool kMin>
inline __attribute__((always_inline)) void multiply_cols(float* acc, const void* panel, const ActGroup& x, int64_t nb,
                                                         bool first) {
  const char* p = static_cast<const char*>(panel);
  if constexpr (kHalves == 2) {
    multiply_by_16<kCols, kMin>(acc, p, x, nb, first);
  } else if constexpr (!kMin) {
    multiply_by_32<kCols, Mins::kNone>(acc, p, x, nb, first);
  } else if (has_super_mins(panel)) {
    multiply_by_32<kCols, Mins::kSuper>(acc, p, x, nb, first);
  } else {
    multiply_by_32<kCols, Mins::kFloat>(acc, p, x, nb, first);
  }
}

template <int kHalves, bool kMin>
inline __attribute__((always_inline)) void multiply(float* acc, const void* panel, const ActGroup& x, int64_t nb,
                                                    bool first) {
  switch (x.n_cols) {
    case 1: return multiply_cols<1, kHalves, kMin>(acc, panel, x, nb, first);
    case 2: return multiply_cols<2, kHalves, kMin>(acc, panel, x, nb, first);
    case 3: return multiply_cols<3, kHalves, kMin>(acc, panel, x, nb, first);
    case 4: return multiply_cols<4, kHalves, kMin>(acc, panel, x, nb, first);
    case 5: return multiply_cols<5, kHalves, kMin>(acc, panel, x, nb, first);
    default: return multiply_cols<6, kHalves, kMin>(acc, panel, x, nb, first);
  }
}

}  // namespace

#include "kernels/simd/define_multiply.inc"

}  // namespace hearth::kernels::avx512
