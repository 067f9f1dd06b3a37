// Walking rows of floats by vectors, in the vocabulary of vectors.h. Tails go through partial loads and stores,
// so that nothing beyond a row is touched.
#pragma once

#include <cstdint>

#include "kernels/simd/vectors.h"

namespace hearth::kernels {
namespace {

inline Floats load_up_to(const float* p, int64_t n) {
  return n == kLanes ? load(p) : load_n(p, n);
}

inline void store_up_to(float* p, Floats x, int64_t n) {
  if (n == kLanes) {
    store(p, x);
  } else {
    store_n(p, x, n);
  }
}

/// Calls f(first element, number of lanes) for whole vectors, then for the rest.
template <typename F>
inline void for_each_vector(int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, int64_t{kLanes});
  if (i < n) f(i, n - i);
}

/// Sum over a row of what f(first element, number of lanes, sum so far) adds; four running sums, always in the same
/// order. f adds 0 in lanes beyond the row.
template <typename F>
inline float sum_row(int64_t n, F f) {
  Floats s[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) s[j] = f(i + j * kLanes, int64_t{kLanes}, s[j]);
  }
  for (; i + kLanes <= n; i += kLanes) s[0] = f(i, int64_t{kLanes}, s[0]);
  if (i < n) s[1] = f(i, n - i, s[1]);
  return sum_lanes(add(add(s[0], s[1]), add(s[2], s[3])));
}

}  // namespace
}  // namespace hearth::kernels
