// Loops that measure the machine: the peak of 8-bit dot products (VPDPBUSD, 64 multiply-adds each), and reading.
#include <immintrin.h>

#include "kernels/avx512/overlay.h"

namespace hearth::kernels::avx512 {
namespace {

/// One VPDPBUSD, written out so that none is left away.
inline void multiply_add(__m512i& sum, __m512i a, __m512i b) {
#ifdef HEARTH_EMULATE_ISAS
  sum = _mm512_dpbusd_epi32(sum, a, b);
#else
  asm volatile("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
#endif
}

int64_t int8_peak(int64_t rounds) {
  constexpr int kSums = 16;
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  __m512i sums[kSums];
#pragma GCC unroll 16
  for (int j = 0; j < kSums; ++j) sums[j] = _mm512_setzero_si512();
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int j = 0; j < kSums; ++j) multiply_add(sums[j], a, b);
  }
  return rounds * kSums * 64;
}

uint64_t read_once(const void* bytes, int64_t n) {
  __m512i mix[4];
  for (__m512i& m : mix) m = _mm512_setzero_si512();
  const auto* p = static_cast<const __m512i*>(bytes);
  for (int64_t i = 0; i < n / 64; i += 4) {
#pragma GCC unroll 4
    for (int64_t j = 0; j < 4; ++j) mix[j] = _mm512_xor_si512(mix[j], _mm512_load_si512(p + i + j));
  }
  const __m512i all = _mm512_xor_si512(_mm512_xor_si512(mix[0], mix[1]), _mm512_xor_si512(mix[2], mix[3]));
  alignas(64) uint64_t words[8];
  _mm512_store_si512(words, all);
  return words[0] ^ words[1] ^ words[2] ^ words[3] ^ words[4] ^ words[5] ^ words[6] ^ words[7];
}

}  // namespace

void overlay_peaks(KernelTable& table) {
  table.int8_peak = int8_peak;
  table.read_once = read_once;
}

}  // namespace hearth::kernels::avx512
