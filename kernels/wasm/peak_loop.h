// The loop that measures the peak of an instruction of WebAssembly.
#pragma once

#include "kernels/arm/words.h"

namespace hearth::kernels::wasm {
namespace {

/// add(sums, a, b) for eight sums and eight different b, `rounds` times. Returns the multiply-adds, `per_add` of each.
template <typename Vector, typename Add>
inline int64_t measure_products(int64_t rounds, int per_add, Vector a, Vector b, Add add) {
  constexpr int kSums = 8;
  Vector others[kSums];
  int32x4_t sums[kSums];
#pragma GCC unroll 8
  for (int j = 0; j < kSums; ++j) {
    others[j] = b;
    b = b + a;
    sums[j] = vdupq_n_s32(0);
  }
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+m"(a));  // a new value for all that the compiler knows: none of the products may be left away
#pragma GCC unroll 8
    for (int j = 0; j < kSums; ++j) sums[j] = add(sums[j], a, others[j]);
  }
#pragma GCC unroll 8
  for (int j = 0; j < kSums; ++j) asm volatile("" ::"m"(sums[j]));  // all are wanted
  return rounds * kSums * per_add;
}

}  // namespace
}  // namespace hearth::kernels::wasm
