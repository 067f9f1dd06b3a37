// How this instruction set lays out codes in a panel and sums products of them: words of 16 bits, whose products are
// added in pairs to sums of 32 bits (i32x4.dot_i16x8_s), are what processors multiply fastest here. Codes are bytes in
// memory, and made wider as they are loaded.
#pragma once

#include "kernels/arm/dot.h"

namespace hearth::kernels::wasm {
namespace {

/// [16 steps][4 rows][2 columns]
struct Arrangement {
  static constexpr int place(int row, int i) { return i / 2 * 2 * kGroupRows + row * 2 + i % 2; }
  static HEARTH_INLINE void store(char* p, const int8x16_t (&w)[4][2]) {
    auto* out = static_cast<int8_t*>(static_cast<void*>(p));
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half, out += 64) {
      int16x8_t row[4];
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) row[r] = bits_as<int16x8_t>(w[r][half]);
      const auto low_01 = bits_as<int32x4_t>(__builtin_shufflevector(row[0], row[1], 0, 8, 1, 9, 2, 10, 3, 11));
      const auto high_01 = bits_as<int32x4_t>(__builtin_shufflevector(row[0], row[1], 4, 12, 5, 13, 6, 14, 7, 15));
      const auto low_23 = bits_as<int32x4_t>(__builtin_shufflevector(row[2], row[3], 0, 8, 1, 9, 2, 10, 3, 11));
      const auto high_23 = bits_as<int32x4_t>(__builtin_shufflevector(row[2], row[3], 4, 12, 5, 13, 6, 14, 7, 15));
      vst1q_s8(out, bits_as<int8x16_t>(__builtin_shufflevector(low_01, low_23, 0, 4, 1, 5)));
      vst1q_s8(out + 16, bits_as<int8x16_t>(__builtin_shufflevector(low_01, low_23, 2, 6, 3, 7)));
      vst1q_s8(out + 32, bits_as<int8x16_t>(__builtin_shufflevector(high_01, high_23, 0, 4, 1, 5)));
      vst1q_s8(out + 48, bits_as<int8x16_t>(__builtin_shufflevector(high_01, high_23, 2, 6, 3, 7)));
    }
  }
};

struct Products {
  static HEARTH_INLINE int32x4_t dot_16(int8x16_t w, int8x16_t q) {
    return dot_words(vmovl_s8(w), vmovl_s8(q)) + dot_words(vmovl_high_s8(w), vmovl_high_s8(q));
  }
  static HEARTH_INLINE int32x4_t dot_32(const int8x16_t (&w)[2], const int8x16_t (&q)[2]) {
    return dot_16(w[0], q[0]) + dot_16(w[1], q[1]);
  }
};

}  // namespace
}  // namespace hearth::kernels::wasm
