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
  look(fitted.scale, fitted.min, few || x.weighted || sparse ? 2 : 1);
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

/// Low nibbles of 256 codes: of each 64, the first half in the low bits.
inline void put_nibble_pairs(uint8_t* qs, const uint8_t* code) {
  for (int i = 0; i < 128; i += 8) {
    const uint8_t* pair = code + 64 * (i / 32) + i % 32;
    store_bytes(qs + i, (load_bytes(pair) & 15) | (load_bytes(pair + 32) << 4));
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
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256);
    alignas(32) float level[256];
    const Paired made =
        encode_paired(level, loaded, {8, 15.0f, 63.0f}, wide_range(loaded.weighted, 15.0f), loaded.weighted ? 3 : 2);
    block->d = made.d;
    block->dmin = made.dmin;
    put_scales_and_mins(block->scales, made);
    uint8_t code[256];
    put_codes(code, level, 0.0f, 256);
    put_nibble_pairs(block->qs, code);
  }
}

void encode_Q5_K(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ5_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256);
    alignas(32) float level[256];
    const Paired made =
        encode_paired(level, loaded, {8, 31.0f, 63.0f}, wide_range(loaded.weighted, 31.0f), loaded.weighted ? 3 : 2);
    *block = {};
    block->d = made.d;
    block->dmin = made.dmin;
    put_scales_and_mins(block->scales, made);
    uint8_t code[256];
    put_codes(code, level, 0.0f, 256);
    put_nibble_pairs(block->qs, code);
    for (int j = 0; j < 8; ++j) {
      for (int i = 0; i < 32; i += 8) {
        const Bytes high = (load_bytes(code + 32 * j + i) >> 4 & 1) << j;
        store_bytes(block->qh + i, load_bytes(block->qh + i) | high);
      }
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
