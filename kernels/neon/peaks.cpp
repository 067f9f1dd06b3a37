// Loops that measure the machine: the peak of 8-bit products (SMULL, SMLAL2 and SADALP: 16 multiply-adds), and reading.
#include <arm_neon.h>

#include "kernels/neon/overlay.h"

namespace hearth::kernels::neon {
namespace {

int64_t int8_peak(int64_t rounds) {
  constexpr int kSums = 12;
  int8x16_t a = vdupq_n_s8(3);
  const int8x16_t b = vdupq_n_s8(5);
  int32x4_t sums[kSums];
#pragma GCC unroll 16
  for (int j = 0; j < kSums; ++j) sums[j] = vdupq_n_s32(0);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int j = 0; j < kSums; ++j) {
      asm volatile("" : "+w"(a));  // a new value for all that the compiler knows: none of the products may be left away
      sums[j] = vpadalq_s16(sums[j], vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b));
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < kSums; ++j) asm volatile("" ::"w"(sums[j]));  // all are wanted
  return rounds * kSums * 16;
}

uint64_t read_once(const void* bytes, int64_t n) {
  uint64x2_t mix[8];
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) mix[j] = vdupq_n_u64(0);
  const auto* p = static_cast<const uint64_t*>(bytes);
  for (int64_t i = 0; i < n / 8; i += 16) {
#pragma GCC unroll 8
    for (int64_t j = 0; j < 8; ++j) mix[j] = veorq_u64(mix[j], vld1q_u64(p + i + 2 * j));
  }
#pragma GCC unroll 8
  for (int j = 1; j < 8; ++j) mix[0] = veorq_u64(mix[0], mix[j]);
  return vgetq_lane_u64(mix[0], 0) ^ vgetq_lane_u64(mix[0], 1);
}

}  // namespace

void overlay_peaks(KernelTable& table) {
  table.int8_peak = int8_peak;
  table.read_once = read_once;
}

}  // namespace hearth::kernels::neon
