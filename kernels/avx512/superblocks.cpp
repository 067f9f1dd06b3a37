// Panels of the types with superblocks of 256: Q2_K to Q6_K (bit layouts: reference/superblocks.cpp).
#include "kernels/avx512/dot.h"
#include "kernels/avx512/matmul.h"
#include "kernels/blocks.h"

namespace hearth::kernels::avx512 {
namespace {

/// Byte j of every dword as float.
inline __attribute__((always_inline)) __m512 byte_to_float(__m512i dwords, int j) {
  const __m512i shifted = _mm512_srli_epi32(dwords, static_cast<unsigned>(8 * j));
  return _mm512_cvtepi32_ps(_mm512_and_si512(shifted, _mm512_set1_epi32(255)));
}

/// The same, bytes signed.
inline __attribute__((always_inline)) __m512 signed_byte_to_float(__m512i dwords, int j) {
  const __m512i top = _mm512_slli_epi32(dwords, static_cast<unsigned>(24 - 8 * j));
  return _mm512_cvtepi32_ps(_mm512_srai_epi32(top, 24));
}

/// Scales and minimums of eight blocks from the 16-byte header of Q4_K and Q5_K.
template <typename Writer>
inline __attribute__((always_inline)) void give_headers(Writer& writer, const Rows& rows, int64_t at) {
  __m512i h[4];
  transpose_16_bytes(h, rows, at);
  const __m512 d = low_halves(h[0]);
  writer.min_unit(low_halves(_mm512_srli_epi32(h[0], 16)));
  const __m512i six = _mm512_set1_epi8(63);
  const __m512i four = _mm512_set1_epi8(15);
  const __m512i upper = _mm512_set1_epi8(48);
  const __m512i scales[2] = {_mm512_and_si512(h[1], six),
                             and_or(_mm512_srli_epi32(h[1], 2), upper, _mm512_and_si512(h[3], four))};
  const __m512i mins[2] = {_mm512_and_si512(h[2], six), and_or(_mm512_srli_epi32(h[2], 2), upper,
                                                               _mm512_and_si512(_mm512_srli_epi32(h[3], 4), four))};
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) writer.scale(j, 0, _mm512_mul_ps(d, byte_to_float(scales[j / 4], j % 4)));
  // Bytes 0 and 1, then 2 and 3 of every dword as words.
  const __m128i low = _mm_setr_epi8(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1);
  const __m512i low_pair = _mm512_broadcast_i32x4(low);
  const __m512i high_pair = _mm512_broadcast_i32x4(_mm_add_epi8(low, _mm_set1_epi16(2)));
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    writer.min_pair(2 * i, _mm512_shuffle_epi8(mins[i], low_pair));
    writer.min_pair(2 * i + 1, _mm512_shuffle_epi8(mins[i], high_pair));
  }
}

/// Two bits at bit `shift` of every byte, moved to bit `to`; the others zero.
template <int kShift, int kTo, int kBits>
inline __attribute__((always_inline)) __m512i bits_at(__m512i v) {
  const __m512i moved = (kShift > kTo)   ? _mm512_srli_epi16(v, kShift - kTo)
                        : (kShift < kTo) ? _mm512_slli_epi16(v, kTo - kShift)
                                         : v;
  return _mm512_and_si512(moved, _mm512_set1_epi8(static_cast<char>(((1 << kBits) - 1) << kTo)));
}

struct DecodeQ4K {
  static constexpr int kBlocks = 8;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr bool kSuperMins = true;
  static constexpr int64_t kBytes = sizeof(BlockQ4_K);

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    give_headers(writer, rows, at);
    const __m512i four = _mm512_set1_epi8(15);
    const __m512i offset = _mm512_set1_epi8(-128);
#pragma GCC unroll 4
    for (int pair = 0; pair < 4; ++pair) {
      rows.prefetch<3, 4>(at, 4 * pair);
      __m512i raw[8];
      transpose_32_bytes(raw, rows, at + 16 + 32 * pair);
#pragma GCC unroll 8
      for (int s = 0; s < 8; ++s) {
        writer.code(2 * pair, s, and_or(raw[s], four, offset));
        writer.code(2 * pair + 1, s, and_or(_mm512_srli_epi16(raw[s], 4), four, offset));
      }
      writer.finish(2 * pair);
      writer.finish(2 * pair + 1);
    }
  }
};

struct DecodeQ5K {
  static constexpr int kBlocks = 8;
  static constexpr int kHalves = 1;
  static constexpr bool kMin = false;
  static constexpr bool kSuperMins = true;
  static constexpr int64_t kBytes = sizeof(BlockQ5_K);

  /// Sub-blocks 2 kPair and 2 kPair + 1.
  template <int kPair, typename Writer>
  static inline __attribute__((always_inline)) void run_pair(Writer& writer, const Rows& rows, int64_t at,
                                                             const __m512i high[8]) {
    const __m512i four = _mm512_set1_epi8(15);
    const __m512i offset = _mm512_set1_epi8(-128);
    rows.prefetch<3, 4>(at, 4 * kPair);
    __m512i raw[8];
    transpose_32_bytes(raw, rows, at + 48 + 32 * kPair);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      const __m512i low_fifth = bits_at<2 * kPair, 4, 1>(high[s]);
      const __m512i high_fifth = bits_at<2 * kPair + 1, 4, 1>(high[s]);
      writer.code(2 * kPair, s, _mm512_or_si512(low_fifth, and_or(raw[s], four, offset)));
      writer.code(2 * kPair + 1, s, _mm512_or_si512(high_fifth, and_or(_mm512_srli_epi16(raw[s], 4), four, offset)));
    }
    writer.finish(2 * kPair);
    writer.finish(2 * kPair + 1);
  }

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    give_headers(writer, rows, at);
    __m512i high[8];
    transpose_32_bytes(high, rows, at + 16);
    run_pair<0>(writer, rows, at, high);
    run_pair<1>(writer, rows, at, high);
    run_pair<2>(writer, rows, at, high);
    run_pair<3>(writer, rows, at, high);
  }
};

/// 16 sub-block scales d * (signed byte), from four dwords of bytes a row.
template <typename Writer>
inline __attribute__((always_inline)) void give_16_scales(Writer& writer, const __m512i bytes[4], __m512 d) {
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) {
    writer.scale(j / 2, j % 2, _mm512_mul_ps(d, signed_byte_to_float(bytes[j / 4], j % 4)));
  }
}

/// Finishes the four blocks of half a superblock.
template <typename Writer>
inline __attribute__((always_inline)) void finish_half(Writer& writer, int half) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) writer.finish(4 * half + j);
}

struct DecodeQ6K {
  static constexpr int kBlocks = 8;
  static constexpr int kHalves = 2;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockQ6_K);

  /// Elements 32 kPart .. +31 and 64 more of half kHalf: low and high nibbles of 32 bytes.
  template <int kHalf, int kPart, typename Writer>
  static inline __attribute__((always_inline)) void run_part(Writer& writer, const Rows& rows, int64_t at,
                                                             const __m512i high[8]) {
    const __m512i four = _mm512_set1_epi8(15);
    const __m512i offset = _mm512_set1_epi8(kCodeOffset - 32);
    rows.prefetch<4, 4>(at, 8 * kHalf + 4 * kPart);
    __m512i raw[8];
    transpose_32_bytes(raw, rows, at + 64 * kHalf + 32 * kPart);
    constexpr int kBlock = 4 * kHalf + kPart;
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      const __m512i low = and_or(raw[s], four, bits_at<2 * kPart, 4, 2>(high[s]));
      const __m512i upper = and_or(_mm512_srli_epi16(raw[s], 4), four, bits_at<2 * kPart + 4, 4, 2>(high[s]));
      writer.code(kBlock, s, _mm512_add_epi8(low, offset));
      writer.code(kBlock + 2, s, _mm512_add_epi8(upper, offset));
    }
  }

  template <int kHalf, typename Writer>
  static inline __attribute__((always_inline)) void run_half(Writer& writer, const Rows& rows, int64_t at) {
    __m512i high[8];
    transpose_32_bytes(high, rows, at + 128 + 32 * kHalf);
    run_part<kHalf, 0>(writer, rows, at, high);
    run_part<kHalf, 1>(writer, rows, at, high);
    finish_half(writer, kHalf);
  }

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    __m512i scales[4];
    transpose_16_bytes(scales, rows, at + 192);
    give_16_scales(writer, scales, low_halves(_mm512_srli_epi32(gather_dwords(rows, at + 206), 16)));
    run_half<0>(writer, rows, at);
    run_half<1>(writer, rows, at);
  }
};

struct DecodeQ2K {
  static constexpr int kBlocks = 8;
  static constexpr int kHalves = 2;
  static constexpr bool kMin = true;
  static constexpr int64_t kBytes = sizeof(BlockQ2_K);

  template <int kBlock, typename Writer>
  static inline __attribute__((always_inline)) void give_codes(Writer& writer, const __m512i raw[8]) {
    const __m512i offset = _mm512_set1_epi8(-128);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      writer.code(kBlock, s, _mm512_or_si512(bits_at<2 * (kBlock % 4), 0, 2>(raw[s]), offset));
    }
  }

  template <int kHalf, typename Writer>
  static inline __attribute__((always_inline)) void run_half(Writer& writer, const Rows& rows, int64_t at) {
    rows.prefetch<2, 8>(at, 8 * kHalf);
    __m512i raw[8];
    transpose_32_bytes(raw, rows, at + 16 + 32 * kHalf);
    give_codes<4 * kHalf>(writer, raw);
    give_codes<4 * kHalf + 1>(writer, raw);
    give_codes<4 * kHalf + 2>(writer, raw);
    give_codes<4 * kHalf + 3>(writer, raw);
    finish_half(writer, kHalf);
  }

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    __m512i bytes[4];
    transpose_16_bytes(bytes, rows, at);
    const __m512i both = gather_dwords(rows, at + 80);
    const __m512 d = low_halves(both);
    const __m512 dmin = low_halves(_mm512_srli_epi32(both, 16));
    const __m512i four = _mm512_set1_epi8(15);
#pragma GCC unroll 16
    for (int j = 0; j < 16; ++j) {
      const __m512i scales = _mm512_and_si512(bytes[j / 4], four);
      const __m512i mins = _mm512_and_si512(_mm512_srli_epi32(bytes[j / 4], 4), four);
      writer.scale(j / 2, j % 2, _mm512_mul_ps(d, byte_to_float(scales, j % 4)));
      writer.min(j / 2, j % 2, _mm512_mul_ps(dmin, byte_to_float(mins, j % 4)));
    }
    run_half<0>(writer, rows, at);
    run_half<1>(writer, rows, at);
  }
};

struct DecodeQ3K {
  static constexpr int kBlocks = 8;
  static constexpr int kHalves = 2;
  static constexpr bool kMin = false;
  static constexpr int64_t kBytes = sizeof(BlockQ3_K);

  /// Two bits of qs and bit kBlock of hmask: code - 4 when that is clear.
  template <int kBlock, typename Writer>
  static inline __attribute__((always_inline)) void give_codes(Writer& writer, const __m512i raw[8],
                                                               const __m512i mask[8]) {
    const __m512i offset = _mm512_set1_epi8(kCodeOffset - 4);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      const __m512i code = _mm512_or_si512(bits_at<2 * (kBlock % 4), 0, 2>(raw[s]), bits_at<kBlock, 2, 1>(mask[s]));
      writer.code(kBlock, s, _mm512_add_epi8(code, offset));
    }
  }

  template <int kHalf, typename Writer>
  static inline __attribute__((always_inline)) void run_half(Writer& writer, const Rows& rows, int64_t at,
                                                             const __m512i mask[8]) {
    rows.prefetch<2, 8>(at, 8 * kHalf);
    __m512i raw[8];
    transpose_32_bytes(raw, rows, at + 32 + 32 * kHalf);
    give_codes<4 * kHalf>(writer, raw, mask);
    give_codes<4 * kHalf + 1>(writer, raw, mask);
    give_codes<4 * kHalf + 2>(writer, raw, mask);
    give_codes<4 * kHalf + 3>(writer, raw, mask);
    finish_half(writer, kHalf);
  }

  template <typename Writer>
  static inline __attribute__((always_inline)) void run(Writer& writer, const Rows& rows, int64_t at) {
    __m512i tail[4];  // the last two bytes of qs, then 12 of scales, then d
    transpose_16_bytes(tail, rows, at + 94);
    const __m512i packed0 = _mm512_or_si512(_mm512_srli_epi32(tail[0], 16), _mm512_slli_epi32(tail[1], 16));
    const __m512i packed1 = _mm512_or_si512(_mm512_srli_epi32(tail[1], 16), _mm512_slli_epi32(tail[2], 16));
    const __m512i packed2 = _mm512_or_si512(_mm512_srli_epi32(tail[2], 16), _mm512_slli_epi32(tail[3], 16));
    const __m512i four = _mm512_set1_epi8(15);
    const __m512i bias = _mm512_set1_epi8(32);
    const __m512i scales[4] = {
        _mm512_sub_epi8(and_or(packed0, four, bits_at<0, 4, 2>(packed2)), bias),
        _mm512_sub_epi8(and_or(packed1, four, bits_at<2, 4, 2>(packed2)), bias),
        _mm512_sub_epi8(and_or(_mm512_srli_epi16(packed0, 4), four, bits_at<4, 4, 2>(packed2)), bias),
        _mm512_sub_epi8(and_or(_mm512_srli_epi16(packed1, 4), four, bits_at<6, 4, 2>(packed2)), bias)};
    give_16_scales(writer, scales, low_halves(_mm512_srli_epi32(tail[3], 16)));
    __m512i mask[8];
    transpose_32_bytes(mask, rows, at);
    run_half<0>(writer, rows, at, mask);
    run_half<1>(writer, rows, at, mask);
  }
};

}  // namespace

HEARTH_DEFINE_KERNELS(Q2_K, DecodeQ2K, 1)
HEARTH_DEFINE_KERNELS(Q3_K, DecodeQ3K, 1)
HEARTH_DEFINE_KERNELS(Q4_K, DecodeQ4K, 2)
HEARTH_DEFINE_KERNELS(Q5_K, DecodeQ5K, 2)
HEARTH_DEFINE_KERNELS(Q6_K, DecodeQ6K, 2)

}  // namespace hearth::kernels::avx512
