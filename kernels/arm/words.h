// The words that files here and in neon/ are written in: those of Advanced SIMD, which WebAssembly has by
// wasm_words.h, and a few for which the two have different instructions.
#pragma once

#if defined(__wasm__)
#include "kernels/arm/wasm_words.h"
#else
#include <arm_neon.h>
#endif

#include <cstdint>

namespace hearth::kernels {
namespace {

#if defined(__wasm__)
/// Whether shifting all bytes alike wants a constant, so that loops over what is shifted differently are written out.
constexpr bool kShiftsAreConstant = true;
/// Vectors that a processor holds in registers: those of x86, which has fewest.
constexpr int kVectorRegisters = 16;

/// Every byte shifted right by `bits`, or left where that is negative. Bits that a byte has lost are anything.
HEARTH_WORD uint8x16_t down(uint8x16_t v, int bits) {
  const auto words = bits_as<uint16x8_t>(v);
  return bits_as<uint8x16_t>(bits >= 0 ? words >> static_cast<uint16_t>(bits) : words << static_cast<uint16_t>(-bits));
}
/// a.low b.low + a.high b.high of pairs of words.
HEARTH_WORD int32x4_t dot_words(int16x8_t a, int16x8_t b) {
  return bits_as<int32x4_t>(wasm_i32x4_dot_i16x8(bits_as<v128_t>(a), bits_as<v128_t>(b)));
}
/// Each lane of sum with two of the eight products of words, whichever.
HEARTH_WORD int32x4_t add_word_products(int32x4_t sum, int16x8_t a, int16x8_t b) {
  return sum + dot_words(a, b);
}
/// The larger, the smaller; the second operand when either is NaN.
HEARTH_WORD float32x4_t larger(float32x4_t a, float32x4_t b) {
  return bits_as<float32x4_t>(wasm_f32x4_pmax(bits_as<v128_t>(b), bits_as<v128_t>(a)));
}
HEARTH_WORD float32x4_t smaller(float32x4_t a, float32x4_t b) {
  return bits_as<float32x4_t>(wasm_f32x4_pmin(bits_as<v128_t>(b), bits_as<v128_t>(a)));
}
#else
constexpr bool kShiftsAreConstant = false;
constexpr int kVectorRegisters = 32;

inline uint8x16_t down(uint8x16_t v, int bits) {
  return vshlq_u8(v, vdupq_n_s8(static_cast<int8_t>(-bits)));
}
inline int32x4_t dot_words(int16x8_t a, int16x8_t b) {
  return vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b));
}
inline int32x4_t add_word_products(int32x4_t sum, int16x8_t a, int16x8_t b) {
  return vmlal_high_s16(vmlal_s16(sum, vget_low_s16(a), vget_low_s16(b)), a, b);
}
inline float32x4_t larger(float32x4_t a, float32x4_t b) {
  return vbslq_f32(vcgtq_f32(a, b), a, b);
}
inline float32x4_t smaller(float32x4_t a, float32x4_t b) {
  return vbslq_f32(vcltq_f32(a, b), a, b);
}
#endif

}  // namespace
}  // namespace hearth::kernels
