// The vocabulary of vectors that kernels/simd/ is written in, for AVX-512: 16 lanes.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace hearth::kernels {
namespace {

constexpr int kLanes = 16;
constexpr int kVectorRegisters = 32;
using Floats = __m512;
using Ints = __m512i;    ///< 16 x 32 bits
using Mask = __mmask16;  ///< bit i: lane i

inline Mask first_lanes(int64_t n) {
  return static_cast<Mask>((1u << n) - 1u);
}
inline Mask lanes_of_bits(uint64_t bits) {
  return static_cast<Mask>(bits);
}

inline Floats splat(float x) {
  return _mm512_set1_ps(x);
}
inline Floats zero() {
  return _mm512_setzero_ps();
}
inline Floats load(const float* p) {
  return _mm512_loadu_ps(p);
}
/// The first n < kLanes floats; the rest is 0 and not touched.
inline Floats load_n(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(first_lanes(n), p);
}
inline void store(float* p, Floats x) {
  _mm512_storeu_ps(p, x);
}
inline void store_n(float* p, Floats x, int64_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), x);
}

inline Floats add(Floats a, Floats b) {
  return _mm512_add_ps(a, b);
}
inline Floats sub(Floats a, Floats b) {
  return _mm512_sub_ps(a, b);
}
inline Floats mul(Floats a, Floats b) {
  return _mm512_mul_ps(a, b);
}
inline Floats div(Floats a, Floats b) {
  return _mm512_div_ps(a, b);
}
/// a b + c, rounded once.
inline Floats fma(Floats a, Floats b, Floats c) {
  return _mm512_fmadd_ps(a, b, c);
}
/// c - a b, rounded once.
inline Floats fnma(Floats a, Floats b, Floats c) {
  return _mm512_fnmadd_ps(a, b, c);
}
/// The second operand when either is NaN.
inline Floats max(Floats a, Floats b) {
  return _mm512_max_ps(a, b);
}
inline Floats min(Floats a, Floats b) {
  return _mm512_min_ps(a, b);
}
inline Floats abs(Floats a) {
  return _mm512_abs_ps(a);
}
/// The larger magnitude; infinity and NaN count as larger than any number.
inline Floats max_magnitude(Floats a, Floats b) {
  return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(abs(a)), _mm512_castps_si512(abs(b))));
}
/// Magnitude of a with the sign of b.
inline Floats copy_sign(Floats a, Floats b) {
  const __m512i sign = _mm512_set1_epi32(INT32_MIN);
  return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(sign, _mm512_castps_si512(b), _mm512_castps_si512(a), 0xca));
}
inline Floats round_even(Floats a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// a * 2^n for integral n in -252..252, rounded once where it is subnormal.
inline Floats scale_by_power(Floats a, Floats n) {
  return _mm512_scalef_ps(a, n);
}
inline Mask less(Floats a, Floats b) {
  return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
/// mask ? a : b
inline Floats select(Mask mask, Floats a, Floats b) {
  return _mm512_mask_blend_ps(mask, b, a);
}
inline float sum_lanes(Floats a) {
  return _mm512_reduce_add_ps(a);
}
inline float max_lanes(Floats a) {
  return _mm512_reduce_max_ps(a);
}

/// Even lanes of the pair (a, b) in order, and odd lanes.
inline Floats even_lanes(Floats a, Floats b) {
  const __m512i index = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return _mm512_permutex2var_ps(a, index, b);
}
inline Floats odd_lanes(Floats a, Floats b) {
  const __m512i index = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  return _mm512_permutex2var_ps(a, index, b);
}
/// The other way round: interleaves e and o into two vectors.
inline void interleave(Floats e, Floats o, Floats* low, Floats* high) {
  const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  *low = _mm512_permutex2var_ps(e, first, o);
  *high = _mm512_permutex2var_ps(e, second, o);
}

/// kLanes signed bytes.
inline Floats load_bytes(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
/// 16 numbers that 4-bit codes stand for.
using CodeTable = __m512;
inline CodeTable make_code_table(const int8_t* values) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values))));
}
/// 32 elements of 16 bytes: those of the lower halves, then those of the upper ones.
inline void load_nibbles(Floats (&x)[2], const uint8_t* p, CodeTable table) {
  const __m512i both = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  x[0] = _mm512_permutexvar_ps(both, table);
  x[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(both, 4), table);
}

/// 16-bit elements.
inline Floats load_half(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Floats load_half_n(const uint16_t* p, int64_t n) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), p));
}
inline Floats load_bf16(const uint16_t* p) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
inline Floats load_bf16_n(const uint16_t* p, int64_t n) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_lanes(n), p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
inline void store_half_n(uint16_t* p, Floats x, int64_t n) {
  _mm256_mask_storeu_epi16(p, n < kLanes ? first_lanes(n) : Mask{0xffff},
                           _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

// --- 16-bit integers in pairs: a lane of Ints holds elements 2i (low) and 2i + 1 (high) ---------------------------

inline Ints zero_ints() {
  return _mm512_setzero_si512();
}
inline Ints splat_int(int32_t x) {
  return _mm512_set1_epi32(x);
}
inline Ints load_ints(const int32_t* p) {
  return _mm512_loadu_si512(p);
}
inline void store_ints(int32_t* p, Ints x) {
  _mm512_storeu_si512(p, x);
}
/// sum + a.low b.low + a.high b.high
inline Ints dot_pairs(Ints sum, Ints a, Ints b) {
#if defined(__GNUC__) && !defined(__clang__) && defined(__AVX512VNNI__)
  // GCC takes the intrinsic's sum for another type than Ints, and would copy sums in every turn of a loop.
  asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
#else
  return _mm512_dpwssd_epi32(sum, a, b);
#endif
}
/// Nearest integers, ties to even.
inline Ints to_ints(Floats x) {
  return _mm512_cvtps_epi32(x);
}
inline Floats to_floats(Ints x) {
  return _mm512_cvtepi32_ps(x);
}
/// Integers within 16 bits to pairs.
inline Ints make_pairs(Ints low, Ints high) {
  return _mm512_mask_blend_epi16(0xaaaaaaaau, low, _mm512_slli_epi32(high, 16));
}
inline Ints bit_and(Ints a, Ints b) {
  return _mm512_and_si512(a, b);
}
inline Ints bit_or(Ints a, Ints b) {
  return _mm512_or_si512(a, b);
}
template <int kBits>
inline Ints shift_right(Ints x) {
  return _mm512_srli_epi32(x, kBits);
}
template <int kBits>
inline Ints shift_left(Ints x) {
  return _mm512_slli_epi32(x, kBits);
}
/// table[index] of 16 floats, 64-byte aligned.
inline Floats look_up(const float* table, Ints index) {
  return _mm512_permutexvar_ps(index, _mm512_load_ps(table));
}
/// table[byte] for every byte, below 16.
inline Ints lookup_bytes(Ints x, const uint8_t* table) {
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), x);
}
/// p[0], p[stride], p[2 stride], ...
inline Floats gather(const float* p, int stride) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_i32gather_ps(_mm512_mullo_epi32(lane, _mm512_set1_epi32(stride)), p, 4);
}

}  // namespace
}  // namespace hearth::kernels
