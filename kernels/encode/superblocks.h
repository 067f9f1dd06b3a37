// Encoders of Q2_K to Q6_K and IQ4_XS: superblocks of 256 whose sub-block scales (and minimums) are whole multiples of
// one or two half-precision floats.
//
// The search: (1) the best real scale of each sub-block (fit.h); (2) the unit d of the whole numbers is the best scale
// of these scales, found as if they were elements, or what the largest of them sets; (3) for this d, each sub-block
// takes the whole number, near its best scale, whose codes err least; (4) for these codes and whole numbers the best d
// follows by least squares. (3) and (4) are repeated, and the d with the least error of the superblock stays.
#pragma once

#include "kernels/blocks.h"
#include "kernels/encode/blocks32.h"
#include "kernels/encode/fit.h"

namespace hearth::kernels {
namespace {

/// How a superblock without minimums is made: n_sub sub-blocks, whole scales from lowest to highest.
struct ScaleShape {
  int n_sub, lowest, highest;
};

struct Scaled {
  uint16_t d = 0;
  int scale[16] = {};
  float error = __builtin_inff();
};

/// Sub-blocks of a few elements that are not zero can be met exactly by odd scales: there all are tried.
inline bool is_sparse(const Part& p) {
  IntLanes n{};
  for (int i = 0; i < p.n; i += kLanes) n -= load_lanes(p.x + i) != 0.0f;
  const int sum = static_cast<int>(sum_lanes(__builtin_convertvector(n, Lanes)));
  return sum > 0 && sum <= 4;
}

/// Whether a superblock has such sub-blocks: more units are tried there too.
inline bool any_sparse(const Loaded& x, int n_sub) {
  for (int j = 0; j < n_sub; ++j) {
    if (is_sparse(x.part(256 / n_sub * j, 256 / n_sub))) return true;
  }
  return false;
}

/// -4 to 3, a lane each: 0, 1, -1, 2, -2, 3, -3, -4, so that the middle wins where errors are equal.
inline Lanes steps_about() {
  return Lanes{0, 1, -1, 2, -2, 3, -3, -4};
}

/// (3) for one sub-block: of eight whole scales about `wished` (or all) the one with the least error.
template <typename Levels>
inline int nearest_scale(const Part& p, const Levels& levels, float d, float wished, const ScaleShape& shape,
                         float* error) {
  const Lanes lowest = fill(static_cast<float>(shape.lowest)), highest = fill(static_cast<float>(shape.highest));
  const float limited = wished > -1e6f ? wished < 1e6f ? wished : 1e6f : -1e6f;
  const Lanes about = clamp(fill(round_one(limited)), lowest, highest);
  Lanes whole = clamp(about + steps_about(), lowest, highest);
  int at = least_lane(try_errors(p, levels, d * whole), error);
  int best = static_cast<int>(whole[at]);
  for (int first = shape.lowest; first <= shape.highest && is_sparse(p); first += kLanes) {
    float least;
    whole = static_cast<float>(first) + 3.5f + around_zero();
    at = least_lane(try_errors(p, levels, d * whole), &least);
    if (least >= *error) continue;
    *error = least;
    best = static_cast<int>(whole[at]);
  }
  return best;
}

/// (2): the unit for real scales s of sub-blocks, whole multiples from lowest to highest. power[j]: what an error of
/// scale j counts, sum of w q^2.
inline float fit_unit(const float* s, const float* power, int n, float lowest, float highest) {
  float weighted[16];
  for (int j = 0; j < n; ++j) weighted[j] = power[j] * s[j];
  const Part scales{s, power, weighted, n};
  return fit_scale(scales, WholeLevels{lowest, highest}, {0.98f, 1.25f, 16, 0.01f}, 2);
}

/// (3) for all sub-blocks, and (4): the best d for what was chosen.
template <typename Levels>
inline float choose_scales(Scaled& to, const Loaded& x, const Levels& levels, const float* best, float d,
                           const ScaleShape& shape) {
  const int n = 256 / shape.n_sub;
  float numerator = 0.0f, denominator = 0.0f;
  to.error = 0.0f;
  for (int j = 0; j < shape.n_sub; ++j) {
    const Part p = x.part(n * j, n);
    float error;
    to.scale[j] = nearest_scale(p, levels, d, d != 0.0f ? best[j] / d : 0.0f, shape, &error);
    to.error += error;
    const float s = static_cast<float>(to.scale[j]);
    alignas(32) float level[32];
    put_levels(level, p, levels, d * s, 0.0f);
    Lanes xq{}, qq{};
    for (int i = 0; i < n; i += kLanes) {
      const Lanes q = load_lanes(level + i);
      xq += load_lanes(p.wx + i) * q;
      qq += load_lanes(p.w + i) * q * q;
    }
    numerator += s * sum_lanes(xq);
    denominator += s * s * sum_lanes(qq);
  }
  return denominator > 0.0f ? numerator / denominator : 0.0f;
}

/// The whole search. Levels of the elements go to `level`.
template <typename Levels>
Scaled encode_scaled(float* level, const Loaded& x, const Levels& levels, const ScaleShape& shape,
                     const StartRange& range, int rounds) {
  float best[16], power[16];
  float widest = 0.0f;
  const int n = 256 / shape.n_sub;
  for (int j = 0; j < shape.n_sub; ++j) {
    const Part p = x.part(n * j, n);
    best[j] = x.is_zero ? 0.0f : fit_scale(p, levels, range, x.weighted ? 2 : 1);
    Lanes squares{};
    for (int i = 0; i < n; i += kLanes) squares += load_lanes(p.wx + i) * load_lanes(p.x + i);
    power[j] = best[j] != 0.0f ? sum_lanes(squares) / (best[j] * best[j]) : 0.0f;
    if (__builtin_fabsf(best[j]) > __builtin_fabsf(widest)) widest = best[j];
  }
  const float lowest = static_cast<float>(shape.lowest), highest = static_cast<float>(shape.highest);
  const float fitted = fit_unit(best, power, shape.n_sub, lowest, highest);
  const int n_starts = any_sparse(x, shape.n_sub) ? 12 : x.weighted ? 2 : 1;
  Scaled kept;
  float next = 0.0f;
  const auto look = [&](float d) {
    Scaled tried;
    tried.d = scale_bits(d, x.unit);
    const float solved = choose_scales(tried, x, levels, best, scale_of_bits(tried.d, x.unit), shape);
    if (tried.error >= kept.error) return;
    kept = tried;
    next = solved;
  };
  for (int start = 0; start < n_starts; ++start) {
    look(start == 0 ? fitted : widest / lowest * (1.0f - 0.03f * static_cast<float>(start - 1)));
  }
  for (int round = 1; round < rounds; ++round) look(next);
  for (int j = 0; j < shape.n_sub; ++j) {
    put_levels(level + n * j, x.part(n * j, n), levels,
               scale_of_bits(kept.d, x.unit) * static_cast<float>(kept.scale[j]), 0.0f);
  }
  return kept;
}

/// Two bits each of 256 codes: of each half, bits 2g..2g+1 of byte i belong to element 32 g + i.
inline void put_pairs_of_bits(uint8_t* qs, const int* code) {
  for (int i = 0; i < 64; ++i) qs[i] = 0;
  for (int i = 0; i < 256; ++i) {
    uint8_t& byte = qs[32 * (i / 128) + i % 32];
    byte = static_cast<uint8_t>(byte | (code[i] & 3) << (2 * (i % 128 / 32)));
  }
}

void encode_Q3_K(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ3_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256);
    alignas(32) float level[256];
    const StartRange range = loaded.weighted ? StartRange{0.6f, 1.05f, 40, 0.02f} : StartRange{0.65f, 1.1f, 8, 0.02f};
    const Scaled made =
        encode_scaled(level, loaded, WholeLevels{-4.0f, 3.0f}, {16, -32, 31}, range, loaded.weighted ? 4 : 3);
    *block = {};
    block->d = made.d;
    int code[256];
    for (int i = 0; i < 256; ++i) {
      code[i] = static_cast<int>(level[i]) + 4;
      if (code[i] >= 4) block->hmask[i % 32] = static_cast<uint8_t>(block->hmask[i % 32] | 1 << (i / 32));
    }
    put_pairs_of_bits(block->qs, code);
    for (int j = 0; j < 16; ++j) {
      const int scale = made.scale[j] + 32;
      block->scales[j % 8] = static_cast<uint8_t>(block->scales[j % 8] | (scale & 15) << (4 * (j / 8)));
      block->scales[8 + j % 4] = static_cast<uint8_t>(block->scales[8 + j % 4] | (scale >> 4) << (2 * (j / 4)));
    }
  }
}

void encode_Q6_K(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ6_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256);
    alignas(32) float level[256];
    const StartRange range =
        loaded.weighted ? StartRange{0.9f, 1.05f, 24, 0.008f} : StartRange{0.96f, 1.012f, 8, 0.003f};
    const Scaled made =
        encode_scaled(level, loaded, WholeLevels{-32.0f, 31.0f}, {16, -128, 127}, range, loaded.weighted ? 3 : 2);
    *block = {};
    block->d = made.d;
    for (int j = 0; j < 16; ++j) block->scales[j] = static_cast<int8_t>(made.scale[j]);
    for (int i = 0; i < 256; ++i) {
      const int code = static_cast<int>(level[i]) + 32;
      const int half = i / 128, j = i % 128;
      uint8_t& low = block->ql[64 * half + j % 64];
      uint8_t& high = block->qh[32 * half + j % 32];
      low = static_cast<uint8_t>(low | (code & 15) << (4 * (j / 64)));
      high = static_cast<uint8_t>(high | (code >> 4) << (2 * (j / 32)));
    }
  }
}

void encode_IQ4_XS(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockIQ4_XS*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256);
    alignas(32) float level[256];
    const Scaled made = encode_scaled(level, loaded, Iq4Levels(), {8, -32, 31}, start_range(127.0f, loaded.weighted),
                                      loaded.weighted ? 3 : 2);
    *block = {};
    block->d = made.d;
    for (int j = 0; j < 8; ++j) {
      int code[32];
      for (int i = 0; i < 32; ++i) code[i] = Iq4Levels::code(level[32 * j + i]);
      put_nibbles(block->qs + 16 * j, code);
      const int scale = made.scale[j] + 32;
      block->scales_l[j / 2] = static_cast<uint8_t>(block->scales_l[j / 2] | (scale & 15) << (4 * (j % 2)));
      block->scales_h = static_cast<uint16_t>(block->scales_h | (scale >> 4) << (2 * j));
    }
  }
}

/// How a superblock with minimums is made: x ~ d scale code - dmin min; codes to `hi`, scale and min from 0 to `top`.
struct PairShape {
  int n_sub;
  float hi, top;
};

struct Paired {
  uint16_t d = 0, dmin = 0;
  int scale[16] = {}, min[16] = {};
  float error = __builtin_inff();
};

/// Sums for the least squares of (d, dmin): x ~ d a - dmin b with a = scale * code, b = min.
struct PairNormals {
  float aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
};

/// (3) for one sub-block: of 8 * `groups` whole pairs about the wished one (where there are few whole numbers, or few
/// elements: of all scales with a few minimums) the one with the least error.
inline void nearest_pair(const Part& p, const PairShape& shape, ScaleMin unit, ScaleMin wished, int groups, int* scale,
                         int* min, float* error) {
  const auto middle = [&](float value, float by) {
    const float v = by > 0.0f ? value / by : 0.0f;
    return round_one(v < shape.top ? v > 0.0f ? v : 0.0f : shape.top);
  };
  const float s0 = middle(wished.scale, unit.scale), m0 = middle(wished.min, unit.min);
  const WholeLevels levels{0.0f, shape.hi};
  *error = __builtin_inff();
  const auto look = [&](Lanes s, Lanes m) {
    s = clamp(s, Lanes{}, fill(shape.top));
    m = clamp(m, Lanes{}, fill(shape.top));
    float least;
    const int at = least_lane(try_pairs(p, levels, unit.scale * s, -(unit.min * m)), &least);
    if (least >= *error) return;
    *error = least;
    *scale = static_cast<int>(s[at]);
    *min = static_cast<int>(m[at]);
  };
  const bool few = shape.top < 20.0f;
  if (!few && !is_sparse(p)) {  // a wider scale goes with a lower minimum
    look(s0 + Lanes{0, 0, 0, 1, -1, 1, -1, 1}, m0 + Lanes{0, 1, -1, 0, 0, 1, -1, 2});
    if (groups > 1) look(s0 + Lanes{-1, 1, -1, 0, 0, 2, -2, 2}, m0 + Lanes{-2, -1, 1, 2, -2, 2, -2, 1});
    return;
  }
  const int n_mins = few ? 3 : 5;
  const int n_pairs = (static_cast<int>(shape.top) + 1) * n_mins;
  for (int first = 0; first < n_pairs; first += kLanes) {
    Lanes s{}, m{};
    for (int l = 0; l < kLanes; ++l) {
      s[l] = static_cast<float>((first + l) / n_mins);
      m[l] = m0 + static_cast<float>((first + l) % n_mins - n_mins / 2);
    }
    look(s, m);
  }
}

/// (3) for all sub-blocks, and the sums for (4).
inline PairNormals choose_pairs(Paired& to, const Loaded& x, const PairShape& shape, const ScaleMin* best, int groups) {
  const int n = 256 / shape.n_sub;
  const ScaleMin unit{scale_of_bits(to.d, x.unit), scale_of_bits(to.dmin, x.unit)};
  PairNormals sums;
  to.error = 0.0f;
  for (int j = 0; j < shape.n_sub; ++j) {
    const Part p = x.part(n * j, n);
    float error;
    nearest_pair(p, shape, unit, best[j], groups, &to.scale[j], &to.min[j], &error);
    to.error += error;
    alignas(32) float level[32];
    const float s = static_cast<float>(to.scale[j]), m = static_cast<float>(to.min[j]);
    put_levels(level, p, WholeLevels{0.0f, shape.hi}, unit.scale * s, -(unit.min * m));
    Lanes aa{}, a1{}, w1{}, ax{}, x1{};
    for (int i = 0; i < n; i += kLanes) {
      const Lanes a = s * load_lanes(level + i), weight = load_lanes(p.w + i), wx = load_lanes(p.wx + i);
      aa += weight * a * a;
      a1 += weight * a;
      w1 += weight;
      ax += wx * a;
      x1 += wx;
    }
    sums.aa += sum_lanes(aa);
    sums.ab += m * sum_lanes(a1);
    sums.bb += m * m * sum_lanes(w1);
    sums.ax += sum_lanes(ax);
    sums.bx += m * sum_lanes(x1);
  }
  return sums;
}

/// (4): d and dmin, neither negative.
inline ScaleMin solve_units(const PairNormals& s) {
  const float determinant = s.aa * s.bb - s.ab * s.ab;
  ScaleMin units{};
  if (determinant > 1e-6f * s.aa * s.bb) {
    units = {(s.bb * s.ax - s.ab * s.bx) / determinant, (s.ab * s.ax - s.aa * s.bx) / determinant};
  }
  if (!(units.scale > 0.0f) || !(units.min > 0.0f)) units = {s.aa > 0.0f ? s.ax / s.aa : 0.0f, 0.0f};
  return units;
}

Paired encode_paired(float* level, const Loaded& x, const PairShape& shape, const PairRange& range, int rounds) {
  ScaleMin best[16];
  ScaleMin widest;
  float scale[16], min[16], scale_power[16], min_power[16];
  const int n = 256 / shape.n_sub;
  for (int j = 0; j < shape.n_sub; ++j) {
    const Part p = x.part(n * j, n);
    if (!x.is_zero) best[j] = fit_pair(p, shape.hi, true, range);
    Lanes squares{}, weights{};
    for (int i = 0; i < n; i += kLanes) {
      const Lanes from_min = load_lanes(p.x + i) - best[j].min, weight = load_lanes(p.w + i);
      squares += weight * from_min * from_min;
      weights += weight;
    }
    min_power[j] = sum_lanes(weights);
    scale_power[j] = best[j].scale > 0.0f ? sum_lanes(squares) / (best[j].scale * best[j].scale) : 0.0f;
    scale[j] = best[j].scale;
    min[j] = best[j].min = -best[j].min;
    widest.scale = scale[j] > widest.scale ? scale[j] : widest.scale;
    widest.min = min[j] > widest.min ? min[j] : widest.min;
  }
  const ScaleMin fitted{fit_unit(scale, scale_power, shape.n_sub, 0.0f, shape.top),
                        fit_unit(min, min_power, shape.n_sub, 0.0f, shape.top)};
  const ScaleMin wide{widest.scale / shape.top, widest.min / shape.top};
  const bool sparse = any_sparse(x, shape.n_sub), few = shape.top < 20.0f;
  Paired kept;
  ScaleMin next;
  const auto look = [&](float d, float dmin, int groups) {
    Paired tried;
    tried.d = scale_bits(d, x.unit);
    tried.dmin = scale_bits(dmin, x.unit);
    const ScaleMin solved = solve_units(choose_pairs(tried, x, shape, best, groups));
    if (tried.error >= kept.error) return;
    kept = tried;
    next = solved;
  };
  look(fitted.scale, fitted.min, 2);
  if (few || x.weighted || sparse) look(wide.scale, wide.min, 2);
  const int n_more = sparse ? 10 : !few ? 0 : x.weighted ? 6 : 1;
  for (int more = 0; more < n_more; ++more) {
    const float share = sparse ? 1.0f - 0.03f * static_cast<float>(more + 1) : 0.75f - 0.1f * static_cast<float>(more);
    look(wide.scale * share, wide.min * share, 2);
    if (!sparse && !x.weighted) continue;
    look(fitted.scale * share, wide.min * share, 2);
    look(wide.scale * share, fitted.min * share, 2);
  }
  for (int round = 1; round < rounds; ++round) look(next.scale, next.min, x.weighted ? 2 : 1);
  for (int j = 0; j < shape.n_sub; ++j) {
    put_levels(level + n * j, x.part(n * j, n), WholeLevels{0.0f, shape.hi},
               scale_of_bits(kept.d, x.unit) * static_cast<float>(kept.scale[j]),
               -(scale_of_bits(kept.dmin, x.unit) * static_cast<float>(kept.min[j])));
  }
  return kept;
}

void encode_Q2_K(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ2_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256);
    alignas(32) float level[256];
    const PairRange range =
        loaded.weighted ? PairRange{-0.1f, 0.1f, -0.1f, 0.1f, 8, true} : PairRange{-0.1f, 0.06f, -0.1f, 0.08f, 6};
    const Paired made = encode_paired(level, loaded, {16, 3.0f, 15.0f}, range, 4);
    block->d = made.d;
    block->dmin = made.dmin;
    int code[256];
    for (int i = 0; i < 256; ++i) code[i] = static_cast<int>(level[i]);
    put_pairs_of_bits(block->qs, code);
    for (int j = 0; j < 16; ++j) block->scales[j] = static_cast<uint8_t>(made.scale[j] | made.min[j] << 4);
  }
}

/// Six-bit scales and minimums in 12 bytes, as superblocks.cpp of the reference takes them apart.
inline void put_scales_and_mins(uint8_t* packed, const Paired& made) {
  for (int j = 0; j < 4; ++j) {
    packed[j] = static_cast<uint8_t>(made.scale[j] | (made.scale[j + 4] >> 4) << 6);
    packed[j + 4] = static_cast<uint8_t>(made.min[j] | (made.min[j + 4] >> 4) << 6);
    packed[j + 8] = static_cast<uint8_t>((made.scale[j + 4] & 15) | (made.min[j + 4] & 15) << 4);
  }
}

/// Starting points of Q4_K and Q5_K.
inline PairRange wide_range(bool weighted) {
  return weighted ? PairRange{-0.03f, 0.07f, -0.03f, 0.07f, 7, true} : PairRange{-0.02f, 0.025f, 0.0f, 0.05f, 2};
}

void encode_Q4_K(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ4_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256);
    alignas(32) float level[256];
    const Paired made =
        encode_paired(level, loaded, {8, 15.0f, 63.0f}, wide_range(loaded.weighted), loaded.weighted ? 3 : 2);
    block->d = made.d;
    block->dmin = made.dmin;
    put_scales_and_mins(block->scales, made);
    for (int i = 0; i < 128; ++i) {
      const float* pair = level + 64 * (i / 32) + i % 32;
      block->qs[i] = static_cast<uint8_t>(static_cast<int>(pair[0]) | static_cast<int>(pair[32]) << 4);
    }
  }
}

void encode_Q5_K(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ5_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256);
    alignas(32) float level[256];
    const Paired made =
        encode_paired(level, loaded, {8, 31.0f, 63.0f}, wide_range(loaded.weighted), loaded.weighted ? 3 : 2);
    *block = {};
    block->d = made.d;
    block->dmin = made.dmin;
    put_scales_and_mins(block->scales, made);
    for (int i = 0; i < 256; ++i) {
      const int code = static_cast<int>(level[i]);
      uint8_t& low = block->qs[32 * (i / 64) + i % 32];
      low = static_cast<uint8_t>(low | (code & 15) << (i % 64 / 32 * 4));
      block->qh[i % 32] = static_cast<uint8_t>(block->qh[i % 32] | (code >> 4) << (i / 32));
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
