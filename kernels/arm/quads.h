// Codes of a panel four by four, for instructions that add four products of bytes to each of four sums: a lane is a
// row.
#pragma once

#include "kernels/arm/dot.h"

namespace hearth::kernels {
namespace {

/// [8 steps][4 rows][4 columns]
struct Quads {
  static constexpr int place(int row, int i) { return i / 4 * 4 * kGroupRows + row * 4 + i % 4; }
  static HEARTH_INLINE void store(char* p, const int8x16_t (&w)[4][2]) {
    auto* out = static_cast<int8_t*>(static_cast<void*>(p));
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      int32x4_t row[4];
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) row[r] = vreinterpretq_s32_s8(w[r][half]);
      const int32x4_t even_low = vzip1q_s32(row[0], row[2]), even_high = vzip2q_s32(row[0], row[2]);
      const int32x4_t odd_low = vzip1q_s32(row[1], row[3]), odd_high = vzip2q_s32(row[1], row[3]);
      vst1q_s8(out + 64 * half, vreinterpretq_s8_s32(vzip1q_s32(even_low, odd_low)));
      vst1q_s8(out + 64 * half + 16, vreinterpretq_s8_s32(vzip2q_s32(even_low, odd_low)));
      vst1q_s8(out + 64 * half + 32, vreinterpretq_s8_s32(vzip1q_s32(even_high, odd_high)));
      vst1q_s8(out + 64 * half + 48, vreinterpretq_s8_s32(vzip2q_s32(even_high, odd_high)));
    }
  }
};

}  // namespace
}  // namespace hearth::kernels
