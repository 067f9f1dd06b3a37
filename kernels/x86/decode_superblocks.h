// Decoders of the types with superblocks of 256: Q2_K to Q6_K (bit layouts: reference/superblocks.cpp).
#pragma once

#include "kernels/blocks.h"
#include "kernels/x86/decode.h"
#include "kernels/x86/decoder_list.h"

namespace hearth::kernels {
namespace {

/// Blocks 4 kDword .. +3 of a header.
template <int kDword, typename Writer>
HEARTH_INLINE void give_four_factors(Writer& writer, __m256i scales, __m256i mins) {
  writer.factor(4 * kDword, 0, pair_of_byte<0>(scales));
  writer.factor(4 * kDword + 1, 0, pair_of_byte<1>(scales));
  writer.factor(4 * kDword + 2, 0, pair_of_byte<2>(scales));
  writer.factor(4 * kDword + 3, 0, pair_of_byte<3>(scales));
  writer.min_pair(2 * kDword, pair_of_bytes<0>(mins));
  writer.min_pair(2 * kDword + 1, pair_of_bytes<2>(mins));
}

/// d, dmin, scales and minimums of eight blocks from the 16-byte header of Q4_K and Q5_K.
template <typename Writer, typename AnyRows>
HEARTH_INLINE void give_headers(Writer& writer, const AnyRows& rows, int64_t at) {
  __m256i h[4];
  transpose_16_bytes(h, rows, at);
  writer.super(low_halves(h[0]));
  writer.super_min(high_halves(h[0]));
  give_four_factors<0>(writer, bits_at<0, 0, 6>(h[1]), bits_at<0, 0, 6>(h[2]));
  give_four_factors<1>(writer, _mm256_or_si256(bits_at<6, 4, 2>(h[1]), low_nibbles(h[3])),
                       _mm256_or_si256(bits_at<6, 4, 2>(h[2]), high_nibbles(h[3])));
}

struct DecodeQ4K {
  static constexpr Codes kCodes = Codes::kPlainSuper;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int kBlocks = 8;
  static constexpr int64_t kBytes = sizeof(BlockQ4_K);
  static constexpr int kDotCols = kernels::kDotCols;

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    give_headers(writer, rows, at);
#pragma GCC unroll 4
    for (int pair = 0; pair < 4; ++pair) {
      prefetch<3, 2>(rows, at, 2 * pair);
      __m256i raw[8];
      take_32<Writer>(raw, rows, at + 16 + 32 * pair);
#pragma GCC unroll 8
      for (int s = 0; s < 8; ++s) {
        writer.code(2 * pair, s, low_nibbles(raw[s]));
        writer.code(2 * pair + 1, s, high_nibbles(raw[s]));
      }
    }
    writer.template done<kBlocks>();
  }
};

struct DecodeQ5K {
  static constexpr Codes kCodes = Codes::kPlain16Super;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int kBlocks = 8;
  static constexpr int64_t kBytes = sizeof(BlockQ5_K);
  static constexpr int kDotCols = kernels::kDotCols;

  /// Sub-blocks 2 kPair and 2 kPair + 1.
  template <int kPair, typename Writer, typename AnyRows>
  static HEARTH_INLINE void run_pair(Writer& writer, const AnyRows& rows, int64_t at, const __m256i high[8]) {
    prefetch<3, 2>(rows, at, 2 * kPair);
    __m256i raw[8];
    take_32<Writer>(raw, rows, at + 48 + 32 * kPair);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      writer.code(2 * kPair, s, _mm256_or_si256(low_nibbles(raw[s]), bits_at<2 * kPair, 4, 1>(high[s])));
      writer.code(2 * kPair + 1, s, _mm256_or_si256(high_nibbles(raw[s]), bits_at<2 * kPair + 1, 4, 1>(high[s])));
    }
  }

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    give_headers(writer, rows, at);
    __m256i high[8];
    take_32<Writer>(high, rows, at + 16);
    run_pair<0>(writer, rows, at, high);
    run_pair<1>(writer, rows, at, high);
    run_pair<2>(writer, rows, at, high);
    run_pair<3>(writer, rows, at, high);
    writer.template done<kBlocks>();
  }
};

/// Scales of blocks 2 kDword and 2 kDword + 1, one per 16 columns, from signed bytes.
template <int kDword, typename Writer>
HEARTH_INLINE void give_signed_factors(Writer& writer, __m256i scales) {
  writer.factor(2 * kDword, 0, pair_of_signed_byte<0>(scales));
  writer.factor(2 * kDword, 1, pair_of_signed_byte<1>(scales));
  writer.factor(2 * kDword + 1, 0, pair_of_signed_byte<2>(scales));
  writer.factor(2 * kDword + 1, 1, pair_of_signed_byte<3>(scales));
}
template <typename Writer>
HEARTH_INLINE void give_16_factors(Writer& writer, const __m256i scales[4]) {
  give_signed_factors<0>(writer, scales[0]);
  give_signed_factors<1>(writer, scales[1]);
  give_signed_factors<2>(writer, scales[2]);
  give_signed_factors<3>(writer, scales[3]);
}

struct DecodeQ6K {
  static constexpr Codes kCodes = Codes::kBiased16Super;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int kBlocks = 8;
  static constexpr int64_t kBytes = sizeof(BlockQ6_K);
  static constexpr int kDotCols = kernels::kDotCols;

  /// Elements 32 kPart .. +31 and 64 more of half kHalf: low and high nibbles of 32 bytes.
  template <int kHalf, int kPart, typename Writer, typename AnyRows>
  static HEARTH_INLINE void run_part(Writer& writer, const AnyRows& rows, int64_t at, const __m256i high[8]) {
    constexpr int kBlock = 4 * kHalf + kPart;
    prefetch<4, 2>(rows, at, 4 * kHalf + 2 * kPart);
    __m256i raw[8];
    take_32<Writer>(raw, rows, at + 64 * kHalf + 32 * kPart);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      writer.code(kBlock, s, _mm256_or_si256(low_nibbles(raw[s]), bits_at<2 * kPart, 4, 2>(high[s])));
      writer.code(kBlock + 2, s, _mm256_or_si256(high_nibbles(raw[s]), bits_at<2 * kPart + 4, 4, 2>(high[s])));
    }
  }

  template <int kHalf, typename Writer, typename AnyRows>
  static HEARTH_INLINE void run_half(Writer& writer, const AnyRows& rows, int64_t at) {
    __m256i high[8];
    take_32<Writer>(high, rows, at + 128 + 32 * kHalf);
    run_part<kHalf, 0>(writer, rows, at, high);
    run_part<kHalf, 1>(writer, rows, at, high);
  }

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    __m256i scales[4];
    transpose_16_bytes(scales, rows, at + 192);
    writer.super(high_halves(last_dwords(rows, at + 210)));
    give_16_factors(writer, scales);
    run_half<0>(writer, rows, at);
    run_half<1>(writer, rows, at);
    writer.template done<kBlocks>();
  }
};

struct DecodeQ3K {
  static constexpr Codes kCodes = Codes::kBiased16Super;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr int kBlocks = 8;
  static constexpr int64_t kBytes = sizeof(BlockQ3_K);
  static constexpr int kDotCols = 1;

  /// Two bits of qs and bit kBlock of hmask, worth 4: that code - 4, stored 32 higher.
  template <int kBlock, typename Writer>
  static HEARTH_INLINE void give_codes(Writer& writer, const __m256i raw[8], const __m256i mask[8]) {
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      const __m256i code = _mm256_or_si256(bits_at<2 * (kBlock % 4), 0, 2>(raw[s]), bits_at<kBlock, 2, 1>(mask[s]));
      writer.code(kBlock, s, _mm256_add_epi8(code, _mm256_set1_epi8(28)));
    }
  }

  template <int kHalf, typename Writer, typename AnyRows>
  static HEARTH_INLINE void run_half(Writer& writer, const AnyRows& rows, int64_t at, const __m256i mask[8]) {
    prefetch<2, 4>(rows, at, 4 * kHalf);
    __m256i raw[8];
    take_32<Writer>(raw, rows, at + 32 + 32 * kHalf);
    give_codes<4 * kHalf>(writer, raw, mask);
    give_codes<4 * kHalf + 1>(writer, raw, mask);
    give_codes<4 * kHalf + 2>(writer, raw, mask);
    give_codes<4 * kHalf + 3>(writer, raw, mask);
  }

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    __m256i tail[4];  // the last two bytes of qs, then 12 of scales, then d
    transpose_16_bytes(tail, rows, at + 94);
    writer.super(high_halves(tail[3]));
    const auto packed = [&tail](int i) {
      return _mm256_or_si256(_mm256_srli_epi32(tail[i], 16), _mm256_slli_epi32(tail[i + 1], 16));
    };
    const __m256i p0 = packed(0), p1 = packed(1), p2 = packed(2), bias = _mm256_set1_epi8(32);
    const __m256i scales[4] = {_mm256_sub_epi8(_mm256_or_si256(low_nibbles(p0), bits_at<0, 4, 2>(p2)), bias),
                               _mm256_sub_epi8(_mm256_or_si256(low_nibbles(p1), bits_at<2, 4, 2>(p2)), bias),
                               _mm256_sub_epi8(_mm256_or_si256(high_nibbles(p0), bits_at<4, 4, 2>(p2)), bias),
                               _mm256_sub_epi8(_mm256_or_si256(high_nibbles(p1), bits_at<6, 4, 2>(p2)), bias)};
    give_16_factors(writer, scales);
    __m256i mask[8];
    take_32<Writer>(mask, rows, at);
    run_half<0>(writer, rows, at, mask);
    run_half<1>(writer, rows, at, mask);
    writer.template done<kBlocks>();
  }
};

struct DecodeQ2K {
  static constexpr Codes kCodes = Codes::kPlain;
  static constexpr int kHalves = 2;
  static constexpr bool kMin = true;
  static constexpr int kBlocks = 8;
  static constexpr int64_t kBytes = sizeof(BlockQ2_K);
  static constexpr int kDotCols = 1;

  template <int kBlock, typename Writer>
  static HEARTH_INLINE void give_codes(Writer& writer, const __m256i raw[8]) {
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) writer.code(kBlock, s, bits_at<2 * (kBlock % 4), 0, 2>(raw[s]));
  }

  template <int kHalf, typename Writer, typename AnyRows>
  static HEARTH_INLINE void run_half(Writer& writer, const AnyRows& rows, int64_t at) {
    prefetch<2, 4>(rows, at, 4 * kHalf);
    __m256i raw[8];
    take_32<Writer>(raw, rows, at + 16 + 32 * kHalf);
    give_codes<4 * kHalf>(writer, raw);
    give_codes<4 * kHalf + 1>(writer, raw);
    give_codes<4 * kHalf + 2>(writer, raw);
    give_codes<4 * kHalf + 3>(writer, raw);
  }

  template <typename Writer, typename AnyRows>
  static HEARTH_INLINE void run(Writer& writer, const AnyRows& rows, int64_t at) {
    __m256i bytes[4];
    transpose_16_bytes(bytes, rows, at);
    const __m256i both = last_dwords(rows, at + kBytes);
    const __m256 d = low_halves(both), dmin = high_halves(both);
    const auto nibble = [&bytes](int j, int high) {
      const __m256i moved = _mm256_srli_epi32(bytes[j / 4], 8 * (j % 4) + 4 * high);
      return _mm256_cvtepi32_ps(_mm256_and_si256(moved, _mm256_set1_epi32(15)));
    };
#pragma GCC unroll 16
    for (int j = 0; j < 16; ++j) {
      writer.scale(j / 2, j % 2, _mm256_mul_ps(d, nibble(j, 0)));
      writer.min(j / 2, j % 2, _mm256_mul_ps(dmin, nibble(j, 1)));
    }
    run_half<0>(writer, rows, at);
    run_half<1>(writer, rows, at);
    writer.template done<kBlocks>();
  }
};

}  // namespace
}  // namespace hearth::kernels
