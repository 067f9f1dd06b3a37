// Stands in for <immintrin.h> where kernels/avx512 and kernels/amx are compiled to portable code (HEARTH_EMULATE_ISAS),
// so that their tests run on every processor. SIMDe (https://github.com/simd-everywhere/simde) has C for most
// intrinsics; here is what the packaged versions lack, and fused multiply-adds that round once. Slow: for tests alone.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx2.h>
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
#include <simde/x86/sse4.2.h>

#include <cmath>
#include <cstdint>
#include <cstring>

using __mmask8 = uint8_t;
using __mmask16 = uint16_t;
using __mmask32 = uint32_t;
using __mmask64 = uint64_t;
#ifndef _MM_FROUND_NO_EXC
#define _MM_FROUND_NO_EXC 8
#endif
#ifndef _MM_FROUND_TO_NEAREST_INT
#define _MM_FROUND_TO_NEAREST_INT 0
#endif

namespace hearth_emulation {
namespace {

/// The lanes of a register.
template <typename T, int kCount>
struct Lanes {
  T v[kCount] = {};

  Lanes() = default;
  template <typename Register>
  explicit Lanes(const Register& value) {
    static_assert(sizeof value == sizeof v);
    std::memcpy(v, &value, sizeof v);
  }
  template <typename Register>
  operator Register() const {  // NOLINT: as the intrinsics are used
    Register value;
    static_assert(sizeof value == sizeof v);
    std::memcpy(&value, v, sizeof v);
    return value;
  }
};
using Floats16 = Lanes<float, 16>;
using Ints16 = Lanes<int32_t, 16>;
using Words16 = Lanes<int16_t, 16>;
using Halves16 = Lanes<_Float16, 16>;

/// To[i] = change(from[i])
template <typename To, typename From, typename Change>
inline To map(const From& from, const Change& change) {
  To to;
  for (int i = 0; i < 16; ++i) to.v[i] = change(from.v[i]);
  return to;
}

/// The elements at p whose bit of the mask is set, the others 0; and the other way round.
template <typename To>
inline To load_masked(uint16_t mask, const void* p) {
  To to;
  constexpr size_t kSize = sizeof to.v[0];
  for (size_t i = 0; i < 16; ++i) {
    if ((mask >> i & 1) != 0) std::memcpy(to.v + i, static_cast<const char*>(p) + i * kSize, kSize);
  }
  return to;
}
template <typename From>
inline void store_masked(void* p, uint16_t mask, const From& from) {
  constexpr size_t kSize = sizeof from.v[0];
  for (size_t i = 0; i < 16; ++i) {
    if ((mask >> i & 1) != 0) std::memcpy(static_cast<char*>(p) + i * kSize, from.v + i, kSize);
  }
}

/// Halves of halves, in the order that compilers give reductions.
template <typename Join>
inline float reduce(__m512 a, const Join& join) {
  Floats16 x(a);
  for (int n = 8; n > 0; n /= 2) {
    for (int i = 0; i < n; ++i) x.v[i] = join(x.v[i], x.v[i + n]);
  }
  return x.v[0];
}

/// sign_a a b + sign_c c, rounded once.
template <typename Register>
inline Register fused(float sign_a, Register a, Register b, float sign_c, Register c) {
  constexpr int kCount = sizeof(Register) / sizeof(float);
  const Lanes<float, kCount> x(a), y(b), z(c);
  Lanes<float, kCount> out;
  for (int i = 0; i < kCount; ++i) out.v[i] = std::fma(sign_a * x.v[i], y.v[i], sign_c * z.v[i]);
  return out;
}

inline int32_t to_int(float x) {
  return (x >= -2147483648.0f && x < 2147483648.0f) ? static_cast<int32_t>(std::nearbyint(x)) : INT32_MIN;
}
inline __m512i gather(__m512i at, const void* p, int scale) {
  return map<Ints16>(Ints16(at), [=](int32_t i) {
    int32_t value;
    std::memcpy(&value, static_cast<const char*>(p) + int64_t{i} * scale, sizeof value);
    return value;
  });
}
inline __m512 shuffle_lanes(__m512 a, __m512 b, int which) {
  const Floats16 x(a), y(b);
  Floats16 out;
  for (int i = 0; i < 16; ++i) out.v[i] = (i < 8 ? x : y).v[4 * (which >> (i / 4 * 2) & 3) + i % 4];
  return out;
}
inline __m256 half_of(__m512 a, int which) {
  const Floats16 x(a);
  Lanes<float, 8> out;
  std::memcpy(out.v, x.v + 8 * which, sizeof out.v);
  return out;
}

inline __m512i or_ints(__m512i a, __m512i b) {
  return simde_mm512_or_si512(a, b);
}
inline __m512i multiply_pairs(__m512i a, __m512i b) {
  return simde_mm512_madd_epi16(a, b);
}
inline __m256i words_of(__m512i a) {
  return map<Words16>(Ints16(a), [](int32_t x) { return static_cast<int16_t>(x); });
}
/// 16 bytes as ints, with the sign of T.
template <typename T>
inline __m512i ints_of_bytes(__m128i bytes) {
  return map<Ints16>(Lanes<T, 16>(bytes), [](T v) { return int32_t{v}; });
}
inline __m512i words_of_bytes(__m256i bytes) {
  const Lanes<uint8_t, 32> from(bytes);
  Lanes<int16_t, 32> to;
  for (int i = 0; i < 32; ++i) to.v[i] = from.v[i];
  return to;
}
inline __m512i ints_of_words(__m256i a) {
  return map<Ints16>(Words16(a), [](int16_t x) { return static_cast<uint16_t>(x); });
}
inline __m512 floats_of(__m512i a) {
  return map<Floats16>(Ints16(a), [](int32_t x) { return static_cast<float>(x); });
}
inline __m512i ints_of(__m512 a) {
  return map<Ints16>(Floats16(a), to_int);
}
inline __m512 floats_of_halves(__m256i a) {
  return map<Floats16>(Halves16(a), [](_Float16 x) { return static_cast<float>(x); });
}
inline __m256i halves_of_floats(__m512 a, int /*rounding*/) {
  return map<Halves16>(Floats16(a), [](float x) { return static_cast<_Float16>(x); });
}
inline __m512i shift_right(__m512i a, unsigned n) {
  return map<Ints16>(Ints16(a), [=](int32_t x) { return x >> (n > 31 ? 31 : n); });
}
inline __m512 minus_nearest(__m512 a, int /*control*/) {
  return map<Floats16>(Floats16(a), [](float x) { return x - std::nearbyint(x); });
}
inline float add_all(__m512 a) {
  return reduce(a, [](float x, float y) { return x + y; });
}
inline float max_of_all(__m512 a) {
  return reduce(a, [](float x, float y) { return x > y ? x : y; });
}
inline __m512 gather_floats(__m512i at, const void* p, int scale) {
  return Floats16(gather(at, p, scale));
}
inline __m256i load_words(uint16_t mask, const void* p) {
  return load_masked<Words16>(mask, p);
}
inline __m512 load_floats(uint16_t mask, const void* p) {
  return load_masked<Floats16>(mask, p);
}
inline void store_words(void* p, uint16_t mask, __m256i a) {
  store_masked(p, mask, Words16(a));
}
inline void store_floats(void* p, uint16_t mask, __m512 a) {
  store_masked(p, mask, Floats16(a));
}
template <typename Register>
inline Register fma(Register a, Register b, Register c) {
  return fused(1.0f, a, b, 1.0f, c);
}
template <typename Register>
inline Register fnma(Register a, Register b, Register c) {
  return fused(-1.0f, a, b, 1.0f, c);
}
template <typename Register>
inline Register fms(Register a, Register b, Register c) {
  return fused(1.0f, a, b, -1.0f, c);
}

}  // namespace
}  // namespace hearth_emulation

// Whatever SIMDe has under these names.
#undef _mm512_or_si512
#define _mm512_or_si512(...) hearth_emulation::or_ints(__VA_ARGS__)
#undef _mm512_madd_epi16
#define _mm512_madd_epi16(...) hearth_emulation::multiply_pairs(__VA_ARGS__)
#undef _mm512_cvtepi32_epi16
#define _mm512_cvtepi32_epi16(...) hearth_emulation::words_of(__VA_ARGS__)
#undef _mm512_cvtepu16_epi32
#define _mm512_cvtepu16_epi32(...) hearth_emulation::ints_of_words(__VA_ARGS__)
#undef _mm512_cvtepu8_epi16
#define _mm512_cvtepu8_epi16(...) hearth_emulation::words_of_bytes(__VA_ARGS__)
#undef _mm512_cvtepi8_epi32
#define _mm512_cvtepi8_epi32(...) hearth_emulation::ints_of_bytes<int8_t>(__VA_ARGS__)
#undef _mm512_cvtepu8_epi32
#define _mm512_cvtepu8_epi32(...) hearth_emulation::ints_of_bytes<uint8_t>(__VA_ARGS__)
#undef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps(...) hearth_emulation::floats_of(__VA_ARGS__)
#undef _mm512_cvtps_epi32
#define _mm512_cvtps_epi32(...) hearth_emulation::ints_of(__VA_ARGS__)
#undef _mm512_cvtph_ps
#define _mm512_cvtph_ps(...) hearth_emulation::floats_of_halves(__VA_ARGS__)
#undef _mm512_cvtps_ph
#define _mm512_cvtps_ph(...) hearth_emulation::halves_of_floats(__VA_ARGS__)
#undef _mm512_srai_epi32
#define _mm512_srai_epi32(...) hearth_emulation::shift_right(__VA_ARGS__)
#undef _mm512_reduce_ps
#define _mm512_reduce_ps(...) hearth_emulation::minus_nearest(__VA_ARGS__)
#undef _mm512_reduce_add_ps
#define _mm512_reduce_add_ps(...) hearth_emulation::add_all(__VA_ARGS__)
#undef _mm512_reduce_max_ps
#define _mm512_reduce_max_ps(...) hearth_emulation::max_of_all(__VA_ARGS__)
#undef _mm512_i32gather_epi32
#define _mm512_i32gather_epi32(...) hearth_emulation::gather(__VA_ARGS__)
#undef _mm512_i32gather_ps
#define _mm512_i32gather_ps(...) hearth_emulation::gather_floats(__VA_ARGS__)
#undef _mm512_shuffle_f32x4
#define _mm512_shuffle_f32x4(...) hearth_emulation::shuffle_lanes(__VA_ARGS__)
#undef _mm512_extractf32x8_ps
#define _mm512_extractf32x8_ps(...) hearth_emulation::half_of(__VA_ARGS__)
#undef _mm256_maskz_loadu_epi16
#define _mm256_maskz_loadu_epi16(...) hearth_emulation::load_words(__VA_ARGS__)
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps(...) hearth_emulation::load_floats(__VA_ARGS__)
#undef _mm256_mask_storeu_epi16
#define _mm256_mask_storeu_epi16(...) hearth_emulation::store_words(__VA_ARGS__)
#undef _mm512_mask_storeu_ps
#define _mm512_mask_storeu_ps(...) hearth_emulation::store_floats(__VA_ARGS__)
#undef _mm512_fmadd_ps
#define _mm512_fmadd_ps(...) hearth_emulation::fma(__VA_ARGS__)
#undef _mm512_fnmadd_ps
#define _mm512_fnmadd_ps(...) hearth_emulation::fnma(__VA_ARGS__)
#undef _mm512_fmsub_ps
#define _mm512_fmsub_ps(...) hearth_emulation::fms(__VA_ARGS__)
#undef _mm256_fmadd_ps
#define _mm256_fmadd_ps(...) hearth_emulation::fma(__VA_ARGS__)
#undef _mm256_fnmadd_ps
#define _mm256_fnmadd_ps(...) hearth_emulation::fnma(__VA_ARGS__)
#undef _mm256_fmsub_ps
#define _mm256_fmsub_ps(...) hearth_emulation::fms(__VA_ARGS__)

#include "tests/emulation/tiles.h"
