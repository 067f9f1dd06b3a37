// How this instruction set lays out codes in a panel and sums products of them: i32x4.relaxed_dot_i8x16_i7x16_add_s
// adds four products of bytes to each of four sums. Engines agree on it where one byte of each product is 0..127, so
// that the codes of weights are stored in one of three ways:
//
//   as they are   kinds with minimums, whose codes are not negative
//   + kBias       the others, where all codes lie in -kBias..kBias - 1: sums begin with -kBias times those of
//   activations as they are   codes of 8 bits: the seven low bits, and the sign bit worth -128, are multiplied one
//   after the other
//
// A mark in the panel tells the last two apart.
#pragma once

#include <type_traits>

#include "kernels/arm/quads.h"
#include "kernels/kernel_table.h"
#include "kernels/wasm/values.h"

namespace hearth::kernels::wasm_relaxed {
namespace {

using Arrangement = Quads;

constexpr int kBias = 64;
constexpr int64_t kWideMarkAt = kPanelGroups * kGroupStride;
static_assert(kWideMarkAt < kPanelBytes);

/// sums + four products of each lane; the second operand's bytes are 0..127.
HEARTH_INLINE int32x4_t add_products(int32x4_t sums, int8x16_t acts, int8x16_t codes) {
  return bits_as<int32x4_t>(
      wasm_i32x4_relaxed_dot_i8x16_i7x16_add(bits_as<v128_t>(acts), bits_as<v128_t>(codes), bits_as<v128_t>(sums)));
}

/// For a few columns: codes that are not negative.
struct Products {
  static HEARTH_INLINE int32x4_t dot_16(int8x16_t w, int8x16_t q) { return add_products(vdupq_n_s32(0), q, w); }
  static HEARTH_INLINE int32x4_t dot_32(const int8x16_t (&w)[2], const int8x16_t (&q)[2]) {
    return add_products(add_products(vdupq_n_s32(0), q[0], w[0]), q[1], w[1]);
  }
};

/// Whether some codes of a type do not lie in -kBias..kBias - 1.
constexpr bool has_wide_codes(TypeIndex type) {
  return type == TypeIndex::kQ8_0 || type == TypeIndex::kIQ4_NL || type == TypeIndex::kIQ4_XS;
}

/// Codes as a panel stores them.
template <typename Decoder, bool kWide>
struct Stored : Decoder {
  template <typename State, typename Block>
  static HEARTH_INLINE void codes(int8x16_t (&w)[2], const State& state, int row, Block block) {
    Decoder::codes(w, state, row, block);
    if constexpr (!Decoder::kMin && !kWide) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) w[half] = vaddq_s8(w[half], vdupq_n_s8(kBias));
    }
  }
};

}  // namespace
}  // namespace hearth::kernels::wasm_relaxed

#define HEARTH_DEFINE_RELAXED(Name, Decoder)                                                                 \
  void decode_##Name(void* panel, const WeightTile& tile, int64_t n) {                                       \
    constexpr bool kWide = has_wide_codes(TypeIndex::k##Name);                                               \
    decode_tile<Arrangement, Stored<Decoder, kWide>>(panel, tile, n);                                        \
    static_cast<char*>(panel)[kWideMarkAt] = kWide;                                                          \
  }                                                                                                          \
  void dot_columns_##Name(float* out, int64_t ldo, const WeightTile& tile, const void* acts, int64_t stride, \
                          int64_t k, int n_cols) {                                                           \
    using Sums = std::conditional_t<Decoder::kMin, Products, wasm::Products>;                                \
    dot_tile<Sums, Decoder>(out, ldo, tile, acts, stride, k, n_cols);                                        \
  }                                                                                                          \
  extern const int dot_most_cols_##Name = Decoder::kDotCols;
