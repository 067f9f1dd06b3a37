// The panel of this instruction set: 32 rows in two groups of 16 lanes, integer codes plus 128 as unsigned bytes,
// four consecutive columns to a lane, so that vpdpbusd multiplies 16 rows by a broadcast of four activations.
// Block b of 32 columns, at b * kBlockStride: codes [8][2 groups][16 rows][4], then for each half of 16 columns
// (only the first is used by kinds with one scale per 32) floats [3][2 groups][16 rows]: scale, scale * kMagic, min.
//
// An integer accumulator starts at the bits of kMagic: as long as the sum stays below 2^22 in magnitude, its bits
// are those of the float kMagic + sum, so that scale * accumulator - scale * kMagic converts and scales in one
// exact step (scale has at most 22 significant bits in every format: a half times a 6- or 8-bit integer).
#pragma once

// GCC 12 reports the deliberately undefined operands of its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#include <cstdint>

#include "kernels/matmul_kernels.h"

namespace hearth::kernels::avx512 {
namespace {

constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23
constexpr int32_t kMagicBits = 0x4b400000;
constexpr int kCodeOffset = 128;

constexpr int64_t kCodeBytes = 1024;
constexpr int64_t kPlaneBytes = 128;
constexpr int64_t kHalfBytes = 3 * kPlaneBytes;
constexpr int64_t kBlockStride = kCodeBytes + 2 * kHalfBytes;
static_assert(kBlockStride * kPanelBlocks <= kPanelBytes);

/// Where group `g` of a block begins its codes; step s of 8 is 128 bytes further each.
inline __attribute__((always_inline)) char* codes_at(void* panel, int64_t block, int g) {
  return static_cast<char*>(panel) + block * kBlockStride + g * 64;
}

inline __attribute__((always_inline)) void store_codes(char* codes, int step, __m512i value) {
  _mm512_store_si512(codes + step * 128, value);
}

/// Stores scale and scale * kMagic of half `half` of a block.
inline __attribute__((always_inline)) void store_scale(char* codes, int half, __m512 scale) {
  char* p = codes + kCodeBytes + half * kHalfBytes;
  _mm512_store_ps(p, scale);
  _mm512_store_ps(p + kPlaneBytes, _mm512_mul_ps(scale, _mm512_set1_ps(kMagic)));
}

inline __attribute__((always_inline)) void store_min(char* codes, int half, __m512 min) {
  _mm512_store_ps(codes + kCodeBytes + half * kHalfBytes + 2 * kPlaneBytes, min);
}

/// First bytes of the 16 rows of one group; rows beyond the tile repeat its last one.
struct Rows {
  const uint8_t* row[16];
  __m512i offset;  ///< of the rows from row[0], in bytes
  const uint8_t* ahead;
  int64_t ahead_stride;

  inline __attribute__((always_inline)) Rows(const WeightTile& tile, int g) {
    const auto* data = static_cast<const uint8_t*>(tile.data);
    const int last = tile.n_rows - 1;
    const int first = (g * 16 < last) ? g * 16 : last;
    const uint8_t* p = data + first * tile.row_bytes;
    const uint8_t* end = data + last * tile.row_bytes;
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) {
      row[r] = p;
      p = (p == end) ? p : p + tile.row_bytes;
    }
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i index = _mm512_min_epi32(lane, _mm512_set1_epi32(last - first));
    offset = _mm512_mullo_epi32(index, _mm512_set1_epi32(static_cast<int32_t>(tile.row_bytes)));
    ahead = static_cast<const uint8_t*>(tile.ahead) + g * 16 * tile.ahead_stride;
    ahead_stride = tile.ahead_stride;
  }

  /// Prefetches kLines cache lines from byte `at` of each row of the next panel into the second-level cache.
  template <int kLines>
  inline __attribute__((always_inline)) void prefetch(int64_t at) const {
    const uint8_t* p = ahead + at;
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r, p += ahead_stride) {
#pragma GCC unroll 4
      for (int line = 0; line < kLines; ++line) _mm_prefetch(p + 64 * line, _MM_HINT_T1);
    }
  }
};

/// Dword at byte `at` of each of the 16 rows.
inline __attribute__((always_inline)) __m512i gather_dwords(const Rows& rows, int64_t at) {
  return _mm512_i32gather_epi32(rows.offset, static_cast<const void*>(rows.row[0] + at), 1);
}

/// The low 16 bits of each dword as a half-precision number.
inline __attribute__((always_inline)) __m512 low_halves(__m512i dwords) {
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(dwords));
}

inline __attribute__((always_inline)) __m512i load_4_lanes(const uint8_t* a, const uint8_t* b, const uint8_t* c,
                                                           const uint8_t* d) {
  __m512i v = _mm512_castsi128_si512(_mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(a))));
  v = _mm512_inserti32x4(v, _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(b))), 1);
  v = _mm512_inserti32x4(v, _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(c))), 2);
  return _mm512_inserti32x4(v, _mm_loadu_si128(static_cast<const __m128i*>(static_cast<const void*>(d))), 3);
}

inline __attribute__((always_inline)) __m512i load_2_lanes(const uint8_t* a, const uint8_t* b) {
  const __m256i low = _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(a)));
  const __m256i high = _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(b)));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/// 4x4 transposition of dwords within each 128-bit lane: out[j] holds dword j of a, b, c, d.
inline __attribute__((always_inline)) void transpose_4(__m512i* out, __m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab_low = _mm512_unpacklo_epi32(a, b);
  const __m512i ab_high = _mm512_unpackhi_epi32(a, b);
  const __m512i cd_low = _mm512_unpacklo_epi32(c, d);
  const __m512i cd_high = _mm512_unpackhi_epi32(c, d);
  out[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
  out[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
  out[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
  out[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
}

/// 16 bytes at `at` of 16 rows: out[j] lane r = dword j of row r.
inline __attribute__((always_inline)) void transpose_16_bytes(__m512i out[4], const Rows& rows, int64_t at) {
  __m512i v[4];
  for (int i = 0; i < 4; ++i) {
    v[i] = load_4_lanes(rows.row[i] + at, rows.row[i + 4] + at, rows.row[i + 8] + at, rows.row[i + 12] + at);
  }
  transpose_4(out, v[0], v[1], v[2], v[3]);
}

/// 32 bytes at `at` of 16 rows: out[j] lane r = dword j of row r.
inline __attribute__((always_inline)) void transpose_32_bytes(__m512i out[8], const Rows& rows, int64_t at) {
  __m512i v[8];
  for (int i = 0; i < 4; ++i) {
    v[i] = load_2_lanes(rows.row[i] + at, rows.row[i + 4] + at);
    v[i + 4] = load_2_lanes(rows.row[i + 8] + at, rows.row[i + 12] + at);
  }
  __m512i a[4];  // 128-bit lanes: rows 0-3 dword j, rows 0-3 dword j+4, rows 4-7 dword j, rows 4-7 dword j+4
  __m512i b[4];  // the same of rows 8-15
  transpose_4(a, v[0], v[1], v[2], v[3]);
  transpose_4(b, v[4], v[5], v[6], v[7]);
  for (int j = 0; j < 4; ++j) {
    out[j] = _mm512_shuffle_i32x4(a[j], b[j], 0x88);
    out[j + 4] = _mm512_shuffle_i32x4(a[j], b[j], 0xdd);
  }
}

/// (value & mask) | bits, per bit.
inline __attribute__((always_inline)) __m512i and_or(__m512i value, __m512i mask, __m512i bits) {
  return _mm512_ternarylogic_epi32(value, mask, bits, 0xea);
}

}  // namespace
}  // namespace hearth::kernels::avx512
