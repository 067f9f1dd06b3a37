// Encoders of Q2_K, Q4_K and Q5_K: superblocks of 256 whose sub-block scales and minimums are whole multiples of two
// half-precision floats. The search is that of superblocks.h, with pairs in place of scales.
#pragma once

#include "kernels/blocks.h"
#include "kernels/encode/superblocks.h"

namespace hearth::kernels {
namespace {

/// How a superblock with minimums is made: x ~ d scale code - dmin min; codes to `hi`, scale and min from 0 to `top`.
struct PairShape {
  int n_sub;
  float hi, top;
};

struct Paired {
  uint16_t d = 0, dmin = 0;
  float scale[16] = {}, min[16] = {};  ///< whole numbers
  float error = __builtin_inff();
};

/// d and dmin as real numbers.
struct PairUnits {
  float d = 0.0f, dmin = 0.0f;
};

/// Sums for the least squares of (d, dmin): x ~ d a - dmin b with a = scale * code, b = min.
struct PairNormals {
  float aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
};

/// (3) for the sub-blocks of a part, made of `lanes` that look() is given: the whole pairs with the least error.
struct WholePairs {
  Lanes scale{}, min{}, error = fill(__builtin_inff());

  /// Tries eight pairs of whole numbers, where `where` is set.
  void look(const Part& p, const PairShape& shape, PairUnits unit, Lanes s, Lanes m, IntLanes where) {
    s = clamp(s, Lanes{}, fill(shape.top));
    m = clamp(m, Lanes{}, fill(shape.top));
    const Cheapest cheapest(try_pairs(p, WholeLevels{0.0f, shape.hi}, unit.d * s, -(unit.dmin * m)));
    const IntLanes better = (cheapest.cost < error) & where;
    error = select(better, cheapest.cost, error);
    scale = select(better, cheapest.of(s), scale);
    min = select(better, cheapest.of(m), min);
  }
};

/// (3) for the sub-blocks of a part: of 8 * `groups` whole pairs about the wished one (where there are few whole
/// numbers, or few elements: of all scales with a few minimums) those with the least error.
inline WholePairs nearest_pairs(const Part& p, const PairShape& shape, PairUnits unit, Lanes wished_scale,
                                Lanes wished_min, int groups, IntLanes sparse) {
  const auto middle = [&](Lanes value, float by) {
    return round_lanes(clamp(by > 0.0f ? value / by : Lanes{}, Lanes{}, fill(shape.top)));
  };
  const Lanes s0 = middle(wished_scale, unit.d), m0 = middle(wished_min, unit.dmin);
  WholePairs best;
  const bool few = shape.top < 20.0f;
  if (few) sparse = IntLanes{} - 1;
  const IntLanes plain = ~sparse;
  if (any_lane(plain)) {  // a wider scale goes with a lower minimum
    best.look(p, shape, unit, s0 + for_sides(Float8{0, 0, 0, 1, -1, 1, -1, 1}),
              m0 + for_sides(Float8{0, 1, -1, 0, 0, 1, -1, 2}), plain);
    if (groups > 1) {
      best.look(p, shape, unit, s0 + for_sides(Float8{-1, 1, -1, 0, 0, 2, -2, 2}),
                m0 + for_sides(Float8{-2, -1, 1, 2, -2, 2, -2, 1}), plain);
    }
  }
  if (!any_lane(sparse)) return best;
  const int n_mins = few ? 3 : 5;
  const int n_pairs = (static_cast<int>(shape.top) + 1) * n_mins;
  for (int first = 0; first < n_pairs; first += kCandidates) {
    Float8 s{}, m{};
    for (int l = 0; l < kCandidates; ++l) {
      s[l] = static_cast<float>((first + l) / n_mins);
      m[l] = static_cast<float>((first + l) % n_mins - n_mins / 2);
    }
    best.look(p, shape, unit, for_sides(s), m0 + for_sides(m), sparse);
  }
  return best;
}

/// What the search of a superblock goes by: the best real scales and minimums (none negative) of its sub-blocks.
struct RealPairs {
  alignas(64) float value[2][16];  ///< scales, minimums
  alignas(64) float power[2][16];  ///< what an error of each counts
};

/// (3) for all sub-blocks, and the sums for (4).
inline PairNormals choose_pairs(Paired& to, const Loaded& x, const PairShape& shape, const RealPairs& real, int groups,
                                const SparseParts& sparse) {
  const int n = 256 / shape.n_sub;
  const PairUnits unit{scale_of_bits(to.d, x.unit), scale_of_bits(to.dmin, x.unit)};
  PairNormals sums;
  to.error = 0.0f;
  for (int j = 0; j < shape.n_sub; j += kSides) {
    const Part p = x.part(n * j, n);
    const WholePairs best =
        nearest_pairs(p, shape, unit, spread(real.value[0] + j), spread(real.value[1] + j), groups, sparse.of(j));
    const Lanes s = best.scale, m = best.min;
    store_sides(to.scale + j, s);
    store_sides(to.min + j, m);
    add_sides(to.error, best.error);
    const Lanes inverse_scale = inverse(unit.d * s), min = -(unit.dmin * m);
    Lanes aa{}, a1{}, w1{}, ax{}, x1{};
    for (int i = 0; i < p.n_floats(); i += kLanes) {
      const Lanes q = WholeLevels{0.0f, shape.hi}.nearest((load_lanes(p.x + i) - min) * inverse_scale);
      const Lanes a = s * q, weight = load_lanes(p.w + i), wx = load_lanes(p.wx + i);
      aa += weight * a * a;
      a1 += weight * a;
      w1 += weight;
      ax += wx * a;
      x1 += wx;
    }
    add_sides(sums.aa, sum_of_sides(aa));
    add_sides(sums.ab, m * sum_of_sides(a1));
    add_sides(sums.bb, m * m * sum_of_sides(w1));
    add_sides(sums.ax, sum_of_sides(ax));
    add_sides(sums.bx, m * sum_of_sides(x1));
  }
  return sums;
}

/// (4): d and dmin, neither negative.
inline PairUnits solve_units(const PairNormals& s) {
  const float determinant = s.aa * s.bb - s.ab * s.ab;
  PairUnits units{};
  if (determinant > 1e-6f * s.aa * s.bb) {
    units = {(s.bb * s.ax - s.ab * s.bx) / determinant, (s.ab * s.ax - s.aa * s.bx) / determinant};
  }
  if (!(units.d > 0.0f) || !(units.dmin > 0.0f)) units = {s.aa > 0.0f ? s.ax / s.aa : 0.0f, 0.0f};
  return units;
}

/// For elements of a few values, which many pairs meet: of each sub-block the pair with its least element (or zero) as
/// minimum and the fewest steps from there to the largest, so that sub-blocks of the same values have the same pair.
/// Returns the largest scale and minimum.
inline PairUnits few_value_pairs(RealPairs& real, const Loaded& x, const PairShape& shape) {
  PairUnits largest;
  const int n = 256 / shape.n_sub;
  for (int j = 0; j < shape.n_sub; j += kSides) {
    const Part p = x.part(n * j, n);
    Lanes least{}, most = fill(-__builtin_inff());
    for (int i = 0; i < p.n_floats(); i += kLanes) {
      const Lanes v = load_lanes(p.x + i);
      least = select(v < least, v, least);
      most = select(v > most, v, most);
    }
    const Lanes low = least_of_sides(least), width = largest_of_sides(most) - low;
    Lanes scale{}, cost = fill(__builtin_inff());
    for (float first = 1.0f; first <= shape.hi; first += kCandidates) {
      const Lanes n_steps = first + 3.5f + around_zero();
      const Cheapest cheapest(try_pairs(p, WholeLevels{0.0f, shape.hi}, width / n_steps, low) + 1e-6f * n_steps);
      const IntLanes better = cheapest.cost < cost;
      cost = select(better, cheapest.cost, cost);
      scale = select(better, width / cheapest.of(n_steps), scale);
    }
    store_sides(real.value[0] + j, scale);
    store_sides(real.value[1] + j, -low);
  }
  for (int j = 0; j < shape.n_sub; ++j) {
    largest.d = real.value[0][j] > largest.d ? real.value[0][j] : largest.d;
    largest.dmin = real.value[1][j] > largest.dmin ? real.value[1][j] : largest.dmin;
  }
  return largest;
}

Paired encode_paired(float* level, const Loaded& x, const PairShape& shape, const PairRange& range, int rounds) {
  RealPairs real;
  const int n = 256 / shape.n_sub;
  for (int j = 0; j < shape.n_sub; j += kSides) {
    const Part p = x.part(n * j, n);
    const ScaleMin best = x.is_zero ? ScaleMin{} : fit_pair(p, shape.hi, true, range);
    Lanes squares{}, weights{};
    for (int i = 0; i < p.n_floats(); i += kLanes) {
      const Lanes from_min = load_lanes(p.x + i) - best.min, weight = load_lanes(p.w + i);
      squares += weight * from_min * from_min;
      weights += weight;
    }
    store_sides(real.value[0] + j, best.scale);
    store_sides(real.value[1] + j, -best.min);
    const Lanes power = select(best.scale > 0.0f, sum_of_sides(squares) / (best.scale * best.scale), Lanes{});
    store_sides(real.power[0] + j, power);
    store_sides(real.power[1] + j, sum_of_sides(weights));
  }
  PairUnits wide;
  for (int j = 0; j < shape.n_sub; ++j) {
    wide.d = real.value[0][j] > wide.d ? real.value[0][j] : wide.d;
    wide.dmin = real.value[1][j] > wide.dmin ? real.value[1][j] : wide.dmin;
  }
  wide = {wide.d / shape.top, wide.dmin / shape.top};
  float fitted[2];
  fit_units(fitted, real.value, real.power, 2, shape.n_sub, 0.0f, shape.top);
  SparseParts sparse(x, shape.n_sub);
  const bool few = shape.top < 20.0f;
  Paired kept;
  PairUnits next;
  const auto look = [&](float d, float dmin, int groups) __attribute__((noinline)) {
    Paired tried;
    tried.d = scale_bits(d, x.unit);
    tried.dmin = scale_bits(dmin, x.unit);
    const PairUnits solved = solve_units(choose_pairs(tried, x, shape, real, groups, sparse));
    if (tried.error >= kept.error) return;
    kept = tried;
    next = solved;
  };
  // Units of which the largest scale and minimum are whole multiples: both together, then one and the other in turn.
  const auto look_at_few_values = [&]() __attribute__((cold, noinline)) {
    const PairUnits whole = few_value_pairs(real, x, shape);
    sparse.take_none();
    const float step = few ? 1.0f : 4.0f, last = 0.5f * shape.top;
    for (float parts = 1.0f; parts <= 3.0f; ++parts) {
      for (float s = shape.top; s > last; s -= step) look(whole.d / (parts * s), whole.dmin / s, 2);
    }
    for (int turn = 0; turn < 2; ++turn) {
      for (float parts = 1.0f; parts <= 3.0f; parts += 0.5f) {
        for (float s = shape.top; s > last; s -= step) look(whole.d / (parts * s), scale_of_bits(kept.dmin, x.unit), 2);
      }
      for (float m = shape.top; m > last; m -= step) look(scale_of_bits(kept.d, x.unit), whole.dmin / m, 2);
      look(next.d, next.dmin, 2);
      const uint16_t middle = kept.d;
      for (int steps = -8; steps <= 8; ++steps) {
        look(scale_of_bits(near_half(middle, steps), x.unit), scale_of_bits(kept.dmin, x.unit), 2);
      }
    }
  };
  look(fitted[0], fitted[1], few || x.weighted || sparse.any ? 2 : 1);
  if (few || x.weighted || sparse.any) look(wide.d, wide.dmin, 2);
  const int n_more = sparse.any ? 10 : !few ? 0 : x.weighted ? 6 : 1;
  for (int more = 0; more < n_more; ++more) {
    const float share =
        sparse.any ? 1.0f - 0.03f * static_cast<float>(more + 1) : 0.75f - 0.1f * static_cast<float>(more);
    look(wide.d * share, wide.dmin * share, 2);
    if (!sparse.any && !x.weighted) continue;
    look(fitted[0] * share, wide.dmin * share, 2);
    look(wide.d * share, fitted[1] * share, 2);
  }
  for (int round = 1; round < rounds; ++round) look(next.d, next.dmin, x.weighted ? 2 : 1);
  if (!x.is_zero && has_few_values(x.x, 256)) look_at_few_values();
  for (int j = 0; j < shape.n_sub; j += kSides) {
    put_levels(level + n * j, x.part(n * j, n), WholeLevels{0.0f, shape.hi},
               scale_of_bits(kept.d, x.unit) * spread(kept.scale + j),
               -(scale_of_bits(kept.dmin, x.unit) * spread(kept.min + j)));
  }
  return kept;
}

void encode_Q2_K(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ2_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256, 16);
    alignas(64) float level[256];
    const PairRange range =
        loaded.weighted ? PairRange{-0.1f, 0.1f, -0.1f, 0.1f, 8, true} : PairRange{-0.1f, 0.06f, -0.1f, 0.08f, 6};
    const Paired made = encode_paired(level, loaded, {16, 3.0f, 15.0f}, range, 4);
    block->d = made.d;
    block->dmin = made.dmin;
    uint8_t code[256];
    put_codes(code, level, 0.0f, 256, 16);
    put_pairs_of_bits(block->qs, code);
    for (int j = 0; j < 16; ++j) {
      block->scales[j] = static_cast<uint8_t>(static_cast<int>(made.scale[j]) | static_cast<int>(made.min[j]) << 4);
    }
  }
}

/// Six-bit scales and minimums in 12 bytes, as superblocks.cpp of the reference takes them apart.
inline void put_scales_and_mins(uint8_t* packed, const Paired& made) {
  for (int j = 0; j < 4; ++j) {
    const int scale = static_cast<int>(made.scale[j]), next_scale = static_cast<int>(made.scale[j + 4]);
    const int min = static_cast<int>(made.min[j]), next_min = static_cast<int>(made.min[j + 4]);
    packed[j] = static_cast<uint8_t>(scale | (next_scale >> 4) << 6);
    packed[j + 4] = static_cast<uint8_t>(min | (next_min >> 4) << 6);
    packed[j + 8] = static_cast<uint8_t>((next_scale & 15) | (next_min & 15) << 4);
  }
}

/// Starting points of Q4_K and Q5_K: without weights, the fewer the levels the more of the range is left out.
inline PairRange wide_range(bool weighted, float hi) {
  if (weighted) return {-0.03f, 0.07f, -0.03f, 0.07f, 7, true};
  return hi > 20.0f ? PairRange{-0.012f, 0.012f, 0.012f, 0.0f, 1} : PairRange{-0.02f, 0.025f, 0.03f, 0.0f, 1};
}

void encode_Q4_K(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ4_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256, 32);
    alignas(64) float level[256];
    const Paired made =
        encode_paired(level, loaded, {8, 15.0f, 63.0f}, wide_range(loaded.weighted, 15.0f), loaded.weighted ? 3 : 2);
    block->d = made.d;
    block->dmin = made.dmin;
    put_scales_and_mins(block->scales, made);
    uint8_t code[256];
    put_codes(code, level, 0.0f, 256, 32);
    put_nibble_pairs(block->qs, code);
  }
}

void encode_Q5_K(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ5_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256, 32);
    alignas(64) float level[256];
    const Paired made =
        encode_paired(level, loaded, {8, 31.0f, 63.0f}, wide_range(loaded.weighted, 31.0f), loaded.weighted ? 3 : 2);
    *block = {};
    block->d = made.d;
    block->dmin = made.dmin;
    put_scales_and_mins(block->scales, made);
    uint8_t code[256];
    put_codes(code, level, 0.0f, 256, 32);
    put_nibble_pairs(block->qs, code);
    put_bit_planes(block->qh, code, 4, 8);
  }
}

}  // namespace
}  // namespace hearth::kernels
