// How this instruction set lays out codes in a panel: SMMLA multiplies two rows of eight codes by two columns of eight
// activations and adds to four sums, [row 0, column 0], [row 0, column 1], [row 1, column 0], [row 1, column 1].
#pragma once

#include "kernels/arm/panel.h"

namespace hearth::kernels::neon_i8mm {
namespace {

/// [4 steps of 8 columns][2 pairs of rows][2 rows][8 columns]
struct Arrangement {
  static constexpr int place(int row, int i) { return i / 8 * 32 + row * 8 + i % 8; }
  static HEARTH_INLINE void store(char* p, const int8x16_t (&w)[4][2]) {
    auto* out = static_cast<int64_t*>(static_cast<void*>(p));
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      int64x2_t row[4];
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) row[r] = vreinterpretq_s64_s8(w[r][half]);
      vst1q_s64(out + 8 * half, vzip1q_s64(row[0], row[1]));
      vst1q_s64(out + 8 * half + 2, vzip1q_s64(row[2], row[3]));
      vst1q_s64(out + 8 * half + 4, vzip2q_s64(row[0], row[1]));
      vst1q_s64(out + 8 * half + 6, vzip2q_s64(row[2], row[3]));
    }
  }
};

}  // namespace
}  // namespace hearth::kernels::neon_i8mm

/// Defines decode_<Name> in the namespace of this set. A few columns gain nothing from products of two by two, and are
/// the base's.
#define HEARTH_DEFINE_DECODER(Name, Decoder)                           \
  void decode_##Name(void* panel, const WeightTile& tile, int64_t n) { \
    decode_tile<Arrangement, Decoder>(panel, tile, n);                 \
  }
