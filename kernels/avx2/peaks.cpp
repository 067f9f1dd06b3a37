// Loops that measure the machine: the peak of 8-bit dot products (VPMADDUBSW, VPMADDWD, VPADDD: 32 multiply-adds), and
// reading.
#include <immintrin.h>

#include "kernels/avx2/overlay.h"

namespace hearth::kernels::avx2 {
namespace {

int64_t int8_peak(int64_t rounds) {
  constexpr int kSums = 10;
  const __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5), ones = _mm256_set1_epi16(1);
  __m256i sums[kSums];
#pragma GCC unroll 16
  for (int j = 0; j < kSums; ++j) sums[j] = _mm256_setzero_si256();
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int j = 0; j < kSums; ++j) {
      __m256i product;
      asm volatile("vpmaddubsw %2, %1, %0" : "=x"(product) : "x"(a), "x"(b));
      sums[j] = _mm256_add_epi32(sums[j], _mm256_madd_epi16(product, ones));
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < kSums; ++j) asm volatile("" ::"x"(sums[j]));
  return rounds * kSums * 32;
}

uint64_t read_once(const void* bytes, int64_t n) {
  __m256i mix[8];
  for (__m256i& m : mix) m = _mm256_setzero_si256();
  const auto* p = static_cast<const __m256i*>(bytes);
  for (int64_t i = 0; i < n / 32; i += 8) {
#pragma GCC unroll 8
    for (int64_t j = 0; j < 8; ++j) mix[j] = _mm256_xor_si256(mix[j], _mm256_load_si256(p + i + j));
  }
  for (int j = 1; j < 8; ++j) mix[0] = _mm256_xor_si256(mix[0], mix[j]);
  alignas(32) uint64_t words[4];
  _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(words)), mix[0]);
  return words[0] ^ words[1] ^ words[2] ^ words[3];
}

}  // namespace

void overlay_peaks(KernelTable& table) {
  table.int8_peak = int8_peak;
  table.read_once = read_once;
}

}  // namespace hearth::kernels::avx2
