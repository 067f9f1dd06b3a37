// Panels of the types whose 4-bit codes index a table: IQ4_NL, IQ4_XS, MXFP4 (layouts: reference/codebooks.cpp).
#include "kernels/avx512/matmul.h"
#include "kernels/avx512/panel.h"
#include "kernels/blocks.h"
#include "kernels/reference/quants.h"

namespace hearth::kernels::avx512 {
namespace {

/// A table of 16 signed bytes plus kCodeOffset, in every 128-bit lane.
inline __attribute__((always_inline)) __m512i table_of(const int8_t* values) {
  const __m128i table = _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(values)));
  return _mm512_xor_si512(_mm512_broadcast_i32x4(table), _mm512_set1_epi8(-128));
}

/// Stores 32 looked-up nibbles from 16 bytes a row; low nibbles are columns 0..15.
inline __attribute__((always_inline)) void store_looked_up(char* codes, const __m512i raw[4], __m512i table) {
  const __m512i four = _mm512_set1_epi8(15);
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    store_codes(codes, s, _mm512_shuffle_epi8(table, _mm512_and_si512(raw[s], four)));
    store_codes(codes, s + 4, _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(raw[s], 4), four)));
  }
}

/// Half of 2^(e - 127).
inline __attribute__((always_inline)) __m512 half_of_e8m0(__m512i e) {
  const __m512i one = _mm512_set1_epi32(1);
  const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, one), 23);
  const __m512i subnormal = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
  return _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, _mm512_cmple_epi32_mask(e, one), subnormal));
}

}  // namespace

void decode_IQ4_NL(void* panel, const WeightTile& tile, int64_t n) {
  const __m512i table = table_of(reference::kIQ4Values);
  for (int g = 0; g < 2; ++g) {
    const Rows rows(tile, g);
    for (int64_t b = 0; b < n / 32; ++b) {
      const int64_t at = b * static_cast<int64_t>(sizeof(BlockIQ4_NL));
      char* codes = codes_at(panel, b, g);
      if (b % 3 == 0) rows.prefetch<1>(at);
      __m512i raw[4];
      transpose_16_bytes(raw, rows, at + 2);
      store_scale(codes, 0, low_halves(gather_dwords(rows, at)));
      store_looked_up(codes, raw, table);
    }
  }
}

void decode_IQ4_XS(void* panel, const WeightTile& tile, int64_t n) {
  const __m512i table = table_of(reference::kIQ4Values);
  for (int g = 0; g < 2; ++g) {
    const Rows rows(tile, g);
    for (int64_t b = 0; b < n / 256; ++b) {
      const int64_t at = b * static_cast<int64_t>(sizeof(BlockIQ4_XS));
      rows.prefetch<3>(at);
      const __m512i head = gather_dwords(rows, at);
      const __m512i low = gather_dwords(rows, at + 4);
      const __m512 d = low_halves(head);
      for (int j = 0; j < 8; ++j) {
        char* codes = codes_at(panel, 8 * b + j, g);
        const __m512i four_bits =
            _mm512_and_si512(_mm512_srlv_epi32(low, _mm512_set1_epi32(4 * j)), _mm512_set1_epi32(15));
        const __m512i two_bits =
            _mm512_and_si512(_mm512_srlv_epi32(head, _mm512_set1_epi32(16 + 2 * j)), _mm512_set1_epi32(3));
        const __m512i scale = _mm512_or_si512(four_bits, _mm512_slli_epi32(two_bits, 4));
        const __m512i centred = _mm512_sub_epi32(scale, _mm512_set1_epi32(32));
        store_scale(codes, 0, _mm512_mul_ps(d, _mm512_cvtepi32_ps(centred)));
        __m512i raw[4];
        transpose_16_bytes(raw, rows, at + 8 + 16 * j);
        store_looked_up(codes, raw, table);
      }
    }
  }
}

void decode_MXFP4(void* panel, const WeightTile& tile, int64_t n) {
  const __m512i table = table_of(reference::kFP4Doubled);
  for (int g = 0; g < 2; ++g) {
    const Rows rows(tile, g);
    for (int64_t b = 0; b < n / 32; ++b) {
      const int64_t at = b * static_cast<int64_t>(sizeof(BlockMXFP4));
      char* codes = codes_at(panel, b, g);
      if (b % 3 == 0) rows.prefetch<1>(at);
      __m512i raw[4];
      transpose_16_bytes(raw, rows, at + 1);
      store_scale(codes, 0, half_of_e8m0(_mm512_and_si512(gather_dwords(rows, at), _mm512_set1_epi32(255))));
      store_looked_up(codes, raw, table);
    }
  }
}

}  // namespace hearth::kernels::avx512
