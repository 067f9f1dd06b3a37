// How this instruction set lays out codes in a panel and sums products of them: rows as they are, 16 products at a time
// by SMULL and SMLAL2, two of which fit 16 bits (2 * 127 * 128), then added in pairs to sums of 32 bits.
#pragma once

#include "kernels/arm/dot.h"

namespace hearth::kernels::neon {
namespace {

/// [4 rows][32 columns]
struct Arrangement {
  static constexpr int place(int row, int i) { return row * kActBlock + i; }
  static HEARTH_INLINE void store(char* p, const int8x16_t (&w)[4][2]) {
    auto* out = static_cast<int8_t*>(static_cast<void*>(p));
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      vst1q_s8(out + r * kActBlock, w[r][0]);
      vst1q_s8(out + r * kActBlock + 16, w[r][1]);
    }
  }
};

struct Products {
  static HEARTH_INLINE int16x8_t words(int8x16_t w, int8x16_t q) {
    return vmlal_high_s8(vmull_s8(vget_low_s8(w), vget_low_s8(q)), w, q);
  }
  static HEARTH_INLINE int32x4_t dot_16(int8x16_t w, int8x16_t q) { return vpaddlq_s16(words(w, q)); }
  static HEARTH_INLINE int32x4_t dot_32(const int8x16_t (&w)[2], const int8x16_t (&q)[2]) {
    return vpadalq_s16(vpaddlq_s16(words(w[0], q[0])), words(w[1], q[1]));
  }
};

}  // namespace
}  // namespace hearth::kernels::neon
