// The two searches that most encoders are made of. For given codes the best scale (and minimum) follows in closed form,
// by least squares; for a given scale the best code of an element is the level nearest to x / scale. Taking turns
// (Lloyd 1982, "Least squares quantization in PCM") never increases the error, but ends in the optimum next to where it
// began: so it begins at many scales, eight at a time, a candidate each. What is found for a part stands in all lanes
// of its side.
#pragma once

#include "kernels/encode/levels.h"
#include "kernels/encode/part.h"

namespace hearth::kernels {
namespace {

/// Starting points: the largest magnitude is put at the lowest or highest level times a factor; the factors go from
/// `from` in `count` (a multiple of four) geometric steps of `step`. Factors above one clip the largest elements.
struct StartRange {
  float from, step;
  int count;
  float fine;  ///< relative distance of the eight scales that are tried last, about the best
};

/// Where the searches of a scale begin, for levels up to `top`: without weights the largest element is clipped by a
/// third at most; with weights it may hardly matter.
inline StartRange start_range(float top, bool weighted) {
  if (top > 100.0f) return weighted ? StartRange{0.75f, 1.06f, 24, 0.01f} : StartRange{0.8f, 1.05f, 8, 0.01f};
  if (top > 10.0f) return weighted ? StartRange{0.85f, 1.03f, 40, 0.008f} : StartRange{0.9f, 1.045f, 8, 0.008f};
  return weighted ? StartRange{0.7f, 1.05f, 32, 0.02f} : StartRange{0.75f, 1.07f, 8, 0.015f};
}

/// Whether codes of `top` steps to either side err by less than a third of a step, measured by the largest element:
/// weights of models are far from that. signal: the error of zeros.
inline bool is_nearly_exact(float error, float signal, float top) {
  return 9.0f * top * top * error < signal;
}

/// Sum of w x^2 of the first side: the error of zeros.
inline float signal_of(const Part& p) {
  Lanes sum{};
  for (int i = 0; i < p.n_floats(); i += kLanes) sum += load_lanes(p.wx + i) * load_lanes(p.x + i);
  return sum_of_sides(sum)[0];
}

inline Lanes largest_magnitude(const Part& p) {
  Lanes largest{};
  for (int i = 0; i < p.n_floats(); i += kLanes) {
    const Lanes size = magnitude(load_lanes(p.x + i));
    largest = select(size > largest, size, largest);
  }
  return largest_of_sides(largest);
}

/// Scales of eight candidates: what their codes can do. Least squares for codes q: the scale sum(w x q) / sum(w q^2),
/// which takes sum(w x q)^2 / sum(w q^2) off the sum(w x^2) that is the error of zeros.
struct ScaleTrial {
  Lanes scale, gain;
};

template <bool kEven, typename Levels>
inline ScaleTrial try_scales_of(const Part& p, const Levels& levels, Lanes inverse_scale) {
  Lanes xq{}, qq{};
  const int n = p.n_floats();
  for (int i = 0; i < n; i += kSides) {
    const Lanes x = spread(p.x + i);
    const Lanes q = levels.nearest(x * inverse_scale);
    xq += (kEven ? x : spread(p.wx + i)) * q;
    qq += kEven ? q * q : spread(p.w + i) * q * q;
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
  Lanes best() const { return Cheapest(-gain).of(scale); }
};

/// -3.5 to 3.5, a candidate each.
inline Lanes around_zero() {
  return for_sides(Float8{-3.5f, -2.5f, -1.5f, -0.5f, 0.5f, 1.5f, 2.5f, 3.5f});
}

/// The scale s that makes sum of w (x - s level)^2 least; 0 where all elements are.
template <typename Levels>
Lanes fit_scale(const Part& p, const Levels& levels, const StartRange& range, int rounds) {
  const Lanes largest = largest_magnitude(p);
  if (!any_lane(largest != 0.0f)) return Lanes{};
  BestScale kept;
  const auto look = [&](Lanes at) {
    for (int round = 0; round < rounds; ++round) {
      const ScaleTrial trial = try_scales(p, levels, at);
      kept.keep(trial);
      at = inverse(trial.scale);
    }
  };
  // Half of the candidates for the lowest level, half for the highest.
  const float lowest = levels.lowest(), highest = levels.highest();
  const Lanes outermost = for_sides(Float8{lowest, lowest, lowest, lowest, highest, highest, highest, highest});
  float factor = range.from;
  for (int start = 0; start < range.count; start += 4) {
    float f[4];
    for (float& one : f) {
      one = factor;
      factor *= range.step;
    }
    look(for_sides(Float8{f[0], f[1], f[2], f[3], f[0], f[1], f[2], f[3]}) / largest * outermost);
  }
  for (int closer = 0; closer < (rounds > 1 ? 2 : 1); ++closer) {
    const Lanes about = kept.best() * (1.0f + (closer == 0 ? range.fine : 0.2f * range.fine) * around_zero());
    kept.keep(try_scales(p, levels, inverse(about)));
  }
  return kept.best();
}

/// Errors of eight pairs (s, m) when each x becomes s * (nearest level) + m.
template <bool kEven, typename Levels>
inline Lanes try_pairs_of(const Part& p, const Levels& levels, Lanes scale, Lanes min) {
  const Lanes inverse_scale = inverse(scale);
  Lanes error{};
  const int n = p.n_floats();
  for (int i = 0; i < n; i += kSides) {
    const Lanes x = spread(p.x + i) - min;
    const Lanes difference = x - scale * levels.nearest(x * inverse_scale);
    error += kEven ? difference * difference : spread(p.w + i) * difference * difference;
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
  const int n = p.n_floats();
  for (int i = 0; i < n; i += kSides) {
    const Lanes x = spread(p.x + i);
    const Lanes difference = x - scale * levels.nearest(x * inverse_scale);
    error += kEven ? difference * difference : spread(p.w + i) * difference * difference;
  }
  return error;
}

template <typename Levels>
inline Lanes try_errors(const Part& p, const Levels& levels, Lanes scale) {
  return p.even ? try_errors_of<true>(p, levels, scale) : try_errors_of<false>(p, levels, scale);
}

/// Levels of the elements for a scale and a minimum, as floats.
template <typename Levels>
inline void put_levels(float* level, const Part& p, const Levels& levels, Lanes scale, Lanes min) {
  const Lanes inverse_scale = inverse(scale);
  for (int i = 0; i < p.n_floats(); i += kLanes) {
    store_lanes(level + i, levels.nearest((load_lanes(p.x + i) - min) * inverse_scale));
  }
}

/// x ~ scale * code + min, of each side.
struct ScaleMin {
  Lanes scale{}, min{};
};

/// Starting points of pairs: of the range of the elements, what is left out below (a candidate each) and above (a round
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
  Lanes w, wx, wxx;
};

/// Least squares for codes q of eight candidates: the pair (s, m) of x ~ s q + m, and its error. With a limit on m, s
/// alone is fitted where m would be beyond.
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
  const int n = p.n_floats();
  for (int i = 0; i < n; i += kSides) {
    const Lanes x = spread(p.x + i);
    const Lanes q = levels.nearest((x - min) * inverse_scale);
    const Lanes wq = kEven ? q : spread(p.w + i) * q;
    sums.q1 += wq;
    sums.qq += wq * q;
    sums.xq += x * wq;
  }
  return sums;
}

inline PairTrial try_codes(const Part& p, const PairSums& sums, float hi, Lanes inverse_scale, Lanes min, Lanes limit) {
  const auto [q1, qq, xq] =
      p.even ? sum_codes<true>(p, hi, inverse_scale, min) : sum_codes<false>(p, hi, inverse_scale, min);
  const Lanes determinant = sums.w * qq - q1 * q1;
  const IntLanes solvable = determinant > 1e-5f * sums.w * qq;
  Lanes scale = select(solvable, (sums.w * xq - sums.wx * q1) / determinant, Lanes{});
  Lanes m = (sums.wx - scale * q1) / sums.w;
  const IntLanes beyond = m > limit;
  m = select(beyond, limit, m);
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
    const Cheapest cheapest(lanes.error);
    return {cheapest.of(lanes.scale), cheapest.of(lanes.min)};
  }
};

/// The pair (s, m) that makes sum of w (x - s q - m)^2 least, q from 0 to hi; at most 32 elements. `negative`: m must
/// not exceed 0.
inline ScaleMin fit_pair(const Part& p, float hi, bool negative, const PairRange& range) {
  Lanes least = load_lanes(p.x), most = least;
  for (int i = kLanes; i < p.n_floats(); i += kLanes) {
    const Lanes x = load_lanes(p.x + i);
    least = select(x < least, x, least);
    most = select(x > most, x, most);
  }
  Lanes low = least_of_sides(least);
  if (negative) low = select(low > 0.0f, Lanes{}, low);
  const Lanes width = largest_of_sides(most) - low;
  if (!any_lane(width > 0.0f)) return {Lanes{}, low};
  Lanes w{}, wx{}, wxx{};
  alignas(64) float from_low[32 * kSides];
  for (int i = 0; i < p.n_floats(); i += kLanes) {
    const Lanes x = load_lanes(p.x + i) - low, weight = load_lanes(p.w + i);
    store_lanes(from_low + i, x);
    w += weight;
    wx += weight * x;
    wxx += weight * x * x;
  }
  const PairSums sums{sum_of_sides(w), sum_of_sides(wx), sum_of_sides(wxx)};
  const Part above_low{from_low, p.w, nullptr, p.n, p.even};
  const Lanes limit = negative ? -low : fill(__builtin_inff());
  BestPair kept;
  const auto look = [&](Lanes scale, Lanes min, int times) {
    for (int round = 0; round < times; ++round) {
      const PairTrial trial = try_codes(above_low, sums, hi, inverse(scale), min, limit);
      kept.keep(trial);
      scale = trial.scale;
      min = trial.min;
    }
  };
  Float8 steps{};
  for (int l = 0; l < kCandidates; ++l) steps[l] = range.below + range.below_step * static_cast<float>(l);
  const Lanes below = for_sides(steps);
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
