// Products of a single column without a panel: the same integers and the same float operations as in the panel's loop
// (matmul.cpp).
#pragma once

#include "kernels/avx_vnni/panel.h"
#include "kernels/x86/dot_tile.h"

namespace hearth::kernels::avx_vnni {
namespace {

/// Sums of products are moved to the lanes of their rows.
template <typename Decoder>
struct ColumnWriter : RowsInHalves, SuperblockFloats<ColumnWriter<Decoder>> {
  using Values = ValuesOf<Decoder>;
  static constexpr int kHalves = Values::kHalves;
  __m256 total[1];
  const int8_t* q;              ///< codes of the column from block 0 on
  const float* d;               ///< scales
  const float* sums;            ///< sum32 or sum16
  const int32_t* init;          ///< init32 or init16
  __m256i part[8][kHalves][4];  ///< sums of products of rows i and i + 4
  __m256i dot[8][kHalves];
  __m256 scales[8][kHalves];
  __m256 mins[8][kHalves];

  HEARTH_INLINE void begin(const ActGroup& x) {
    q = x.q;
    d = x.d;
    sums = (kHalves == 1) ? x.sum32 : x.sum16;
    init = (kHalves == 1) ? x.init32 : x.init16;
  }
  HEARTH_INLINE void scale(int block, int half, __m256 value) { scales[block][half] = value; }
  HEARTH_INLINE void min(int block, int half, __m256 value) { mins[block][half] = value; }
  HEARTH_INLINE void code(int block, int index, __m256i bytes) {
    const int half = index / 4, i = kHalves == 2 ? half : 0;
    const auto* acts = static_cast<const uint8_t*>(static_cast<const void*>(q)) + block * 32 + half * 16;
    const bool first = kHalves == 2 || half == 0;
    __m256i& sum = part[block][i][index % 4];
    sum = add_dots(first ? _mm256_setzero_si256() : sum, Values::to_unsigned(bytes),
                   _mm256_broadcastsi128_si256(load_16(acts)));
    if (index % 4 == 3 && (kHalves == 2 || half == 1)) {
      dot[block][i] = _mm256_add_epi32(row_sums<Adder<32>>(part[block][i]), splat_dword(init + block * kHalves + i));
    }
  }

  /// Adds kBlocks blocks in their order and goes on to those behind them.
  template <int kBlocks>
  HEARTH_INLINE void done() {
#pragma GCC unroll 8
    for (int block = 0; block < kBlocks; ++block) {
#pragma GCC unroll 2
      for (int half = 0; half < kHalves; ++half) {
        const __m256 factor = scales[block][half], magic = _mm256_mul_ps(factor, _mm256_set1_ps(kMagic));
        const __m256 scaled = scale_sum(dot[block][half], factor, magic);
        total[0] = _mm256_fmadd_ps(scaled, _mm256_broadcast_ss(d + block), total[0]);
        if (Values::kMin) {
          const __m256 sum = _mm256_broadcast_ss(sums + block * kHalves + half);
          total[0] = _mm256_fnmadd_ps(mins[block][half], sum, total[0]);
        }
      }
    }
    q += kBlocks * kActBlock;
    d += kBlocks;
    sums += kBlocks * kHalves;
    init += kBlocks * kHalves;
  }
};

struct DotWriters {
  static constexpr int kMostCols = 1;
  template <typename Decoder>
  using One = ColumnWriter<Decoder>;
};

}  // namespace
}  // namespace hearth::kernels::avx_vnni
