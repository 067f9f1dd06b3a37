// What files for 64-bit ARM are written with: loading, splitting and moving of bytes in registers of 128 bits, four
// rows side by side, and loops that the compiler cannot leave rolled.
#pragma once

#include <cstdint>

#include "kernels/arm/words.h"

/// Kernels are inlined whatever their size: their registers are assigned as a whole.
#define HEARTH_INLINE inline __attribute__((always_inline))
/// The same of a lambda.
#define HEARTH_INLINE_LAMBDA __attribute__((always_inline))

namespace hearth::kernels {
namespace {

/// Calls f.template operator()<i>() for i = kFrom..kTo - 1: instructions want lanes and distances as constants.
template <int kFrom, int kTo, typename F>
HEARTH_INLINE void each(F&& f) {
  if constexpr (kFrom < kTo) {
    f.template operator()<kFrom>();
    each<kFrom + 1, kTo>(f);
  }
}

HEARTH_INLINE uint8x16_t load_16(const void* p) {
  return vld1q_u8(static_cast<const uint8_t*>(p));
}
HEARTH_INLINE uint8x16_t low_nibbles(uint8x16_t v) {
  return vandq_u8(v, vdupq_n_u8(15));
}
HEARTH_INLINE uint8x16_t high_nibbles(uint8x16_t v) {
  return vshrq_n_u8(v, 4);
}
HEARTH_INLINE int8x16_t as_signed(uint8x16_t v) {
  return vreinterpretq_s8_u8(v);
}
/// kBits bits at bit kShift of every byte, moved to bit kTo; the others zero.
template <int kShift, int kTo, int kBits>
HEARTH_INLINE uint8x16_t bits_at(uint8x16_t v) {
  constexpr uint8_t kMask = ((1 << kBits) - 1) << kTo;
  if constexpr (kShift > kTo) {
    const uint8x16_t moved = vshrq_n_u8(v, kShift - kTo);
    return kShift + kBits == 8 && kTo == 0 ? moved : vandq_u8(moved, vdupq_n_u8(kMask));
  } else if constexpr (kShift < kTo) {
    const uint8x16_t moved = vshlq_n_u8(v, kTo - kShift);
    return vandq_u8(moved, vdupq_n_u8(kMask));
  } else {
    return vandq_u8(v, vdupq_n_u8(kMask));
  }
}

/// 0xff in the bytes whose bit of 16 is set, where bit i belongs to byte i.
HEARTH_INLINE uint8x16_t bytes_of_bits(uint32_t bits) {
  const uint8x16_t both = vreinterpretq_u8_u16(vdupq_n_u16(static_cast<uint16_t>(bits)));
  const uint8x16_t low = vdupq_laneq_u8(both, 0), high = vdupq_laneq_u8(both, 1);
  const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
  return vtstq_u8(vcombine_u8(vget_low_u8(low), vget_low_u8(high)), bit);
}

// --- four rows: a lane is a row --------------------------------------------------------------------------------------

using FourRows = const uint8_t* const (&)[4];

/// The dword at `at` of each row.
HEARTH_INLINE uint32x4_t dwords_of(FourRows rows, int64_t at) {
  uint32_t v[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) __builtin_memcpy(v + r, rows[r] + at, 4);
  const uint32x2_t low = vcreate_u32(uint64_t{v[1]} << 32 | v[0]), high = vcreate_u32(uint64_t{v[3]} << 32 | v[2]);
  return vcombine_u32(low, high);
}
/// The half-precision number at `at` of each row.
HEARTH_INLINE float32x4_t halves_of(FourRows rows, int64_t at) {
  uint64_t all = 0;
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    uint16_t half;
    __builtin_memcpy(&half, rows[r] + at, 2);
    all |= uint64_t{half} << (16 * r);
  }
  return vcvt_f32_f16(vcreate_f16(all));
}
/// Lower and upper 16 bits of each dword as half-precision numbers.
HEARTH_INLINE float32x4_t low_halves(uint32x4_t dwords) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(dwords)));
}
HEARTH_INLINE float32x4_t high_halves(uint32x4_t dwords) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vshrn_n_u32(dwords, 16)));
}
/// 16 bytes at `at` of each row: out[i] has dword i of every row.
HEARTH_INLINE void transpose_16_bytes(uint32x4_t out[4], FourRows rows, int64_t at) {
  uint32x4_t v[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) v[r] = vreinterpretq_u32_u8(load_16(rows[r] + at));
  const uint32x4_t even_low = vzip1q_u32(v[0], v[2]), even_high = vzip2q_u32(v[0], v[2]);
  const uint32x4_t odd_low = vzip1q_u32(v[1], v[3]), odd_high = vzip2q_u32(v[1], v[3]);
  out[0] = vzip1q_u32(even_low, odd_low);
  out[1] = vzip2q_u32(even_low, odd_low);
  out[2] = vzip1q_u32(even_high, odd_high);
  out[3] = vzip2q_u32(even_high, odd_high);
}
/// Byte kByte of each dword as a float, of the bits of `mask` alone; and of signed bytes.
template <int kByte>
HEARTH_INLINE float32x4_t byte_as_float(uint32x4_t dwords) {
  uint32x4_t v = dwords;
  if constexpr (kByte > 0) v = vshrq_n_u32(v, 8 * kByte);
  if constexpr (kByte < 3) v = vandq_u32(v, vdupq_n_u32(255));
  return vcvtq_f32_u32(v);
}
template <int kByte>
HEARTH_INLINE float32x4_t signed_byte_as_float(uint32x4_t dwords) {
  int32x4_t v = vreinterpretq_s32_u32(dwords);
  if constexpr (kByte < 3) v = vshlq_n_s32(v, 24 - 8 * kByte);
  return vcvtq_f32_s32(vshrq_n_s32(v, 24));
}

}  // namespace
}  // namespace hearth::kernels
