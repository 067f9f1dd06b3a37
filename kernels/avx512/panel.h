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

/// This one multiplies by a few columns at once, with the very operations of the panel's loop (matmul.cpp).
template <int kCols, int kHalves, bool kMin>
struct DotWriter {
  __m512 total[kCols];
  const int8_t* q;        ///< codes of the columns from block 0 on
  const float* d;         ///< scales
  const float* sums;      ///< sum32 or sum16
  const int32_t* init;    ///< init32 or init16
  const int32_t* sum256;  ///< of the superblock
  const float* d256;
  __m512i dot[8][kHalves][kCols];
  __m512 scales[8][kHalves];
  __m512 mins[8][kHalves];
  __m512i min_dot[kCols];

  inline __attribute__((always_inline)) void scale(int block, int half, __m512 value) { scales[block][half] = value; }
  inline __attribute__((always_inline)) void min(int block, int half, __m512 value) { mins[block][half] = value; }
  inline __attribute__((always_inline)) void min_pair(int pair, __m512i words) {
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      const __m512i a = _mm512_set1_epi32(sum256[pair * kCols + c]);
      min_dot[c] = _mm512_dpwssd_epi32(pair == 0 ? _mm512_setzero_si512() : min_dot[c], words, a);
    }
  }
  inline __attribute__((always_inline)) void min_unit(__m512 unit) {
    mins[0][0] = unit;
  }
  /// After the last block of a superblock with integer minimums.
  inline __attribute__((always_inline)) void finish_mins() {
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) total[c] = take_off_mins(total[c], min_dot[c], mins[0][0], _mm512_set1_ps(d256[c]));
  }
  inline __attribute__((always_inline)) void code(int block, int step, __m512i value) {
    const int half = (kHalves == 1) ? 0 : step / 4;
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      __m512i& sum = dot[block][half][c];
      if (step % (8 / kHalves) == 0) sum = _mm512_set1_epi32(init[(block * kHalves + half) * kCols + c]);
      int32_t four;
      __builtin_memcpy(&four, q + ((block * 8 + step) * kCols + c) * 4, 4);
      sum = _mm512_dpbusd_epi32(sum, value, _mm512_set1_epi32(four));
    }
  }
  inline __attribute__((always_inline)) void finish(int block) {
    const __m512 factor = scales[block][0];
    const __m512 magic = _mm512_mul_ps(factor, _mm512_set1_ps(kMagic));
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      __m512 scaled = _mm512_fmsub_ps(_mm512_castsi512_ps(dot[block][0][c]), factor, magic);
      if (kHalves == 2) {
        scaled = _mm512_fmadd_ps(sum_to_float(dot[block][kHalves - 1][c]), scales[block][kHalves - 1], scaled);
      }
      total[c] = _mm512_fmadd_ps(scaled, _mm512_set1_ps(d[block * kCols + c]), total[c]);
#pragma GCC unroll 2
      for (int half = 0; half < (kMin ? kHalves : 0); ++half) {
        const __m512 sum = _mm512_set1_ps(sums[(block * kHalves + half) * kCols + c]);
        total[c] = _mm512_fnmadd_ps(mins[block][half], sum, total[c]);
      }
    }
  }
};

/// First bytes of 16 rows, one to a lane; a row that the tile lacks is replaced by its last one.
struct Rows {
  const uint8_t* row[16];
  __m512i offset;  ///< of the rows from row[0], in bytes
  const uint8_t* ahead;
  int64_t ahead_stride;

  /// Rows first, first + step, ...
  inline __attribute__((always_inline)) Rows(const WeightTile& tile, int first, int step) {
    const auto* data = static_cast<const uint8_t*>(tile.data);
    const int last = tile.n_rows - 1;
    first = (first < last) ? first : last;
    const uint8_t* p = data + first * tile.row_bytes;
    const uint8_t* end = data + last * tile.row_bytes;
    const int64_t stride = step * tile.row_bytes;
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) {
      row[r] = p;
      p = (end - p < stride) ? end : p + stride;
    }
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i index =
        _mm512_min_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32(step)), _mm512_set1_epi32(last - first));
    offset = _mm512_mullo_epi32(index, _mm512_set1_epi32(static_cast<int32_t>(tile.row_bytes)));
  }

  /// Prefetches kLines cache lines from byte `at` of rows [first, first + kCount) of the next panel.
  template <int kLines, int kCount = 16>
  inline __attribute__((always_inline)) void prefetch(int64_t at, int first = 0) const {
    if (ahead == nullptr) return;
    const uint8_t* p = ahead + at + first * ahead_stride;
#pragma GCC unroll 16
    for (int r = 0; r < kCount; ++r, p += ahead_stride) {
#pragma GCC unroll 4
      for (int line = 0; line < kLines; ++line) _mm_prefetch(p + 64 * line, _MM_HINT_T0);
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

/// Decodes n columns of a tile into a panel.
template <typename Decoder>
inline __attribute__((always_inline)) void decode_tile(void* panel, const WeightTile& tile, int64_t n) {
  store_header(panel, kHasSuperMins<Decoder>);
  for (int g = 0; g < 2; ++g) {
    Rows rows(tile, 16 * g, 1);
    rows.ahead = nullptr;
    if (tile.ahead != nullptr) rows.ahead = static_cast<const uint8_t*>(tile.ahead) + g * 16 * tile.ahead_stride;
    rows.ahead_stride = tile.ahead_stride;
    for (int64_t b = 0; b < n / (32 * Decoder::kBlocks); ++b) {
      PanelWriter writer = {codes_at(panel, b * Decoder::kBlocks, g)};
      Decoder::run(writer, rows, b * Decoder::kBytes);
    }
  }
}

/// out[c * ldo + r] = row r of a tile times column c of k elements, packed as groups of kPanelBlocks blocks. A lane
/// takes consecutive rows one after the other: each of the 16 streams through memory is long, as hardware prefetchers
/// and DRAM pages like it. At its end it prefetches where its lane begins in the next tile.
template <typename Decoder, int kCols>
inline __attribute__((always_inline)) void dot_tile(float* out, int64_t ldo, const WeightTile& tile, const void* acts,
                                                    int64_t stride, int64_t k) {
  constexpr int64_t kChunk = int64_t{kPanelBlocks} * kActBlock;
  constexpr int64_t kAhead = 512;  // bytes of each stream prefetched before use
  const int per_lane = (tile.n_rows + 15) / 16;
  const int64_t lane_bytes = per_lane * tile.row_bytes;
  for (int i = 0; i < per_lane; ++i) {
    Rows rows(tile, i, per_lane);
    rows.ahead = rows.row[0] + kAhead;
    rows.ahead_stride = lane_bytes;
    const int64_t left_in_lane = lane_bytes - i * tile.row_bytes;
    const bool something_follows = tile.ahead != nullptr;
    const int64_t leaves_at = something_follows ? left_in_lane - kAhead : INT64_MAX;
    const uint8_t* next =
        static_cast<const uint8_t*>(something_follows ? tile.ahead : tile.data) + (kAhead - left_in_lane);
    DotWriter<kCols, Decoder::kHalves, Decoder::kMin> writer;
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) writer.total[c] = _mm512_setzero_ps();
    int64_t at = 0;
    const char* chunk = static_cast<const char*>(acts);
    for (int64_t left = k; left > 0; left -= kChunk, chunk += stride) {
      const ActGroup x = act_group_at(const_cast<char*>(chunk), kChunk, kCols);
      writer.q = x.q;
      writer.d = x.d;
      writer.sums = (Decoder::kHalves == 1) ? x.sum32 : x.sum16;
      writer.init = (Decoder::kHalves == 1) ? x.init32 : x.init16;
      writer.sum256 = x.sum256;
      writer.d256 = x.d256;
      const int64_t n = (left < kChunk) ? left : kChunk;
      for (int64_t b = 0; b < n / (32 * Decoder::kBlocks); ++b, at += Decoder::kBytes) {
        if (at >= leaves_at) rows.ahead = next;
        Decoder::run(writer, rows, at);
        if constexpr (kHasSuperMins<Decoder>) {
          writer.finish_mins();
          writer.sum256 += 4 * kCols;
          writer.d256 += kCols;
        }
        writer.q += 32 * Decoder::kBlocks * kCols;
        writer.d += Decoder::kBlocks * kCols;
        writer.sums += Decoder::kBlocks * Decoder::kHalves * kCols;
        writer.init += Decoder::kBlocks * Decoder::kHalves * kCols;
      }
    }
    alignas(64) float total[16];
    for (int c = 0; c < kCols; ++c) {
      _mm512_store_ps(total, writer.total[c]);
      for (int lane = 0; lane * per_lane + i < tile.n_rows; ++lane) out[c * ldo + lane * per_lane + i] = total[lane];
    }
  }
}

/// The same for n_cols columns, kMostCols at most.
template <typename Decoder, int kMostCols>
inline __attribute__((always_inline)) void dot_tile_of(int n_cols, float* out, int64_t ldo, const WeightTile& tile,
                                                       const void* acts, int64_t stride, int64_t k) {
  if constexpr (kMostCols > 1) {
    if (n_cols < kMostCols) return dot_tile_of<Decoder, kMostCols - 1>(n_cols, out, ldo, tile, acts, stride, k);
  }
  dot_tile<Decoder, kMostCols>(out, ldo, tile, acts, stride, k);
}

}  // namespace
}  // namespace hearth::kernels::avx512

/// Defines decode_<Name>, dot_columns_<Name> (for kMostCols columns at most) and dot_most_cols_<Name> in namespace
/// avx512.
#define HEARTH_DEFINE_KERNELS(Name, Decoder, kMostCols)                                                      \
  void decode_##Name(void* panel, const WeightTile& tile, int64_t n) {                                       \
    decode_tile<Decoder>(panel, tile, n);                                                                    \
  }                                                                                                          \
  void dot_columns_##Name(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, \
                          int64_t k, int n_cols) {                                                           \
    dot_tile_of<Decoder, kMostCols>(n_cols, out, ldo, tile, acts, stride, k);                                \
  }                                                                                                          \
  extern const int dot_most_cols_##Name = kMostCols;
