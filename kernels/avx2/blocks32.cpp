// Panels of the types with blocks of 32: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 (bit layouts: reference/blocks32.cpp).
#include "kernels/blocks.h"

#include "kernels/avx2/matmul.h"
#include "kernels/avx2/panel.h"

namespace hearth::kernels::avx2 {
namespace {

/// 32 nibbles from 16 bytes a row; low nibbles are columns 0..15.
inline void store_nibbles(char* block, const __m256i raw[4]) {
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    store_codes(block, s, low_nibbles(raw[s]));
    store_codes(block, s + 4, high_nibbles(raw[s]));
  }
}

/// Bits 0..3 of every dword at bit 4 of its bytes 0..3.
inline __m256i spread_bits(__m256i dwords) {
  const __m256i copies =
      _mm256_mullo_epi32(_mm256_and_si256(dwords, _mm256_set1_epi32(15)), _mm256_set1_epi32(0x01010101));
  const __m256i wanted = _mm256_set1_epi32(0x08040201);
  const __m256i present = _mm256_cmpeq_epi8(_mm256_and_si256(copies, wanted), wanted);
  return _mm256_and_si256(present, _mm256_set1_epi8(16));
}

/// The same with a fifth bit: bit i of the dword `high` belongs to column i.
inline void store_five_bits(char* block, const __m256i raw[4], __m256i high) {
#pragma GCC unroll 4
  for (int s = 0; s < 4; ++s) {
    const __m256i low_bits = spread_bits(_mm256_srli_epi32(high, 4 * s));
    const __m256i high_bits = spread_bits(_mm256_srli_epi32(high, 4 * s + 16));
    store_codes(block, s, _mm256_or_si256(low_nibbles(raw[s]), low_bits));
    store_codes(block, s + 4, _mm256_or_si256(high_nibbles(raw[s]), high_bits));
  }
}

/// Scale d and minimum -m.
inline void store_scale_and_min(char* block, const Rows& rows, int64_t at) {
  store_scale(block, 0, load_halves(rows, at));
  store_min(block, 0, _mm256_sub_ps(_mm256_setzero_ps(), load_halves(rows, at + 2)));
}

inline void decode_q4_0_block(char* block, const Rows& rows, int64_t at) {
  __m256i raw[4];
  transpose_16_bytes(raw, rows, at + 2);
  store_scale_offset(block, 0, load_halves(rows, at), 8.0f);
  store_nibbles(block, raw);
}

inline void decode_q4_1_block(char* block, const Rows& rows, int64_t at) {
  __m256i raw[4];
  transpose_16_bytes(raw, rows, at + 4);
  store_scale_and_min(block, rows, at);
  store_nibbles(block, raw);
}

inline void decode_q5_0_block(char* block, const Rows& rows, int64_t at) {
  __m256i raw[4];
  transpose_16_bytes(raw, rows, at + 6);
  store_scale_offset(block, 0, load_halves(rows, at), 16.0f);
  store_five_bits(block, raw, load_dwords(rows, at + 2));
}

inline void decode_q5_1_block(char* block, const Rows& rows, int64_t at) {
  __m256i raw[4];
  transpose_16_bytes(raw, rows, at + 8);
  store_scale_and_min(block, rows, at);
  store_five_bits(block, raw, load_dwords(rows, at + 4));
}

inline void decode_q8_0_block(char* block, const Rows& rows, int64_t at) {
  __m256i raw[8];
  transpose_32_bytes(raw, rows, at + 2);
  store_scale(block, 0, load_halves(rows, at));
#pragma GCC unroll 8
  for (int s = 0; s < 8; ++s) store_codes(block, s, raw[s]);
}

/// Runs a decoder over the blocks of all groups of a tile.
template <void (*decode)(char* block, const Rows& rows, int64_t at), int64_t kBytes>
inline void decode_tile(void* panel, const WeightTile& tile, int64_t n, Codes codes) {
  store_header(panel, codes);
  for (int g = 0; g < 4; ++g) {
    const Rows rows(tile, g);
    for (int64_t b = 0; b < n / 32; ++b) decode(block_at(panel, b, g), rows, b * kBytes);
  }
}

}  // namespace

void decode_Q4_0(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q4_0_block, sizeof(BlockQ4_0)>(panel, tile, n, Codes::kBits4);
}
void decode_Q4_1(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q4_1_block, sizeof(BlockQ4_1)>(panel, tile, n, Codes::kBits4);
}
void decode_Q5_0(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q5_0_block, sizeof(BlockQ5_0)>(panel, tile, n, Codes::kBits5);
}
void decode_Q5_1(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q5_1_block, sizeof(BlockQ5_1)>(panel, tile, n, Codes::kBits5);
}
void decode_Q8_0(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q8_0_block, sizeof(BlockQ8_0)>(panel, tile, n, Codes::kSigned);
}

}  // namespace hearth::kernels::avx2
