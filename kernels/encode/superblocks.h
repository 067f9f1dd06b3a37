// Encoders of Q3_K, Q6_K and IQ4_XS: superblocks of 256 whose sub-block scales are whole multiples of a
// half-precision float. (superblocks_min.h has those with minimums.)
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
        loaded.weighted ? StartRange{0.9f, 1.05f, 24, 0.008f} : StartRange{0.965f, 1.02f, 4, 0.003f};
    const Scaled made =
        encode_scaled(level, loaded, WholeLevels{-32.0f, 31.0f}, {16, -128, 127}, range, loaded.weighted ? 3 : 2);
    *block = {};
    block->d = made.d;
    for (int j = 0; j < 16; ++j) block->scales[j] = static_cast<int8_t>(made.scale[j]);
    uint8_t code[256];
    put_codes(code, level, 32.0f, 256);
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

}  // namespace
}  // namespace hearth::kernels
