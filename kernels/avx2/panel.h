// The panel of this instruction set: 32 rows as four groups of 8 lanes, integer codes as bytes, four consecutive
// columns to a lane, so that vpmaddubsw multiplies 8 rows by a broadcast of four activations.
// Block b of 32 columns, at b * kBlockStride: codes [8][32 rows][4], then floats [2 halves][32 rows] of scales and the
// same of minimums (kinds with one scale per 32 use the first half). At kHeaderAt: which codes the panel holds.
//
// Small unsigned codes are the fast case: vpmaddubsw leaves sums of two products in 16 bits, and several of them fit
// before they must be widened. Codes with an offset are stored without it, and offset * scale joins the minimum.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/matmul_kernels.h"

namespace hearth::kernels::avx2 {
namespace {

constexpr int64_t kCodeBytes = 1024;
constexpr int64_t kStepBytes = 128;   // 32 rows x 4 columns
constexpr int64_t kPlaneBytes = 128;  // 32 rows x float
constexpr int64_t kScaleAt = kCodeBytes;
constexpr int64_t kMinAt = kCodeBytes + 2 * kPlaneBytes;
constexpr int64_t kBlockStride = kCodeBytes + 4 * kPlaneBytes;
constexpr int64_t kHeaderAt = kPanelBytes - 64;
static_assert(kBlockStride * kPanelBlocks <= kHeaderAt);

/// What a panel's codes are.
enum class Codes : int32_t {
  kSigned,  ///< -128..127
  kBits4,   ///< 0..15: 8 sums of two products fit in 16 bits
  kBits5,   ///< 0..31: 4 of them
  kBits6,   ///< 0..63: 2 of them
};

inline void store_header(void* panel, Codes codes) {
  __builtin_memcpy(static_cast<char*>(panel) + kHeaderAt, &codes, sizeof codes);
}
inline Codes load_header(const void* panel) {
  Codes codes;
  __builtin_memcpy(&codes, static_cast<const char*>(panel) + kHeaderAt, sizeof codes);
  return codes;
}

/// Where group `g` of a block begins; step s of 8 is kStepBytes further each, planes as above.
inline char* block_at(void* panel, int64_t block, int g) {
  return static_cast<char*>(panel) + block * kBlockStride + g * 32;
}
inline void store_codes(char* block, int step, __m256i value) {
  _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(block + step * kStepBytes)), value);
}
inline void store_plane(char* block, int64_t at, int half, __m256 value) {
  _mm256_store_ps(static_cast<float*>(static_cast<void*>(block + at + half * kPlaneBytes)), value);
}
inline void store_scale(char* block, int half, __m256 scale) {
  store_plane(block, kScaleAt, half, scale);
}
inline void store_min(char* block, int half, __m256 min) {
  store_plane(block, kMinAt, half, min);
}
/// A scale whose codes are stored `offset` too high.
inline void store_scale_offset(char* block, int half, __m256 scale, float offset) {
  store_scale(block, half, scale);
  store_min(block, half, _mm256_mul_ps(scale, _mm256_set1_ps(offset)));
}

/// First bytes of the 8 rows of one group; rows beyond the tile repeat its last one.
struct Rows {
  const uint8_t* row[8];

  Rows(const WeightTile& tile, int g) {
    const auto* data = static_cast<const uint8_t*>(tile.data);
    for (int r = 0; r < 8; ++r) {
      const int index = (g * 8 + r < tile.n_rows) ? g * 8 + r : tile.n_rows - 1;
      row[r] = data + index * tile.row_bytes;
    }
  }
};

inline __m128i load_16(const uint8_t* p) {
  return _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(p)));
}

/// 16 bytes at `at` of 8 rows: out[j] lane r = dword j of row r.
inline void transpose_16_bytes(__m256i* out, const Rows& rows, int64_t at) {
  __m256i v[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(load_16(rows.row[i] + at)), load_16(rows.row[i + 4] + at), 1);
  }
  const __m256i ab_low = _mm256_unpacklo_epi32(v[0], v[1]), ab_high = _mm256_unpackhi_epi32(v[0], v[1]);
  const __m256i cd_low = _mm256_unpacklo_epi32(v[2], v[3]), cd_high = _mm256_unpackhi_epi32(v[2], v[3]);
  out[0] = _mm256_unpacklo_epi64(ab_low, cd_low);
  out[1] = _mm256_unpackhi_epi64(ab_low, cd_low);
  out[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
  out[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
}

inline void transpose_32_bytes(__m256i out[8], const Rows& rows, int64_t at) {
  transpose_16_bytes(out, rows, at);
  transpose_16_bytes(out + 4, rows, at + 16);
}

/// The 16 bits at `at` of each row as half-precision numbers.
inline __m256 load_halves(const Rows& rows, int64_t at) {
  alignas(16) uint16_t halves[8];
  for (int r = 0; r < 8; ++r) __builtin_memcpy(&halves[r], rows.row[r] + at, 2);
  return _mm256_cvtph_ps(_mm_load_si128(static_cast<const __m128i*>(static_cast<const void*>(halves))));
}

inline __m256i load_dwords(const Rows& rows, int64_t at) {
  alignas(32) int32_t dwords[8];
  for (int r = 0; r < 8; ++r) __builtin_memcpy(&dwords[r], rows.row[r] + at, 4);
  return _mm256_load_si256(static_cast<const __m256i*>(static_cast<const void*>(dwords)));
}

/// The low 16 bits of each dword as a half-precision number.
inline __m256 low_halves(__m256i dwords) {
  const __m256i low = _mm256_and_si256(dwords, _mm256_set1_epi32(0xffff));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0xd8);
  return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

inline __m256i low_nibbles(__m256i v) {
  return _mm256_and_si256(v, _mm256_set1_epi8(15));
}
inline __m256i high_nibbles(__m256i v) {
  return low_nibbles(_mm256_srli_epi16(v, 4));
}

/// kBits bits at bit kShift of every byte, moved to bit kTo; the others zero.
template <int kShift, int kTo, int kBits>
inline __m256i bits_at(__m256i v) {
  const __m256i moved = (kShift > kTo)   ? _mm256_srli_epi16(v, kShift - kTo)
                        : (kShift < kTo) ? _mm256_slli_epi16(v, kTo - kShift)
                                         : v;
  return _mm256_and_si256(moved, _mm256_set1_epi8(static_cast<char>(((1 << kBits) - 1) << kTo)));
}

/// Byte j of every dword as float.
inline __m256 byte_to_float(__m256i dwords, int j) {
  return _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(dwords, 8 * j), _mm256_set1_epi32(255)));
}
inline __m256 signed_byte_to_float(__m256i dwords, int j) {
  return _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(dwords, 24 - 8 * j), 24));
}

}  // namespace
}  // namespace hearth::kernels::avx2
