// Panels of 64-bit ARM: 32 rows in eight groups of four. Group g begins at g * kGroupStride, block b of 32 columns at b
// * kBlockStride in it: 128 bytes of codes, in the order that the set's products want them (its Arrangement), then for
// each half of 16 columns (only the first is used by kinds with one scale per 32) scales of the four rows, then
// minimums of both halves.
#pragma once

#include "kernels/arm/decode.h"

namespace hearth::kernels {
namespace {

constexpr int kGroupRows = 4;
constexpr int kPanelGroups = kPanelRows / kGroupRows;
constexpr int64_t kCodeBytes = kGroupRows * kActBlock;
constexpr int64_t kScalesAt = kCodeBytes, kMinsAt = kCodeBytes + 2 * 16;
constexpr int64_t kBlockStride = kCodeBytes + 4 * 16;
constexpr int64_t kGroupStride = kPanelBlocks * kBlockStride;
static_assert(kPanelGroups * kGroupStride <= kPanelBytes);

HEARTH_INLINE float* factors_at(char* block, int64_t at) {
  return static_cast<float*>(static_cast<void*>(block + at));
}
HEARTH_INLINE float32x4_t load_factors(const char* block, int64_t at) {
  return vld1q_f32(static_cast<const float*>(static_cast<const void*>(block + at)));
}
HEARTH_INLINE int8x16_t load_codes(const char* p) {
  return vld1q_s8(static_cast<const int8_t*>(static_cast<const void*>(p)));
}

/// Decodes n columns. Arrangement::store(p, w) writes the codes w[row][half] of a block.
template <typename Arrangement, typename Decoder>
HEARTH_INLINE void decode_tile(void* panel, const WeightTile& tile, int64_t n) {
  for (int64_t g = 0; g < kPanelGroups; ++g) {
    TileRows rows(tile, kGroupRows * g);
    char* block = static_cast<char*>(panel) + g * kGroupStride;
    const bool share = tile.ahead_bytes > 0;  // bytes that follow one another
    const int64_t share_of_block = tile.ahead_bytes / kPanelGroups * (Decoder::kBlocks * kActBlock) / n;
    const int64_t first = share ? tile.ahead_bytes / kPanelGroups * g : kGroupRows * g * tile.ahead_stride;
    uintptr_t ahead = reinterpret_cast<uintptr_t>(tile.ahead) + static_cast<uintptr_t>(first);
    for (int64_t i = 0; i < n; i += Decoder::kBlocks * kActBlock) {
      if (share) {
        prefetch_bytes<true>(ahead, share_of_block);
        ahead += static_cast<uintptr_t>(share_of_block);
      } else if (tile.ahead != nullptr) {
#pragma GCC unroll 4
        for (int64_t r = 0; r < 4; ++r) {
          prefetch_bytes<false>(ahead + static_cast<uintptr_t>(r * tile.ahead_stride), Decoder::kBytes);
        }
        ahead += Decoder::kBytes;
      }
      typename Decoder::State state;
      Decoder::begin(state, rows.row);
      for_each_block<Decoder>([&](auto j) HEARTH_INLINE_LAMBDA {
        int8x16_t w[4][2];
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) Decoder::codes(w[r], state, r, j);
        Arrangement::store(block, w);
#pragma GCC unroll 2
        for (int half = 0; half < Decoder::kHalves; ++half) {
          vst1q_f32(factors_at(block, kScalesAt + 16 * half), state.scale[j * Decoder::kHalves + half]);
          if (Decoder::kMin) {
            vst1q_f32(factors_at(block, kMinsAt + 16 * half), state.min[j * Decoder::kHalves + half]);
          }
        }
        block += kBlockStride;
      });
      rows.advance(Decoder::kBytes);
    }
  }
}

/// MatmulKernels::put_block. Arrangement::place(row, i) is where code i of a row of a group lies.
template <typename Arrangement>
HEARTH_INLINE void put_codes(void* panel, int64_t block, int row, const Unpacked& values) {
  char* p = static_cast<char*>(panel) + row / kGroupRows * kGroupStride + block * kBlockStride;
  const int lane = row % kGroupRows;
  for (int i = 0; i < kActBlock; ++i) p[Arrangement::place(lane, i)] = static_cast<char>(values.code[i]);
  for (int half = 0; half < 2; ++half) {
    factors_at(p, kScalesAt + 16 * half)[lane] = values.scale[half];
    factors_at(p, kMinsAt + 16 * half)[lane] = values.min[half];
  }
}

/// Prefetches what the group of activations asks for with each block, shared by the passes over it: pass `pass` of
/// kPasses takes its part of the lines.
template <int kPasses>
HEARTH_INLINE void prefetch_ahead(const ActGroup& x, int64_t block, int pass) {
  const auto p = reinterpret_cast<uintptr_t>(x.ahead) + static_cast<uintptr_t>(block * x.ahead_bytes);
  for (int i = 64 * pass; i < x.ahead_bytes; i += 64 * kPasses) {
    const void* line = reinterpret_cast<const void*>(p + static_cast<uintptr_t>(i));
    if (x.ahead_far) {
      __builtin_prefetch(line, 0, 2);
    } else {
      __builtin_prefetch(line, 0, 3);
    }
  }
}

/// What was summed so far of kCols columns in acc, [column][kPanelRows], by groups of rows; zeros at first.
template <int kGroups, int kCols>
HEARTH_INLINE void load_totals(float32x4_t (&total)[kGroups][kCols], const float* acc, bool first) {
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      total[g][c] = first ? vdupq_n_f32(0.0f) : vld1q_f32(acc + c * kPanelRows + g * kGroupRows);
    }
  }
}
template <int kGroups, int kCols>
HEARTH_INLINE void store_totals(float* acc, const float32x4_t (&total)[kGroups][kCols]) {
#pragma GCC unroll 6
  for (int c = 0; c < kCols; ++c) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) vst1q_f32(acc + c * kPanelRows + g * kGroupRows, total[g][c]);
  }
}

// --- sums of products to values --------------------------------------------------------------------------------------
// The same float operations in the same order wherever products are summed: panels, a few columns, and every set.

/// total + scale * d * (the integers); d in the lane of a vector.
template <int kLane>
HEARTH_INLINE float32x4_t add_scaled(float32x4_t total, int32x4_t sum, float32x4_t scale, float32x4_t d) {
  return vfmaq_laneq_f32(total, vmulq_f32(vcvtq_f32_s32(sum), scale), d, kLane);
}
/// total - min * (the activations' sum)
template <int kLane>
HEARTH_INLINE float32x4_t less_min(float32x4_t total, float32x4_t min, float32x4_t act_sum) {
  return vfmsq_laneq_f32(total, min, act_sum, kLane);
}
/// Adds the sums of a block, or of a half of it (`block` then begins 16 bytes later), to what was summed so far.
template <bool kMin, int kGroups, int kCols>
HEARTH_INLINE void add_sums(float32x4_t (&total)[kGroups][kCols], const int32x4_t (&dot)[kGroups][kCols],
                            const char* block, const float* d, const float* act_sums) {
#pragma GCC unroll 2
  for (int g = 0; g < kGroups; ++g, block += kGroupStride) {
    const float32x4_t scale = load_factors(block, kScalesAt);
    const float32x4_t min = kMin ? load_factors(block, kMinsAt) : vdupq_n_f32(0.0f);
#pragma GCC unroll 6
    for (int c = 0; c < kCols; ++c) {
      total[g][c] = add_scaled<0>(total[g][c], dot[g][c], scale, vdupq_n_f32(d[c]));
      if (kMin) total[g][c] = less_min<0>(total[g][c], min, vdupq_n_f32(act_sums[c]));
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
