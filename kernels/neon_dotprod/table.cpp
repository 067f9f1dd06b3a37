// The kernels of this instruction set in the kernel table, and the peak of 8-bit dot products (SDOT, 16 multiply-adds
// each).
#include <arm_neon.h>

#include "kernels/neon_dotprod/overlay.h"

namespace hearth::kernels {
namespace neon_dotprod {
namespace {

int64_t int8_peak(int64_t rounds) {
  constexpr int kSums = 16;
  int8x16_t a = vdupq_n_s8(3);
  const int8x16_t b = vdupq_n_s8(5);
  int32x4_t sums[kSums];
#pragma GCC unroll 16
  for (int j = 0; j < kSums; ++j) sums[j] = vdupq_n_s32(0);
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+w"(a));  // a new value for all that the compiler knows
#pragma GCC unroll 16
    for (int j = 0; j < kSums; ++j) sums[j] = vdotq_s32(sums[j], a, b);
  }
#pragma GCC unroll 16
  for (int j = 0; j < kSums; ++j) asm volatile("" ::"w"(sums[j]));  // all are wanted
  return rounds * kSums * 16;
}

}  // namespace
}  // namespace neon_dotprod

void overlay_neon_dotprod(KernelTable& table) {
  neon_dotprod::overlay_matmul(table);
  table.int8_peak = neon_dotprod::int8_peak;
}

}  // namespace hearth::kernels
