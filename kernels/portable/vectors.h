// Short vectors as GCC and Clang offer them on every target (their "vector extensions"): they become SSE2, NEON or
// SIMD128 instructions, or several scalar ones. Arithmetic is written with plain operators. Lanes of 128 bits, and of
// 256 where an operation widens.
#pragma once

#include <cstdint>
#if defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace hearth::kernels::portable {
namespace {

using F32x4 = float __attribute__((vector_size(16)));
using F32x8 = float __attribute__((vector_size(32)));
using I32x4 = int32_t __attribute__((vector_size(16)));
using I32x8 = int32_t __attribute__((vector_size(32)));
using I16x8 = int16_t __attribute__((vector_size(16)));
using U8x16 = uint8_t __attribute__((vector_size(16)));
using U16x8 = uint16_t __attribute__((vector_size(16)));
using U64x2 = uint64_t __attribute__((vector_size(16)));
using I16x4 = int16_t __attribute__((vector_size(8)));

/// A vector from memory of any alignment.
template <typename Vector>
inline Vector load(const void* p) {
  Vector v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

/// The same from an address that is a multiple of 16.
template <typename Vector>
inline Vector load_aligned(const void* p) {
  return load<Vector>(__builtin_assume_aligned(p, 16));
}

template <typename Vector>
inline void store(void* p, Vector v) {
  __builtin_memcpy(p, &v, sizeof v);
}

/// Lanes converted one by one: integers widened with their sign, or made floats.
template <typename To, typename From>
inline To convert(From v) {
  return __builtin_convertvector(v, To);
}

/// Lanes of a and b in the order of four indices, those of b counted from 4.
template <int i0, int i1, int i2, int i3>
inline I32x4 shuffle(I32x4 a, I32x4 b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, i0, i1, i2, i3);
#else
  return __builtin_shuffle(a, b, I32x4{i0, i1, i2, i3});
#endif
}

/// Lane i = sum of the lanes of v[i].
inline I32x4 sum_each(const I32x4 v[4]) {
  const I32x4 ab = shuffle<0, 4, 1, 5>(v[0], v[1]) + shuffle<2, 6, 3, 7>(v[0], v[1]);  // two of a, two of b, in turn
  const I32x4 cd = shuffle<0, 4, 1, 5>(v[2], v[3]) + shuffle<2, 6, 3, 7>(v[2], v[3]);
  return shuffle<0, 1, 4, 5>(ab, cd) + shuffle<2, 3, 6, 7>(ab, cd);
}

/// rows[i] = lane i of each of the four.
inline void transpose(F32x4 rows[4]) {
  I32x4 v[4];
  for (int i = 0; i < 4; ++i) v[i] = reinterpret_cast<I32x4>(rows[i]);
  const I32x4 ab_low = shuffle<0, 4, 1, 5>(v[0], v[1]), ab_high = shuffle<2, 6, 3, 7>(v[0], v[1]);
  const I32x4 cd_low = shuffle<0, 4, 1, 5>(v[2], v[3]), cd_high = shuffle<2, 6, 3, 7>(v[2], v[3]);
  rows[0] = reinterpret_cast<F32x4>(shuffle<0, 1, 4, 5>(ab_low, cd_low));
  rows[1] = reinterpret_cast<F32x4>(shuffle<2, 3, 6, 7>(ab_low, cd_low));
  rows[2] = reinterpret_cast<F32x4>(shuffle<0, 1, 4, 5>(ab_high, cd_high));
  rows[3] = reinterpret_cast<F32x4>(shuffle<2, 3, 6, 7>(ab_high, cd_high));
}

/// The even and the odd ones of 16 bytes, each with its sign.
inline I16x8 even_bytes(I16x8 v) {
  return (v << 8) >> 8;
}
inline I16x8 odd_bytes(I16x8 v) {
  return v >> 8;
}

/// Lane i: some two of the eight products of words, added; the two pairs of a lane may lie anywhere, as only the sum of
/// all lanes matters. The one operation that every target has and vector extensions cannot say.
inline I32x4 multiply_add_words(I16x8 a, I16x8 b) {
#if defined(__SSE2__)
  using V8 = short __attribute__((vector_size(16)));
  return reinterpret_cast<I32x4>(__builtin_ia32_pmaddwd128(reinterpret_cast<V8>(a), reinterpret_cast<V8>(b)));
#elif defined(__ARM_NEON) && defined(__aarch64__)
  const int16x8_t x = reinterpret_cast<int16x8_t>(a), y = reinterpret_cast<int16x8_t>(b);
  return reinterpret_cast<I32x4>(vmlal_high_s16(vmull_s16(vget_low_s16(x), vget_low_s16(y)), x, y));
#elif defined(__wasm_simd128__)
  return __builtin_wasm_dot_s_i32x4_i16x8(a, b);
#else
  const auto* x = reinterpret_cast<const int16_t*>(&a);
  const auto* y = reinterpret_cast<const int16_t*>(&b);
  return convert<I32x4>(load<I16x4>(x)) * convert<I32x4>(load<I16x4>(y)) +
         convert<I32x4>(load<I16x4>(x + 4)) * convert<I32x4>(load<I16x4>(y + 4));
#endif
}

}  // namespace
}  // namespace hearth::kernels::portable
