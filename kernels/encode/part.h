// The elements that share a scale, as the searches of encoders see them, and how they are loaded.
//
// Everything is searched in units of a power of two near the largest magnitude, so that no square overflows or
// vanishes; the unit enters only where a scale is rounded to what the file can hold.
#pragma once

#include "kernels/encode/lanes.h"
#include "kernels/half.h"

namespace hearth::kernels {
namespace {

/// n elements x with weights w >= 0 of each side; wx = w * x. The error of codes is the sum of w (x - y)^2. Element i
/// of the sides is at kSides * i. n is a multiple of eight.
struct Part {
  const float* x;
  const float* w;
  const float* wx;
  int n;
  bool even = false;  ///< all weights are one: loops leave them out, with the same result to the last bit

  int n_floats() const { return kSides * n; }
};

/// The largest block: elements divided by `unit`, weights divided by their mean.
struct Loaded {
  alignas(64) float x[256];
  alignas(64) float w[256];
  alignas(64) float wx[256];
  float unit = 1.0f;      ///< a power of two
  bool is_zero = false;   ///< nothing that a half-precision scale could express
  bool weighted = false;  ///< weights differ: the best scale may lie far from the largest magnitude

  /// Elements from `first` on: n of each side.
  Part part(int first, int n) const { return {x + first, w + first, wx + first, n, !weighted}; }
};

/// 2^exponent, -126 <= exponent <= 127.
inline float power_of_two(int exponent) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(exponent + 127) << 23);
}

/// Loads n <= 256 elements, a multiple of eight, that are made of parts of `n_part` elements (a power of two): kSides
/// parts lie side by side. What is not finite becomes 0. Columns of no importance keep a trace of it: among codes that
/// are as good for the others, theirs are the nearest.
inline void load(Loaded& to, const float* x, const float* w, int n, int n_part = kCandidates) {
  using Int8 = int32_t __attribute__((vector_size(32)));
  constexpr int32_t kLargest = __builtin_bit_cast(int32_t, 3.4e38f);
  alignas(32) float finite[256];
  Int8 largest{};
  Float8 sum{};
  for (int i = 0; i < n; i += 8) {
    Int8 raw;
    __builtin_memcpy(&raw, x + i, sizeof raw);
    const Int8 v = raw & ((raw & 0x7fffffff) <= kLargest), size = v & 0x7fffffff;
    largest = (size & (size > largest)) | (largest & (size <= largest));
    __builtin_memcpy(finite + i, &v, sizeof v);
    if (w == nullptr) continue;
    Float8 weights;
    __builtin_memcpy(&weights, w + i, sizeof weights);
    sum += weights;
  }
  int bits = 0;
  for (int l = 0; l < 8; ++l) bits = largest[l] > bits ? largest[l] : bits;
  const float most = __builtin_bit_cast(float, bits);
  const float total = ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
  to.is_zero = most < 0x1p-40f;
  const int exponent = (bits >> 23) - 127;
  const int limited = exponent < -126 ? -126 : exponent > 126 ? 126 : exponent;
  to.unit = to.is_zero ? 1.0f : power_of_two(limited);
  to.weighted = w != nullptr && total > 0.0f && total <= 3.4e38f;
  const float inverse_unit = to.is_zero ? 1.0f : power_of_two(-limited);
  const float inverse_mean = to.weighted ? static_cast<float>(n) / total : 0.0f;
  for (int i = 0, from = 0; i < n; i += kLanes) {
    const Lanes v = zip_sides(finite + from, n_part) * inverse_unit;
    const Lanes weight = to.weighted ? zip_sides(w + from, n_part) * inverse_mean + 1e-7f : fill(1.0f);
    store_lanes(to.x + i, v);
    store_lanes(to.w + i, weight);
    store_lanes(to.wx + i, weight * v);
    from += kCandidates;
    if ((from & (n_part - 1)) == 0) from += (kSides - 1) * n_part;
  }
}

/// Whether there are eight different elements at most. Many scales meet these (nearly) exactly, and it is the rounding
/// of scales that decides, so that more of them are tried. What a search looks at for weights of models does not grow.
inline bool has_few_values(const float* x, int n) {
  float seen[8];
  int n_seen = 0;
  for (int i = 0; i < n; ++i) {
    int k = 0;
    while (k < n_seen && seen[k] != x[i]) ++k;
    if (k < n_seen) continue;
    if (n_seen == 8) return false;
    seen[n_seen++] = x[i];
  }
  return true;
}

/// The elements as they were in order: what lies in the sides' order as bytes.
inline void put_codes(uint8_t* code, const float* level, float offset, int n, int n_part = kCandidates) {
  for (int i = 0, to = 0; i < n; i += kLanes) {
    store_codes(code + to, n_part, __builtin_convertvector(load_lanes(level + i) + offset, IntLanes));
    to += kCandidates;
    if ((to & (n_part - 1)) == 0) to += (kSides - 1) * n_part;
  }
}

/// Below it the scales of superblocks are halves of a few bits, the smallest that there are: all of these are tried.
constexpr float kTinyUnit = 0x1p-16f;

/// Half bits of a scale given in units; within the finite halves.
inline uint16_t scale_bits(float scale, float unit) {
  const float value = scale * unit;
  const float limited = value > 65504.0f ? 65504.0f : value < -65504.0f ? -65504.0f : value;
  return float_to_half(limited == limited ? limited : 0.0f);
}

/// What these bits decode to, in units.
inline float scale_of_bits(uint16_t bits, float unit) {
  return half_to_float(bits) / unit;  // exact: a power of two
}

/// Bits of the half `steps` above (below, where negative) in magnitude, of the same sign; finite.
inline uint16_t near_half(uint16_t bits, int steps) {
  int magnitude = (bits & 0x7fff) + steps;
  magnitude = magnitude < 0 ? 0 : magnitude > 0x7bff ? 0x7bff : magnitude;
  return static_cast<uint16_t>((bits & 0x8000) | magnitude);
}

}  // namespace
}  // namespace hearth::kernels
