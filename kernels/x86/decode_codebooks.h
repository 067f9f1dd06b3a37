// Decoders of the types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4 (layouts: reference/codebooks.cpp).
#pragma once

#include "kernels/blocks.h"
#include "kernels/reference/quants.h"
#include "kernels/x86/decode.h"
#include "kernels/x86/decoder_list.h"

namespace hearth::kernels {
namespace {

/// A table of 16 signed bytes in both 128-bit lanes.
HEARTH_INLINE __m256i table_of(const int8_t* values) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(values))));
}

/// 32 looked-up nibbles from 16 bytes a row; low nibbles are columns 0..15.
template <typename Writer>
HEARTH_INLINE void give_looked_up(Writer& writer, int block, const __m256i raw[4], __m256i table) {
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    writer.code(block, s, _mm256_shuffle_epi8(table, low_nibbles(raw[s])));
    writer.code(block, s + 4, _mm256_shuffle_epi8(table, high_nibbles(raw[s])));
  }
}

/// Half of 2^(e - 127).
HEARTH_INLINE __m256 half_of_e8m0(__m256i e) {
  const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
  const __m256i subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
  return _mm256_castsi256_ps(_mm256_blendv_epi8(subnormal, normal, _mm256_cmpgt_epi32(e, _mm256_set1_epi32(1))));
}

struct DecodeIQ4NL {
  static constexpr Codes kCodes = Codes::kSigned;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int kBlocks = 1;
  static constexpr int64_t kBytes = sizeof(BlockIQ4_NL);
  static constexpr int kDotCols = kernels::kDotCols;

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    prefetch<1>(rows, at);
    __m256i raw[4];
    take_16<Writer>(raw, rows, at + 2);
    writer.scale(0, 0, low_halves(first_dwords(rows, at)));
    give_looked_up(writer, 0, raw, table_of(reference::kIQ4Values));
    writer.template done<kBlocks>();
  }
};

struct DecodeMXFP4 {
  static constexpr Codes kCodes = Codes::kBiased;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int kBlocks = 1;
  static constexpr int64_t kBytes = sizeof(BlockMXFP4);
  static constexpr int kDotCols = kernels::kDotCols;

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    prefetch<1>(rows, at);
    __m256i raw[4];
    take_16<Writer>(raw, rows, at + 1);
    writer.scale(0, 0, half_of_e8m0(_mm256_and_si256(first_dwords(rows, at), _mm256_set1_epi32(255))));
    give_looked_up(writer, 0, raw, _mm256_add_epi8(table_of(reference::kFP4Doubled), _mm256_set1_epi8(16)));
    writer.template done<kBlocks>();
  }
};

struct DecodeIQ4XS {
  static constexpr Codes kCodes = Codes::kSigned;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int kBlocks = 8;
  static constexpr int64_t kBytes = sizeof(BlockIQ4_XS);
  static constexpr int kDotCols = kernels::kDotCols;

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    const __m256i table = table_of(reference::kIQ4Values);
    __m256i head[4];
    transpose_16_bytes(head, rows, at);
    const __m256 d = low_halves(head[0]);
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      prefetch<3, 1>(rows, at, j);
      const __m256i four_bits = _mm256_and_si256(_mm256_srli_epi32(head[1], 4 * j), _mm256_set1_epi32(15));
      const __m256i two_bits = _mm256_and_si256(_mm256_srli_epi32(head[0], 16 + 2 * j), _mm256_set1_epi32(3));
      const __m256i scale = _mm256_or_si256(four_bits, _mm256_slli_epi32(two_bits, 4));
      const __m256i centered = _mm256_sub_epi32(scale, _mm256_set1_epi32(32));
      writer.scale(j, 0, _mm256_mul_ps(d, _mm256_cvtepi32_ps(centered)));
      __m256i raw[4];
      take_16<Writer>(raw, rows, at + 8 + 16 * j);
      give_looked_up(writer, j, raw, table);
    }
    writer.template done<kBlocks>();
  }
};

}  // namespace
}  // namespace hearth::kernels
