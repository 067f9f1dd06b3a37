// Encoders of the types whose blocks have one half-precision scale: Q4_0, Q5_0, IQ4_NL; with a minimum: Q4_1, Q5_1; and
// Q8_0, whose error is too small to search for less.
//
// The search: the best scale of real numbers (fit.h), then among the eight halves about it the one whose codes err
// least.
#pragma once

#include "kernels/blocks.h"
#include "kernels/encode/fit.h"
#include "kernels/encode/pack.h"

namespace hearth::kernels {
namespace {

static_assert(kSides == 1, "blocks are encoded one by one");

/// The half-precision scale with the least error of those that were tried.
struct HalfScale {
  uint16_t bits = 0;
  float error = __builtin_inff();

  /// Tries the eight halves about `scale`.
  template <typename Levels>
  void try_about(const Part& p, const Levels& levels, float scale, float unit) {
    const uint16_t middle = scale_bits(scale, unit);
    const auto half = [middle](int l) { return near_half(middle, (l + 1) / 2 * (l % 2 ? 1 : -1)); };
    Lanes scales{};
    for (int l = 0; l < kLanes; ++l) scales[l] = scale_of_bits(half(l), unit);
    const Cheapest cheapest(try_errors(p, levels, scales));
    if (cheapest.cost[0] >= error) return;
    bits = half(cheapest.at[0]);
    error = cheapest.cost[0];
  }
};

/// The half near `scale` with the least error for a part, and the levels it gives.
template <typename Levels>
inline uint16_t settle_scale(float* level, const Part& p, const Levels& levels, float scale, float unit) {
  HalfScale best;
  best.try_about(p, levels, scale, unit);
  const float top = 0.5f * static_cast<float>(levels.n_levels());
  if (is_nearly_exact(best.error, signal_of(p), top)) {
    float largest = p.x[0];
    for (int i = 1; i < p.n; ++i) largest = __builtin_fabsf(p.x[i]) > __builtin_fabsf(largest) ? p.x[i] : largest;
    for (int i = 0; i < levels.n_places(); ++i) {
      if (levels.place(i) != 0.0f) best.try_about(p, levels, largest / levels.place(i), unit);
    }
  }
  put_levels(level, p, levels, fill(scale_of_bits(best.bits, unit)), Lanes{});
  return best.bits;
}

/// One scale for a block of 32, levels from -half to half - 1.
inline uint16_t encode_centered(uint8_t* code, const float* x, const float* w, int half) {
  Loaded block;
  load(block, x, w, 32);
  const WholeLevels levels{-static_cast<float>(half), static_cast<float>(half - 1)};
  const Part p = block.part(0, 32);
  const float scale =
      block.is_zero ? 0.0f : fit_scale(p, levels, start_range(static_cast<float>(half), block.weighted), 2)[0];
  alignas(32) float level[32];
  const uint16_t bits = settle_scale(level, p, levels, scale, block.unit);
  put_codes(code, level, static_cast<float>(half), 32);
  return bits;
}

void encode_Q4_0(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ4_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    uint8_t code[32];
    block->d = encode_centered(code, x + 32 * b, w != nullptr ? w + 32 * b : nullptr, 8);
    put_nibbles(block->qs, code);
  }
}

void encode_Q5_0(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ5_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    uint8_t code[32];
    block->d = encode_centered(code, x + 32 * b, w != nullptr ? w + 32 * b : nullptr, 16);
    put_nibbles(block->qs, code);
    put_fifth_bits(block->qh, code);
  }
}

void encode_IQ4_NL(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockIQ4_NL*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 32 * b, w != nullptr ? w + 32 * b : nullptr, 32);
    const Iq4Levels levels;
    const Part p = loaded.part(0, 32);
    const float scale = loaded.is_zero ? 0.0f : fit_scale(p, levels, start_range(127.0f, loaded.weighted), 2)[0];
    alignas(32) float level[32];
    block->d = settle_scale(level, p, levels, scale, loaded.unit);
    Iq4Levels::number(level, 32);
    uint8_t code[32];
    put_codes(code, level, 0.0f, 32);
    put_nibbles(block->qs, code);
  }
}

/// The half-precision scale and minimum with the least error of those that were tried.
struct HalfPair {
  uint16_t d = 0, m = 0;
  float error = __builtin_inff();

  /// Tries the halves about (scale, min): seven by eight.
  void try_about(const Part& p, const WholeLevels& levels, float scale, float min, float unit) {
    const uint16_t d_bits = scale_bits(scale, unit), m_bits = scale_bits(min, unit);
    Lanes mins{};
    for (int l = 0; l < kLanes; ++l) mins[l] = scale_of_bits(near_half(m_bits, l - 4), unit);
    for (int steps = -3; steps <= 3; ++steps) {
      const Cheapest cheapest(try_pairs(p, levels, fill(scale_of_bits(near_half(d_bits, steps), unit)), mins));
      if (cheapest.cost[0] >= error) continue;
      error = cheapest.cost[0];
      d = near_half(d_bits, steps);
      m = near_half(m_bits, cheapest.at[0] - 4);
    }
  }

  /// For elements of a few values: all numbers of steps between the least and the largest; where all are one value,
  /// one step from a minimum below it.
  void try_few_values(const Part& p, const WholeLevels& levels, float low, float width, float unit) {
    for (float steps = 1.0f; width > 0.0f && steps <= levels.hi; ++steps) {
      try_about(p, levels, width / steps, low, unit);
    }
    for (int steps = -4; width == 0.0f && steps < 4; ++steps) {
      const float min = scale_of_bits(near_half(scale_bits(low, unit), steps), unit);
      if (min < low) try_about(p, levels, low - min, min, unit);
    }
  }
};

/// Scale and minimum for a block of 32, codes from 0 to hi.
inline HalfPair encode_pair(uint8_t* code, const float* x, const float* w, float hi) {
  Loaded block;
  load(block, x, w, 32);
  const Part p = block.part(0, 32);
  const PairRange range =
      block.weighted ? PairRange{-0.03f, 0.07f, -0.03f, 0.07f, 8, true} : PairRange{-0.02f, 0.025f, -0.02f, 0.03f, 5};
  const WholeLevels levels{0.0f, hi};
  const ScaleMin fit = block.is_zero ? ScaleMin{} : fit_pair(p, hi, false, range);
  HalfPair best;
  best.try_about(p, levels, fit.scale[0], fit.min[0], block.unit);
  float low = p.x[0], high = p.x[0];
  for (int i = 1; i < p.n; ++i) {
    low = p.x[i] < low ? p.x[i] : low;
    high = p.x[i] > high ? p.x[i] : high;
  }
  if (!block.is_zero && has_few_values(p.x, p.n)) {
    best.try_few_values(p, levels, low, high - low, block.unit);
  }
  alignas(32) float level[32];
  put_levels(level, p, levels, fill(scale_of_bits(best.d, block.unit)), fill(scale_of_bits(best.m, block.unit)));
  put_codes(code, level, 0.0f, 32);
  return best;
}

void encode_Q4_1(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ4_1*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    uint8_t code[32];
    const HalfPair made = encode_pair(code, x + 32 * b, w != nullptr ? w + 32 * b : nullptr, 15.0f);
    block->d = made.d;
    block->m = made.m;
    put_nibbles(block->qs, code);
  }
}

void encode_Q5_1(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ5_1*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    uint8_t code[32];
    const HalfPair made = encode_pair(code, x + 32 * b, w != nullptr ? w + 32 * b : nullptr, 31.0f);
    block->d = made.d;
    block->m = made.m;
    put_nibbles(block->qs, code);
    put_fifth_bits(block->qh, code);
  }
}

/// The largest magnitude becomes 127; halves away from zero. No search: with 255 levels the largest element sets the
/// scale.
void encode_Q8_0(void* blocks, const float* x, const float*, int64_t n) {
  auto* block = static_cast<BlockQ8_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block, x += 32) {
    Lanes largest{};
    for (int j = 0; j < 32; j += kLanes) {
      const Lanes size = magnitude(load_lanes(x + j));
      largest = select(size > largest, size, largest);
    }
    const float most = largest_of_sides(largest)[0];
    const float d = most / 127.0f < 65504.0f ? most / 127.0f : 65504.0f;
    const float inverse_d = d >= 0x1p-126f ? 1.0f / d : 0.0f;  // of a subnormal it would be infinite
    block->d = float_to_half(d);
    for (int j = 0; j < 32; j += kLanes) {
      const Lanes v = clamp(load_lanes(x + j) * inverse_d, fill(-127.0f), fill(127.0f));
      const Lanes toward_zero = __builtin_convertvector(__builtin_convertvector(v, IntLanes), Lanes);
      const Lanes fraction = v - toward_zero;
      const Lanes away =
          toward_zero + select(fraction >= 0.5f, fill(1.0f), Lanes{}) - select(fraction <= -0.5f, fill(1.0f), Lanes{});
      store_codes(reinterpret_cast<uint8_t*>(block->qs) + j, 0, __builtin_convertvector(away, IntLanes));
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
