// The vocabulary of vectors that kernels/simd/ is written in, in those of arm/words.h: 4 lanes.
#pragma once

#include <cstdint>

#include "kernels/arm/words.h"

namespace hearth::kernels {
namespace {

constexpr int kLanes = 4;
using Floats = float32x4_t;
using Ints = int32x4_t;
using Mask = uint32x4_t;  ///< all bits of a lane, or none

alignas(16) constexpr uint32_t kMaskWindow[8] = {~0u, ~0u, ~0u, ~0u, 0, 0, 0, 0};
alignas(16) constexpr uint32_t kLaneBits[4] = {1, 2, 4, 8};

inline Mask first_lanes(int64_t n) {
  return vld1q_u32(kMaskWindow + 4 - n);
}
inline Mask lanes_of_bits(uint64_t bits) {
  return vtstq_u32(vdupq_n_u32(static_cast<uint32_t>(bits)), vld1q_u32(kLaneBits));
}

inline Floats splat(float x) {
  return vdupq_n_f32(x);
}
inline Floats zero() {
  return vdupq_n_f32(0.0f);
}
inline Floats load(const float* p) {
  return vld1q_f32(p);
}
/// The first n < kLanes floats; the rest is 0 and not touched.
inline Floats load_n(const float* p, int64_t n) {
  Floats x = zero();
  if (n > 0) x = vld1q_lane_f32(p, x, 0);
  if (n > 1) x = vld1q_lane_f32(p + 1, x, 1);
  if (n > 2) x = vld1q_lane_f32(p + 2, x, 2);
  return x;
}
inline void store(float* p, Floats x) {
  vst1q_f32(p, x);
}
inline void store_n(float* p, Floats x, int64_t n) {
  if (n > 0) vst1q_lane_f32(p, x, 0);
  if (n > 1) vst1q_lane_f32(p + 1, x, 1);
  if (n > 2) vst1q_lane_f32(p + 2, x, 2);
}

inline Floats add(Floats a, Floats b) {
  return vaddq_f32(a, b);
}
inline Floats sub(Floats a, Floats b) {
  return vsubq_f32(a, b);
}
inline Floats mul(Floats a, Floats b) {
  return vmulq_f32(a, b);
}
inline Floats div(Floats a, Floats b) {
  return vdivq_f32(a, b);
}
/// a b + c, rounded once.
inline Floats fma(Floats a, Floats b, Floats c) {
  return vfmaq_f32(c, a, b);
}
/// c - a b, rounded once.
inline Floats fnma(Floats a, Floats b, Floats c) {
  return vfmsq_f32(c, a, b);
}
/// The second operand when either is NaN.
inline Floats max(Floats a, Floats b) {
  return larger(a, b);
}
inline Floats min(Floats a, Floats b) {
  return smaller(a, b);
}
inline Floats abs(Floats a) {
  return vabsq_f32(a);
}
/// The larger magnitude; infinity and NaN count as larger than any number.
inline Floats max_magnitude(Floats a, Floats b) {
  return vreinterpretq_f32_s32(vmaxq_s32(vreinterpretq_s32_f32(abs(a)), vreinterpretq_s32_f32(abs(b))));
}
/// Magnitude of a with the sign of b.
inline Floats copy_sign(Floats a, Floats b) {
  return vbslq_f32(vdupq_n_u32(0x80000000u), b, a);
}
inline Floats round_even(Floats a) {
  return vrndnq_f32(a);
}
/// 2^n for integral n in -126..127.
inline Floats power_of_two(Ints n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}
/// a * 2^n for integral n in -252..252, in two steps.
inline Floats scale_by_power(Floats a, Floats n) {
  const Ints whole = vcvtnq_s32_f32(n);
  const Ints half = vshrq_n_s32(whole, 1);
  return mul(mul(a, power_of_two(half)), power_of_two(vsubq_s32(whole, half)));
}
inline Mask less(Floats a, Floats b) {
  return vcltq_f32(a, b);
}
/// mask ? a : b
inline Floats select(Mask mask, Floats a, Floats b) {
  return vbslq_f32(mask, a, b);
}
inline float sum_lanes(Floats a) {
  return vaddvq_f32(a);
}
inline float max_lanes(Floats a) {
  return vmaxvq_f32(a);
}

/// Even lanes of the pair (a, b) in order, and odd lanes.
inline Floats even_lanes(Floats a, Floats b) {
  return vuzp1q_f32(a, b);
}
inline Floats odd_lanes(Floats a, Floats b) {
  return vuzp2q_f32(a, b);
}
/// The other way round: interleaves e and o into two vectors.
inline void interleave(Floats e, Floats o, Floats* low, Floats* high) {
  *low = vzip1q_f32(e, o);
  *high = vzip2q_f32(e, o);
}

/// The lower and the upper four of eight words as floats.
inline Floats low_floats(int16x8_t words) {
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
}
inline Floats high_floats(int16x8_t words) {
  return vcvtq_f32_s32(vmovl_high_s16(words));
}
/// kLanes signed bytes.
inline Floats load_bytes(const uint8_t* p) {
  uint32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  return low_floats(vmovl_s8(vcreate_s8(four)));
}
/// 16 numbers that 4-bit codes stand for.
using CodeTable = int8x16_t;
inline CodeTable make_code_table(const int8_t* values) {
  return vld1q_s8(values);
}
/// 32 elements of 16 bytes: those of the lower halves, then those of the upper ones.
inline void load_nibbles(Floats (&x)[8], const uint8_t* p, CodeTable table) {
  const uint8x16_t both = vld1q_u8(p);
  const int8x16_t low = vqtbl1q_s8(table, vandq_u8(both, vdupq_n_u8(15)));
  const int8x16_t high = vqtbl1q_s8(table, vshrq_n_u8(both, 4));
  const int16x8_t words[4] = {vmovl_s8(vget_low_s8(low)), vmovl_high_s8(low), vmovl_s8(vget_low_s8(high)),
                              vmovl_high_s8(high)};
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    x[2 * i] = low_floats(words[i]);
    x[2 * i + 1] = high_floats(words[i]);
  }
}

/// 16-bit elements.
inline uint16x4_t load_words_n(const uint16_t* p, int64_t n) {
  uint16x4_t words = vdup_n_u16(0);
  if (n > 0) words = vld1_lane_u16(p, words, 0);
  if (n > 1) words = vld1_lane_u16(p + 1, words, 1);
  if (n > 2) words = vld1_lane_u16(p + 2, words, 2);
  return words;
}
inline Floats widen_half(uint16x4_t words) {
  return vcvt_f32_f16(vreinterpret_f16_u16(words));
}
inline Floats widen_bf16(uint16x4_t words) {
  return vreinterpretq_f32_u32(vshll_n_u16(words, 16));
}
inline Floats load_half(const uint16_t* p) {
  return widen_half(vld1_u16(p));
}
inline Floats load_half_n(const uint16_t* p, int64_t n) {
  return widen_half(load_words_n(p, n));
}
inline Floats load_bf16(const uint16_t* p) {
  return widen_bf16(vld1_u16(p));
}
inline Floats load_bf16_n(const uint16_t* p, int64_t n) {
  return widen_bf16(load_words_n(p, n));
}
inline void store_half_n(uint16_t* p, Floats x, int64_t n) {
  const uint16x4_t words = vreinterpret_u16_f16(vcvt_f16_f32(x));
  if (n >= kLanes) {
    vst1_u16(p, words);
    return;
  }
  if (n > 0) vst1_lane_u16(p, words, 0);
  if (n > 1) vst1_lane_u16(p + 1, words, 1);
  if (n > 2) vst1_lane_u16(p + 2, words, 2);
}

// --- 16-bit integers in pairs: a lane of Ints holds elements 2i (low) and 2i + 1 (high) ---------------------------

inline Ints zero_ints() {
  return vdupq_n_s32(0);
}
inline Ints splat_int(int32_t x) {
  return vdupq_n_s32(x);
}
inline Ints load_ints(const int32_t* p) {
  return vld1q_s32(p);
}
inline void store_ints(int32_t* p, Ints x) {
  vst1q_s32(p, x);
}
/// sum + a.low b.low + a.high b.high
inline Ints dot_pairs(Ints sum, Ints a, Ints b) {
  return vaddq_s32(sum, dot_words(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b)));
}
/// Nearest integers, ties to even.
inline Ints to_ints(Floats x) {
  return vcvtnq_s32_f32(x);
}
inline Floats to_floats(Ints x) {
  return vcvtq_f32_s32(x);
}
/// Integers within 16 bits to pairs.
inline Ints make_pairs(Ints low, Ints high) {
  return vsliq_n_s32(low, high, 16);
}
inline Ints bit_and(Ints a, Ints b) {
  return vandq_s32(a, b);
}
inline Ints bit_or(Ints a, Ints b) {
  return vorrq_s32(a, b);
}
template <int kBits>
inline Ints shift_right(Ints x) {
  return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(x), kBits));
}
template <int kBits>
inline Ints shift_left(Ints x) {
  return vshlq_n_s32(x, kBits);
}
/// table[index] of 16 floats, 64-byte aligned.
inline Floats look_up(const float* table, Ints index) {
  const Floats low = vsetq_lane_f32(table[vgetq_lane_s32(index, 1)], vdupq_n_f32(table[vgetq_lane_s32(index, 0)]), 1);
  return vsetq_lane_f32(table[vgetq_lane_s32(index, 3)], vsetq_lane_f32(table[vgetq_lane_s32(index, 2)], low, 2), 3);
}
/// table[byte] for every byte, below 16.
inline Ints lookup_bytes(Ints x, const uint8_t* table) {
  return vreinterpretq_s32_u8(vqtbl1q_u8(vld1q_u8(table), vreinterpretq_u8_s32(x)));
}

}  // namespace
}  // namespace hearth::kernels
