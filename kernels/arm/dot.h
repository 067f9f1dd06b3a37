// Products of up to three columns without a panel: four rows at once, each row's codes against a column's as they lie.
// What 16 or 32 products are summed with is up to the set:
//
//   Products::dot_32(w, q)  four partial sums of 32 products of w[2] and q[2]
//   Products::dot_16(w, q)  the same of 16
#pragma once

#include "kernels/arm/panel.h"

namespace hearth::kernels {
namespace {

/// Lane r: the sum of the lanes of v[r].
HEARTH_INLINE int32x4_t sum_each(const int32x4_t v[4]) {
  return vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3]));
}

/// Sums of products of four rows with a column: of the 32 columns of a block, or of a half of them.
template <typename Products>
HEARTH_INLINE int32x4_t dot_block(const int8x16_t (&w)[4][2], const int8x16_t (&q)[2]) {
  int32x4_t sums[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) sums[r] = Products::dot_32(w[r], q);
  return sum_each(sums);
}
template <typename Products>
HEARTH_INLINE int32x4_t dot_half(const int8x16_t (&w)[4][2], const int8x16_t (&q)[2], int half) {
  int32x4_t sums[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) sums[r] = Products::dot_16(w[r][half], q[half]);
  return sum_each(sums);
}

/// The codes of a block of kCols columns, which lie four by four side by side.
template <int kCols>
HEARTH_INLINE void load_acts(int8x16_t (&q)[kCols][2], const int8_t* p) {
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const auto* dwords = static_cast<const int32_t*>(static_cast<const void*>(p + half * 16 * kCols));
    if constexpr (kCols == 1) {
      q[0][half] = vreinterpretq_s8_s32(vld1q_s32(dwords));
    } else if constexpr (kCols == 2) {
      const int32x4x2_t v = vld2q_s32(dwords);
      q[0][half] = vreinterpretq_s8_s32(v.val[0]);
      q[1][half] = vreinterpretq_s8_s32(v.val[1]);
    } else {
      const int32x4x3_t v = vld3q_s32(dwords);
      q[0][half] = vreinterpretq_s8_s32(v.val[0]);
      q[1][half] = vreinterpretq_s8_s32(v.val[1]);
      q[2][half] = vreinterpretq_s8_s32(v.val[2]);
    }
  }
}

/// How far before its use weights are asked for, in bytes beyond the rows in work.
constexpr int64_t kDotAhead = 16 << 10;

/// What to prefetch when byte `offset` of a tile is used: bytes of it, of the next one, or nothing (0).
HEARTH_INLINE uintptr_t weights_ahead(const WeightTile& tile, int64_t offset) {
  const int64_t bytes = tile.n_rows * tile.row_bytes, wanted = kDotAhead + kGroupRows * tile.row_bytes;
  const int64_t at = offset + (wanted < bytes ? wanted : bytes);
  if (at < bytes) return reinterpret_cast<uintptr_t>(tile.data) + static_cast<uintptr_t>(at);
  return tile.ahead != nullptr ? reinterpret_cast<uintptr_t>(tile.ahead) + static_cast<uintptr_t>(at - bytes) : 0;
}

/// total[c], a lane is a row: four rows times kCols columns of k elements; the columns are packed as groups of
/// kPanelBlocks blocks, `stride` bytes apart.
template <typename Products, typename Decoder, int kCols>
__attribute__((noinline)) void dot_4_rows(float32x4_t* out, TileRows rows, uintptr_t ahead, const void* acts,
                                          int64_t stride, int64_t k) {
  constexpr int kHalves = Decoder::kHalves;
  constexpr int64_t kChunk = int64_t{kPanelBlocks} * kActBlock;
  float32x4_t total[kCols];
#pragma GCC unroll 3
  for (int c = 0; c < kCols; ++c) total[c] = vdupq_n_f32(0.0f);
  const char* chunk = static_cast<const char*>(acts);
  for (int64_t left = k; left > 0; left -= kChunk, chunk += stride) {
    const ActGroup x = act_group_at(const_cast<char*>(chunk), kChunk, kCols);
    const int8_t* q = x.q;
    const float* d = x.d;
    const float* sums = kHalves == 1 ? x.sum32 : x.sum16;
    const int64_t n = left < kChunk ? left : kChunk;
    for (int64_t i = 0; i < n; i += Decoder::kBlocks * kActBlock) {
      if (ahead != 0) {
        prefetch_bytes<true>(ahead, kGroupRows * Decoder::kBytes);
        ahead += kGroupRows * Decoder::kBytes;
      }
      typename Decoder::State state;
      Decoder::begin(state, rows.row);
      for_each_block<Decoder>([&](auto j) HEARTH_INLINE_LAMBDA {
        int8x16_t w[4][2], x_codes[kCols][2];
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) Decoder::codes(w[r], state, r, j);
        load_acts<kCols>(x_codes, q);
#pragma GCC unroll 3
        for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 2
          for (int half = 0; half < kHalves; ++half) {
            const int32x4_t sum =
                kHalves == 1 ? dot_block<Products>(w, x_codes[c]) : dot_half<Products>(w, x_codes[c], half);
            const int factor = j * kHalves + half;
            total[c] = add_scaled<0>(total[c], sum, state.scale[factor], vdupq_n_f32(d[c]));
            if (Decoder::kMin) {
              total[c] = less_min<0>(total[c], state.min[factor], vdupq_n_f32(sums[half * kCols + c]));
            }
          }
        }
        q += kActBlock * kCols;
        d += kCols;
        sums += kHalves * kCols;
      });
      rows.advance(Decoder::kBytes);
    }
  }
#pragma GCC unroll 3
  for (int c = 0; c < kCols; ++c) out[c] = total[c];
}

/// MatmulKernels::dot_columns.
template <typename Products, typename Decoder>
HEARTH_INLINE void dot_tile(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride,
                            int64_t k, int n_cols) {
  static_assert(Decoder::kDotCols == 3 || Decoder::kDotCols == 1);
  for (int64_t first = 0; first < tile.n_rows; first += kGroupRows) {
    const TileRows rows(tile, first);
    const uintptr_t ahead = weights_ahead(tile, first * tile.row_bytes);
    float32x4_t total[kDotCols];
    if (Decoder::kDotCols == 1 || n_cols == 1) {
      dot_4_rows<Products, Decoder, 1>(total, rows, ahead, acts, stride, k);
    } else if constexpr (Decoder::kDotCols == 3) {
      if (n_cols == 2) dot_4_rows<Products, Decoder, 2>(total, rows, ahead, acts, stride, k);
      if (n_cols == 3) dot_4_rows<Products, Decoder, 3>(total, rows, ahead, acts, stride, k);
    }
    const int64_t n = tile.n_rows - first < kGroupRows ? tile.n_rows - first : kGroupRows;
    for (int64_t c = 0; c < n_cols; ++c) {
      float lanes[kGroupRows];
      vst1q_f32(lanes, total[c]);
      for (int64_t r = 0; r < n; ++r) out[c * ldo + first + r] = lanes[r];
    }
  }
}

}  // namespace
}  // namespace hearth::kernels

/// Defines decode_<Name>, dot_columns_<Name> and dot_most_cols_<Name> in the namespace of a set that has Arrangement
/// and Products.
#define HEARTH_DEFINE_KERNELS(Name, Decoder)                                                                 \
  void decode_##Name(void* panel, const WeightTile& tile, int64_t n) {                                       \
    decode_tile<Arrangement, Decoder>(panel, tile, n);                                                       \
  }                                                                                                          \
  void dot_columns_##Name(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, \
                          int64_t k, int n_cols) {                                                           \
    dot_tile<Products, Decoder>(out, ldo, tile, acts, stride, k, n_cols);                                    \
  }                                                                                                          \
  extern const int dot_most_cols_##Name = Decoder::kDotCols;
