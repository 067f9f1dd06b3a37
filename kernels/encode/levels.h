// The values that codes stand for before they are scaled, and the nearest of them.
#pragma once

#include "kernels/encode/lanes.h"

namespace hearth::kernels {
namespace {

/// Whole numbers from lo to hi.
struct WholeLevels {
  float lo, hi;
  HEARTH_LANES_INLINE Lanes nearest(Lanes v) const { return round_lanes(clamp(v, fill(lo), fill(hi))); }
  /// The levels of largest magnitude on either side.
  float lowest() const { return lo; }
  float highest() const { return hi; }
  int n_levels() const { return static_cast<int>(hi - lo) + 1; }
  /// Where the largest element may be put, by eighths of a step, clipped by a quarter at most: for blocks that are met
  /// nearly exactly (fit.h).
  int n_places() const { return 10 * static_cast<int>(hi - lo) + 1; }
  float place(int i) const { return 1.25f * lo + 0.125f * static_cast<float>(i); }
};

/// The 16 values of IQ4_NL and IQ4_XS: those of a normal distribution, about.
struct Iq4Levels {
  static constexpr float kValues[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  /// Between value k and the next: where the nearest changes.
  static constexpr float middle(int k) { return 0.5f * (kValues[k] + kValues[k + 1]); }
#if HEARTH_ENCODE_SIDES == 2 && !defined(__clang__)
  // Lanes of a register as tables: a binary search among the 15 boundaries, node k leading to 2k and 2k + 1.
  HEARTH_LANES_INLINE Lanes nearest(Lanes v) const {
    constexpr Lanes kTree = {0,         middle(7),  middle(3),  middle(11), middle(1), middle(5),
                             middle(9), middle(13), middle(0),  middle(2),  middle(4), middle(6),
                             middle(8), middle(10), middle(12), middle(14)};
    constexpr Lanes kSorted = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    IntLanes node = (v > middle(7) ? IntLanes{} + 3 : IntLanes{} + 2);
    for (int step = 0; step < 3; ++step) {
      const Lanes boundary = permute(kTree, node);
      node += node;
      node = v > boundary ? node + 1 : node;
    }
    return permute(kSorted, node & 15);
  }
#elif defined(__AVX2__) && HEARTH_ENCODE_SIDES == 1 && !defined(__clang__)
  // Lanes of a register as a table: a binary search among the 15 boundaries.
  HEARTH_LANES_INLINE Lanes nearest(Lanes v) const {
    IntLanes k = (v > middle(7)) & 8;
    k |= (v > select(k != 0, fill(middle(11)), fill(middle(3)))) & 4;
    k |= (v > __builtin_shuffle(Lanes{middle(1), middle(5), middle(9), middle(13)}, k >> 2)) & 2;
    k |= (v > __builtin_shuffle(
                  Lanes{middle(0), middle(2), middle(4), middle(6), middle(8), middle(10), middle(12), middle(14)},
                  k >> 1)) &
         1;
    const Lanes low = __builtin_shuffle(Lanes{-127, -104, -83, -65, -49, -35, -22, -10}, k);
    const Lanes high = __builtin_shuffle(Lanes{1, 13, 25, 38, 53, 69, 89, 113}, k);
    return select(k > 7, high, low);
  }
#else
  HEARTH_LANES_INLINE Lanes nearest(Lanes v) const {
    Lanes level = fill(kValues[0]);
    for (int k = 1; k < 16; ++k) level = v > 0.5f * (kValues[k - 1] + kValues[k]) ? fill(kValues[k]) : level;
    return level;
  }
#endif
  float lowest() const {
    return -127;
  }
  float highest() const {
    return 113;
  }
  static int n_levels() {
    return 16;
  }
  static int n_places() {
    return 16;
  }
  static float place(int i) {
    return kValues[i];
  }
  static int code(float level) {
    int k = 0;
    while (k < 15 && kValues[k] != level) ++k;
    return k;
  }
  /// Levels become their numbers, 0 to 15; n is a multiple of kLanes.
  static void number(float* level, int n) {
    for (int i = 0; i < n; i += kLanes) {
      const Lanes v = load_lanes(level + i);
      IntLanes k{};
      for (int b = 0; b < 15; ++b) k -= v > middle(b);
      store_lanes(level + i, __builtin_convertvector(k, Lanes));
    }
  }
};

/// The eight magnitudes of a 4-bit float E2M1, times two.
struct Fp4Levels {
  static constexpr float kMagnitudes[8] = {0, 1, 2, 3, 4, 6, 8, 12};
  HEARTH_LANES_INLINE Lanes nearest(Lanes v) const {
    const Lanes size = v > 0.0f ? v : -v;
    Lanes level{};
    for (int k = 1; k < 8; ++k) {
      level = size > 0.5f * (kMagnitudes[k - 1] + kMagnitudes[k]) ? fill(kMagnitudes[k]) : level;
    }
    return v < 0.0f ? -level : level;
  }
  static int code(float level) {
    const float size = level < 0.0f ? -level : level;
    int k = 0;
    while (k < 7 && kMagnitudes[k] != size) ++k;
    return level < 0.0f ? k + 8 : k;
  }
};

}  // namespace
}  // namespace hearth::kernels
