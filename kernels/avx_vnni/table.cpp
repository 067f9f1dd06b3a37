// The kernels of this instruction set in the kernel table, and the peak of 8-bit dot products (VPDPBUSD, 32
// multiply-adds each).
#include "kernels/avx_vnni/overlay.h"
#include "kernels/avx_vnni/values.h"

namespace hearth::kernels {
namespace avx_vnni {
namespace {

int64_t int8_peak(int64_t rounds) {
  constexpr int kSums = 12;
  const __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  __m256i sums[kSums];
#pragma GCC unroll 16
  for (int j = 0; j < kSums; ++j) sums[j] = _mm256_setzero_si256();
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int j = 0; j < kSums; ++j) sums[j] = in_order(add_dots(sums[j], a, b));
  }
#pragma GCC unroll 16
  for (int j = 0; j < kSums; ++j) asm volatile("" ::"x"(sums[j]));  // all are wanted
  return rounds * kSums * 32;
}

}  // namespace
}  // namespace avx_vnni

void overlay_avx_vnni(KernelTable& table) {
  avx_vnni::overlay_matmul(table);
  table.int8_peak = avx_vnni::int8_peak;
}

}  // namespace hearth::kernels
