// Writing blocks of KV types that share a scale, the same for every instruction set; kv_types.h has the layouts.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/half.h"

namespace hearth::kernels {

/// Integers of a block of 32 floats and its scale: x = code * scale, |code| <= 127. n < 32: the rest counts as 0. Codes
/// go to codes[0], codes[stride], ...; the scale as a half is returned. What is beyond halves saturates.
static inline uint16_t encode_q8_0(int8_t* codes, int64_t stride, const float* x, int64_t n) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float magnitude = x[i] < 0 ? -x[i] : x[i];
    largest = magnitude > largest ? magnitude : largest;
  }
  const float wanted = largest / 127.0f;
  const uint16_t scale = float_to_half(wanted < 65504.0f ? wanted : 65504.0f);
  const float rounded = half_to_float(scale);
  const float inverse = rounded > 0 ? 1.0f / rounded : 0.0f;
  for (int64_t i = 0; i < 32; ++i) {
    float code = i < n ? x[i] * inverse : 0.0f;
    code = code > -127.0f ? code : -127.0f;  // NaN, too
    code = code < 127.0f ? code : 127.0f;
    constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
    codes[i * stride] = static_cast<int8_t>(std::bit_cast<int32_t>(code + kMagic) - std::bit_cast<int32_t>(kMagic));
  }
  return scale;
}

}  // namespace hearth::kernels
