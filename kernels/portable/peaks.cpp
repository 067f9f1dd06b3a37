// A loop that measures the machine: products of words added to integers, eight multiply-adds each, as compilers make
// them.
#include "kernels/portable/overlay.h"
#include "kernels/portable/vectors.h"

namespace hearth::kernels::portable {
namespace {

int64_t int8_peak(int64_t rounds) {
  constexpr int kSums = 8;
  I16x8 a = {3, 3, 3, 3, 3, 3, 3, 3};
  const I16x8 b = {5, 5, 5, 5, 5, 5, 5, 5};
  I32x4 sums[kSums] = {};
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+m"(a));  // a new value for all that the compiler knows: none of the products may be left away
#pragma GCC unroll 8
    for (int j = 0; j < kSums; ++j) sums[j] += multiply_add_words(a, b + static_cast<int16_t>(j));
  }
#pragma GCC unroll 8
  for (int j = 0; j < kSums; ++j) asm volatile("" ::"m"(sums[j]));  // all are wanted
  return rounds * kSums * 8;
}

}  // namespace

void overlay_peaks(KernelTable& table) {
  table.int8_peak = int8_peak;
}

}  // namespace hearth::kernels::portable
