// Encoders of types of very few levels and one scale a block (Q1_0, Q2_0, TQ1_0, TQ2_0), of 4-bit floats (MXFP4,
// NVFP4), and of floats.
#pragma once

#include <cstddef>

#include "kernels/blocks.h"
#include "kernels/encode/blocks32.h"
#include "kernels/encode/fit.h"

namespace hearth::kernels {
namespace {

/// Signs; the best scale is the mean magnitude.
void encode_Q1_0(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ1_0*>(blocks);
  for (int64_t b = 0; b < n / 128; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 128 * b, w != nullptr ? w + 128 * b : nullptr, 128);
    float sum = 0.0f, weight = 0.0f;
    *block = {};
    for (int i = 0; i < 128; ++i) {
      sum += __builtin_fabsf(loaded.wx[i]);
      weight += loaded.w[i];
      if (loaded.x[i] >= 0.0f) block->qs[i / 8] = static_cast<uint8_t>(block->qs[i / 8] | 1 << (i % 8));
    }
    block->d = loaded.is_zero ? uint16_t{0} : scale_bits(sum / weight, loaded.unit);
  }
}

void encode_Q2_0(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockQ2_0*>(blocks);
  for (int64_t b = 0; b < n / 64; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 64 * b, w != nullptr ? w + 64 * b : nullptr, 64);
    const WholeLevels levels{-1.0f, 2.0f};
    const Part p = loaded.part(0, 64);
    const float scale = loaded.is_zero ? 0.0f : fit_scale(p, levels, {0.5f, 1.07f, 32, 0.02f}, 3)[0];
    alignas(32) float level[64];
    *block = {};
    block->d = settle_scale(level, p, levels, scale, loaded.unit);
    for (int i = 0; i < 64; ++i) {
      const int code = static_cast<int>(level[i]) + 1;
      block->qs[i / 4] = static_cast<uint8_t>(block->qs[i / 4] | code << (2 * (i % 4)));
    }
  }
}

/// 256 codes of -1, 0, 1 and their scale.
inline uint16_t encode_ternary(int* code, const float* x, const float* w) {
  Loaded loaded;
  load(loaded, x, w, 256);
  const WholeLevels levels{-1.0f, 1.0f};
  const Part p = loaded.part(0, 256);
  const float scale = loaded.is_zero ? 0.0f : fit_scale(p, levels, {0.8f, 1.09f, 32, 0.02f}, 3)[0];
  alignas(32) float level[256];
  const uint16_t d = settle_scale(level, p, levels, scale, loaded.unit);
  for (int i = 0; i < 256; ++i) code[i] = static_cast<int>(level[i]);
  return d;
}

/// Five digits to the base 3 as a fraction of 256, rounded up: multiplying by 3 brings out the next digit.
inline uint8_t ternary_byte(int d0, int d1, int d2, int d3, int d4) {
  const int number = (((d0 * 3 + d1) * 3 + d2) * 3 + d3) * 3 + d4;
  return static_cast<uint8_t>((number * 256 + 242) / 243);
}

void encode_TQ1_0(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockTQ1_0*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    int code[256];
    block->d = encode_ternary(code, x + 256 * b, w != nullptr ? w + 256 * b : nullptr);
    for (int& c : code) ++c;
    for (int i = 0; i < 32; ++i) {
      block->qs[i] = ternary_byte(code[i], code[i + 32], code[i + 64], code[i + 96], code[i + 128]);
    }
    const int* c = code + 160;
    for (int i = 0; i < 16; ++i) block->qs[32 + i] = ternary_byte(c[i], c[i + 16], c[i + 32], c[i + 48], c[i + 64]);
    c = code + 240;
    for (int i = 0; i < 4; ++i) block->qh[i] = ternary_byte(c[i], c[i + 4], c[i + 8], c[i + 12], 0);
  }
}

void encode_TQ2_0(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockTQ2_0*>(blocks);
  for (int64_t b = 0; b < n / 256; ++b, ++block) {
    int code[256];
    *block = {};
    block->d = encode_ternary(code, x + 256 * b, w != nullptr ? w + 256 * b : nullptr);
    for (int i = 0; i < 256; ++i) {
      uint8_t& byte = block->qs[32 * (i / 128) + i % 32];
      byte = static_cast<uint8_t>(byte | (code[i] + 1) << (2 * (i % 128 / 32)));
    }
  }
}

/// Scales are powers of two: all that could be the best are tried. (OCP Microscaling Formats 1.0, section 6.3, would
/// take the one that clips nothing.)
void encode_MXFP4(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockMXFP4*>(blocks);
  for (int64_t b = 0; b < n / 32; ++b, ++block) {
    Loaded loaded;
    load(loaded, x + 32 * b, w != nullptr ? w + 32 * b : nullptr, 32);
    const Part p = loaded.part(0, 32);
    // With the largest magnitude in [1, 2), doubled levels up to 12 and half of the scale: 2^-3 clips nothing.
    Lanes scales{};
    for (int l = 0; l < kLanes; ++l) scales[l] = power_of_two(-2 - l);
    const Cheapest cheapest(try_errors(p, Fp4Levels(), scales));
    const int at = cheapest.at[0];
    const int unit_exponent = static_cast<int>(__builtin_bit_cast(uint32_t, loaded.unit) >> 23) - 127;
    int e = unit_exponent - 2 - at + 1 + 127;
    e = e < 0 ? 0 : e > 254 ? 254 : e;
    block->e = static_cast<uint8_t>(loaded.is_zero ? 0 : e);
    alignas(32) float level[32];
    put_levels(level, p, Fp4Levels(), loaded.is_zero ? Lanes{} : cheapest.of(scales), Lanes{});
    uint8_t code[32];
    for (int i = 0; i < 32; ++i) code[i] = static_cast<uint8_t>(Fp4Levels::code(level[i]));
    put_nibbles(block->qs, code);
  }
}

/// Value of an unsigned E4M3 float (exponent bias 7).
inline float e4m3_value(int bits) {
  const int exponent = bits >> 3;
  const float mantissa = static_cast<float>(bits & 7);
  return exponent == 0 ? mantissa * 0x1p-9f : (8.0f + mantissa) * power_of_two(exponent - 10);
}

/// The scale of 16 elements: of 32 E4M3 floats about the one that puts the largest magnitude at the outermost level.
void encode_NVFP4(void* blocks, const float* x, const float* w, int64_t n) {
  auto* block = static_cast<BlockNVFP4*>(blocks);
  for (int64_t s = 0; s < n / 16; ++s) {
    Loaded loaded;
    load(loaded, x + 16 * s, w != nullptr ? w + 16 * s : nullptr, 16);
    const Part p = loaded.part(0, 16);
    const float wished = largest_magnitude(p)[0] * loaded.unit / 6.0f;
    int middle = 0;
    while (middle < 0x7e && e4m3_value(middle) < wished) ++middle;
    float best = __builtin_inff(), scale = 0.0f;
    int bits = 0;
    for (int group = 0; group < 4 && !loaded.is_zero; ++group) {
      Lanes scales{};
      int tried[kLanes];
      for (int l = 0; l < kLanes; ++l) {
        const int k = middle - 22 + kLanes * group + l;
        tried[l] = k < 0 ? 0 : k > 0x7e ? 0x7e : k;
        scales[l] = 0.5f * e4m3_value(tried[l]) / loaded.unit;
      }
      const Cheapest cheapest(try_errors(p, Fp4Levels(), scales));
      const int at = cheapest.at[0];
      if (cheapest.cost[0] >= best) continue;
      best = cheapest.cost[0];
      bits = tried[at];
      scale = scales[at];
    }
    block[s / 4].d[s % 4] = static_cast<uint8_t>(bits);
    alignas(32) float level[16];
    put_levels(level, p, Fp4Levels(), fill(scale), Lanes{});
    uint8_t* qs = block[s / 4].qs + s % 4 * 8;
    for (int i = 0; i < 8; ++i) {
      qs[i] = static_cast<uint8_t>(Fp4Levels::code(level[i]) | Fp4Levels::code(level[i + 8]) << 4);
    }
  }
}

void encode_F32(void* blocks, const float* x, const float*, int64_t n) {
  __builtin_memcpy(blocks, x, static_cast<size_t>(n) * sizeof(float));
}

/// What is beyond the largest half becomes the largest half: a file must not hold infinities.
void encode_F16(void* blocks, const float* x, const float*, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float limited = x[i] > 65504.0f ? 65504.0f : x[i] < -65504.0f ? -65504.0f : x[i];
    const uint16_t bits = float_to_half(limited);
    __builtin_memcpy(static_cast<char*>(blocks) + 2 * i, &bits, 2);
  }
}

void encode_BF16(void* blocks, const float* x, const float*, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    uint16_t bits = float_to_bf16(x[i]);
    if ((bits & 0x7fff) == 0x7f80 && __builtin_fabsf(x[i]) <= 3.4028235e38f) --bits;  // largest finite
    __builtin_memcpy(static_cast<char*>(blocks) + 2 * i, &bits, 2);
  }
}

}  // namespace
}  // namespace hearth::kernels
