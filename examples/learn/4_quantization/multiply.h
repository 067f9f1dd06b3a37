// A panel times a group of tokens (panel.h), three times: in plain C++, by AVX-512 VNNI, by AVX2.
#pragma once

#include <cstring>

#include "panel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// out[t * stride + r] for 32 rows and six tokens. In plain C++, for any processor:
inline void multiply_plain(float* out, size_t stride, const Panel& panel, const TokenGroup& group) {
  for (size_t t = 0; t < kTokens; ++t) {
    float total[kRows] = {};
    for (size_t b = 0; b < group.scales.size() / kTokens; ++b) {
      int32_t sum[kRows];
      for (int32_t& s : sum) s = group.starts[b * kTokens + t];
      for (size_t step = b * 8; step < b * 8 + 8; ++step) {
        const int8_t* x = &group.codes[(step * kTokens + t) * 4];
        const uint8_t* w = &panel.codes[step * kRows * 4];
        for (size_t r = 0; r < kRows; ++r)
          sum[r] += w[4 * r] * x[0] + w[4 * r + 1] * x[1] + w[4 * r + 2] * x[2] + w[4 * r + 3] * x[3];
      }
      for (size_t r = 0; r < kRows; ++r)
        total[r] += panel.scales[b * kRows + r] * group.scales[b * kTokens + t] * float(sum[r]);
    }
    std::memcpy(out + t * stride, total, sizeof total);
  }
}

#if defined(__x86_64__)
// With AVX-512 VNNI: one instruction multiplies 64 bytes with 64 bytes and adds each four products to a 32-bit lane.
__attribute__((target("avx512f,avx512vnni"))) inline void multiply_vnni(float* out, size_t stride, const Panel& panel,
                                                                        const TokenGroup& group) {
  __m512 total[2][kTokens] = {};
  const uint8_t* w = panel.codes.data();
  const int8_t* x = group.codes.data();
  for (size_t b = 0; b < group.scales.size() / kTokens; ++b) {
    __m512i sum[2][kTokens];
#pragma GCC unroll 6
    for (size_t t = 0; t < kTokens; ++t) sum[0][t] = sum[1][t] = _mm512_set1_epi32(group.starts[b * kTokens + t]);
#pragma GCC unroll 8
    for (int step = 0; step < 8; ++step, w += 4 * kRows, x += 4 * kTokens) {
      const __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 64);
#pragma GCC unroll 6
      for (int t = 0; t < kTokens; ++t) {
        int32_t four;
        std::memcpy(&four, x + 4 * t, 4);
        const __m512i codes = _mm512_set1_epi32(four);
        sum[0][t] = _mm512_dpbusd_epi32(sum[0][t], w0, codes);
        sum[1][t] = _mm512_dpbusd_epi32(sum[1][t], w1, codes);
      }
    }
#pragma GCC unroll 2
    for (size_t half = 0; half < 2; ++half) {
      const __m512 scales = _mm512_loadu_ps(&panel.scales[b * kRows + 16 * half]);
#pragma GCC unroll 6
      for (size_t t = 0; t < kTokens; ++t) {
        const __m512 both = _mm512_mul_ps(scales, _mm512_set1_ps(group.scales[b * kTokens + t]));
        total[half][t] = _mm512_fmadd_ps(both, __builtin_convertvector(__v16si(sum[half][t]), __v16sf), total[half][t]);
      }
    }
  }
  for (size_t t = 0; t < kTokens; ++t) {
    _mm512_storeu_ps(out + t * stride, total[0][t]);
    _mm512_storeu_ps(out + t * stride + 16, total[1][t]);
  }
}
// With AVX2, which multiplies bytes in two instructions, 32 at a time: eight rows in a register.
__attribute__((target("avx2,fma"))) inline void multiply_avx2(float* out, size_t stride, const Panel& panel,
                                                              const TokenGroup& group) {
  const __m256i ones = _mm256_set1_epi16(1), offset = _mm256_set1_epi8(-128);
  for (size_t first = 0; first < kRows; first += 8) {
    __m256 total[kTokens] = {};
    for (size_t b = 0; b < group.scales.size() / kTokens; ++b) {
      __m256i sum[kTokens] = {};
      for (size_t step = 8 * b; step < 8 * b + 8; ++step) {
        const void* codes = &panel.codes[(step * kRows + first) * 4];
        const __m256i w = _mm256_xor_si256(_mm256_loadu_si256(static_cast<const __m256i*>(codes)), offset);
#pragma GCC unroll 6
        for (size_t t = 0; t < kTokens; ++t) {
          int32_t four;
          std::memcpy(&four, &group.codes[(step * kTokens + t) * 4], 4);
          const __m256i x = _mm256_sign_epi8(_mm256_set1_epi32(four), w);  // |w| * (x with the sign of w)
          const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), x);
          sum[t] = _mm256_add_epi32(sum[t], _mm256_madd_epi16(pairs, ones));
        }
      }
      const __m256 scales = _mm256_loadu_ps(&panel.scales[b * kRows + first]);
      for (size_t t = 0; t < kTokens; ++t) {
        const __m256 both = _mm256_mul_ps(scales, _mm256_set1_ps(group.scales[b * kTokens + t]));
        total[t] = _mm256_fmadd_ps(both, _mm256_cvtepi32_ps(sum[t]), total[t]);
      }
    }
    for (size_t t = 0; t < kTokens; ++t) _mm256_storeu_ps(out + t * stride + first, total[t]);
  }
}
#endif

inline void multiply(float* out, size_t stride, const Panel& panel, const TokenGroup& group) {
#if defined(__x86_64__)
  static const bool has_vnni = __builtin_cpu_supports("avx512vnni"), has_avx2 = __builtin_cpu_supports("avx2");
  if (has_vnni) return multiply_vnni(out, stride, panel, group);
  if (has_avx2) return multiply_avx2(out, stride, panel, group);
#endif
  multiply_plain(out, stride, panel, group);
}
