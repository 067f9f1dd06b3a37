// Loading and splitting of bytes in registers of 128 and 256 bits.
#pragma once

#include <immintrin.h>

#include <cstdint>

/// Kernels are inlined whatever their size: their registers are assigned as a whole.
#define HEARTH_INLINE inline __attribute__((always_inline))

namespace hearth::kernels {
namespace {

/// 16 bytes at any address.
HEARTH_INLINE __m128i load_16(const void* p) {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
/// 32 bytes at any address.
HEARTH_INLINE __m256i load_32(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

HEARTH_INLINE __m256i low_nibbles(__m256i v) {
  return _mm256_and_si256(v, _mm256_set1_epi8(15));
}
HEARTH_INLINE __m256i high_nibbles(__m256i v) {
  return low_nibbles(_mm256_srli_epi16(v, 4));
}

}  // namespace
}  // namespace hearth::kernels
