// Panels of the types with superblocks of 256: Q4_K, Q5_K, Q6_K (bit layouts: reference/superblocks.cpp).
#include "kernels/avx2/matmul.h"
#include "kernels/avx2/panel.h"
#include "kernels/blocks.h"

namespace hearth::kernels::avx2 {
namespace {

/// Scales and minimums of eight blocks from the 16-byte header of Q4_K and Q5_K.
inline void store_headers(char* block, const Rows& rows, int64_t at) {
  __m256i h[4];
  transpose_16_bytes(h, rows, at);
  const __m256 d = low_halves(h[0]), dmin = low_halves(_mm256_srli_epi32(h[0], 16));
  const __m256i scales[2] = {bits_at<0, 0, 6>(h[1]), _mm256_or_si256(bits_at<6, 4, 2>(h[1]), low_nibbles(h[3]))};
  const __m256i mins[2] = {bits_at<0, 0, 6>(h[2]), _mm256_or_si256(bits_at<6, 4, 2>(h[2]), high_nibbles(h[3]))};
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) {
    store_scale(block + j * kBlockStride, 0, _mm256_mul_ps(d, byte_to_float(scales[j / 4], j % 4)));
    store_min(block + j * kBlockStride, 0, _mm256_mul_ps(dmin, byte_to_float(mins[j / 4], j % 4)));
  }
}

inline void decode_q4_superblock(char* block, const Rows& rows, int64_t at) {
  store_headers(block, rows, at);
  for (int pair = 0; pair < 4; ++pair) {
    __m256i raw[8];
    transpose_32_bytes(raw, rows, at + 16 + 32 * pair);
    char* low = block + 2 * pair * kBlockStride;
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      store_codes(low, s, low_nibbles(raw[s]));
      store_codes(low + kBlockStride, s, high_nibbles(raw[s]));
    }
  }
}

/// Sub-blocks 2 kPair and 2 kPair + 1 of Q5_K.
template <int kPair>
inline void decode_q5_pair(char* block, const Rows& rows, int64_t at, const __m256i high[8]) {
  __m256i raw[8];
  transpose_32_bytes(raw, rows, at + 48 + 32 * kPair);
  char* low = block + 2 * kPair * kBlockStride;
#pragma GCC unroll 8
  for (int s = 0; s < 8; ++s) {
    store_codes(low, s, _mm256_or_si256(low_nibbles(raw[s]), bits_at<2 * kPair, 4, 1>(high[s])));
    store_codes(low + kBlockStride, s, _mm256_or_si256(high_nibbles(raw[s]), bits_at<2 * kPair + 1, 4, 1>(high[s])));
  }
}

inline void decode_q5_superblock(char* block, const Rows& rows, int64_t at) {
  store_headers(block, rows, at);
  __m256i high[8];
  transpose_32_bytes(high, rows, at + 16);
  decode_q5_pair<0>(block, rows, at, high);
  decode_q5_pair<1>(block, rows, at, high);
  decode_q5_pair<2>(block, rows, at, high);
  decode_q5_pair<3>(block, rows, at, high);
}

/// Elements 32 kPart .. +31 and 64 more of half a superblock of Q6_K: low and high nibbles of 32 bytes.
template <int kPart>
inline void decode_q6_part(char* block, const Rows& rows, int64_t at, const __m256i high[8]) {
  __m256i raw[8];
  transpose_32_bytes(raw, rows, at + 32 * kPart);
  char* low = block + kPart * kBlockStride;
#pragma GCC unroll 8
  for (int s = 0; s < 8; ++s) {
    store_codes(low, s, _mm256_or_si256(low_nibbles(raw[s]), bits_at<2 * kPart, 4, 2>(high[s])));
    store_codes(low + 2 * kBlockStride, s,
                _mm256_or_si256(high_nibbles(raw[s]), bits_at<2 * kPart + 4, 4, 2>(high[s])));
  }
}

inline void decode_q6_superblock(char* block, const Rows& rows, int64_t at) {
  __m256i scales[4];
  transpose_16_bytes(scales, rows, at + 192);
  const __m256 d = load_halves(rows, at + 208);
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) {
    const __m256 scale = _mm256_mul_ps(d, signed_byte_to_float(scales[j / 4], j % 4));
    store_scale_offset(block + j / 2 * kBlockStride, j % 2, scale, 32.0f);
  }
  for (int half = 0; half < 2; ++half) {
    __m256i high[8];
    transpose_32_bytes(high, rows, at + 128 + 32 * half);
    decode_q6_part<0>(block + 4 * half * kBlockStride, rows, at + 64 * half, high);
    decode_q6_part<1>(block + 4 * half * kBlockStride, rows, at + 64 * half, high);
  }
}

/// Runs a decoder over the superblocks of all groups of a tile.
template <void (*decode)(char* block, const Rows& rows, int64_t at), int64_t kBytes>
inline void decode_tile(void* panel, const WeightTile& tile, int64_t n, Codes codes) {
  store_header(panel, codes);
  for (int g = 0; g < 4; ++g) {
    const Rows rows(tile, g);
    for (int64_t b = 0; b < n / 256; ++b) decode(block_at(panel, 8 * b, g), rows, b * kBytes);
  }
}

}  // namespace

void decode_Q4_K(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q4_superblock, sizeof(BlockQ4_K)>(panel, tile, n, Codes::kBits4);
}
void decode_Q5_K(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q5_superblock, sizeof(BlockQ5_K)>(panel, tile, n, Codes::kBits5);
}
void decode_Q6_K(void* panel, const WeightTile& tile, int64_t n) {
  decode_tile<decode_q6_superblock, sizeof(BlockQ6_K)>(panel, tile, n, Codes::kBits6);
}

}  // namespace hearth::kernels::avx2
