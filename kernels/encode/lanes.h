// Floats side by side as compilers offer them on every target (their "vector extensions"). Encoders try eight
// candidates at once, a candidate a lane; where registers hold sixteen floats (HEARTH_ENCODE_SIDES is 2 there), those
// of two parts of a block, its "sides": lane l is candidate l / kSides of side l % kSides. Only operations that IEEE
// 754 defines to the last bit are used, one by one, so that every instruction set finds the same codes.
#pragma once

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include <cstdint>

#if !defined(HEARTH_ENCODE_SIDES)
#define HEARTH_ENCODE_SIDES 1
#endif
#if defined(HEARTH_ENCODE_COMPACT)  // where lanes are no registers, each operation is a function
#define HEARTH_LANES_INLINE
#else
#define HEARTH_LANES_INLINE [[gnu::always_inline]]
#endif

namespace hearth::kernels {
namespace {

constexpr int kSides = HEARTH_ENCODE_SIDES;
constexpr int kCandidates = 8;
constexpr int kLanes = kCandidates * kSides;

using Float8 = float __attribute__((vector_size(32)));
using Lanes = float __attribute__((vector_size(4 * kLanes)));
using IntLanes = int32_t __attribute__((vector_size(4 * kLanes)));

HEARTH_LANES_INLINE inline Lanes fill(float v) {
  return v - Lanes{};
}

/// Where the mask is set a, else b.
HEARTH_LANES_INLINE inline Lanes select(IntLanes mask, Lanes a, Lanes b) {
#if defined(__AVX512F__) && HEARTH_ENCODE_SIDES == 2
  return mask ? a : b;
#else
  return reinterpret_cast<Lanes>((mask & reinterpret_cast<IntLanes>(a)) | (~mask & reinterpret_cast<IntLanes>(b)));
#endif
}

/// v within [lo, hi]; lo where v is not a number.
HEARTH_LANES_INLINE inline Lanes clamp(Lanes v, Lanes lo, Lanes hi) {
#if defined(__AVX512F__) && HEARTH_ENCODE_SIDES == 2
  return _mm512_min_ps(_mm512_max_ps(v, lo), hi);
#elif defined(__AVX__) && HEARTH_ENCODE_SIDES == 1  // compilers make two instructions of a lower bound of zero
  return _mm256_min_ps(_mm256_max_ps(v, lo), hi);
#else
  v = select(v > lo, v, lo);
  return select(v < hi, v, hi);
#endif
}

/// Nearest whole number, ties to even; |v| < 2^22. (Adding 1.5 * 2^23 leaves no bits for a fraction.)
HEARTH_LANES_INLINE inline Lanes round_lanes(Lanes v) {
  return (v + 12582912.0f) - 12582912.0f;
}

/// 1 / s, and 0 where s is 0.
HEARTH_LANES_INLINE inline Lanes inverse(Lanes s) {
  return select(s != 0.0f, 1.0f / s, Lanes{});
}

/// The floats at p, of any alignment.
HEARTH_LANES_INLINE inline Lanes load_lanes(const float* p) {
  Lanes v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

HEARTH_LANES_INLINE inline void store_lanes(float* p, Lanes v) {
  __builtin_memcpy(p, &v, sizeof v);
}

HEARTH_LANES_INLINE inline Lanes magnitude(Lanes v) {
  return reinterpret_cast<Lanes>(reinterpret_cast<IntLanes>(v) & 0x7fffffff);
}

/// Lane l is lane at[l] of v.
HEARTH_LANES_INLINE inline Lanes permute(Lanes v, IntLanes at) {
#if defined(__AVX512F__) && HEARTH_ENCODE_SIDES == 2
  return _mm512_permutexvar_ps(reinterpret_cast<__m512i>(at), v);
#elif defined(__AVX2__) && HEARTH_ENCODE_SIDES == 1
  return _mm256_permutevar8x32_ps(v, reinterpret_cast<__m256i>(at));
#else
  Lanes to{};
  for (int l = 0; l < kLanes; ++l) to[l] = v[at[l]];
  return to;
#endif
}

#if HEARTH_ENCODE_SIDES == 1

/// A number of each side, in all lanes of the side.
HEARTH_LANES_INLINE inline Lanes spread(const float* of_sides) {
  return fill(*of_sides);
}

/// A number of each candidate, for all sides.
HEARTH_LANES_INLINE inline Lanes for_sides(Float8 v) {
  return v;
}

/// Eight elements of each side: those of the next side lie `stride` floats on.
HEARTH_LANES_INLINE inline Lanes zip_sides(const float* p, int) {
  return load_lanes(p);
}

/// Lane l is the lane `by` candidates on, counted round.
template <int by>
HEARTH_LANES_INLINE inline Lanes rotate(Lanes v) {
#if defined(__clang__)
  return __builtin_shufflevector(v, v, by, (1 + by) % 8, (2 + by) % 8, (3 + by) % 8, (4 + by) % 8, (5 + by) % 8,
                                 (6 + by) % 8, (7 + by) % 8);
#else
  return __builtin_shuffle(v, IntLanes{0, 1, 2, 3, 4, 5, 6, 7} + by);
#endif
}

#else

HEARTH_LANES_INLINE inline Lanes spread(const float* of_sides) {
  using Pairs = double __attribute__((vector_size(64)));
  double p;
  __builtin_memcpy(&p, of_sides, sizeof p);
  return reinterpret_cast<Lanes>(Pairs{p, p, p, p, p, p, p, p});
}

HEARTH_LANES_INLINE inline Lanes for_sides(Float8 v) {
  return Lanes{v[0], v[0], v[1], v[1], v[2], v[2], v[3], v[3], v[4], v[4], v[5], v[5], v[6], v[6], v[7], v[7]};
}

HEARTH_LANES_INLINE inline Lanes zip_sides(const float* p, int stride) {
  Lanes a{}, b{};
  __builtin_memcpy(&a, p, sizeof(Float8));
  __builtin_memcpy(&b, p + stride, sizeof(Float8));
#if defined(__clang__)
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#else
  return __builtin_shuffle(a, b, IntLanes{0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23});
#endif
}

template <int by>
HEARTH_LANES_INLINE inline Lanes rotate(Lanes v) {
  IntLanes at{};
  for (int l = 0; l < kLanes; ++l) at[l] = (l + by * kSides) % kLanes;
  return permute(v, at);
}

#endif

/// The sum of each side's lanes, in a fixed order, in all of them.
HEARTH_LANES_INLINE inline Lanes sum_of_sides(Lanes v) {
  v += rotate<4>(v);
  v += rotate<2>(v);
  return v + rotate<1>(v);
}

/// The least of each side's lanes, in all of them.
HEARTH_LANES_INLINE inline Lanes least_of_sides(Lanes v) {
  const auto lesser = [](Lanes a, Lanes b) { return select(a < b, a, b); };
  v = lesser(v, rotate<4>(v));
  v = lesser(v, rotate<2>(v));
  return lesser(v, rotate<1>(v));
}

HEARTH_LANES_INLINE inline Lanes largest_of_sides(Lanes v) {
  return -least_of_sides(-v);
}

/// Adds what the sides have, one after the other.
HEARTH_LANES_INLINE inline void add_sides(float& to, Lanes v) {
  for (int side = 0; side < kSides; ++side) to += v[side];
}

HEARTH_LANES_INLINE inline void store_sides(float* to, Lanes v) {
  for (int side = 0; side < kSides; ++side) to[side] = v[side];
}

HEARTH_LANES_INLINE inline bool any_lane(IntLanes mask) {
#if defined(__AVX512F__) && HEARTH_ENCODE_SIDES == 2
  return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(mask), reinterpret_cast<__m512i>(mask)) != 0;
#elif defined(__AVX__) && HEARTH_ENCODE_SIDES == 1
  return _mm256_movemask_ps(reinterpret_cast<Lanes>(mask)) != 0;
#else
  int any = 0;
  for (int l = 0; l < kLanes; ++l) any |= mask[l];
  return any != 0;
#endif
}

/// The first candidate of each side with the least cost. Those whose cost is not a number lose.
struct Cheapest {
  Lanes cost;   ///< the least, in all lanes of the side
  IntLanes at;  ///< its lane

  HEARTH_LANES_INLINE explicit Cheapest(Lanes costs) {
    costs = select(costs < __builtin_inff(), costs, fill(__builtin_inff()));
    cost = least_of_sides(costs);
    const IntLanes mask = costs == cost;
#if defined(__AVX512F__) && HEARTH_ENCODE_SIDES == 2
    const unsigned bits = _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask));
    const auto first = static_cast<uint64_t>(__builtin_ctz(bits & 0x5555));
    const auto second = static_cast<uint64_t>(__builtin_ctz(bits & 0xaaaa));
    at = reinterpret_cast<IntLanes>(_mm512_set1_epi64(static_cast<int64_t>(first | second << 32)));
#elif defined(__AVX__) && HEARTH_ENCODE_SIDES == 1
    at = __builtin_ctz(static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<Lanes>(mask)))) - IntLanes{};
#else
    for (int side = 0; side < kSides; ++side) {
      int first = side;
      while (mask[first] == 0) first += kSides;
      for (int l = side; l < kLanes; l += kSides) at[l] = first;
    }
#endif
  }
  /// What the candidate has, in all lanes of its side.
  HEARTH_LANES_INLINE Lanes of(Lanes v) const {
    return permute(v, at);
  }
};

/// Eight codes as bytes.
using Bytes = uint8_t __attribute__((vector_size(8)));

HEARTH_LANES_INLINE inline Bytes load_bytes(const uint8_t* p) {
  Bytes v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

HEARTH_LANES_INLINE inline void store_bytes(uint8_t* p, Bytes v) {
  __builtin_memcpy(p, &v, sizeof v);
}

/// Eight codes of each side; those of the next side go `stride` bytes on.
HEARTH_LANES_INLINE inline void store_codes(uint8_t* code, int stride, IntLanes v) {
  using SideBytes = uint8_t __attribute__((vector_size(8 * kSides)));
  const SideBytes bytes = __builtin_convertvector(v, SideBytes);
  if constexpr (kSides == 1) {
    __builtin_memcpy(code, &bytes, sizeof bytes);
    return;
  }
  using Words = uint16_t __attribute__((vector_size(8 * kSides)));
  Words words;
  __builtin_memcpy(&words, &bytes, sizeof words);
  using Half = uint8_t __attribute__((vector_size(4 * kSides)));
  const Half first = __builtin_convertvector(words & 255, Half), second = __builtin_convertvector(words >> 8, Half);
  __builtin_memcpy(code, &first, sizeof first);
  __builtin_memcpy(code + stride, &second, sizeof second);
}

}  // namespace
}  // namespace hearth::kernels
