// Random codes and sane scales, type by type. Block layouts: the GGUF specification.
#include "random_blocks.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace hearth_tool {
namespace {

using hearth::Rng;
using hearth::TensorType;

/// Nearest half of a small positive or negative number (no infinities or NaN).
uint16_t to_half(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const float magnitude = std::abs(x);
  if (magnitude < 0x1p-14f) return static_cast<uint16_t>(sign | static_cast<uint16_t>(magnitude * 0x1p24f + 0.5f));
  const uint32_t rounded = std::bit_cast<uint32_t>(magnitude) + 0x1000u;
  return static_cast<uint16_t>(sign | ((rounded >> 13) - (112u << 10)));
}

uint16_t to_bf16(float x) {
  return static_cast<uint16_t>((std::bit_cast<uint32_t>(x) + 0x8000u) >> 16);
}

/// Sum of 12 uniform numbers minus 6: close to normal, and the same on every platform.
float normal_deviate(Rng& rng) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += rng.uniform();
  return static_cast<float>(sum);
}

void fill_random_bytes(std::span<std::byte> out, Rng& rng) {
  size_t i = 0;
  for (; i + 8 <= out.size(); i += 8) {
    const uint64_t word = rng.next();
    std::memcpy(out.data() + i, &word, 8);
  }
  const uint64_t word = rng.next();
  std::memcpy(out.data() + i, &word, out.size() - i);
}

/// Values picked from a table of 4096 normal deviates, in any float format.
template <typename T, typename Convert>
void fill_from_table(std::span<std::byte> out, float sigma, Rng& rng, Convert convert) {
  std::array<T, 4096> table;
  for (T& value : table) value = convert(sigma * normal_deviate(rng));
  uint64_t word = 0;
  int left = 0;
  for (size_t i = 0; i + sizeof(T) <= out.size(); i += sizeof(T), --left, word >>= 12) {
    if (left == 0) {
      word = rng.next();
      left = 5;
    }
    std::memcpy(out.data() + i, &table[word & 4095], sizeof(T));
  }
}

/// 16 scales around `d` as halves, so that neighbouring blocks differ.
struct Scales {
  explicit Scales(float d) {
    for (size_t i = 0; i < 16; ++i) {
      const float varied = d * (0.75f + static_cast<float>(i) / 30);  // 0.75 .. 1.25
      half[i] = to_half(varied);
      value[i] = varied;
    }
  }
  std::array<uint16_t, 16> half;
  std::array<float, 16> value;
};

/// Fixes up each random block; `fix(block, pick)` gets its bytes and a number in 0..15.
template <typename Fix>
void for_each_block(std::span<std::byte> out, size_t block_bytes, Fix fix) {
  for (size_t i = 0; i + block_bytes <= out.size(); i += block_bytes) {
    uint8_t* block = reinterpret_cast<uint8_t*>(out.data()) + i;
    fix(block, block[block_bytes - 1] & 15u);
  }
}

void put(uint8_t* at, uint16_t half) {
  std::memcpy(at, &half, 2);
}

/// Root mean squares of the codes: of 2^bits equally likely integers around 0.
constexpr float kRms4 = 4.61f, kRms5 = 9.23f, kRms6 = 18.47f, kRms8 = 73.9f;
constexpr float kRms3 = 2.29f, kRms2 = 1.118f;
/// Of the 16 values of IQ4_NL, and of MXFP4's (0, 0.5, 1, 1.5, 2, 3, 4, 6).
constexpr float kRmsIq4 = 68.4f, kRmsFp4 = 2.93f;

/// Of the grids' elements, and of their scales: (nibble + 0.5), (2 * bits + 1) with four and three bits.
constexpr float kRmsGrid2XXS = 23.1f, kRmsGrid2XS = 24.2f, kRmsGrid2S = 24.4f, kRmsGrid3XXS = 30.8f, kRmsGrid3S = 7.59f;
constexpr float kRmsGrid1 = 0.78f, kRmsHalfOdd4 = 9.23f, kRmsOdd4 = 18.5f, kRmsOdd3 = 9.22f;
constexpr float kRmsTernary = 0.816f;
constexpr float kRmsTwoBits = 0.65f;  ///< of -1, 0, 0, 1, whose bits pick the lower of the scales

/// d at `at`; codes around zero.
void fill_symmetric(std::span<std::byte> out, size_t block_bytes, size_t at, float d) {
  const Scales scales(d);
  for_each_block(out, block_bytes, [&](uint8_t* block, unsigned pick) { put(block + at, scales.half[pick]); });
}

/// d and m at the front, m = -d * (middle code).
void fill_offset(std::span<std::byte> out, size_t block_bytes, float d, float middle) {
  const Scales scales(d);
  for_each_block(out, block_bytes, [&](uint8_t* block, unsigned pick) {
    put(block, scales.half[pick]);
    put(block + 2, to_half(-scales.value[pick] * middle));
  });
}

/// Eight 6-bit scales, all >= 32, and minimums equal to them; dmin = d * (middle code).
void fill_k_scales(std::span<std::byte> out, size_t block_bytes, float d, float middle) {
  const Scales scales(d);
  for_each_block(out, block_bytes, [&](uint8_t* block, unsigned pick) {
    put(block, scales.half[pick]);
    put(block + 2, to_half(scales.value[pick] * middle));
    uint8_t* s = block + 4;
    for (int j = 0; j < 4; ++j) {
      s[j] = static_cast<uint8_t>(s[j] | 0xA0);  // bit 5 of scale j, and of scale j + 4
      s[j + 4] = s[j];
      s[j + 8] = static_cast<uint8_t>((s[j + 8] & 15) * 17);
    }
  });
}

void fill_q2_k(std::span<std::byte> out, float d) {
  const Scales scales(d);
  for_each_block(out, 84, [&](uint8_t* block, unsigned pick) {
    for (int j = 0; j < 16; ++j) block[j] = static_cast<uint8_t>(((block[j] & 15) | 8) * 17);  // scale = minimum >= 8
    put(block + 80, scales.half[pick]);
    put(block + 82, to_half(scales.value[pick] * 1.5f));
  });
}

/// The bits of d lie in the upper nibbles of four words.
void fill_iq1_m(std::span<std::byte> out, float d) {
  const Scales scales(d);
  for_each_block(out, 56, [&](uint8_t* block, unsigned pick) {
    for (int i = 0; i < 4; ++i) {
      uint8_t& high = block[48 + 2 * i + 1];
      high = static_cast<uint8_t>((high & 15) | (scales.half[pick] >> (4 * i) & 15) << 4);
    }
  });
}

/// The nearest of the unsigned E4M3 numbers below 16, whose bits are those of a float of fewer bits.
uint8_t to_e4m3(float x) {
  if (x < 0x1p-6f) return static_cast<uint8_t>(std::lround(x * 0x1p9f));
  const int exponent = static_cast<int>(std::floor(std::log2(x)));
  return static_cast<uint8_t>(((exponent + 7) << 3) + std::lround(std::ldexp(x, 3 - exponent)) - 8);
}

void fill_nvfp4(std::span<std::byte> out, float d) {
  const Scales scales(d);
  for_each_block(out, 36, [&](uint8_t* block, unsigned pick) {
    for (unsigned i = 0; i < 4; ++i) block[i] = to_e4m3(scales.value[(pick + 5 * i) % 16]);
  });
}

/// Of the codes -1 to 2 the last becomes 0.
void fill_two_bits(std::span<std::byte> out, size_t block_bytes, size_t at, float d) {
  for (std::byte& b : out) b &= ~(b << 1 & b & std::byte{0xaa});
  fill_symmetric(out, block_bytes, at, d);
}

/// Digits to the base 3, five a byte.
void fill_tq1_0(std::span<std::byte> out, float d) {
  for (std::byte& b : out) b = static_cast<std::byte>((static_cast<unsigned>(b) * 243 / 256 * 256 + 242) / 243);
  fill_symmetric(out, 54, 52, d);
}

/// -128 is not a code that a quantizer gives.
void avoid_lowest(std::span<std::byte> out) {
  for (std::byte& b : out) b = b == std::byte{0x80} ? std::byte{0x81} : b;
}

}  // namespace

bool fill_random_blocks(std::span<std::byte> out, TensorType type, float sigma, Rng& rng) {
  const size_t bytes = hearth::tensor_type_info(type)->block_bytes;
  const auto same = [](float x) { return x; };
  switch (type) {
    case TensorType::kF32: fill_from_table<float>(out, sigma, rng, same); return true;
    case TensorType::kF16: fill_from_table<uint16_t>(out, sigma, rng, to_half); return true;
    case TensorType::kBF16: fill_from_table<uint16_t>(out, sigma, rng, to_bf16); return true;
    default: break;
  }
  fill_random_bytes(out, rng);
  switch (type) {
    case TensorType::kQ4_0: fill_symmetric(out, bytes, 0, sigma / kRms4); return true;
    case TensorType::kQ4_1: fill_offset(out, bytes, sigma / kRms4, 7.5f); return true;
    case TensorType::kQ5_0: fill_symmetric(out, bytes, 0, sigma / kRms5); return true;
    case TensorType::kQ5_1: fill_offset(out, bytes, sigma / kRms5, 15.5f); return true;
    case TensorType::kQ8_0:
      avoid_lowest(out);
      fill_symmetric(out, bytes, 0, sigma / kRms8);
      return true;
    case TensorType::kQ2_K: fill_q2_k(out, sigma / (kRms2 * 11.7f)); return true;
    case TensorType::kQ3_K: fill_symmetric(out, bytes, 108, sigma / (kRms3 * kRms6)); return true;
    case TensorType::kQ4_K: fill_k_scales(out, bytes, sigma / (kRms4 * 48.4f), 7.5f); return true;
    case TensorType::kQ5_K: fill_k_scales(out, bytes, sigma / (kRms5 * 48.4f), 15.5f); return true;
    case TensorType::kQ6_K:
      avoid_lowest(out);
      fill_symmetric(out, bytes, 208, sigma / (kRms6 * kRms8));
      return true;
    case TensorType::kIQ4_NL: fill_symmetric(out, bytes, 0, sigma / kRmsIq4); return true;
    case TensorType::kIQ4_XS: fill_symmetric(out, bytes, 0, sigma / (kRmsIq4 * kRms6)); return true;
    case TensorType::kMXFP4: {
      const int exponent = 127 + static_cast<int>(std::lround(std::log2(sigma / kRmsFp4)));
      for_each_block(out, bytes, [&](uint8_t* block, unsigned) { block[0] = static_cast<uint8_t>(exponent); });
      return true;
    }
    case TensorType::kIQ1_S: fill_symmetric(out, bytes, 0, sigma / (kRmsGrid1 * kRmsOdd3)); return true;
    case TensorType::kIQ1_M: fill_iq1_m(out, sigma / (kRmsGrid1 * kRmsOdd3)); return true;
    case TensorType::kIQ2_XXS: fill_symmetric(out, bytes, 0, 4 * sigma / (kRmsGrid2XXS * kRmsHalfOdd4)); return true;
    case TensorType::kIQ2_XS: fill_symmetric(out, bytes, 0, 4 * sigma / (kRmsGrid2XS * kRmsHalfOdd4)); return true;
    case TensorType::kIQ2_S: fill_symmetric(out, bytes, 0, 4 * sigma / (kRmsGrid2S * kRmsHalfOdd4)); return true;
    case TensorType::kIQ3_XXS: fill_symmetric(out, bytes, 0, 2 * sigma / (kRmsGrid3XXS * kRmsHalfOdd4)); return true;
    case TensorType::kIQ3_S: fill_symmetric(out, bytes, 0, sigma / (kRmsGrid3S * kRmsOdd4)); return true;
    case TensorType::kNVFP4: fill_nvfp4(out, sigma / kRmsFp4); return true;
    case TensorType::kQ1_0: fill_symmetric(out, bytes, 0, sigma); return true;
    case TensorType::kQ2_0: fill_two_bits(out, bytes, 0, sigma / kRmsTwoBits); return true;
    case TensorType::kTQ1_0: fill_tq1_0(out, sigma / kRmsTernary); return true;
    case TensorType::kTQ2_0: fill_two_bits(out, bytes, 64, sigma / kRmsTwoBits); return true;
    default: return false;
  }
}

void fill_random_floats(std::span<float> out, float mean, float sigma, Rng& rng) {
  for (float& x : out) x = mean + sigma * normal_deviate(rng);
}

}  // namespace hearth_tool
