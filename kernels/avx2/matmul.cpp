// Panels of integer codes multiplied by quantized activations, with AVX2.
#include "kernels/avx2/matmul.h"

#include "kernels/avx2/panel.h"

namespace hearth::kernels::avx2 {
namespace {

constexpr int kGroups = 2;  // of 8 rows at once
/// Most columns at once. Three keep all sums in registers. Superblocks need those of blocks and of themselves only once
/// in 32 columns: all six together are better than twice three, by 1% (Q4_K) to 5% (Q6_K).
constexpr int max_cols(Codes codes) {
  return is_super(codes) ? kGroupCols : 3;
}

HEARTH_INLINE __m256i load_codes(const char* p) {
  return _mm256_load_si256(static_cast<const __m256i*>(static_cast<const void*>(p)));
}
HEARTH_INLINE __m256 load_floats(const char* p) {
  return _mm256_load_ps(static_cast<const float*>(static_cast<const void*>(p)));
}

/// p + bytes; keeps the compiler from holding the offset of every step in a register.
HEARTH_INLINE const char* step_on(const char* p, int64_t bytes) {
  p += bytes;
  __asm__("" : "+r"(p));
  return p;
}

/// What a loop needs of the activations, from its first column on; `stride` columns from step to step in every plane.
struct ActColumns {
  const char* q;          ///< [nb][8][stride] dwords of codes
  const char* q_odd;      ///< signed codes: words of bytes 0 and 2 are in q, those of bytes 1 and 3 here
  const float* d;         ///< [nb][stride]
  const float* sums;      ///< [nb][halves][stride], as the kind has it
  const int32_t* init;    ///< [nb][halves][stride]
  const int32_t* sum256;  ///< [nb / 8][4][stride]
  const float* d256;      ///< [nb / 8][stride]
  int64_t stride;
  uintptr_t ahead;  ///< as ActGroup has it, but every other line
  int ahead_bytes;
  bool ahead_far;

  HEARTH_INLINE void prefetch_block() {
    for (int i = 0; i < ahead_bytes; i += 128) {
      const char* line = reinterpret_cast<const char*>(ahead + static_cast<uintptr_t>(i));
      if (ahead_far) {
        _mm_prefetch(line, _MM_HINT_T1);
      } else {
        _mm_prefetch(line, _MM_HINT_T0);
      }
    }
    ahead += static_cast<uintptr_t>(ahead_bytes);
  }
};

/// Integer products of 16 rows with kCols columns over kSteps steps of four elements, as sums of 16 bits.
template <bool kBiased, int kCols, int kSteps>
HEARTH_INLINE void dot_bytes(__m256i (&sum)[kGroups][kCols], const char* codes, const ActColumns& x) {
  if constexpr (kBiased) {
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) sum[0][c] = sum[1][c] = splat_dword(x.init + c);
  }
  const char* q = x.q;
#pragma GCC unroll 8
  for (int s = 0; s < kSteps; ++s, q = step_on(q, x.stride * 4)) {
    const __m256i w[kGroups] = {load_codes(codes + s * kRowsBytes), load_codes(codes + s * kRowsBytes + 32)};
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const __m256i value = splat_dword(q + c * 4);
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
        const __m256i product = _mm256_maddubs_epi16(w[g], value);
        sum[g][c] = s == 0 && !kBiased ? product : in_order(_mm256_add_epi16(sum[g][c], product));
      }
    }
  }
}

/// The same for codes of eight bits, multiplied as words, as sums of 32 bits.
template <bool kWords, int kCols, int kSteps>
HEARTH_INLINE void dot_words(__m256i (&sum)[kGroups][kCols], const char* codes, const ActColumns& x) {
  const char* q[2] = {x.q, x.q_odd};
#pragma GCC unroll 8
  for (int s = 0; s < kSteps; ++s, codes += kRowsBytes) {
#pragma GCC unroll 2
    for (int odd = 0; odd < 2; ++odd) {
      if (kWords && odd != 0) codes += kRowsBytes;
      __m256i w[kGroups];
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
        const __m256i stored = load_codes(codes + g * 32);
        w[g] = kWords ? stored : odd != 0 ? odd_words(stored) : even_words(stored);
      }
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) {
        const __m256i value = splat_dword(q[odd] + c * 4);
#pragma GCC unroll 2
        for (int g = 0; g < kGroups; ++g) {
          const __m256i product = _mm256_madd_epi16(w[g], value);
          sum[g][c] = s + odd == 0 ? product : in_order(_mm256_add_epi32(sum[g][c], product));
        }
      }
      q[odd] = step_on(q[odd], x.stride * 4);
    }
  }
}

/// 16 rows times kCols columns, float scales. kHalves: 1 for a scale per 32 columns, 2 for one per 16.
template <Codes kCodes, int kCols, int kHalves, bool kMin>
HEARTH_INLINE void multiply_scaled(float* acc, const char* panel, ActColumns x, int64_t nb, bool first) {
  __m256 total[kGroups][kCols];
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      total[g][c] = first ? _mm256_setzero_ps() : _mm256_loadu_ps(acc + c * kPanelRows + g * 8);
    }
  }
  for (int64_t b = 0; b < nb; ++b, panel += block_stride(kCodes)) {
    x.prefetch_block();
#pragma GCC unroll 2
    for (int half = 0; half < kHalves; ++half) {
      constexpr int kSteps = 8 / kHalves;
      __m256i dot[kGroups][kCols];
      const char* codes = panel + half * kSteps * step_bytes(kCodes);
      if constexpr (is_signed(kCodes)) {
        dot_words<kCodes == Codes::kWords, kCols, kSteps>(dot, codes, x);
      } else {
        dot_bytes<is_biased(kCodes), kCols, kSteps>(dot, codes, x);
      }
      const char* planes = panel + code_bytes(kCodes) + half * kRowsBytes;
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
        const __m256 scale = load_floats(planes + kScalePlane * kRowsBytes + g * 32);
        const __m256 min = kMin ? load_floats(planes + kMinPlane * kRowsBytes + g * 32) : _mm256_setzero_ps();
#pragma GCC unroll 6
        for (int c = 0; c < kCols; ++c) {
          if (!is_signed(kCodes)) dot[g][c] = _mm256_madd_epi16(dot[g][c], _mm256_set1_epi16(1));
          const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(dot[g][c]), scale);
          total[g][c] = _mm256_fmadd_ps(scaled, _mm256_broadcast_ss(x.d + c), total[g][c]);
          if (kMin) total[g][c] = _mm256_fnmadd_ps(min, _mm256_broadcast_ss(x.sums + c), total[g][c]);
        }
      }
      x.q += kSteps * 4 * x.stride;
      x.q_odd += kSteps * 4 * x.stride;
      x.sums += x.stride;
      x.init += x.stride;
    }
    x.d += x.stride;
  }
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) _mm256_storeu_ps(acc + c * kPanelRows + g * 8, total[g][c]);
  }
}

/// Scales the 16-bit sums of a block, or of half a block, to 32 bits.
template <int kCols>
HEARTH_INLINE void widen(__m256i (&dot)[kGroups][kCols], const __m256i (&part)[kGroups][kCols], const char* factors,
                         bool add) {
#pragma GCC unroll 2
  for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const __m256i product = _mm256_madd_epi16(part[g][c], load_codes(factors + g * 32));
      dot[g][c] = add ? _mm256_add_epi32(dot[g][c], product) : product;
    }
  }
}

/// What the minimums of a superblock, whose planes begin at `planes`, take off each product.
template <Codes kCodes, int kCols>
HEARTH_INLINE void dot_super_mins(__m256 (&out)[kGroups][kCols], const char* planes, const ActColumns& x) {
  __m256i dot[kGroups][kCols];
#pragma GCC unroll 6
  for (int pair = 0; pair < 4; ++pair) {
    const char* words = planes + pair * block_stride(kCodes) + kMinPlane * kRowsBytes;
    const __m256i w[kGroups] = {load_codes(words), load_codes(words + 32)};
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const __m256i value = splat_dword(x.sum256 + pair * x.stride + c);
#pragma GCC unroll 2
      for (int g = 0; g < kGroups; ++g) {
        const __m256i product = _mm256_madd_epi16(w[g], value);
        dot[g][c] = pair == 0 ? product : in_order(_mm256_add_epi32(dot[g][c], product));
      }
    }
  }
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
    const __m256 d = _mm256_broadcast_ss(x.d256 + c);
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) out[g][c] = _mm256_mul_ps(_mm256_cvtepi32_ps(dot[g][c]), d);
  }
}

/// 16 rows times kCols columns, superblocks with integer scales. Not inlined: GCC 12 assigns registers better to one
/// width at a time.
template <Codes kCodes, int kCols>
__attribute__((noinline)) void multiply_super(float* acc, const char* panel, ActColumns x, int64_t nb, bool first) {
  constexpr int kHalves = sums_by_16(kCodes) ? 2 : 1;
  constexpr int kSteps = 8 / kHalves;
  constexpr int64_t kFactorStep = kCodes == Codes::kBiased16Super ? kRowsBytes : 0;
  for (int64_t super = 0; super < nb; super += 8, first = false) {
    const char* const planes = panel + code_bytes(kCodes);
    __m256 sum[kGroups][kCols];
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) sum[0][c] = sum[1][c] = _mm256_setzero_ps();
    for (int b = 0; b < 8; ++b, panel += block_stride(kCodes)) {
      x.prefetch_block();
      __m256i dot[kGroups][kCols];
      const char* factors = panel + code_bytes(kCodes) + kScalePlane * kRowsBytes;
#pragma GCC unroll 2
      for (int half = 0; half < kHalves; ++half) {
        __m256i part[kGroups][kCols];
        dot_bytes<is_biased(kCodes), kCols, kSteps>(part, panel + half * kSteps * kRowsBytes, x);
        widen<kCols>(dot, part, factors + half * kFactorStep, half != 0);
        x.q += kSteps * 4 * x.stride;
        x.init += x.stride;
      }
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) {
        const __m256 d = _mm256_broadcast_ss(x.d + c);
#pragma GCC unroll 2
        for (int g = 0; g < kGroups; ++g) sum[g][c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[g][c]), d, sum[g][c]);
      }
      x.d += x.stride;
    }
    __m256 mins[kGroups][kCols];
    if (has_super_mins(kCodes)) dot_super_mins<kCodes>(mins, planes, x);
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      const char* const d_super = planes + kSuperPlane * kRowsBytes + g * 32;
#pragma GCC unroll 6
      for (int c = 0; c < kCols; ++c) {
        float* out = acc + c * kPanelRows + g * 8;
        __m256 total = first ? _mm256_setzero_ps() : _mm256_loadu_ps(out);
        if (has_super_mins(kCodes)) {
          total = _mm256_fnmadd_ps(mins[g][c], load_floats(d_super + block_stride(kCodes)), total);
        }
        _mm256_storeu_ps(out, _mm256_fmadd_ps(load_floats(d_super), sum[g][c], total));
      }
    }
    x.sum256 += 4 * x.stride;
    x.d256 += x.stride;
  }
}

/// n <= kCols columns.
template <Codes kCodes, int kCols, int kHalves, bool kMin>
HEARTH_INLINE void multiply_cols(float* acc, const char* panel, const ActColumns& x, int n, int64_t nb, bool first) {
  if (n < kCols) {
    if constexpr (kCols > 1) multiply_cols<kCodes, kCols - 1, kHalves, kMin>(acc, panel, x, n, nb, first);
  } else if constexpr (is_super(kCodes)) {
    multiply_super<kCodes, kCols>(acc, panel, x, nb, first);
  } else {
    multiply_scaled<kCodes, kCols, kHalves, kMin>(acc, panel, x, nb, first);
  }
}

/// Bytes 0 and 2 of every dword of activation codes as words, and bytes 1 and 3.
void widen_acts(char* even, char* odd, const int8_t* q, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 32) {
    const __m256i v = _mm256_load_si256(static_cast<const __m256i*>(static_cast<const void*>(q + i)));
    _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(even + i)), even_words(v));
    _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(odd + i)), odd_words(v));
  }
}

template <Codes kCodes, int kHalves, bool kMin>
void multiply_codes(float* acc, const char* panel, const ActGroup& x, int64_t nb, bool first) {
  constexpr bool kSigned = is_signed(kCodes);
  constexpr bool kBy16 = kHalves == 2 || sums_by_16(kCodes);
  alignas(32) char words[2][kSigned ? kPanelBlocks * kActBlock * kGroupCols : 32];
  const char* q[2] = {static_cast<const char*>(static_cast<const void*>(x.q)), nullptr};
  if constexpr (kSigned) {
    widen_acts(words[0], words[1], x.q, nb * kActBlock * x.n_cols);
    q[0] = words[0];
    q[1] = words[1];
  }
  for (int half = 0; half < 2; ++half) {
    const char* codes = panel + half * half_stride(kCodes);
    for (int c = 0; c < x.n_cols; c += max_cols(kCodes)) {
      const ActColumns columns{q[0] + c * 4,
                               kSigned ? q[1] + c * 4 : q[0],
                               x.d + c,
                               (kBy16 ? x.sum16 : x.sum32) + c,
                               (kBy16 ? x.init16 : x.init32) + c,
                               x.sum256 + c,
                               x.d256 + c,
                               x.n_cols,
                               reinterpret_cast<uintptr_t>(x.ahead) + static_cast<uintptr_t>(64 * half),
                               c == 0 ? x.ahead_bytes : 0,
                               x.ahead_far};
      const int left = x.n_cols - c;
      multiply_cols<kCodes, max_cols(kCodes), kHalves, kMin>(acc + c * kPanelRows + half * 16, codes, columns,
                                                             left < max_cols(kCodes) ? left : max_cols(kCodes), nb,
                                                             first);
    }
  }
}

/// kHalves and kMin as the kind has them; superblocks know by themselves. Codes that no type of the kind has do
/// nothing.
template <int kHalves, bool kMin>
HEARTH_INLINE void multiply(float* acc, const void* panel, const ActGroup& x, int64_t nb, bool first) {
  const auto* p = static_cast<const char*>(panel);
  switch (load_header(panel)) {
    case Codes::kSigned:
      multiply_codes<Codes::kSigned, kHalves, kMin>(acc, p, x, nb, first);  // put_block writes these for every kind
      return;
    case Codes::kWords:
      if constexpr (!kMin) multiply_codes<Codes::kWords, kHalves, kMin>(acc, p, x, nb, first);
      return;
    case Codes::kPlain:
      if constexpr (kMin) multiply_codes<Codes::kPlain, kHalves, kMin>(acc, p, x, nb, first);
      return;
    case Codes::kBiased:
      if constexpr (kHalves == 1 || !kMin) multiply_codes<Codes::kBiased, kHalves, kMin>(acc, p, x, nb, first);
      return;
    case Codes::kPlainSuper:
      if constexpr (kHalves == 1 && kMin) multiply_codes<Codes::kPlainSuper, 1, false>(acc, p, x, nb, first);
      return;
    case Codes::kPlain16Super:
      if constexpr (kHalves == 1 && kMin) multiply_codes<Codes::kPlain16Super, 1, false>(acc, p, x, nb, first);
      return;
    case Codes::kBiased16Super:
      if constexpr (kHalves == 2 && !kMin) multiply_codes<Codes::kBiased16Super, 1, false>(acc, p, x, nb, first);
      return;
  }
}

}  // namespace

#include "kernels/simd/define_multiply.inc"

}  // namespace hearth::kernels::avx2
