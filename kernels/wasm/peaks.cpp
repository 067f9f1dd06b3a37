// A loop that measures the machine: the peak of products of words added in pairs (i32x4.dot_i16x8_s, eight
// multiply-adds each).
#include "kernels/arm/words.h"
#include "kernels/wasm/overlay.h"

namespace hearth::kernels::wasm {
namespace {

int64_t int8_peak(int64_t rounds) {
  constexpr int kSums = 8;
  int16x8_t a = vdupq_n_s16(3);
  int16x8_t b[kSums];
  int32x4_t sums[kSums];
#pragma GCC unroll 8
  for (int j = 0; j < kSums; ++j) {
    b[j] = vdupq_n_s16(static_cast<int16_t>(5 + j));
    sums[j] = vdupq_n_s32(0);
  }
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+m"(a));  // a new value for all that the compiler knows: none of the products may be left away
#pragma GCC unroll 8
    for (int j = 0; j < kSums; ++j) sums[j] = vaddq_s32(sums[j], dot_words(a, b[j]));
  }
#pragma GCC unroll 8
  for (int j = 0; j < kSums; ++j) asm volatile("" ::"m"(sums[j]));  // all are wanted
  return rounds * kSums * 8;
}

}  // namespace

void overlay_peaks(KernelTable& table) {
  table.int8_peak = int8_peak;
}

}  // namespace hearth::kernels::wasm
