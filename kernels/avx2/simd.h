// The vocabulary of vectors that kernels/simd/ is written in, for AVX2 with FMA and F16C: 8 lanes.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace hearth::kernels {
namespace {

constexpr int kLanes = 8;
constexpr int kVectorRegisters = 16;
using Floats = __m256;
using Ints = __m256i;  ///< 8 x 32 bits
using Mask = __m256;   ///< sign bit of a lane; all bits equal

alignas(64) constexpr int32_t kMaskWindow[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

inline __m256i first_lanes_ints(int64_t n) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMaskWindow + 8 - n));
}
inline Mask first_lanes(int64_t n) {
  return _mm256_castsi256_ps(first_lanes_ints(n));
}
inline Mask lanes_of_bits(uint64_t bits) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i all = _mm256_set1_epi32(static_cast<int32_t>(bits & 0xff));
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, bit), bit));
}

inline Floats splat(float x) {
  return _mm256_set1_ps(x);
}
inline Floats zero() {
  return _mm256_setzero_ps();
}
inline Floats load(const float* p) {
  return _mm256_loadu_ps(p);
}
/// The first n < kLanes floats; the rest is 0 and not touched.
inline Floats load_n(const float* p, int64_t n) {
  return _mm256_maskload_ps(p, first_lanes_ints(n));
}
inline void store(float* p, Floats x) {
  _mm256_storeu_ps(p, x);
}
inline void store_n(float* p, Floats x, int64_t n) {
  _mm256_maskstore_ps(p, first_lanes_ints(n), x);
}

inline Floats add(Floats a, Floats b) {
  return _mm256_add_ps(a, b);
}
inline Floats sub(Floats a, Floats b) {
  return _mm256_sub_ps(a, b);
}
inline Floats mul(Floats a, Floats b) {
  return _mm256_mul_ps(a, b);
}
inline Floats div(Floats a, Floats b) {
  return _mm256_div_ps(a, b);
}
/// a b + c, rounded once.
inline Floats fma(Floats a, Floats b, Floats c) {
  return _mm256_fmadd_ps(a, b, c);
}
/// c - a b, rounded once.
inline Floats fnma(Floats a, Floats b, Floats c) {
  return _mm256_fnmadd_ps(a, b, c);
}
/// The second operand when either is NaN.
inline Floats max(Floats a, Floats b) {
  return _mm256_max_ps(a, b);
}
inline Floats min(Floats a, Floats b) {
  return _mm256_min_ps(a, b);
}
inline Floats abs(Floats a) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
/// The larger magnitude; infinity and NaN count as larger than any number.
inline Floats max_magnitude(Floats a, Floats b) {
  return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(abs(a)), _mm256_castps_si256(abs(b))));
}
/// Magnitude of a with the sign of b.
inline Floats copy_sign(Floats a, Floats b) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return _mm256_or_ps(_mm256_andnot_ps(sign, a), _mm256_and_ps(sign, b));
}
inline Floats round_even(Floats a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// 2^n for integral n in -126..127.
inline Floats power_of_two(Ints n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
/// a * 2^n for integral n in -252..252, in two steps.
inline Floats scale_by_power(Floats a, Floats n) {
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  return mul(mul(a, power_of_two(half)), power_of_two(_mm256_sub_epi32(whole, half)));
}
inline Mask less(Floats a, Floats b) {
  return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}
/// mask ? a : b
inline Floats select(Mask mask, Floats a, Floats b) {
  return _mm256_blendv_ps(b, a, mask);
}
inline float sum_lanes(Floats a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
inline float max_lanes(Floats a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/// Even lanes of the pair (a, b) in order, and odd lanes.
inline Floats unzip(Floats mixed) {
  return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0xd8));
}
inline Floats even_lanes(Floats a, Floats b) {
  return unzip(_mm256_shuffle_ps(a, b, 0x88));
}
inline Floats odd_lanes(Floats a, Floats b) {
  return unzip(_mm256_shuffle_ps(a, b, 0xdd));
}
/// The other way round: interleaves e and o into two vectors.
inline void interleave(Floats e, Floats o, Floats* low, Floats* high) {
  const Floats a = _mm256_unpacklo_ps(e, o), b = _mm256_unpackhi_ps(e, o);
  *low = _mm256_permute2f128_ps(a, b, 0x20);
  *high = _mm256_permute2f128_ps(a, b, 0x31);
}

/// kLanes signed bytes.
inline Floats load_bytes(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
/// 16 numbers that 4-bit codes stand for.
using CodeTable = __m128i;
inline CodeTable make_code_table(const int8_t* values) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(values));
}
/// 32 elements of 16 bytes: those of the lower halves, then those of the upper ones.
inline void load_nibbles(Floats (&x)[4], const uint8_t* p, CodeTable table) {
  const __m128i both = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), mask = _mm_set1_epi8(15);
  const __m128i low = _mm_shuffle_epi8(table, _mm_and_si128(both, mask));
  const __m128i high = _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(both, 4), mask));
  x[0] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(low));
  x[1] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(low, low)));
  x[2] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(high));
  x[3] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(high, high)));
}

/// 16-bit elements.
inline __m128i load_words_n(const uint16_t* p, int64_t n) {
  alignas(16) uint16_t words[8] = {};
  for (int64_t i = 0; i < n; ++i) words[i] = p[i];
  return _mm_load_si128(reinterpret_cast<const __m128i*>(words));
}
inline Floats widen_bf16(__m128i words) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16));
}
inline Floats load_half(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Floats load_half_n(const uint16_t* p, int64_t n) {
  return _mm256_cvtph_ps(load_words_n(p, n));
}
inline Floats load_bf16(const uint16_t* p) {
  return widen_bf16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Floats load_bf16_n(const uint16_t* p, int64_t n) {
  return widen_bf16(load_words_n(p, n));
}
inline void store_half_n(uint16_t* p, Floats x, int64_t n) {
  const __m128i words = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  if (n >= kLanes) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), words);
    return;
  }
  alignas(16) uint16_t buffer[8];
  _mm_store_si128(reinterpret_cast<__m128i*>(buffer), words);
  for (int64_t i = 0; i < n; ++i) p[i] = buffer[i];
}

// --- 16-bit integers in pairs: a lane of Ints holds elements 2i (low) and 2i + 1 (high) ---------------------------

inline Ints zero_ints() {
  return _mm256_setzero_si256();
}
inline Ints splat_int(int32_t x) {
  return _mm256_set1_epi32(x);
}
inline Ints load_ints(const int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline void store_ints(int32_t* p, Ints x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x);
}
/// sum + a.low b.low + a.high b.high
inline Ints dot_pairs(Ints sum, Ints a, Ints b) {
#if defined(__AVXVNNI__)
  return _mm256_dpwssd_avx_epi32(sum, a, b);
#else
  // Written out, because GCC 12 moved the additions behind all products of a loop, with sums in memory.
  __asm__("vpaddd %1, %0, %0" : "+x"(sum) : "x"(_mm256_madd_epi16(a, b)));
  return sum;
#endif
}
/// Nearest integers, ties to even.
inline Ints to_ints(Floats x) {
  return _mm256_cvtps_epi32(x);
}
inline Floats to_floats(Ints x) {
  return _mm256_cvtepi32_ps(x);
}
/// Integers within 16 bits to pairs.
inline Ints make_pairs(Ints low, Ints high) {
  return _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xaa);
}
inline Ints bit_and(Ints a, Ints b) {
  return _mm256_and_si256(a, b);
}
inline Ints bit_or(Ints a, Ints b) {
  return _mm256_or_si256(a, b);
}
template <int kBits>
inline Ints shift_right(Ints x) {
  return _mm256_srli_epi32(x, kBits);
}
template <int kBits>
inline Ints shift_left(Ints x) {
  return _mm256_slli_epi32(x, kBits);
}
/// table[index] of 16 floats, 64-byte aligned.
inline Floats look_up(const float* table, Ints index) {
  const Floats low = _mm256_permutevar8x32_ps(_mm256_load_ps(table), index);
  const Floats high = _mm256_permutevar8x32_ps(_mm256_load_ps(table + 8), index);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}
/// table[byte] for every byte, below 16.
inline Ints lookup_bytes(Ints x, const uint8_t* table) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), x);
}
/// p[0], p[stride], p[2 stride], ...
inline Floats gather(const float* p, int stride) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_i32gather_ps(p, _mm256_mullo_epi32(lane, _mm256_set1_epi32(stride)), 4);
}

}  // namespace
}  // namespace hearth::kernels
