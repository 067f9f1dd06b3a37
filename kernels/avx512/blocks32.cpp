// Panels of the types with blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 (bit layouts: reference/blocks32.cpp).
#include "kernels/blocks.h"

#include "kernels/avx512/matmul.h"
#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {
namespace {

/// Stores 32 nibbles plus `offset` from 16 bytes a row; low nibbles are columns 0..15.
inline __attribute__((always_inline)) void store_nibbles(char* codes, const __m512i raw[4], int offset) {
  const __m512i four = _mm512_set1_epi8(15);
  const __m512i add = _mm512_set1_epi8(static_cast<char>(offset));
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    store_codes(codes, s, _mm512_add_epi8(_mm512_and_si512(raw[s], four), add));
    store_codes(codes, s + 4, _mm512_add_epi8(_mm512_and_si512(_mm512_srli_epi16(raw[s], 4), four), add));
  }
}

/// The same with a fifth bit: bit i of the dword `high` belongs to column i.
inline __attribute__((always_inline)) void store_five_bits(char* codes, const __m512i raw[4], __m512i high,
                                                           int offset) {
  const __m512i four = _mm512_set1_epi8(15);
  const __m512i add = _mm512_set1_epi8(static_cast<char>(offset));
  // Entry i: bit j of i at bit 4 of byte j.
  const __m512i spread =
      _mm512_setr_epi32(0, 0x10, 0x1000, 0x1010, 0x100000, 0x100010, 0x101000, 0x101010, 0x10000000, 0x10000010,
                        0x10001000, 0x10001010, 0x10100000, 0x10100010, 0x10101000, 0x10101010);
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    const __m512i fifth0 = _mm512_permutexvar_epi32(_mm512_srli_epi32(high, static_cast<unsigned>(4 * s)), spread);
    const __m512i fifth1 = _mm512_permutexvar_epi32(_mm512_srli_epi32(high, static_cast<unsigned>(4 * s + 16)), spread);
    store_codes(codes, s, _mm512_add_epi8(and_or(raw[s], four, fifth0), add));
    store_codes(codes, s + 4, _mm512_add_epi8(and_or(_mm512_srli_epi16(raw[s], 4), four, fifth1), add));
  }
}

/// Stores scale d and minimum -m from dwords holding both halves.
inline __attribute__((always_inline)) void store_scale_and_min(char* codes, __m512i d_and_m) {
  store_scale(codes, 0, low_halves(d_and_m));
  const __m512 m = low_halves(_mm512_srli_epi32(d_and_m, 16));
  store_min(codes, 0, _mm512_sub_ps(_mm512_setzero_ps(), m));
}

inline __attribute__((always_inline)) void decode_q4_0_block(char* codes, const Rows& rows, int64_t at) {
  __m512i raw[4];
  transpose_16_bytes(raw, rows, at + 2);
  store_scale(codes, 0, low_halves(gather_dwords(rows, at)));
  store_nibbles(codes, raw, kCodeOffset - 8);
}

inline __attribute__((always_inline)) void decode_q4_1_block(char* codes, const Rows& rows, int64_t at) {
  __m512i raw[4];
  transpose_16_bytes(raw, rows, at + 4);
  store_scale_and_min(codes, gather_dwords(rows, at));
  store_nibbles(codes, raw, kCodeOffset);
}

inline __attribute__((always_inline)) void decode_q5_0_block(char* codes, const Rows& rows, int64_t at) {
  __m512i raw[4];
  transpose_16_bytes(raw, rows, at + 6);
  store_scale(codes, 0, low_halves(gather_dwords(rows, at)));
  store_five_bits(codes, raw, gather_dwords(rows, at + 2), kCodeOffset - 16);
}

inline __attribute__((always_inline)) void decode_q5_1_block(char* codes, const Rows& rows, int64_t at) {
  __m512i raw[4];
  transpose_16_bytes(raw, rows, at + 8);
  store_scale_and_min(codes, gather_dwords(rows, at));
  store_five_bits(codes, raw, gather_dwords(rows, at + 4), kCodeOffset);
}

inline __attribute__((always_inline)) void decode_q8_0_block(char* codes, const Rows& rows, int64_t at) {
  const __m512i offset = _mm512_set1_epi8(-128);
  __m512i raw[8];
  transpose_32_bytes(raw, rows, at + 2);
  store_scale(codes, 0, low_halves(gather_dwords(rows, at)));
#pragma GCC unroll 8
  for (int s = 0; s < 8; ++s) store_codes(codes, s, _mm512_xor_si512(raw[s], offset));
}

/// Runs a decoder over the blocks of both groups of a tile.
template <void (*decode)(char* codes, const Rows& rows, int64_t at), int64_t kBytes>
inline __attribute__((always_inline)) void decode_tile(void* panel, const WeightTile& tile, int64_t n) {
  for (int g = 0; g < 2; ++g) {
    const Rows rows(tile, g);
    for (int64_t b = 0; b < n / 32; ++b) {
      if (b % (kBytes > 32 ? 2 : 64 / kBytes) == 0) rows.prefetch<1>(b * kBytes);
      decode(codes_at(panel, b, g), rows, b * kBytes);
    }
  }
}

}  // namespace

void decode_Q4_0(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q4_0_block, sizeof(BlockQ4_0)>(panel, tile, n);
}
void decode_Q4_1(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q4_1_block, sizeof(BlockQ4_1)>(panel, tile, n);
}
void decode_Q5_0(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q5_0_block, sizeof(BlockQ5_0)>(panel, tile, n);
}
void decode_Q5_1(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q5_1_block, sizeof(BlockQ5_1)>(panel, tile, n);
}
void decode_Q8_0(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q8_0_block, sizeof(BlockQ8_0)>(panel, tile, n);
}

}  // namespace hearth::kernels::avx512
