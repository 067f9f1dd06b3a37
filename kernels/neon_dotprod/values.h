// How this instruction set lays out codes in a panel and sums products of them: SDOT adds four products to each of four
// sums of 32 bits. In a panel a lane is a row, and the four codes of a column come from a lane of a register.
#pragma once

#include "kernels/arm/quads.h"

namespace hearth::kernels::neon_dotprod {
namespace {

using Arrangement = Quads;

struct Products {
  static HEARTH_INLINE int32x4_t dot_16(int8x16_t w, int8x16_t q) { return vdotq_s32(vdupq_n_s32(0), w, q); }
  static HEARTH_INLINE int32x4_t dot_32(const int8x16_t (&w)[2], const int8x16_t (&q)[2]) {
    return vdotq_s32(vdotq_s32(vdupq_n_s32(0), w[0], q[0]), w[1], q[1]);
  }
};

}  // namespace
}  // namespace hearth::kernels::neon_dotprod
