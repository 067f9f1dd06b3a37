// Encoders of Q3_K, Q6_K and IQ4_XS: superblocks of 256 whose sub-block scales are whole multiples of a
// half-precision float. (superblocks_min.h has those with minimums.)
//
// The search: (1) the best real scale of each sub-block (fit.h); (2) the unit d of the whole numbers is the best scale
// of these scales, found as if they were elements, or what the largest of them sets; (3) for this d, each sub-block
// takes the whole number, near its best scale, whose codes err least; (4) for these codes and whole numbers the best d
// follows by least squares. (3) and (4) are repeated, and the d with the least error of the superblock stays.
// Sub-blocks are looked at side by side; sums over them are taken in their order.
#pragma once

#include "kernels/blocks.h"
#include "kernels/encode/fit.h"
#include "kernels/encode/pack.h"

namespace hearth::kernels {
namespace {

/// How a superblock without minimums is made: n_sub sub-blocks, whole scales from lowest to highest; how many units are
/// tried with weights and without (the fewer the levels, the more an outlier that hardly matters leads astray).
struct ScaleShape {
  int n_sub, lowest, highest;
  int weighted_starts = 2, starts = 1;
};

struct Scaled {
  uint16_t d = 0;
  float scale[16] = {};  ///< whole numbers
  float error = __builtin_inff();
};

/// Which sub-blocks have a few elements that are not zero: they can be met exactly by odd scales, so that all are
/// tried.
struct SparseParts {
  float is_sparse[16] = {};  ///< 0 or 1
  bool any = false;

  SparseParts(const Loaded& x, int n_sub) {
    const int n = 256 / n_sub;
    for (int j = 0; j < n_sub; j += kSides) {
      const Part p = x.part(n * j, n);
      Lanes count{};
      for (int i = 0; i < p.n_floats(); i += kLanes) count += select(load_lanes(p.x + i) != 0.0f, fill(1.0f), Lanes{});
      count = sum_of_sides(count);
      const IntLanes few = (count > 0.0f) & (count <= 4.0f);
      store_sides(is_sparse + j, select(few, fill(1.0f), Lanes{}));
      any = any || any_lane(few);
    }
  }
  void take_none() { any = false; }
  void take_all() {
    for (float& one : is_sparse) one = 1.0f;
    any = true;
  }
  /// Those of the sides from sub-block j on.
  IntLanes of(int j) const { return any ? spread(is_sparse + j) > 0.0f : IntLanes{}; }
};

/// -4 to 3, a candidate each: 0, 1, -1, 2, -2, 3, -3, -4, so that the middle wins where errors are equal.
inline Lanes steps_about() {
  return for_sides(Float8{0, 1, -1, 2, -2, 3, -3, -4});
}

/// (3) for the sub-blocks of a part: of eight whole scales about `wished` (or all) those with the least error.
template <typename Levels>
inline Lanes nearest_scales(const Part& p, const Levels& levels, float d, Lanes wished, const ScaleShape& shape,
                            IntLanes sparse, Lanes* error) {
  const Lanes lowest = fill(static_cast<float>(shape.lowest)), highest = fill(static_cast<float>(shape.highest));
  const Lanes about = round_lanes(clamp(wished, lowest, highest));
  const Lanes near = clamp(about + steps_about(), lowest, highest);
  const Cheapest nearest(try_errors(p, levels, d * near));
  *error = nearest.cost;
  Lanes best = nearest.of(near);
  for (int first = shape.lowest; any_lane(sparse) && first <= shape.highest; first += kCandidates) {
    const Lanes whole = static_cast<float>(first) + 3.5f + around_zero();
    const Cheapest cheapest(try_errors(p, levels, d * whole));
    const IntLanes better = (cheapest.cost < *error) & sparse;
    *error = select(better, cheapest.cost, *error);
    best = select(better, cheapest.of(whole), best);
  }
  return best;
}

/// (2): units for series of n real scales each, whole multiples from lowest to highest. power: what an error of a scale
/// counts, sum of w q^2. Series lie side by side, too.
inline void fit_units(float* unit, const float (*scales)[16], const float (*power)[16], int n_series, int n,
                      float lowest, float highest) {
  for (int first = 0; first < n_series; first += kSides) {
    alignas(64) float s[16 * kSides], w[16 * kSides], ws[16 * kSides];
    for (int i = 0; i < n * kSides; ++i) {
      const int series = first + i % kSides < n_series ? first + i % kSides : first;
      s[i] = scales[series][i / kSides];
      w[i] = power[series][i / kSides];
      ws[i] = w[i] * s[i];
    }
    const Lanes fitted = fit_scale(Part{s, w, ws, n}, WholeLevels{lowest, highest}, {0.98f, 1.25f, 16, 0.01f}, 2);
    for (int side = 0; side < kSides && first + side < n_series; ++side) unit[first + side] = fitted[side];
  }
}

/// (3) for all sub-blocks, and (4): the best d for what was chosen.
template <typename Levels>
inline float choose_scales(Scaled& to, const Loaded& x, const Levels& levels, const float* best, float d,
                           const ScaleShape& shape, const SparseParts& sparse) {
  const int n = 256 / shape.n_sub;
  float numerator = 0.0f, denominator = 0.0f;
  to.error = 0.0f;
  for (int j = 0; j < shape.n_sub; j += kSides) {
    const Part p = x.part(n * j, n);
    Lanes error;
    const Lanes wished = d != 0.0f ? spread(best + j) / d : Lanes{};
    const Lanes s = nearest_scales(p, levels, d, wished, shape, sparse.of(j), &error);
    store_sides(to.scale + j, s);
    add_sides(to.error, error);
    const Lanes inverse_scale = inverse(d * s);
    Lanes xq{}, qq{};
    for (int i = 0; i < p.n_floats(); i += kLanes) {
      const Lanes q = levels.nearest(load_lanes(p.x + i) * inverse_scale);
      xq += load_lanes(p.wx + i) * q;
      qq += load_lanes(p.w + i) * q * q;
    }
    add_sides(numerator, s * sum_of_sides(xq));
    add_sides(denominator, s * s * sum_of_sides(qq));
  }
  return denominator > 0.0f ? numerator / denominator : 0.0f;
}

/// The whole search. Levels of the elements go to `level`.
template <typename Levels>
Scaled encode_scaled(float* level, const Loaded& x, const Levels& levels, const ScaleShape& shape,
                     const StartRange& range, int rounds) {
  alignas(64) float best[1][16], power[1][16];
  const int n = 256 / shape.n_sub;
  for (int j = 0; j < shape.n_sub; j += kSides) {
    const Part p = x.part(n * j, n);
    const Lanes scale = x.is_zero ? Lanes{} : fit_scale(p, levels, range, x.weighted ? 2 : 1);
    Lanes squares{};
    for (int i = 0; i < p.n_floats(); i += kLanes) squares += load_lanes(p.wx + i) * load_lanes(p.x + i);
    store_sides(best[0] + j, scale);
    store_sides(power[0] + j, select(scale != 0.0f, sum_of_sides(squares) / (scale * scale), Lanes{}));
  }
  float widest = 0.0f, signal = 0.0f;
  for (int j = 0; j < shape.n_sub; ++j) {
    signal += power[0][j] * best[0][j] * best[0][j];
    if (__builtin_fabsf(best[0][j]) > __builtin_fabsf(widest)) widest = best[0][j];
  }
  const float lowest = static_cast<float>(shape.lowest), highest = static_cast<float>(shape.highest);
  float fitted;
  fit_units(&fitted, best, power, 1, shape.n_sub, lowest, highest);
  SparseParts sparse(x, shape.n_sub);
  const int n_starts = sparse.any ? 12 : x.weighted ? shape.weighted_starts : shape.starts;
  Scaled kept;
  float next = 0.0f;
  const auto look = [&](float d) __attribute__((noinline)) {
    Scaled tried;
    tried.d = scale_bits(d, x.unit);
    const float solved = choose_scales(tried, x, levels, best[0], scale_of_bits(tried.d, x.unit), shape, sparse);
    if (tried.error >= kept.error) return;
    kept = tried;
    next = solved;
  };
  for (int start = 0; start < n_starts; ++start) {
    look(start == 0 ? fitted : widest / lowest * (1.0f - 0.03f * static_cast<float>(start - 1)));
  }
  for (int round = 1; round < rounds; ++round) look(next);
  const float half_levels = 0.5f * static_cast<float>(levels.n_levels());
  const bool exact = levels.n_levels() <= 8 && is_nearly_exact(kept.error, signal, half_levels);
  if (exact || (!x.is_zero && has_few_values(x.x, 256))) {  // units of which the widest scale is a whole multiple
    const bool all = levels.n_levels() <= 8;
    all ? sparse.take_all() : sparse.take_none();
    // Where all scales are tried, half of a unit does what the unit does: the large ones are left out.
    for (int whole = -shape.lowest / 2 + 1; all && whole <= -2 * shape.lowest; ++whole) {
      look(widest / static_cast<float>(whole));
      look(-widest / static_cast<float>(whole));
    }
    for (int whole = shape.lowest; !all && whole < 0; ++whole) {
      for (float clipped = 0.0f; clipped < 3.0f; ++clipped) {
        look(half_levels / (half_levels - clipped) * widest / static_cast<float>(whole));
      }
    }
    const uint16_t middle = scale_bits(next, x.unit);
    for (int steps = -16; steps <= 16; ++steps) look(scale_of_bits(near_half(middle, steps), x.unit));
  }
  for (uint16_t bits = 1; x.unit < kTinyUnit && bits <= 16; ++bits) {
    look(scale_of_bits(bits, x.unit));
    look(-scale_of_bits(bits, x.unit));
  }
  for (int j = 0; j < shape.n_sub; j += kSides) {
    put_levels(level + n * j, x.part(n * j, n), levels, scale_of_bits(kept.d, x.unit) * spread(kept.scale + j),
               Lanes{});
  }
  return kept;
}

void encode_Q3_K(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ3_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256, 16);
    alignas(64) float level[256];
    const StartRange range = loaded.weighted ? StartRange{0.6f, 1.05f, 40, 0.02f} : StartRange{0.65f, 1.1f, 8, 0.02f};
    const Scaled made =
        encode_scaled(level, loaded, WholeLevels{-4.0f, 3.0f}, {16, -32, 31, 12, 4}, range, loaded.weighted ? 4 : 3);
    *block = {};
    block->d = made.d;
    uint8_t code[256];
    put_codes(code, level, 4.0f, 256, 16);
    put_bit_planes(block->hmask, code, 2, 8);
    put_pairs_of_bits(block->qs, code);
    for (int j = 0; j < 16; ++j) {
      const int scale = static_cast<int>(made.scale[j]) + 32;
      block->scales[j % 8] = static_cast<uint8_t>(block->scales[j % 8] | (scale & 15) << (4 * (j / 8)));
      block->scales[8 + j % 4] = static_cast<uint8_t>(block->scales[8 + j % 4] | (scale >> 4) << (2 * (j / 4)));
    }
  }
}

void encode_Q6_K(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ6_K*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256, 16);
    alignas(64) float level[256];
    const StartRange range =
        loaded.weighted ? StartRange{0.9f, 1.05f, 24, 0.008f} : StartRange{0.965f, 1.02f, 4, 0.003f};
    const Scaled made =
        encode_scaled(level, loaded, WholeLevels{-32.0f, 31.0f}, {16, -128, 127}, range, loaded.weighted ? 3 : 2);
    *block = {};
    block->d = made.d;
    for (int j = 0; j < 16; ++j) block->scales[j] = static_cast<int8_t>(made.scale[j]);
    uint8_t code[256];
    put_codes(code, level, 32.0f, 256, 16);
    for (int half = 0; half < 2; ++half) {
      const uint8_t* c = code + 128 * half;
      for (int i = 0; i < 64; i += 8) {
        store_bytes(block->ql + 64 * half + i, (load_bytes(c + i) & 15) | (load_bytes(c + 64 + i) << 4));
      }
      for (int i = 0; i < 32; i += 8) {
        store_bytes(block->qh + 32 * half + i, (load_bytes(c + i) >> 4) | (load_bytes(c + 32 + i) >> 4 << 2) |
                                                   (load_bytes(c + 64 + i) >> 4 << 4) |
                                                   (load_bytes(c + 96 + i) >> 4 << 6));
      }
    }
  }
}

void encode_IQ4_XS(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockIQ4_XS*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 256 * b, w != nullptr ? w + 256 * b : nullptr, 256, 32);
    alignas(64) float level[256];
    const Scaled made = encode_scaled(level, loaded, Iq4Levels(), {8, -32, 31}, start_range(127.0f, loaded.weighted),
                                      loaded.weighted ? 3 : 2);
    *block = {};
    block->d = made.d;
    Iq4Levels::number(level, 256);
    uint8_t code[256];
    put_codes(code, level, 0.0f, 256, 32);
    for (int j = 0; j < 8; ++j) {
      put_nibbles(block->qs + 16 * j, code + 32 * j);
      const int scale = static_cast<int>(made.scale[j]) + 32;
      block->scales_l[j / 2] = static_cast<uint8_t>(block->scales_l[j / 2] | (scale & 15) << (4 * (j % 2)));
      block->scales_h = static_cast<uint16_t>(block->scales_h | (scale >> 4) << (2 * j));
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
