// The kernels of this instruction set in the kernel table, and the peak of its dot products (16 multiply-adds each).
#include "kernels/wasm_relaxed/overlay.h"
#include "kernels/wasm_relaxed/values.h"

namespace hearth::kernels {
namespace wasm_relaxed {
namespace {

int64_t int8_peak(int64_t rounds) {
  constexpr int kSums = 8;
  int8x16_t a = vdupq_n_s8(3);
  int8x16_t b[kSums];
  int32x4_t sums[kSums];
#pragma GCC unroll 8
  for (int j = 0; j < kSums; ++j) {
    b[j] = vdupq_n_s8(static_cast<int8_t>(5 + j));
    sums[j] = vdupq_n_s32(0);
  }
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+m"(a));  // a new value for all that the compiler knows: none of the products may be left away
#pragma GCC unroll 8
    for (int j = 0; j < kSums; ++j) sums[j] = add_products(sums[j], a, b[j]);
  }
#pragma GCC unroll 8
  for (int j = 0; j < kSums; ++j) asm volatile("" ::"m"(sums[j]));  // all are wanted
  return rounds * kSums * 16;
}

}  // namespace
}  // namespace wasm_relaxed

void overlay_wasm_relaxed(KernelTable& table) {
  wasm_relaxed::overlay_matmul(table);
  table.int8_peak = wasm_relaxed::int8_peak;
}

}  // namespace hearth::kernels
