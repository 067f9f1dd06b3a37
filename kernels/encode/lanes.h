// Eight floats as compilers offer them on every target (their "vector extensions"). Encoders try eight candidates at
// once, a candidate a lane. Only operations that IEEE 754 defines to the last bit are used, one by one, so that every
// instruction set finds the same codes.
#pragma once

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
  v = v > lo ? v : lo;
  return v < hi ? v : hi;
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

/// In a fixed order.
inline float sum_lanes(Lanes v) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

inline float largest_lane(Lanes v) {
  float largest = v[0];
  for (int l = 1; l < kLanes; ++l) largest = v[l] > largest ? v[l] : largest;
  return largest;
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

}  // namespace
}  // namespace hearth::kernels
