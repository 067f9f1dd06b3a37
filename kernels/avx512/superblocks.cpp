// Panels of the types with superblocks of 256: Q2_K to Q6_K (bit layouts: reference/superblocks.cpp).
#include "kernels/avx512/matmul.h"
#include "kernels/avx512/panel.h"
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
inline __attribute__((always_inline)) void store_headers(char* codes, const Rows& rows, int64_t at) {
  __m512i h[4];
  transpose_16_bytes(h, rows, at);
  const __m512 d = low_halves(h[0]);
  const __m512 dmin = low_halves(_mm512_srli_epi32(h[0], 16));
  const __m512i six = _mm512_set1_epi8(63);
  const __m512i four = _mm512_set1_epi8(15);
  const __m512i upper = _mm512_set1_epi8(48);
  const __m512i scales[2] = {_mm512_and_si512(h[1], six),
                             and_or(_mm512_srli_epi32(h[1], 2), upper, _mm512_and_si512(h[3], four))};
  const __m512i mins[2] = {_mm512_and_si512(h[2], six), and_or(_mm512_srli_epi32(h[2], 2), upper,
                                                               _mm512_and_si512(_mm512_srli_epi32(h[3], 4), four))};
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) {
    store_scale(codes + j * kBlockStride, 0, _mm512_mul_ps(d, byte_to_float(scales[j / 4], j % 4)));
    store_min(codes + j * kBlockStride, 0, _mm512_mul_ps(dmin, byte_to_float(mins[j / 4], j % 4)));
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

inline __attribute__((always_inline)) void decode_q4_superblock(char* codes, const Rows& rows, int64_t at) {
  store_headers(codes, rows, at);
  const __m512i four = _mm512_set1_epi8(15);
  const __m512i offset = _mm512_set1_epi8(-128);
  for (int pair = 0; pair < 4; ++pair) {
    __m512i raw[8];
    transpose_32_bytes(raw, rows, at + 16 + 32 * pair);
    char* low = codes + 2 * pair * kBlockStride;
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      store_codes(low, s, and_or(raw[s], four, offset));
      store_codes(low + kBlockStride, s, and_or(_mm512_srli_epi16(raw[s], 4), four, offset));
    }
  }
}

/// Sub-blocks 2 kPair and 2 kPair + 1 of Q5_K.
template <int kPair>
inline __attribute__((always_inline)) void decode_q5_pair(char* codes, const Rows& rows, int64_t at,
                                                          const __m512i high[8]) {
  const __m512i four = _mm512_set1_epi8(15);
  const __m512i offset = _mm512_set1_epi8(-128);
  __m512i raw[8];
  transpose_32_bytes(raw, rows, at + 48 + 32 * kPair);
  char* low = codes + 2 * kPair * kBlockStride;
#pragma GCC unroll 8
  for (int s = 0; s < 8; ++s) {
    const __m512i fifth_low = bits_at<2 * kPair, 4, 1>(high[s]);
    const __m512i fifth_high = bits_at<2 * kPair + 1, 4, 1>(high[s]);
    store_codes(low, s, _mm512_or_si512(fifth_low, and_or(raw[s], four, offset)));
    store_codes(low + kBlockStride, s, _mm512_or_si512(fifth_high, and_or(_mm512_srli_epi16(raw[s], 4), four, offset)));
  }
}

inline __attribute__((always_inline)) void decode_q5_superblock(char* codes, const Rows& rows, int64_t at) {
  store_headers(codes, rows, at);
  __m512i high[8];
  transpose_32_bytes(high, rows, at + 16);
  decode_q5_pair<0>(codes, rows, at, high);
  decode_q5_pair<1>(codes, rows, at, high);
  decode_q5_pair<2>(codes, rows, at, high);
  decode_q5_pair<3>(codes, rows, at, high);
}

/// 16 sub-block scales d * (signed byte), from four dwords of bytes a row.
inline __attribute__((always_inline)) void store_16_scales(char* codes, const __m512i bytes[4], __m512 d) {
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) {
    store_scale(codes + j / 2 * kBlockStride, j % 2, _mm512_mul_ps(d, signed_byte_to_float(bytes[j / 4], j % 4)));
  }
}

/// Elements 32 kPart .. +31 and 64 more of half a superblock of Q6_K: low and high nibbles of 32 bytes.
template <int kPart>
inline __attribute__((always_inline)) void decode_q6_part(char* codes, const Rows& rows, int64_t at,
                                                          const __m512i high[8]) {
  const __m512i four = _mm512_set1_epi8(15);
  const __m512i offset = _mm512_set1_epi8(kCodeOffset - 32);
  __m512i raw[8];
  transpose_32_bytes(raw, rows, at + 32 * kPart);
  char* low = codes + kPart * kBlockStride;
#pragma GCC unroll 8
  for (int s = 0; s < 8; ++s) {
    const __m512i code_low = and_or(raw[s], four, bits_at<2 * kPart, 4, 2>(high[s]));
    const __m512i code_high = and_or(_mm512_srli_epi16(raw[s], 4), four, bits_at<2 * kPart + 4, 4, 2>(high[s]));
    store_codes(low, s, _mm512_add_epi8(code_low, offset));
    store_codes(low + 2 * kBlockStride, s, _mm512_add_epi8(code_high, offset));
  }
}

inline __attribute__((always_inline)) void decode_q6_superblock(char* codes, const Rows& rows, int64_t at) {
  __m512i scales[4];
  transpose_16_bytes(scales, rows, at + 192);
  const __m512 d = low_halves(_mm512_srli_epi32(gather_dwords(rows, at + 206), 16));
  store_16_scales(codes, scales, d);
  for (int half = 0; half < 2; ++half) {
    __m512i high[8];
    transpose_32_bytes(high, rows, at + 128 + 32 * half);
    decode_q6_part<0>(codes + 4 * half * kBlockStride, rows, at + 64 * half, high);
    decode_q6_part<1>(codes + 4 * half * kBlockStride, rows, at + 64 * half, high);
  }
}

/// Blocks of 32 elements kPart of half a superblock of Q2_K and Q3_K, from two bits of every byte.
template <int kPart>
inline __attribute__((always_inline)) void store_two_bits(char* codes, const __m512i raw[8]) {
  const __m512i offset = _mm512_set1_epi8(-128);
#pragma GCC unroll 8
  for (int s = 0; s < 8; ++s) {
    store_codes(codes + kPart * kBlockStride, s, _mm512_or_si512(bits_at<2 * kPart, 0, 2>(raw[s]), offset));
  }
}

inline __attribute__((always_inline)) void decode_q2_superblock(char* codes, const Rows& rows, int64_t at) {
  __m512i bytes[4];
  transpose_16_bytes(bytes, rows, at);
  const __m512i dd = gather_dwords(rows, at + 80);
  const __m512 d = low_halves(dd);
  const __m512 dmin = low_halves(_mm512_srli_epi32(dd, 16));
  const __m512i four = _mm512_set1_epi8(15);
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) {
    const __m512i scales = _mm512_and_si512(bytes[j / 4], four);
    const __m512i mins = _mm512_and_si512(_mm512_srli_epi32(bytes[j / 4], 4), four);
    store_scale(codes + j / 2 * kBlockStride, j % 2, _mm512_mul_ps(d, byte_to_float(scales, j % 4)));
    store_min(codes + j / 2 * kBlockStride, j % 2, _mm512_mul_ps(dmin, byte_to_float(mins, j % 4)));
  }
  for (int half = 0; half < 2; ++half) {
    __m512i raw[8];
    transpose_32_bytes(raw, rows, at + 16 + 32 * half);
    char* base = codes + 4 * half * kBlockStride;
    store_two_bits<0>(base, raw);
    store_two_bits<1>(base, raw);
    store_two_bits<2>(base, raw);
    store_two_bits<3>(base, raw);
  }
}

/// As store_two_bits, with the third bit kBit of `mask`: code - 4 when it is clear.
template <int kPart, int kBit>
inline __attribute__((always_inline)) void store_three_bits(char* codes, const __m512i raw[8], const __m512i mask[8]) {
  const __m512i offset = _mm512_set1_epi8(kCodeOffset - 4);
#pragma GCC unroll 8
  for (int s = 0; s < 8; ++s) {
    const __m512i code = _mm512_or_si512(bits_at<2 * kPart, 0, 2>(raw[s]), bits_at<kBit, 2, 1>(mask[s]));
    store_codes(codes + kPart * kBlockStride, s, _mm512_add_epi8(code, offset));
  }
}

template <int kHalf>
inline __attribute__((always_inline)) void decode_q3_half(char* codes, const Rows& rows, int64_t at,
                                                          const __m512i mask[8]) {
  __m512i raw[8];
  transpose_32_bytes(raw, rows, at + 32 + 32 * kHalf);
  char* base = codes + 4 * kHalf * kBlockStride;
  store_three_bits<0, 4 * kHalf>(base, raw, mask);
  store_three_bits<1, 4 * kHalf + 1>(base, raw, mask);
  store_three_bits<2, 4 * kHalf + 2>(base, raw, mask);
  store_three_bits<3, 4 * kHalf + 3>(base, raw, mask);
}

inline __attribute__((always_inline)) void decode_q3_superblock(char* codes, const Rows& rows, int64_t at) {
  __m512i tail[4];  // the last two bytes of qs, then 12 of scales, then d
  transpose_16_bytes(tail, rows, at + 94);
  const __m512 d = low_halves(_mm512_srli_epi32(tail[3], 16));
  const __m512i packed0 = _mm512_or_si512(_mm512_srli_epi32(tail[0], 16), _mm512_slli_epi32(tail[1], 16));
  const __m512i packed1 = _mm512_or_si512(_mm512_srli_epi32(tail[1], 16), _mm512_slli_epi32(tail[2], 16));
  const __m512i packed2 = _mm512_or_si512(_mm512_srli_epi32(tail[2], 16), _mm512_slli_epi32(tail[3], 16));
  const __m512i four = _mm512_set1_epi8(15);
  const __m512i bias = _mm512_set1_epi8(32);
  const __m512i scales[4] = {
      _mm512_sub_epi8(_mm512_or_si512(_mm512_and_si512(packed0, four), bits_at<0, 4, 2>(packed2)), bias),
      _mm512_sub_epi8(_mm512_or_si512(_mm512_and_si512(packed1, four), bits_at<2, 4, 2>(packed2)), bias),
      _mm512_sub_epi8(and_or(_mm512_srli_epi16(packed0, 4), four, bits_at<4, 4, 2>(packed2)), bias),
      _mm512_sub_epi8(and_or(_mm512_srli_epi16(packed1, 4), four, bits_at<6, 4, 2>(packed2)), bias)};
  store_16_scales(codes, scales, d);
  __m512i mask[8];
  transpose_32_bytes(mask, rows, at);
  decode_q3_half<0>(codes, rows, at, mask);
  decode_q3_half<1>(codes, rows, at, mask);
}

/// Runs a decoder over the superblocks of both groups of a tile.
template <void (*decode)(char* codes, const Rows& rows, int64_t at), int64_t kBytes>
inline __attribute__((always_inline)) void decode_tile(void* panel, const WeightTile& tile, int64_t n) {
  for (int g = 0; g < 2; ++g) {
    const Rows rows(tile, g);
    for (int64_t b = 0; b < n / 256; ++b) {
      rows.prefetch<(kBytes + 63) / 64>(b * kBytes);
      decode(codes_at(panel, 8 * b, g), rows, b * kBytes);
    }
  }
}

}  // namespace

void decode_Q2_K(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q2_superblock, sizeof(BlockQ2_K)>(panel, tile, n);
}
void decode_Q3_K(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q3_superblock, sizeof(BlockQ3_K)>(panel, tile, n);
}
void decode_Q4_K(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q4_superblock, sizeof(BlockQ4_K)>(panel, tile, n);
}
void decode_Q5_K(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q5_superblock, sizeof(BlockQ5_K)>(panel, tile, n);
}
void decode_Q6_K(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q6_superblock, sizeof(BlockQ6_K)>(panel, tile, n);
}

}  // namespace hearth::kernels::avx512
