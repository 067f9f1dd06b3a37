// Decoders for 64-bit ARM: what they are asked, and the way through a tile. A decoder takes a block of four neighboring
// rows at once:
//
//   kBlocks           blocks of 32 columns in it, kBytes long
//   kHalves           scales in 32 columns, 1 or 2
//   kMin              whether values have minimums
//   State             what begin() finds out once a block: scale[kBlocks * kHalves], a lane is a row; min[] likewise
//   begin(state, rows)
//   codes(w, state, r, j)   the 32 codes of block j of row r, as signed bytes; j is a BlockIndex
//   kUnroll           blocks that differ in more than where they lie: so many are written out, the others are a loop
//   kDotCols          most columns of dot_columns
//
// What is done with these is up to the sets: a panel (panel.h), or products (dot.h).
#pragma once

#include "kernels/arm/bytes.h"
#include "kernels/matmul_kernels.h"

namespace hearth::kernels {
namespace {

/// kUnroll of superblocks that need `blocks` of them written out, and differ in shifts of bytes (down()) besides.
constexpr int shift_unroll(int blocks) {
  return kShiftsAreConstant ? 8 : blocks;
}

/// Block base + kPart of a decoder's: base is a multiple of its kUnroll, kPart below that, which shifts want as a
/// constant.
template <int kPart>
struct BlockIndex {
  int base;
  constexpr operator int() const { return base + kPart; }
};

/// f.template operator()<n>() for a number of columns.
template <typename F>
HEARTH_INLINE void with_columns(int n, const F& f) {
  switch (n) {
    case 1: return f.template operator()<1>();
    case 2: return f.template operator()<2>();
    case 3: return f.template operator()<3>();
    case 4: return f.template operator()<4>();
    case 5: return f.template operator()<5>();
    default: return f.template operator()<6>();
  }
}

/// Calls f(BlockIndex) for a decoder's blocks, kUnroll of them in a turn of a loop.
template <typename Decoder, typename F>
HEARTH_INLINE void for_each_block(const F& f) {
#pragma GCC unroll 1
  for (int base = 0; base < Decoder::kBlocks; base += Decoder::kUnroll) {
    each<0, Decoder::kUnroll>([&]<int j>() HEARTH_INLINE_LAMBDA { f(BlockIndex<j>{base}); });
  }
}

/// Scales and minimums of a block of four rows, and where these are.
template <int kFactors, bool kMin>
struct BlockState {
  const uint8_t* row[4];
  float32x4_t scale[kFactors];
  float32x4_t min[kMin ? kFactors : 1];
};

/// First bytes of four rows of a tile; one that the tile lacks is replaced by its last.
struct TileRows {
  const uint8_t* row[4];

  HEARTH_INLINE TileRows(const WeightTile& tile, int64_t first) {
    const auto* data = static_cast<const uint8_t*>(tile.data);
    const int64_t last = tile.n_rows - 1;
#pragma GCC unroll 4
    for (int64_t r = 0; r < 4; ++r) row[r] = data + (first + r < last ? first + r : last) * tile.row_bytes;
  }
  HEARTH_INLINE void advance(int64_t bytes) {
#pragma GCC unroll 4
    for (const uint8_t*& p : row) p += bytes;
  }
};

/// Prefetches `bytes` from p on, any address, into the first-level cache, or into the second.
template <bool kFar>
HEARTH_INLINE void prefetch_bytes(uintptr_t p, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) {
    __builtin_prefetch(reinterpret_cast<const void*>(p + static_cast<uintptr_t>(i)), 0, kFar ? 2 : 3);
  }
}

}  // namespace
}  // namespace hearth::kernels
