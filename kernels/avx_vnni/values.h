// What panels and sums of products of this instruction set share: every value is scale * code - min with float scales,
// and every code is stored plus 128, as an unsigned byte, so that VPDPBUSD multiplies four of a row at once by four
// activations and adds them to a sum of 32 bits, which nothing can overflow.
//
// An integer sum starts at the bits of kMagic: as long as it stays below 2^22 in magnitude, its bits are those of the
// float kMagic + sum, so that scale * sum - scale * kMagic converts and scales in one exact step (a scale has at most
// 22 significant bits in every format: a half times an 8-bit integer).
#pragma once

#include "kernels/x86/decode.h"

namespace hearth::kernels::avx_vnni {
namespace {

constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23
constexpr int32_t kMagicBits = 0x4b400000;
constexpr int kCodeOffset = 128;

/// sum + products of bytes 4 i .. 4 i + 3, in lane i.
HEARTH_INLINE __m256i add_dots(__m256i sum, __m256i codes, __m256i x) {
#ifdef HEARTH_EMULATE_ISAS
  const __m256i low = _mm256_set1_epi16(255);
  const __m256i even = _mm256_madd_epi16(_mm256_and_si256(codes, low), even_words(x));
  const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(codes, 8), odd_words(x));
  return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
#else
  return _mm256_dpbusd_avx_epi32(sum, codes, x);
#endif
}

/// scale * (the sum whose bits these are - kMagic).
HEARTH_INLINE __m256 scale_sum(__m256i sum, __m256 scale, __m256 scaled_magic) {
  return _mm256_fmsub_ps(_mm256_castsi256_ps(sum), scale, scaled_magic);
}

/// How a decoder's values are held here.
template <typename Decoder>
struct ValuesOf {
  static constexpr Codes kCodes = Decoder::kCodes;
  static constexpr int kHalves = kCodes == Codes::kBiased16Super ? 2 : Decoder::kHalves;  ///< scales of 32 columns
  static constexpr bool kMin = Decoder::kMin || has_super_mins(kCodes);

  /// Codes as the decoder gives them, plus what they lack to 128.
  static HEARTH_INLINE __m256i to_unsigned(__m256i bytes) {
    if (is_signed(kCodes)) return _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
    if (!is_biased(kCodes)) return _mm256_or_si256(bytes, _mm256_set1_epi8(-128));
    return _mm256_add_epi8(bytes, _mm256_set1_epi8(kHalves == 1 ? kCodeOffset - 16 : kCodeOffset - 32));
  }
};

/// The part of a writer that makes float scales and minimums of a superblock's integers; the writer has scale() and
/// min().
template <typename Writer>
struct SuperblockFloats {
  __m256 super_d, super_dmin;

  HEARTH_INLINE void super(__m256 value) { super_d = value; }
  HEARTH_INLINE void super_min(__m256 value) { super_dmin = value; }
  HEARTH_INLINE void factor(int block, int half, __m256i pairs) {
    self().scale(block, half, _mm256_mul_ps(super_d, _mm256_cvtepi32_ps(_mm256_srai_epi32(pairs, 16))));
  }
  HEARTH_INLINE void min_pair(int pair, __m256i words) {
    const __m256i first = _mm256_and_si256(words, _mm256_set1_epi32(0xffff)), second = _mm256_srli_epi32(words, 16);
    self().min(2 * pair, 0, _mm256_mul_ps(super_dmin, _mm256_cvtepi32_ps(first)));
    self().min(2 * pair + 1, 0, _mm256_mul_ps(super_dmin, _mm256_cvtepi32_ps(second)));
  }

 private:
  HEARTH_INLINE Writer& self() { return static_cast<Writer&>(*this); }
};

}  // namespace
}  // namespace hearth::kernels::avx_vnni
