// The kernels of this instruction set in the kernel table, and the peak of 8-bit products (SMMLA, 32 multiply-adds
// each).
#include <arm_neon.h>

#include "kernels/neon_i8mm/overlay.h"

namespace hearth::kernels {
namespace neon_i8mm {
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
    for (int j = 0; j < kSums; ++j) sums[j] = vmmlaq_s32(sums[j], a, b);
  }
#pragma GCC unroll 16
  for (int j = 0; j < kSums; ++j) asm volatile("" ::"w"(sums[j]));  // all are wanted
  return rounds * kSums * 32;
}

}  // namespace
}  // namespace neon_i8mm

void overlay_neon_i8mm(KernelTable& table) {
  neon_i8mm::overlay_matmul(table);
  table.int8_peak = neon_i8mm::int8_peak;
}

}  // namespace hearth::kernels
