// Encoders of the types whose blocks have one half-precision scale: Q4_0, Q5_0, IQ4_NL; with a minimum: Q4_1, Q5_1; and
// Q8_0, whose error is too small to search for less.
//
// The search: the best scale of real numbers (fit.h), then among the eight halves about it the one whose codes err
// least.
#pragma once

#include "kernels/blocks.h"
#include "kernels/encode/fit.h"

namespace hearth::kernels {
namespace {

/// The half near `scale` with the least error for a part, and the levels it gives.
template <typename Levels>
inline uint16_t settle_scale(float* level, const Part& p, const Levels& levels, float scale, float unit) {
  const uint16_t middle = scale_bits(scale, unit);
  Lanes scales{};
  for (int l = 0; l < kLanes; ++l) scales[l] = scale_of_bits(near_half(middle, (l + 1) / 2 * (l % 2 ? 1 : -1)), unit);
  float least;
  const int at = least_lane(try_errors(p, levels, scales), &least);
  put_levels(level, p, levels, scales[at], 0.0f);
  return near_half(middle, (at + 1) / 2 * (at % 2 ? 1 : -1));
}

/// Where the searches of a scale begin, for levels up to `top`: without weights the largest element is clipped by a
/// third at most; with weights it may hardly matter.
inline StartRange start_range(float top, bool weighted) {
  if (top > 100.0f) return weighted ? StartRange{0.75f, 1.06f, 24, 0.01f} : StartRange{0.8f, 1.05f, 8, 0.01f};
  if (top > 10.0f) return weighted ? StartRange{0.85f, 1.03f, 40, 0.008f} : StartRange{0.9f, 1.045f, 8, 0.008f};
  return weighted ? StartRange{0.7f, 1.05f, 32, 0.02f} : StartRange{0.75f, 1.07f, 8, 0.015f};
}

/// Low nibbles of 32 codes: elements 0..15, then 16..31 in the high halves.
inline void put_nibbles(uint8_t* qs, const int* code) {
  for (int j = 0; j < 16; ++j) qs[j] = static_cast<uint8_t>((code[j] & 15) | (code[j + 16] & 15) << 4);
}

inline void put_fifth_bits(uint8_t* qh, const int* code) {
  for (int j = 0; j < 4; ++j) qh[j] = 0;
  for (int j = 0; j < 32; ++j) qh[j / 8] = static_cast<uint8_t>(qh[j / 8] | ((code[j] >> 4) & 1) << (j % 8));
}

/// One scale for a block of 32, levels from -half to half - 1.
inline uint16_t encode_centered(int* code, const float* x, const float* w, int half) {
  Loaded block;
  load(block, x, w, 32);
  const WholeLevels levels{-static_cast<float>(half), static_cast<float>(half - 1)};
  const Part p = block.part(0, 32);
  const float scale =
      block.is_zero ? 0.0f : fit_scale(p, levels, start_range(static_cast<float>(half), block.weighted), 2);
  alignas(32) float level[32];
  const uint16_t bits = settle_scale(level, p, levels, scale, block.unit);
  for (int i = 0; i < 32; ++i) code[i] = static_cast<int>(level[i]) + half;
  return bits;
}

void encode_Q4_0(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ4_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    int code[32];
    block->d = encode_centered(code, x + 32 * b, w != nullptr ? w + 32 * b : nullptr, 8);
    put_nibbles(block->qs, code);
  }
}

void encode_Q5_0(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ5_0*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    int code[32];
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
    const float scale = loaded.is_zero ? 0.0f : fit_scale(p, levels, start_range(127.0f, loaded.weighted), 2);
    alignas(32) float level[32];
    block->d = settle_scale(level, p, levels, scale, loaded.unit);
    int code[32];
    for (int i = 0; i < 32; ++i) code[i] = Iq4Levels::code(level[i]);
    put_nibbles(block->qs, code);
  }
}

/// Scale and minimum for a block of 32, codes from 0 to hi.
inline void encode_pair(uint16_t* d, uint16_t* m, int* code, const float* x, const float* w, float hi) {
  Loaded block;
  load(block, x, w, 32);
  const Part p = block.part(0, 32);
  const PairRange range =
      block.weighted ? PairRange{-0.03f, 0.07f, -0.03f, 0.07f, 8, true} : PairRange{-0.02f, 0.025f, -0.02f, 0.03f, 5};
  const ScaleMin fit = block.is_zero ? ScaleMin{} : fit_pair(p, hi, false, range);
  const uint16_t d_bits = scale_bits(fit.scale, block.unit), m_bits = scale_bits(fit.min, block.unit);
  float best = __builtin_inff();
  ScaleMin settled;
  for (int steps = -3; steps <= 3; ++steps) {
    const float scale = scale_of_bits(near_half(d_bits, steps), block.unit);
    Lanes mins{};
    for (int l = 0; l < kLanes; ++l) mins[l] = scale_of_bits(near_half(m_bits, l - 4), block.unit);
    float error;
    const int at = least_lane(try_pairs(p, WholeLevels{0.0f, hi}, fill(scale), mins), &error);
    if (error >= best) continue;
    best = error;
    *d = near_half(d_bits, steps);
    *m = near_half(m_bits, at - 4);
    settled = {scale, mins[at]};
  }
  alignas(32) float level[32];
  put_levels(level, p, WholeLevels{0.0f, hi}, settled.scale, settled.min);
  for (int i = 0; i < 32; ++i) code[i] = static_cast<int>(level[i]);
}

void encode_Q4_1(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ4_1*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    int code[32];
    uint16_t d = 0, m = 0;
    encode_pair(&d, &m, code, x + 32 * b, w != nullptr ? w + 32 * b : nullptr, 15.0f);
    block->d = d;
    block->m = m;
    put_nibbles(block->qs, code);
  }
}

void encode_Q5_1(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ5_1*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    int code[32];
    uint16_t d = 0, m = 0;
    encode_pair(&d, &m, code, x + 32 * b, w != nullptr ? w + 32 * b : nullptr, 31.0f);
    block->d = d;
    block->m = m;
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
      Lanes v;
      __builtin_memcpy(&v, x + j, sizeof v);
      v = v > 0.0f ? v : -v;
      largest = v > largest ? v : largest;
    }
    float most = 0.0f;
    for (int l = 0; l < kLanes; ++l) most = largest[l] > most ? largest[l] : most;
    const float d = most / 127.0f < 65504.0f ? most / 127.0f : 65504.0f;
    const float inverse_d = d != 0.0f ? 1.0f / d : 0.0f;
    block->d = float_to_half(d);
    for (int j = 0; j < 32; j += kLanes) {
      Lanes v;
      __builtin_memcpy(&v, x + j, sizeof v);
      v = clamp(v * inverse_d, fill(-127.0f), fill(127.0f));
      const Lanes toward_zero = __builtin_convertvector(__builtin_convertvector(v, IntLanes), Lanes);
      const Lanes fraction = v - toward_zero;
      v = toward_zero + select(fraction >= 0.5f, fill(1.0f), Lanes{}) - select(fraction <= -0.5f, fill(1.0f), Lanes{});
      const IntLanes code = __builtin_convertvector(v, IntLanes);
      for (int l = 0; l < kLanes; ++l) block->qs[j + l] = static_cast<int8_t>(code[l]);
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
