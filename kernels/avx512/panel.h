// The panel of this instruction set: 32 rows in two groups of 16 lanes, integer codes plus 128 as unsigned bytes,
// four consecutive columns to a lane, so that vpdpbusd multiplies 16 rows by a broadcast of four activations.
// Block b of 32 columns, at b * kBlockStride: codes [8][2 groups][16 rows][4], then for each half of 16 columns
// (only the first is used by kinds with one scale per 32) floats [3][2 groups][16 rows]: scale, scale * kMagic, min.
// Superblocks with a minimum per 32 (Q4_K, Q5_K) have instead of those floats, in blocks 0 to 3, the integer minimums
// of blocks 2i and 2i + 1 as a pair of words, and in block 4 what a unit of them is worth. At kHeaderAt: whether they
// do.
//
// An integer accumulator starts at the bits of kMagic: as long as the sum stays below 2^22 in magnitude, its bits
// are those of the float kMagic + sum, so that scale * accumulator - scale * kMagic converts and scales in one
// exact step (scale has at most 22 significant bits in every format: a half times a 6- or 8-bit integer).
#pragma once

// GCC 12 reports the deliberately undefined operands of its own intrinsics (GCC bug 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <cstdint>

#include "kernels/matmul_kernels.h"
#include "kernels/x86/ahead.h"

namespace hearth::kernels::avx512 {
namespace {

constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23
constexpr int32_t kMagicBits = 0x4b400000;
constexpr int kCodeOffset = 128;

constexpr int64_t kCodeBytes = 1024;
constexpr int64_t kPlaneBytes = 128;
constexpr int64_t kHalfBytes = 3 * kPlaneBytes;
constexpr int64_t kBlockStride = kCodeBytes + 2 * kHalfBytes;
constexpr int64_t kHeaderAt = kPanelBytes - 64;
static_assert(kBlockStride * kPanelBlocks <= kHeaderAt);
/// Where a superblock keeps its minimums: [4][2 groups][16 rows] pairs, a block apart, and behind them their unit.
constexpr int64_t kMinPlane = kCodeBytes + 2 * kPlaneBytes;
constexpr int64_t kMinUnit = 4 * kBlockStride + kMinPlane;

inline __attribute__((always_inline)) void store_header(void* panel, bool super_mins) {
  static_cast<char*>(panel)[kHeaderAt] = super_mins;
}
inline __attribute__((always_inline)) bool has_super_mins(const void* panel) {
  return static_cast<const char*>(panel)[kHeaderAt] != 0;
}

/// Where group `g` of a block begins its codes; step s of 8 is 128 bytes further each.
inline __attribute__((always_inline)) char* codes_at(void* panel, int64_t block, int g) {
  return static_cast<char*>(panel) + block * kBlockStride + g * 64;
}

/// Decoders hand 16 rows of up to eight blocks to a writer: scales (and minimums) of a block, then its codes step by
/// step, then finish(block), blocks in order; for integer minimums min_pair() of four pairs of blocks and min_unit().
/// This one writes the panel.
struct PanelWriter {
  char* codes;  ///< block 0

  inline __attribute__((always_inline)) void scale(int block, int half, __m512 value) {
    char* p = codes + block * kBlockStride + kCodeBytes + half * kHalfBytes;
    _mm512_store_ps(p, value);
    _mm512_store_ps(p + kPlaneBytes, _mm512_mul_ps(value, _mm512_set1_ps(kMagic)));
  }
  inline __attribute__((always_inline)) void min(int block, int half, __m512 value) {
    _mm512_store_ps(codes + block * kBlockStride + kCodeBytes + half * kHalfBytes + 2 * kPlaneBytes, value);
  }
  inline __attribute__((always_inline)) void min_pair(int pair, __m512i words) {
    _mm512_store_si512(codes + pair * kBlockStride + kMinPlane, words);
  }
  inline __attribute__((always_inline)) void min_unit(__m512 unit) { _mm512_store_ps(codes + kMinUnit, unit); }
  inline __attribute__((always_inline)) void code(int block, int step, __m512i value) {
    _mm512_store_si512(codes + block * kBlockStride + step * 128, value);
  }
  inline __attribute__((always_inline)) void finish(int /*block*/) {}
};

/// The float that the bits of an integer sum are, without kMagic: for sums that another scale has used already.
inline __attribute__((always_inline)) __m512 sum_to_float(__m512i bits) {
  return _mm512_sub_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(kMagic));
}

/// total - unit * d * dot: what integer minimums take off.
inline __attribute__((always_inline)) __m512 take_off_mins(__m512 total, __m512i dot, __m512 unit, __m512 d) {
  return _mm512_fnmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(dot), d), unit, total);
}

}  // namespace

/// First bytes of 16 rows, one to a lane; a row that the tile lacks is replaced by its last one.
struct Rows : Ahead {
  const uint8_t* row[16];
  __m512i offset;  ///< of the rows from row[0], in bytes

  /// Rows first, first + step, ...
  Rows(const WeightTile& tile, int first, int step);

  template <int kLines, int kCount = 16>
  inline __attribute__((always_inline)) void prefetch(int64_t at, int first = 0) const {
    Ahead::prefetch<kLines, kCount>(at, first);
  }
};

namespace {

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

/// 32 bytes of 16 rows, of rows i and i + 4 in vector i, of rows i + 8 and i + 12 in vector i + 4: out[j] lane r =
/// dword j of row r.
inline __attribute__((always_inline)) void transpose_8(__m512i out[8], const __m512i v[8]) {
  __m512i a[4];  // 128-bit lanes: rows 0-3 dword j, rows 0-3 dword j+4, rows 4-7 dword j, rows 4-7 dword j+4
  __m512i b[4];  // the same of rows 8-15
  transpose_4(a, v[0], v[1], v[2], v[3]);
  transpose_4(b, v[4], v[5], v[6], v[7]);
  for (int j = 0; j < 4; ++j) {
    out[j] = _mm512_shuffle_i32x4(a[j], b[j], 0x88);
    out[j + 4] = _mm512_shuffle_i32x4(a[j], b[j], 0xdd);
  }
}

/// 32 bytes at `at` of 16 rows: out[j] lane r = dword j of row r.
inline __attribute__((always_inline)) void transpose_32_bytes(__m512i out[8], const Rows& rows, int64_t at) {
  __m512i v[8];
  for (int i = 0; i < 4; ++i) {
    v[i] = load_2_lanes(rows.row[i] + at, rows.row[i + 4] + at);
    v[i + 4] = load_2_lanes(rows.row[i + 8] + at, rows.row[i + 12] + at);
  }
  transpose_8(out, v);
}

/// The same of 32 bytes of each of rows 0..7 and 8..15.
inline __attribute__((always_inline)) void transpose_registers(__m512i out[8], const __m256i low[8],
                                                               const __m256i high[8]) {
  __m512i v[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low[i]), low[i + 4], 1);
    v[i + 4] = _mm512_inserti64x4(_mm512_castsi256_si512(high[i]), high[i + 4], 1);
  }
  transpose_8(out, v);
}

/// 16x16 transposition: out[i] lane r = v[r] lane i.
inline __attribute__((always_inline)) void transpose_16(__m512i out[16], const __m512i v[16]) {
  __m512i t[4][4];  // t[i][j]: lane L holds dword 4 L + j of rows 4 i .. 4 i + 3
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) transpose_4(t[i], v[4 * i], v[4 * i + 1], v[4 * i + 2], v[4 * i + 3]);
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512i a = _mm512_shuffle_i32x4(t[0][j], t[1][j], 0x88);  // lanes 0, 2 of both
    const __m512i b = _mm512_shuffle_i32x4(t[2][j], t[3][j], 0x88);
    const __m512i c = _mm512_shuffle_i32x4(t[0][j], t[1][j], 0xdd);  // lanes 1, 3
    const __m512i d = _mm512_shuffle_i32x4(t[2][j], t[3][j], 0xdd);
    out[j] = _mm512_shuffle_i32x4(a, b, 0x88);
    out[8 + j] = _mm512_shuffle_i32x4(a, b, 0xdd);
    out[4 + j] = _mm512_shuffle_i32x4(c, d, 0x88);
    out[12 + j] = _mm512_shuffle_i32x4(c, d, 0xdd);
  }
}

/// (value & mask) | bits, per bit.
inline __attribute__((always_inline)) __m512i and_or(__m512i value, __m512i mask, __m512i bits) {
  return _mm512_ternarylogic_epi32(value, mask, bits, 0xea);
}

// A Decoder has: kBytes of its block, kBlocks of 32 in it (1 to 8), kHalves and kMin (float minimums) as multiply_cols,
// kSuperMins where its minimums are integers of a superblock, and run(writer, rows, at), which decodes one block at
// byte `at` of 16 rows and prefetches meanwhile.
template <typename Decoder>
constexpr bool kHasSuperMins = requires {
  Decoder::kSuperMins;
};

/// Decodes n blocks of 32 from byte `at` of 16 rows on as one group of a panel, whose codes begin there. One function
/// for all that decode a type into panels, since its code is long.
template <typename Decoder>
__attribute__((noinline)) void decode_rows(char* codes, const Rows& rows, int64_t at, int64_t n) {
#pragma GCC unroll 1
  for (const char* const end = codes + n * kBlockStride; codes < end; at += Decoder::kBytes) {
    PanelWriter writer = {codes};
    Decoder::run(writer, rows, at);
    codes += Decoder::kBlocks * kBlockStride;
  }
}

template <typename Decoder>
constexpr PanelKind kKindOf = Decoder::kHalves == 2 ? (Decoder::kMin ? PanelKind::kScale16Min : PanelKind::kScale16)
                              : (Decoder::kMin || kHasSuperMins<Decoder>) ? PanelKind::kScale32Min
                                                                          : PanelKind::kScale32;

}  // namespace

/// What makes panels, or strips of them, of a type.
struct RowsDecoder {
  void (*decode)(char* codes, const Rows& rows, int64_t at, int64_t n);  ///< decode_rows
  int blocks;                                                            ///< of 32 in one of the type's
  int64_t bytes;                                                         ///< of that
  PanelKind kind;
  bool super_mins;
};

/// Decodes n columns of a tile into a panel.
void decode_tile(const RowsDecoder& type, void* panel, const WeightTile& tile, int64_t n);

}  // namespace hearth::kernels::avx512
