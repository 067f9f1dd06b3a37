// The two searches that most encoders are made of. For given codes the best scale (and minimum) follows in closed form,
// by least squares; for a given scale the best code of an element is the level nearest to x / scale. Taking turns
// (Lloyd 1982, "Least squares quantization in PCM") never increases the error, but ends in the optimum next to where it
// began: so it begins at many scales, eight at a time, a lane each.
#pragma once

#include "kernels/encode/levels.h"
#include "kernels/encode/part.h"

// The loops over elements, whose number is a multiple of four.
#if defined(__clang__)
#define HEARTH_UNROLLED _Pragma("unroll 4")
#else
#define HEARTH_UNROLLED _Pragma("GCC unroll 4")
#endif

namespace hearth::kernels {
namespace {

/// Starting points: the largest magnitude is put at the lowest or highest level times a factor; the factors go from
/// `from` in `count` (a multiple of four) geometric steps of `step`. Factors above one clip the largest elements.
struct StartRange {
  float from, step;
  int count;
  float fine;  ///< relative distance of the eight scales that are tried last, about the best
};

inline float largest_magnitude(const Part& p) {
  Lanes largest{};
  for (int i = 0; i < p.n; i += kLanes) {
    const Lanes size = magnitude(load_lanes(p.x + i));
    largest = size > largest ? size : largest;
  }
  return largest_lane(largest);
}

/// Eight scales: what their codes can do. Least squares for codes q: the scale sum(w x q) / sum(w q^2), which takes
/// sum(w x q)^2 / sum(w q^2) off the sum(w x^2) that is the error of zeros.
struct ScaleTrial {
  Lanes scale, gain;
};

template <bool kEven, typename Levels>
inline ScaleTrial try_scales_of(const Part& p, const Levels& levels, Lanes inverse_scale) {
  Lanes xq{}, qq{};
  HEARTH_UNROLLED for (int i = 0; i < p.n; ++i) {
    const Lanes q = levels.nearest(p.x[i] * inverse_scale);
    xq += p.wx[i] * q;
    qq += kEven ? q * q : p.w[i] * q * q;
  }
  const Lanes scale = xq * inverse(qq);
  return {scale, scale * xq};
}

template <typename Levels>
inline ScaleTrial try_scales(const Part& p, const Levels& levels, Lanes inverse_scale) {
  return p.even ? try_scales_of<true>(p, levels, inverse_scale) : try_scales_of<false>(p, levels, inverse_scale);
}

/// The best of the scales that were tried, a lane each.
struct BestScale {
  Lanes scale{}, gain{};

  void keep(const ScaleTrial& trial) {
    const IntLanes better = trial.gain > gain;
    gain = select(better, trial.gain, gain);
    scale = select(better, trial.scale, scale);
  }
  float best() const {
    float least;
    return scale[least_lane(-gain, &least)];
  }
};

/// -3.5 to 3.5, a lane each.
inline Lanes around_zero() {
  return Lanes{-3.5f, -2.5f, -1.5f, -0.5f, 0.5f, 1.5f, 2.5f, 3.5f};
}

/// The scale s that makes sum of w (x - s level)^2 least.
template <typename Levels>
float fit_scale(const Part& p, const Levels& levels, const StartRange& range, int rounds) {
  const float largest = largest_magnitude(p);
  if (largest == 0.0f) return 0.0f;
  BestScale kept;
  const auto look = [&](Lanes at) {
    for (int round = 0; round < rounds; ++round) {
      const ScaleTrial trial = try_scales(p, levels, at);
      kept.keep(trial);
      at = inverse(trial.scale);
    }
  };
  float factor = range.from;
  for (int start = 0; start < range.count; start += kLanes / 2) {
    Lanes at{};  // half of the lanes for the lowest level, half for the highest
    for (int l = 0; l < kLanes / 2; ++l, factor *= range.step) {
      at[l] = factor / largest * levels.lowest();
      at[l + kLanes / 2] = factor / largest * levels.highest();
    }
    look(at);
  }
  for (int closer = 0; closer < (rounds > 1 ? 2 : 1); ++closer) {
    const Lanes about = fill(kept.best()) * (1.0f + (closer == 0 ? range.fine : 0.2f * range.fine) * around_zero());
    kept.keep(try_scales(p, levels, inverse(about)));
  }
  return kept.best();
}

/// Errors of eight pairs (s, m) when each x becomes s * (nearest level) + m.
template <bool kEven, typename Levels>
inline Lanes try_pairs_of(const Part& p, const Levels& levels, Lanes scale, Lanes min) {
  const Lanes inverse_scale = inverse(scale);
  Lanes error{};
  HEARTH_UNROLLED for (int i = 0; i < p.n; ++i) {
    const Lanes x = p.x[i] - min;
    const Lanes difference = x - scale * levels.nearest(x * inverse_scale);
    error += kEven ? difference * difference : p.w[i] * difference * difference;
  }
  return error;
}

template <typename Levels>
inline Lanes try_pairs(const Part& p, const Levels& levels, Lanes scale, Lanes min) {
  return p.even ? try_pairs_of<true>(p, levels, scale, min) : try_pairs_of<false>(p, levels, scale, min);
}

template <bool kEven, typename Levels>
inline Lanes try_errors_of(const Part& p, const Levels& levels, Lanes scale) {
  const Lanes inverse_scale = inverse(scale);
  Lanes error{};
  HEARTH_UNROLLED for (int i = 0; i < p.n; ++i) {
    const Lanes difference = p.x[i] - scale * levels.nearest(p.x[i] * inverse_scale);
    error += kEven ? difference * difference : p.w[i] * difference * difference;
  }
  return error;
}

template <typename Levels>
inline Lanes try_errors(const Part& p, const Levels& levels, Lanes scale) {
  return p.even ? try_errors_of<true>(p, levels, scale) : try_errors_of<false>(p, levels, scale);
}

/// Levels of n elements for a scale and a minimum, as floats.
template <typename Levels>
inline void put_levels(float* level, const Part& p, const Levels& levels, float scale, float min) {
  const float inverse_scale = scale != 0.0f ? 1.0f / scale : 0.0f;
  for (int i = 0; i < p.n; i += kLanes) {
    store_lanes(level + i, levels.nearest((load_lanes(p.x + i) - min) * inverse_scale));
  }
}

struct ScaleMin {
  float scale = 0.0f, min = 0.0f;
};

/// Starting points of pairs: of the range of the elements, what is left out below (a lane each) and above (a round
/// each), in shares of the range.
struct PairRange {
  float below, below_step;
  float above, above_step;
  int count;
  bool wide = false;  ///< with weights: the largest elements may hardly matter, so more is tried
  int rounds() const { return wide ? 2 : 1; }
};

/// Sums over the part that do not depend on codes; x is counted from the least element, which keeps the differences
/// exact where all elements lie close together.
struct PairSums {
  float w, wx, wxx;
};

/// Least squares for codes q of eight candidates: the pair (s, m) of x ~ s q + m, and its error. With a limit on m, s
/// alone where m would exceed it.
struct PairTrial {
  Lanes scale, min, error;
};

/// Sums over the part for the codes of eight candidates: of w q, w q^2 and w x q.
struct CodeSums {
  Lanes q1{}, qq{}, xq{};
};

template <bool kEven>
inline CodeSums sum_codes(const Part& p, float hi, Lanes inverse_scale, Lanes min) {
  CodeSums sums;
  const WholeLevels levels{0.0f, hi};
  HEARTH_UNROLLED for (int i = 0; i < p.n; ++i) {
    const Lanes q = levels.nearest((p.x[i] - min) * inverse_scale);
    const Lanes wq = kEven ? q : p.w[i] * q;
    sums.q1 += wq;
    sums.qq += wq * q;
    sums.xq += p.x[i] * wq;
  }
  return sums;
}

inline PairTrial try_codes(const Part& p, const PairSums& sums, float hi, Lanes inverse_scale, Lanes min, float limit) {
  const auto [q1, qq, xq] =
      p.even ? sum_codes<true>(p, hi, inverse_scale, min) : sum_codes<false>(p, hi, inverse_scale, min);
  const Lanes determinant = sums.w * qq - q1 * q1;
  const IntLanes solvable = determinant > 1e-5f * sums.w * qq;
  Lanes scale = select(solvable, (sums.w * xq - sums.wx * q1) / determinant, Lanes{});
  Lanes m = (sums.wx - scale * q1) / sums.w;
  const IntLanes beyond = m > limit;
  m = select(beyond, fill(limit), m);
  scale = select(beyond, (xq - limit * q1) * inverse(qq), scale);
  const Lanes error =
      sums.wxx - 2.0f * scale * xq - 2.0f * m * sums.wx + scale * scale * qq + 2.0f * scale * m * q1 + m * m * sums.w;
  return {scale, m, select(scale >= 0.0f, error, fill(__builtin_inff()))};
}

/// The best of the pairs that were tried, a lane each.
struct BestPair {
  PairTrial lanes{{}, {}, fill(__builtin_inff())};

  void keep(const PairTrial& trial) {
    const IntLanes better = trial.error < lanes.error;
    lanes = {select(better, trial.scale, lanes.scale), select(better, trial.min, lanes.min),
             select(better, trial.error, lanes.error)};
  }
  ScaleMin best() const {
    float least;
    const int at = least_lane(lanes.error, &least);
    return {lanes.scale[at], lanes.min[at]};
  }
};

/// The pair (s, m) that makes sum of w (x - s q - m)^2 least, q from 0 to hi; at most 32 elements. `negative`: m must
/// not exceed 0.
inline ScaleMin fit_pair(const Part& p, float hi, bool negative, const PairRange& range) {
  Lanes least = load_lanes(p.x), most = least;
  for (int i = kLanes; i < p.n; i += kLanes) {
    const Lanes x = load_lanes(p.x + i);
    least = x < least ? x : least;
    most = x > most ? x : most;
  }
  float low = -largest_lane(-least);
  const float high = largest_lane(most);
  if (negative && low > 0.0f) low = 0.0f;
  const float width = high - low;
  if (!(width > 0.0f)) return {0.0f, low};
  Lanes w{}, wx{}, wxx{};
  alignas(32) float from_low[32];
  for (int i = 0; i < p.n; i += kLanes) {
    const Lanes x = load_lanes(p.x + i) - low, weight = load_lanes(p.w + i);
    store_lanes(from_low + i, x);
    w += weight;
    wx += weight * x;
    wxx += weight * x * x;
  }
  const PairSums sums{sum_lanes(w), sum_lanes(wx), sum_lanes(wxx)};
  const Part above_low{from_low, p.w, nullptr, p.n, p.even};
  const float limit = negative ? -low : __builtin_inff();
  BestPair kept;
  const auto look = [&](Lanes scale, Lanes min, int times) {
    for (int round = 0; round < times; ++round) {
      const PairTrial trial = try_codes(above_low, sums, hi, inverse(scale), min, limit);
      kept.keep(trial);
      scale = trial.scale;
      min = trial.min;
    }
  };
  Lanes below{};
  for (int l = 0; l < kLanes; ++l) below[l] = range.below + range.below_step * static_cast<float>(l);
  for (int start = 0; start < range.count; ++start) {
    const float above = range.above + range.above_step * static_cast<float>(start);
    look(width * (1.0f - above - below) / hi, width * below, range.rounds());
  }
  if (range.wide) {  // the whole range in hi - 1 to hi + 1 steps
    for (int step = 0; step < 3; ++step) {
      const Lanes scale = width / (hi + 0.3f * around_zero());
      look(scale, (0.33f * static_cast<float>(step - 1)) * scale, range.rounds());
    }
  }
  // About the best: the outermost code moves by one at most; with weights the minimum too, and again, closer.
  for (int closer = 0; closer < (range.wide ? 3 : 1); ++closer) {
    const ScaleMin coarse = kept.best();
    const float fine = closer == 0 ? 0.3f : closer == 1 ? 0.6f : 0.12f;
    const Lanes scale = coarse.scale * (1.0f + fine / hi * around_zero());
    for (int step = -1; step <= 1; ++step) {
      const Lanes min =
          coarse.min - 0.5f * hi * (scale - coarse.scale) + 0.33f * static_cast<float>(step) * coarse.scale;
      look(scale, min, range.rounds());
    }
  }
  const ScaleMin best = kept.best();
  return {best.scale, best.min + low};
}

}  // namespace
}  // namespace hearth::kernels
