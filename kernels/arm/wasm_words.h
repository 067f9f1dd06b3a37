// The words of Advanced SIMD that kernels/arm and kernels/neon are written in, for WebAssembly: SIMD128 has registers
// of 128 bits, too, and a twin of most instructions. What has none is made of a few that processors have one of.
// (WebAssembly core specification 2.0, section 4.3.3; Arm C Language Extensions, "Neon Intrinsics".)
// A vector of 64 bits is the lower half of one of 128, whose upper half is anything.
#pragma once

#include <wasm_simd128.h>

#include <cstdint>

#include "kernels/half.h"

namespace hearth::kernels {
namespace {

#define HEARTH_WORD inline __attribute__((always_inline))

using int8x16_t = int8_t __attribute__((vector_size(16)));
using int16x8_t = int16_t __attribute__((vector_size(16)));
using int32x4_t = int32_t __attribute__((vector_size(16)));
using int64x2_t = int64_t __attribute__((vector_size(16)));
using uint8x16_t = uint8_t __attribute__((vector_size(16)));
using uint16x8_t = uint16_t __attribute__((vector_size(16)));
using uint32x4_t = uint32_t __attribute__((vector_size(16)));
using uint64x2_t = uint64_t __attribute__((vector_size(16)));
using float32x4_t = float __attribute__((vector_size(16)));
using int8x8_t = int8x16_t;
using int16x4_t = int16x8_t;
using uint8x8_t = uint8x16_t;
using uint16x4_t = uint16x8_t;
using uint32x2_t = uint32x4_t;
using uint64x1_t = uint64x2_t;
using float16x4_t = uint16x8_t;
struct int32x4x2_t {
  int32x4_t val[2];
};
struct int32x4x3_t {
  int32x4_t val[3];
};

/// The same bits as vectors of other elements.
template <typename To, typename From>
HEARTH_WORD To bits_as(From v) {
  return reinterpret_cast<To>(v);
}
#define HEARTH_REINTERPRET(name, From, To) \
  HEARTH_WORD To name(From v) {            \
    return bits_as<To>(v);                 \
  }
HEARTH_REINTERPRET(vreinterpretq_s8_u8, uint8x16_t, int8x16_t)
HEARTH_REINTERPRET(vreinterpretq_s8_s32, int32x4_t, int8x16_t)
HEARTH_REINTERPRET(vreinterpretq_s8_u32, uint32x4_t, int8x16_t)
HEARTH_REINTERPRET(vreinterpretq_s8_u64, uint64x2_t, int8x16_t)
HEARTH_REINTERPRET(vreinterpretq_u8_u16, uint16x8_t, uint8x16_t)
HEARTH_REINTERPRET(vreinterpretq_u8_u32, uint32x4_t, uint8x16_t)
HEARTH_REINTERPRET(vreinterpretq_u8_s32, int32x4_t, uint8x16_t)
HEARTH_REINTERPRET(vreinterpretq_u8_u64, uint64x2_t, uint8x16_t)
HEARTH_REINTERPRET(vreinterpretq_s16_s32, int32x4_t, int16x8_t)
HEARTH_REINTERPRET(vreinterpretq_u32_u8, uint8x16_t, uint32x4_t)
HEARTH_REINTERPRET(vreinterpretq_u32_s32, int32x4_t, uint32x4_t)
HEARTH_REINTERPRET(vreinterpretq_s32_s8, int8x16_t, int32x4_t)
HEARTH_REINTERPRET(vreinterpretq_s32_u8, uint8x16_t, int32x4_t)
HEARTH_REINTERPRET(vreinterpretq_s32_u32, uint32x4_t, int32x4_t)
HEARTH_REINTERPRET(vreinterpretq_s32_f32, float32x4_t, int32x4_t)
HEARTH_REINTERPRET(vreinterpretq_f32_u32, uint32x4_t, float32x4_t)
HEARTH_REINTERPRET(vreinterpretq_f32_s32, int32x4_t, float32x4_t)
HEARTH_REINTERPRET(vreinterpret_f16_u16, uint16x4_t, float16x4_t)
HEARTH_REINTERPRET(vreinterpret_u16_f16, float16x4_t, uint16x4_t)
HEARTH_REINTERPRET(vget_low_s8, int8x16_t, int8x8_t)
HEARTH_REINTERPRET(vget_low_u8, uint8x16_t, uint8x8_t)
HEARTH_REINTERPRET(vget_low_s16, int16x8_t, int16x4_t)
#undef HEARTH_REINTERPRET

// --- loads, stores, single elements ----------------------------------------------------------------------------------

#define HEARTH_LOADS(suffix, Element, Vector)             \
  HEARTH_WORD Vector vld1q_##suffix(const Element* p) {   \
    return bits_as<Vector>(wasm_v128_load(p));            \
  }                                                       \
  HEARTH_WORD Vector vld1_##suffix(const Element* p) {    \
    return bits_as<Vector>(wasm_v128_load64_zero(p));     \
  }                                                       \
  HEARTH_WORD void vst1q_##suffix(Element* p, Vector v) { \
    wasm_v128_store(p, bits_as<v128_t>(v));               \
  }                                                       \
  HEARTH_WORD void vst1_##suffix(Element* p, Vector v) {  \
    wasm_v128_store64_lane(p, bits_as<v128_t>(v), 0);     \
  }                                                       \
  HEARTH_WORD Vector vdupq_n_##suffix(Element x) {        \
    return x - Vector{};                                  \
  }                                                       \
  HEARTH_WORD Vector vdup_n_##suffix(Element x) {         \
    return x - Vector{};                                  \
  }
HEARTH_LOADS(s8, int8_t, int8x16_t)
HEARTH_LOADS(u8, uint8_t, uint8x16_t)
HEARTH_LOADS(s16, int16_t, int16x8_t)
HEARTH_LOADS(u16, uint16_t, uint16x8_t)
HEARTH_LOADS(s32, int32_t, int32x4_t)
HEARTH_LOADS(u32, uint32_t, uint32x4_t)
HEARTH_LOADS(u64, uint64_t, uint64x2_t)
HEARTH_LOADS(f32, float, float32x4_t)
#undef HEARTH_LOADS

/// Lanes are constants once everything is inlined.
HEARTH_WORD int32_t vgetq_lane_s32(int32x4_t v, int lane) {
  return v[lane];
}
HEARTH_WORD float32x4_t vsetq_lane_f32(float x, float32x4_t v, int lane) {
  v[lane] = x;
  return v;
}
HEARTH_WORD float32x4_t vld1q_lane_f32(const float* p, float32x4_t v, int lane) {
  v[lane] = *p;
  return v;
}
HEARTH_WORD void vst1q_lane_f32(float* p, float32x4_t v, int lane) {
  *p = v[lane];
}
HEARTH_WORD uint16x4_t vld1_lane_u16(const uint16_t* p, uint16x4_t v, int lane) {
  v[lane] = *p;
  return v;
}
HEARTH_WORD void vst1_lane_u16(uint16_t* p, uint16x4_t v, int lane) {
  *p = v[lane];
}
HEARTH_WORD uint8x16_t vdupq_laneq_u8(uint8x16_t v, int lane) {
  return vdupq_n_u8(v[lane]);
}
#define HEARTH_CREATE(suffix, Vector)               \
  HEARTH_WORD Vector vcreate_##suffix(uint64_t x) { \
    return bits_as<Vector>(uint64x2_t{x, 0});       \
  }
HEARTH_CREATE(s8, int8x8_t)
HEARTH_CREATE(u32, uint32x2_t)
HEARTH_CREATE(u64, uint64x1_t)
HEARTH_CREATE(f16, float16x4_t)
#undef HEARTH_CREATE
#define HEARTH_COMBINE(suffix, Half, Vector)                                                       \
  HEARTH_WORD Vector vcombine_##suffix(Half low, Half high) {                                      \
    return bits_as<Vector>(wasm_i64x2_shuffle(bits_as<v128_t>(low), bits_as<v128_t>(high), 0, 2)); \
  }
HEARTH_COMBINE(s8, int8x8_t, int8x16_t)
HEARTH_COMBINE(u8, uint8x8_t, uint8x16_t)
HEARTH_COMBINE(u32, uint32x2_t, uint32x4_t)
HEARTH_COMBINE(u64, uint64x1_t, uint64x2_t)
#undef HEARTH_COMBINE

HEARTH_WORD int32x4_t even_words(int32x4_t a, int32x4_t b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
}
HEARTH_WORD int32x4_t odd_words(int32x4_t a, int32x4_t b) {
  return __builtin_shufflevector(a, b, 1, 3, 5, 7);
}
HEARTH_WORD int32x4x2_t vld2q_s32(const int32_t* p) {
  const int32x4_t a = vld1q_s32(p), b = vld1q_s32(p + 4);
  return {{even_words(a, b), odd_words(a, b)}};
}
HEARTH_WORD int32x4x3_t vld3q_s32(const int32_t* p) {
  return {{{p[0], p[3], p[6], p[9]}, {p[1], p[4], p[7], p[10]}, {p[2], p[5], p[8], p[11]}}};
}

// --- lane by lane ----------------------------------------------------------------------------------------------------

#define HEARTH_BINARY(name, Vector, op)         \
  HEARTH_WORD Vector name(Vector a, Vector b) { \
    return a op b;                              \
  }
HEARTH_BINARY(vaddq_s8, int8x16_t, +)
HEARTH_BINARY(vaddq_u8, uint8x16_t, +)
HEARTH_BINARY(vaddq_s32, int32x4_t, +)
HEARTH_BINARY(vaddq_f32, float32x4_t, +)
HEARTH_BINARY(vsubq_s8, int8x16_t, -)
HEARTH_BINARY(vsubq_u8, uint8x16_t, -)
HEARTH_BINARY(vsubq_s16, int16x8_t, -)
HEARTH_BINARY(vsubq_s32, int32x4_t, -)
HEARTH_BINARY(vsubq_u32, uint32x4_t, -)
HEARTH_BINARY(vsubq_f32, float32x4_t, -)
HEARTH_BINARY(vmulq_u8, uint8x16_t, *)
HEARTH_BINARY(vmulq_f32, float32x4_t, *)
HEARTH_BINARY(vdivq_f32, float32x4_t, /)
HEARTH_BINARY(vandq_u8, uint8x16_t, &)
HEARTH_BINARY(vand_u8, uint8x8_t, &)
HEARTH_BINARY(vand_u16, uint16x4_t, &)
HEARTH_BINARY(vandq_s32, int32x4_t, &)
HEARTH_BINARY(vandq_u32, uint32x4_t, &)
HEARTH_BINARY(vorrq_u8, uint8x16_t, |)
HEARTH_BINARY(vorrq_s32, int32x4_t, |)
HEARTH_BINARY(vorrq_u32, uint32x4_t, |)
HEARTH_BINARY(veorq_u8, uint8x16_t, ^)
#undef HEARTH_BINARY
#define HEARTH_COMPARE(name, Vector, Mask, op) \
  HEARTH_WORD Mask name(Vector a, Vector b) {  \
    return bits_as<Mask>(a op b);              \
  }
HEARTH_COMPARE(vcgtq_f32, float32x4_t, uint32x4_t, >)
HEARTH_COMPARE(vcltq_f32, float32x4_t, uint32x4_t, <)
HEARTH_COMPARE(vcgtq_u32, uint32x4_t, uint32x4_t, >)
HEARTH_COMPARE(vceqq_u32, uint32x4_t, uint32x4_t, ==)
HEARTH_COMPARE(vcgeq_u8, uint8x16_t, uint8x16_t, >=)
#undef HEARTH_COMPARE
HEARTH_WORD uint8x16_t vtstq_u8(uint8x16_t a, uint8x16_t b) {
  return bits_as<uint8x16_t>((a & b) != 0);
}
HEARTH_WORD uint32x4_t vtstq_u32(uint32x4_t a, uint32x4_t b) {
  return bits_as<uint32x4_t>((a & b) != 0);
}
HEARTH_WORD uint32x4_t vbslq_u32(uint32x4_t mask, uint32x4_t a, uint32x4_t b) {
  return bits_as<uint32x4_t>(wasm_v128_bitselect(bits_as<v128_t>(a), bits_as<v128_t>(b), bits_as<v128_t>(mask)));
}
HEARTH_WORD float32x4_t vbslq_f32(uint32x4_t mask, float32x4_t a, float32x4_t b) {
  return bits_as<float32x4_t>(vbslq_u32(mask, bits_as<uint32x4_t>(a), bits_as<uint32x4_t>(b)));
}
HEARTH_WORD uint8x16_t vmvnq_u8(uint8x16_t v) {
  return ~v;
}
HEARTH_WORD float32x4_t vnegq_f32(float32x4_t v) {
  return -v;
}
HEARTH_WORD float32x4_t vabsq_f32(float32x4_t v) {
  return bits_as<float32x4_t>(wasm_f32x4_abs(bits_as<v128_t>(v)));
}
HEARTH_WORD float32x4_t vrndnq_f32(float32x4_t v) {
  return bits_as<float32x4_t>(wasm_f32x4_nearest(bits_as<v128_t>(v)));
}
HEARTH_WORD float32x4_t vmulq_n_f32(float32x4_t v, float x) {
  return v * x;
}
/// Two roundings, where Armv8 has one.
HEARTH_WORD float32x4_t vfmaq_f32(float32x4_t c, float32x4_t a, float32x4_t b) {
  return c + a * b;
}
HEARTH_WORD float32x4_t vfmsq_f32(float32x4_t c, float32x4_t a, float32x4_t b) {
  return c - a * b;
}
HEARTH_WORD float32x4_t vfmaq_laneq_f32(float32x4_t c, float32x4_t a, float32x4_t b, int lane) {
  return c + a * b[lane];
}
HEARTH_WORD float32x4_t vfmsq_laneq_f32(float32x4_t c, float32x4_t a, float32x4_t b, int lane) {
  return c - a * b[lane];
}
HEARTH_WORD int32x4_t vmaxq_s32(int32x4_t a, int32x4_t b) {
  return bits_as<int32x4_t>(wasm_i32x4_max(bits_as<v128_t>(a), bits_as<v128_t>(b)));
}
/// (2 a b + 2^15) >> 16, saturated.
HEARTH_WORD int16x8_t vqrdmulhq_s16(int16x8_t a, int16x8_t b) {
  return bits_as<int16x8_t>(wasm_i16x8_q15mulr_sat(bits_as<v128_t>(a), bits_as<v128_t>(b)));
}

// --- shifts. Of bytes there are none in processors: 16 bits are shifted, and what came from the neighbor taken off.
// ----

HEARTH_WORD uint8x16_t vshrq_n_u8(uint8x16_t v, int n) {
  const auto mask = static_cast<uint8_t>(0xff >> n);
  return bits_as<uint8x16_t>(bits_as<uint16x8_t>(v) >> static_cast<uint16_t>(n)) & vdupq_n_u8(mask);
}
HEARTH_WORD uint8x8_t vshr_n_u8(uint8x8_t v, int n) {
  return vshrq_n_u8(v, n);
}
HEARTH_WORD uint8x16_t vshlq_n_u8(uint8x16_t v, int n) {
  const auto mask = static_cast<uint8_t>(0xff << n);
  return bits_as<uint8x16_t>(bits_as<uint16x8_t>(v) << static_cast<uint16_t>(n)) & vdupq_n_u8(mask);
}
HEARTH_WORD uint16x4_t vshl_n_u16(uint16x4_t v, int n) {
  return v << static_cast<uint16_t>(n);
}
HEARTH_WORD int16x8_t vshrq_n_s16(int16x8_t v, int n) {
  return v >> static_cast<int16_t>(n);
}
HEARTH_WORD int16x8_t vshlq_n_s16(int16x8_t v, int n) {
  return v << static_cast<int16_t>(n);
}
HEARTH_WORD uint32x4_t vshrq_n_u32(uint32x4_t v, int n) {
  return v >> static_cast<uint32_t>(n);
}
HEARTH_WORD uint32x4_t vshlq_n_u32(uint32x4_t v, int n) {
  return v << static_cast<uint32_t>(n);
}
HEARTH_WORD int32x4_t vshrq_n_s32(int32x4_t v, int n) {
  return v >> n;
}
HEARTH_WORD int32x4_t vshlq_n_s32(int32x4_t v, int n) {
  return v << n;
}
/// b shifted left by n, below it the n lowest bits of a.
HEARTH_WORD uint32x4_t vsliq_n_u32(uint32x4_t a, uint32x4_t b, int n) {
  return (a & ((1u << n) - 1)) | (b << static_cast<uint32_t>(n));
}
HEARTH_WORD int32x4_t vsliq_n_s32(int32x4_t a, int32x4_t b, int n) {
  return bits_as<int32x4_t>(vsliq_n_u32(bits_as<uint32x4_t>(a), bits_as<uint32x4_t>(b), n));
}
/// By a number for each lane: to the left where it is positive.
HEARTH_WORD uint32x4_t vshlq_u32(uint32x4_t v, int32x4_t n) {
  uint32x4_t out;
  for (int i = 0; i < 4; ++i) out[i] = n[i] <= -32 || n[i] >= 32 ? 0 : n[i] < 0 ? v[i] >> -n[i] : v[i] << n[i];
  return out;
}
HEARTH_WORD uint8x16_t vshlq_u8(uint8x16_t v, int8x16_t n) {
  uint8x16_t out;
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    const int shift = n[i];
    out[i] = static_cast<uint8_t>(shift <= -8 || shift >= 8 ? 0 : shift < 0 ? v[i] >> -shift : v[i] << shift);
  }
  return out;
}

// --- neighbors -------------------------------------------------------------------------------------------------------

HEARTH_WORD uint32x4_t vzip1q_u32(uint32x4_t a, uint32x4_t b) {
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
}
HEARTH_WORD uint32x4_t vzip2q_u32(uint32x4_t a, uint32x4_t b) {
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
}
HEARTH_WORD int32x4_t vzip1q_s32(int32x4_t a, int32x4_t b) {
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
}
HEARTH_WORD int32x4_t vzip2q_s32(int32x4_t a, int32x4_t b) {
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
}
HEARTH_WORD float32x4_t vzip1q_f32(float32x4_t a, float32x4_t b) {
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
}
HEARTH_WORD float32x4_t vzip2q_f32(float32x4_t a, float32x4_t b) {
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
}
HEARTH_WORD float32x4_t vuzp1q_f32(float32x4_t a, float32x4_t b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
}
HEARTH_WORD float32x4_t vuzp2q_f32(float32x4_t a, float32x4_t b) {
  return __builtin_shufflevector(a, b, 1, 3, 5, 7);
}
HEARTH_WORD int32x4_t vpaddq_s32(int32x4_t a, int32x4_t b) {
  return even_words(a, b) + odd_words(a, b);
}
HEARTH_WORD float vaddvq_f32(float32x4_t v) {
  return (v[0] + v[1]) + (v[2] + v[3]);
}
HEARTH_WORD float vmaxvq_f32(float32x4_t v) {
  const v128_t pairs = wasm_f32x4_max(bits_as<v128_t>(v), bits_as<v128_t>(__builtin_shufflevector(v, v, 2, 3, 0, 1)));
  return wasm_f32x4_extract_lane(wasm_f32x4_max(pairs, wasm_i32x4_shuffle(pairs, pairs, 1, 0, 3, 2)), 0);
}
HEARTH_WORD int32_t vmaxvq_s32(int32x4_t v) {
  const int32x4_t two = vmaxq_s32(v, __builtin_shufflevector(v, v, 2, 3, 0, 1));
  return two[0] > two[1] ? two[0] : two[1];
}
HEARTH_WORD int16_t vaddlvq_s8(int8x16_t v) {
  const auto sums =
      bits_as<int32x4_t>(wasm_i32x4_extadd_pairwise_i16x8(wasm_i16x8_extadd_pairwise_i8x16(bits_as<v128_t>(v))));
  return static_cast<int16_t>((sums[0] + sums[1]) + (sums[2] + sums[3]));
}
HEARTH_WORD int8x16_t vqtbl1q_s8(int8x16_t table, uint8x16_t index) {
  return bits_as<int8x16_t>(wasm_i8x16_swizzle(bits_as<v128_t>(table), bits_as<v128_t>(index)));
}
HEARTH_WORD uint8x16_t vqtbl1q_u8(uint8x16_t table, uint8x16_t index) {
  return bits_as<uint8x16_t>(wasm_i8x16_swizzle(bits_as<v128_t>(table), bits_as<v128_t>(index)));
}

// --- wider, narrower, other numbers ----------------------------------------------------------------------------------

HEARTH_WORD int16x8_t vmovl_s8(int8x8_t v) {
  return bits_as<int16x8_t>(wasm_i16x8_extend_low_i8x16(bits_as<v128_t>(v)));
}
HEARTH_WORD int16x8_t vmovl_high_s8(int8x16_t v) {
  return bits_as<int16x8_t>(wasm_i16x8_extend_high_i8x16(bits_as<v128_t>(v)));
}
HEARTH_WORD int32x4_t vmovl_s16(int16x4_t v) {
  return bits_as<int32x4_t>(wasm_i32x4_extend_low_i16x8(bits_as<v128_t>(v)));
}
HEARTH_WORD int32x4_t vmovl_high_s16(int16x8_t v) {
  return bits_as<int32x4_t>(wasm_i32x4_extend_high_i16x8(bits_as<v128_t>(v)));
}
HEARTH_WORD uint32x4_t vmovl_u16(uint16x4_t v) {
  return bits_as<uint32x4_t>(wasm_u32x4_extend_low_u16x8(bits_as<v128_t>(v)));
}
HEARTH_WORD uint32x4_t vshll_n_u16(uint16x4_t v, int n) {
  return vshlq_n_u32(vmovl_u16(v), n);
}
/// The lower 16 bits of each lane.
HEARTH_WORD uint16x4_t vmovn_u32(uint32x4_t v) {
  const auto words = bits_as<uint16x8_t>(v);
  return __builtin_shufflevector(words, words, 0, 2, 4, 6, 0, 2, 4, 6);
}
HEARTH_WORD uint16x4_t vshrn_n_u32(uint32x4_t v, int n) {
  return vmovn_u32(vshrq_n_u32(v, n));
}
HEARTH_WORD int16x4_t vqmovn_s32(int32x4_t v) {
  return bits_as<int16x4_t>(wasm_i16x8_narrow_i32x4(bits_as<v128_t>(v), bits_as<v128_t>(v)));
}
HEARTH_WORD int16x8_t vqmovn_high_s32(int16x4_t low, int32x4_t v) {
  return bits_as<int16x8_t>(wasm_i64x2_shuffle(bits_as<v128_t>(low), bits_as<v128_t>(vqmovn_s32(v)), 0, 2));
}
HEARTH_WORD int8x8_t vqmovn_s16(int16x8_t v) {
  return bits_as<int8x8_t>(wasm_i8x16_narrow_i16x8(bits_as<v128_t>(v), bits_as<v128_t>(v)));
}
HEARTH_WORD int8x16_t vqmovn_high_s16(int8x8_t low, int16x8_t v) {
  return bits_as<int8x16_t>(wasm_i64x2_shuffle(bits_as<v128_t>(low), bits_as<v128_t>(vqmovn_s16(v)), 0, 2));
}
HEARTH_WORD float32x4_t vcvtq_f32_s32(int32x4_t v) {
  return bits_as<float32x4_t>(wasm_f32x4_convert_i32x4(bits_as<v128_t>(v)));
}
HEARTH_WORD float32x4_t vcvtq_f32_u32(uint32x4_t v) {
  return bits_as<float32x4_t>(wasm_f32x4_convert_u32x4(bits_as<v128_t>(v)));
}
HEARTH_WORD int32x4_t vcvtnq_s32_f32(float32x4_t v) {
  return bits_as<int32x4_t>(wasm_i32x4_trunc_sat_f32x4(bits_as<v128_t>(vrndnq_f32(v))));
}
/// Half precision: a normal number has its exponent moved, a subnormal one is a whole number of 2^-24.
HEARTH_WORD float32x4_t vcvt_f32_f16(float16x4_t halves) {
  const uint32x4_t bits = vmovl_u16(halves), magnitude = bits & 0x7fffu;
  const uint32x4_t moved = (magnitude << 13u) + (112u << 23);
  const float32x4_t subnormal = vcvtq_f32_s32(bits_as<int32x4_t>(magnitude)) * 0x1p-24f;
  const auto endless = bits_as<uint32x4_t>(bits_as<int32x4_t>(magnitude) >= 0x7c00) & (112u << 23);  // and NaN
  const auto is_subnormal = bits_as<uint32x4_t>(bits_as<int32x4_t>(magnitude) < 0x400);
  const uint32x4_t value = vbslq_u32(is_subnormal, bits_as<uint32x4_t>(subnormal), moved + endless);
  return bits_as<float32x4_t>(value | (bits & 0x8000u) << 16u);
}
HEARTH_WORD float16x4_t vcvt_f16_f32(float32x4_t v) {
  float16x4_t halves = {};
  for (int i = 0; i < 4; ++i) halves[i] = float_to_half(v[i]);
  return halves;
}

}  // namespace
}  // namespace hearth::kernels
