// Eight floats as compilers offer them on every target (their "vector extensions"). Encoders try eight candidates at
// once, a candidate a lane. Only operations that IEEE 754 defines to the last bit are used, one by one, so that every
// instruction set finds the same codes.
#pragma once

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include <cstdint>

namespace hearth::kernels {
namespace {

using Lanes = float __attribute__((vector_size(32)));
using IntLanes = int32_t __attribute__((vector_size(32)));
constexpr int kLanes = 8;

[[gnu::always_inline]] inline Lanes fill(float v) {
  return v - Lanes{};
}

/// Where the mask is set a, else b.
[[gnu::always_inline]] inline Lanes select(IntLanes mask, Lanes a, Lanes b) {
  return reinterpret_cast<Lanes>((mask & reinterpret_cast<IntLanes>(a)) | (~mask & reinterpret_cast<IntLanes>(b)));
}

/// v within [lo, hi]; lo where v is not a number.
[[gnu::always_inline]] inline Lanes clamp(Lanes v, Lanes lo, Lanes hi) {
#if defined(__AVX__)  // compilers make two instructions of the lower bound where it is zero
  return _mm256_min_ps(_mm256_max_ps(v, lo), hi);
#else
  v = v > lo ? v : lo;
  return v < hi ? v : hi;
#endif
}

/// Nearest whole number, ties to even; |v| < 2^22. (Adding 1.5 * 2^23 leaves no bits for a fraction.)
[[gnu::always_inline]] inline Lanes round_lanes(Lanes v) {
  return (v + 12582912.0f) - 12582912.0f;
}

inline float round_one(float v) {
  return (v + 12582912.0f) - 12582912.0f;
}

/// 1 / s, and 0 where s is 0.
[[gnu::always_inline]] inline Lanes inverse(Lanes s) {
  return select(s != 0.0f, 1.0f / s, Lanes{});
}

/// The eight floats at p, of any alignment.
[[gnu::always_inline]] inline Lanes load_lanes(const float* p) {
  Lanes v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

[[gnu::always_inline]] inline void store_lanes(float* p, Lanes v) {
  __builtin_memcpy(p, &v, sizeof v);
}

[[gnu::always_inline]] inline Lanes magnitude(Lanes v) {
  return reinterpret_cast<Lanes>(reinterpret_cast<IntLanes>(v) & 0x7fffffff);
}

/// Lane l is lane l + by of v, counted round.
template <int by>
[[gnu::always_inline]] inline Lanes rotate(Lanes v) {
#if defined(__clang__)
  return __builtin_shufflevector(v, v, by, (1 + by) % 8, (2 + by) % 8, (3 + by) % 8, (4 + by) % 8, (5 + by) % 8,
                                 (6 + by) % 8, (7 + by) % 8);
#else
  return __builtin_shuffle(v, IntLanes{0, 1, 2, 3, 4, 5, 6, 7} + by);
#endif
}

/// The sum of the lanes, in a fixed order.
[[gnu::always_inline]] inline float sum_lanes(Lanes v) {
  v += rotate<4>(v);
  v += rotate<2>(v);
  return v[0] + v[1];
}

/// The least of the lanes, in all of them.
[[gnu::always_inline]] inline Lanes spread_least(Lanes v) {
  v = v < rotate<4>(v) ? v : rotate<4>(v);
  v = v < rotate<2>(v) ? v : rotate<2>(v);
  return v < rotate<1>(v) ? v : rotate<1>(v);
}

[[gnu::always_inline]] inline float largest_lane(Lanes v) {
  return -spread_least(-v)[0];
}

/// The first lane with the least value; lanes that are not numbers lose.
inline int least_lane(Lanes v, float* least) {
  int at = 0;
  float best = __builtin_inff();
  for (int l = 0; l < kLanes; ++l) {
    if (v[l] < best) {
      best = v[l];
      at = l;
    }
  }
  *least = best;
  return at;
}

/// Eight codes as bytes.
using Bytes = uint8_t __attribute__((vector_size(8)));

[[gnu::always_inline]] inline Bytes load_bytes(const uint8_t* p) {
  Bytes v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

[[gnu::always_inline]] inline void store_bytes(uint8_t* p, Bytes v) {
  __builtin_memcpy(p, &v, sizeof v);
}

/// n levels plus an offset as bytes; n is a multiple of eight.
inline void put_codes(uint8_t* code, const float* level, float offset, int n) {
  for (int i = 0; i < n; i += kLanes) {
    store_bytes(code + i,
                __builtin_convertvector(__builtin_convertvector(load_lanes(level + i) + offset, IntLanes), Bytes));
  }
}

}  // namespace
}  // namespace hearth::kernels
