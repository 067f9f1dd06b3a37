// The loops of products: codes in the panel's layout times a group of quantized activations. Panels of two groups of 16
// rows (matmul.cpp) and strips of one (few_columns.cpp) are multiplied by the same, to the same bits.
#pragma once

#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {
namespace {

inline __attribute__((always_inline)) __m512i broadcast_dword(const void* p) {
  int32_t value;
  __builtin_memcpy(&value, p, 4);
  return _mm512_set1_epi32(value);
}

/// Columns that lie side by side: of loops for one column it may be one of several.
template <int kCols>
inline __attribute__((always_inline)) int64_t columns_of(const ActGroup& x) {
  return kCols == 1 ? x.n_cols : kCols;
}

/// Adds kSteps steps of four columns to the integer sums of kGroups x 16 rows and kCols columns.
template <int kGroups, int kCols, int kSteps>
inline __attribute__((always_inline)) void add_dots(__m512i sum[kGroups][kCols], const char* codes, const int8_t* q,
                                                    int64_t n_cols) {
#pragma GCC unroll 8
  for (int s = 0; s < kSteps; ++s) {
    __m512i w[kGroups];
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) w[g] = _mm512_load_si512(codes + s * 128 + g * 64);
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const __m512i a = broadcast_dword(q + (s * n_cols + c) * 4);
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) sum[g][c] = _mm512_dpbusd_epi32(sum[g][c], w[g], a);
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

/// Takes off what the minimums of a superblock, which begins at `codes`, make with its activations.
template <int kGroups, int kCols>
inline __attribute__((always_inline)) void take_off_super_mins(__m512 total[kGroups][kCols], const char* codes,
                                                               const int32_t* sum256, const float* d256,
                                                               int64_t n_cols) {
  __m512i dot[kGroups][kCols];
#pragma GCC unroll 4
  for (int pair = 0; pair < 4; ++pair) {
    const char* words = codes + pair * kBlockStride + kMinPlane;
    __m512i w[kGroups];
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) w[g] = _mm512_load_si512(words + g * 64);
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const __m512i a = broadcast_dword(sum256 + pair * n_cols + c);
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
        dot[g][c] = _mm512_dpwssd_epi32(pair == 0 ? _mm512_setzero_si512() : dot[g][c], w[g], a);
      }
    }
  }
#pragma GCC unroll 2
  for (int g = 0; g < kGroups; ++g) {
    const __m512 unit = _mm512_load_ps(codes + kMinUnit + g * 64);
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      total[g][c] = take_off_mins(total[g][c], dot[g][c], unit, _mm512_set1_ps(d256[c]));
    }
  }
}

/// One scale per 32 columns.
template <int kGroups, int kCols, Mins kMins>
inline __attribute__((always_inline)) void multiply_by_32(float* acc, const char* codes, const ActGroup& x, int64_t nb,
                                                          bool first) {
  __m512 total[kGroups][kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      total[g][c] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(acc + 16 * (c * kGroups + g));
    }
  }
  NextActs ahead(x);
  const int8_t* q = x.q;
  const float* d = x.d;
  const float* sums = x.sum32;
  const int32_t* init = x.init32;
  const int32_t* sum256 = x.sum256;
  const float* d256 = x.d256;
  const int64_t n = columns_of<kCols>(x);
  for (int64_t b = 0; b < nb; ++b, codes += kBlockStride, q += 32 * n, d += n, init += n, sums += n) {
    if constexpr (kGroups == 2) ahead.prefetch();  // strips fetch while they are decoded
    __m512i dot[kGroups][kCols];
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) dot[g][c] = broadcast_dword(init + c);
    }
    add_dots<kGroups, kCols, 8>(dot, codes, q, n);
    const char* factors = codes + kCodeBytes;
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
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
      take_off_super_mins<kGroups, kCols>(total, codes - 7 * kBlockStride, sum256, d256, n);
      sum256 += 4 * n;
      d256 += n;
    }
  }
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) _mm512_storeu_ps(acc + 16 * (c * kGroups + g), total[g][c]);
  }
}

/// The same with a scale per 16. Both halves of a block meet the same scale of activations, so that they are added
/// before it is applied; as registers have no room for them and the totals, these stay in memory.
template <int kGroups, int kCols, bool kMin>
inline __attribute__((always_inline)) void multiply_by_16(float* acc, const char* codes, const ActGroup& x, int64_t nb,
                                                          bool first) {
  NextActs ahead(x);
  const int8_t* q = x.q;
  const float* d = x.d;
  const float* sums = x.sum16;
  const int32_t* init = x.init16;
  const int64_t n = columns_of<kCols>(x);
  for (int64_t b = 0; b < nb; ++b, codes += kBlockStride, q += 32 * n, d += n, first = false) {
    if constexpr (kGroups == 2) ahead.prefetch();
    __m512 part[kGroups][kCols];
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half, init += n) {
      __m512i dot[kGroups][kCols];
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 2
        for (int g = 0; g < kGroups; ++g) dot[g][c] = broadcast_dword(init + c);
      }
      add_dots<kGroups, kCols, 4>(dot, codes + half * 4 * 128, q + half * 16 * n, n);
      const char* factors = codes + kCodeBytes + half * kHalfBytes;
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
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
    for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) {
        float* const at = acc + 16 * (c * kGroups + g);
        __m512 total = first ? _mm512_setzero_ps() : _mm512_loadu_ps(at);
        total = _mm512_fmadd_ps(part[g][c], _mm512_set1_ps(d[c]), total);
#pragma GCC unroll 2
        for (int half = 0; half < (kMin ? 2 : 0); ++half) {
          const __m512 min = _mm512_load_ps(codes + kCodeBytes + half * kHalfBytes + 2 * kPlaneBytes + g * 64);
          total = _mm512_fnmadd_ps(min, _mm512_set1_ps(sums[half * n + c]), total);
        }
        _mm512_storeu_ps(at, total);
      }
    }
    sums += 2 * n;
  }
}

template <int kGroups, int kCols, int kHalves, bool kMin>
inline __attribute__((always_inline)) void multiply_cols(float* acc, const char* codes, const ActGroup& x, int64_t nb,
                                                         bool first, bool super_mins) {
  if constexpr (kHalves == 2) {
    multiply_by_16<kGroups, kCols, kMin>(acc, codes, x, nb, first);
  } else if constexpr (!kMin) {
    multiply_by_32<kGroups, kCols, Mins::kNone>(acc, codes, x, nb, first);
  } else if (super_mins) {
    multiply_by_32<kGroups, kCols, Mins::kSuper>(acc, codes, x, nb, first);
  } else {
    multiply_by_32<kGroups, kCols, Mins::kFloat>(acc, codes, x, nb, first);
  }
}

/// Column c of a group; only with the first the loops prefetch.
inline __attribute__((always_inline)) ActGroup column_of(const ActGroup& x, int c) {
  ActGroup column = {x.n_cols,     x.q + 4 * c,  x.d + c,      x.sum16 + c, x.sum32 + c,
                     x.init16 + c, x.init32 + c, x.sum256 + c, x.d256 + c,  x.ahead};
  column.ahead_bytes = c == 0 ? x.ahead_bytes : 0;
  column.ahead_far = x.ahead_far;
  return column;
}

/// acc[column][group][row] (+)= nb blocks of kGroups groups of 16 rows times the columns of x; sets when `first`, else
/// adds. super_mins: minimums are integers of superblocks.
template <int kGroups, int kHalves, bool kMin>
inline __attribute__((always_inline)) void multiply_groups(float* acc, const char* codes, const ActGroup& x, int64_t nb,
                                                           bool first, bool super_mins) {
  constexpr int kOneByOne = kGroups == 2 ? 2 : 1;  // two columns meet strips; in panels less code is worth more
  if (x.n_cols <= kOneByOne) {
    for (int c = 0; c < x.n_cols; ++c) {
      multiply_cols<kGroups, 1, kHalves, kMin>(acc + 16 * kGroups * c, codes, column_of(x, c), nb, first, super_mins);
    }
    return;
  }
  switch (x.n_cols) {
    case 2:
      if constexpr (kGroups == 1) multiply_cols<1, 2, kHalves, kMin>(acc, codes, x, nb, first, super_mins);
      return;
    case 3: return multiply_cols<kGroups, 3, kHalves, kMin>(acc, codes, x, nb, first, super_mins);
    case 4: return multiply_cols<kGroups, 4, kHalves, kMin>(acc, codes, x, nb, first, super_mins);
    case 5: return multiply_cols<kGroups, 5, kHalves, kMin>(acc, codes, x, nb, first, super_mins);
    default: return multiply_cols<kGroups, 6, kHalves, kMin>(acc, codes, x, nb, first, super_mins);
  }
}

}  // namespace
}  // namespace hearth::kernels::avx512
