// What decoders prefetch while they read some rows of a tile at a time, for every x86 instruction set.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/matmul_kernels.h"

namespace hearth::kernels {

/// What some rows of a tile fetch while they are decoded. Any address.
struct Ahead {
  uintptr_t ahead = 0;  ///< where that of the first of them begins; 0: nothing
  int64_t ahead_stride = 0;
  // Where the tile names bytes that follow one another (WeightTile::ahead_bytes):
  int64_t per_row = 0;   ///< those that belong to a row of a block; 0: rows are fetched as they lie
  int64_t per_byte = 0;  ///< those that belong to a byte of a row, in 256ths

  /// For rows [first, first + of_rows) and n_blocks of a type.
  inline __attribute__((always_inline)) void take_share(const WeightTile& tile, int64_t first, int64_t of_rows,
                                                        int64_t n_blocks, int64_t block_bytes) {
    const auto begin = reinterpret_cast<uintptr_t>(tile.ahead);
    if (begin == 0) return;
    if (tile.ahead_bytes == 0) {
      ahead = begin + static_cast<uintptr_t>(first * tile.ahead_stride);
      ahead_stride = tile.ahead_stride;
      return;
    }
    const int64_t share = tile.ahead_bytes * of_rows / kPanelRows;
    per_row = share / (of_rows * n_blocks);
    if (per_row == 0) return;  // so few bytes are not worth it
    ahead = begin + static_cast<uintptr_t>(tile.ahead_bytes * first / kPanelRows);
    per_byte = 256 * share / (n_blocks * block_bytes);
  }

  /// Prefetches what belongs to byte `at` of rows [first, first + n) where bytes follow one another.
  inline __attribute__((always_inline)) void prefetch_share(int64_t at, int64_t first, int64_t n) const {
    const uintptr_t p = ahead + static_cast<uintptr_t>((at * per_byte >> 8) + first * per_row);
#pragma GCC unroll 1
    for (uintptr_t i = 0; i < static_cast<uintptr_t>(n * per_row); i += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(p + i), _MM_HINT_T1);
    }
  }

  /// Prefetches what belongs to byte `at` of rows [first, first + kCount): kLines cache lines of each, if they are
  /// fetched as they lie.
  template <int kLines, int kCount>
  inline __attribute__((always_inline)) void prefetch(int64_t at, int first) const {
    if (ahead == 0) return;
    if (per_row > 0) return prefetch_share(at, first, kCount);
    uintptr_t p = ahead + static_cast<uintptr_t>(at + first * ahead_stride);
#pragma GCC unroll 16
    for (int r = 0; r < kCount; ++r, p += static_cast<uintptr_t>(ahead_stride)) {
#pragma GCC unroll 4
      for (uintptr_t line = 0; line < kLines; ++line) {
        _mm_prefetch(reinterpret_cast<const char*>(p + 64 * line), _MM_HINT_T0);
      }
    }
  }
};

}  // namespace hearth::kernels
