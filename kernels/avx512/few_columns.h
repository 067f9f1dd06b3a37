// Products of few columns without a panel of a whole tile: a strip of it, 16 rows and up to a superblock, is decoded
// and multiplied at once. So short a piece is multiplied while the processor already reads memory for the next, which
// with panels take turns; and no type needs code of its own but its decoder's.
#pragma once

#include "kernels/avx512/panel.h"

namespace hearth::kernels::avx512 {
namespace {

/// Row i of each of 16 lanes of a tile. A lane takes consecutive rows one after the other: each of the 16 streams
/// through memory is long, as hardware prefetchers and DRAM pages like it. At its end it prefetches where its lane
/// begins in the next tile.
struct LaneRows {
  Rows rows;
  int i, per_lane, n_rows;
  int64_t leaves_at;  ///< the byte of the row from where on the next tile is ahead
  uintptr_t next;     ///< what is ahead then, less that byte

  static int rows_per_lane(const WeightTile& tile) { return (tile.n_rows + 15) / 16; }

  inline __attribute__((always_inline)) LaneRows(const WeightTile& tile, int first)
      : rows(tile, first, rows_per_lane(tile)), i(first), per_lane(rows_per_lane(tile)), n_rows(tile.n_rows) {
    constexpr int64_t kAhead = 512;  // bytes of each stream prefetched before use
    rows.ahead = reinterpret_cast<uintptr_t>(rows.row[0]) + kAhead;
    rows.ahead_stride = per_lane * tile.row_bytes;
    rows.per_row = 0;  // as it is; said here, the compiler leaves out what would be done otherwise
    const int64_t left_in_lane = rows.ahead_stride - first * tile.row_bytes;
    const bool something_follows = tile.ahead != nullptr;
    leaves_at = something_follows ? left_in_lane - kAhead : INT64_MAX;
    next = reinterpret_cast<uintptr_t>(something_follows ? tile.ahead : tile.data) +
           static_cast<uintptr_t>(kAhead - left_in_lane);
  }
  /// Before what begins at byte `at` of the rows.
  inline __attribute__((always_inline)) void come_to(int64_t at) {
    if (at >= leaves_at) rows.ahead = next;
  }
  /// Results of a column, out[row].
  inline __attribute__((always_inline)) void store(float* out, __m512 total) const {
    alignas(64) float values[16];
    _mm512_store_ps(values, total);
    for (int lane = 0; lane * per_lane + i < n_rows; ++lane) out[lane * per_lane + i] = values[lane];
  }
};

constexpr int kStripBlocks = 8;                                // of 32, most that are decoded at once: a superblock
constexpr int64_t kChunk = int64_t{kPanelBlocks} * kActBlock;  // elements of activations that lie together

}  // namespace

/// out[c * ldo + r] = row r of a tile times column c of n_cols (at most kGroupCols), to the bits of a panel's product;
/// acts as for dot_columns.
void few_columns(const RowsDecoder& type, float* out, int64_t ldo, const WeightTile& tile, const void* acts,
                 int64_t stride, int64_t k, int n_cols);

}  // namespace hearth::kernels::avx512
