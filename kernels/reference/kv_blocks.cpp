// Blocks of KV types whose elements share a scale: rounding to codes, and places of codes.
#include "kernels/reference/kv_blocks.h"

#include <cstring>

#include "kernels/half.h"

namespace hearth::kernels::reference {
namespace {

/// A block of up to 32 elements as codes from 0 on; those of what pads it are 0.
struct BlockCodes {
  uint8_t code[kKvBlock] = {};
  uint16_t scale = 0, minimum = 0;
};

/// What a type's n codes stand for, ascending: value[code] for the first 32, then steps of 1.
struct Levels {
  float value[32];
  int n;
};

constexpr Levels levels_of(KvType type) {
  const KvBlockSpec spec = kv_block_spec(type);
  Levels levels{{}, 1 << spec.bits};
  for (int i = 0; i < levels.n && i < 32; ++i) {
    levels.value[i] =
        static_cast<float>(spec.codes == KvCodes::kTable ? kv_code_table(type).value[i] : i - spec.offset);
  }
  return levels;
}

/// Nearest half; what is beyond halves saturates, NaN becomes 0.
uint16_t nearest_half(float x) {
  constexpr float kLargest = 65504.0f;
  if (!(x >= -kLargest)) x = x < 0 ? -kLargest : 0;
  return float_to_half(x > kLargest ? kLargest : x);
}

/// The nearest integer to x within 0..last; 0 for NaN.
int nearest_code(float x, int last) {
  if (!(x > 0.0f)) return 0;
  if (x >= static_cast<float>(last)) return last;
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to integers, ties to even
  return static_cast<int>((x + kMagic) - kMagic);
}

/// A table's levels, cell by cell of width 1: the code at the lower end of cell i, which is at i - 127.5, and the bound
/// between a code and the next, of which a cell has at most one.
struct TableCells {
  uint8_t first[256];
  float bound[16];
};

constexpr TableCells table_cells(const Levels& levels) {
  TableCells cells{};
  for (int i = 0; i < 15; ++i) cells.bound[i] = 0.5f * (levels.value[i] + levels.value[i + 1]);
  cells.bound[15] = 1e30f;
  uint8_t code = 0;
  for (int i = 0; i < 256; ++i) {
    while (static_cast<float>(i) - 127.5f >= cells.bound[code]) ++code;
    cells.first[i] = code;
  }
  return cells;
}

/// The code whose level is nearest to x.
int nearest_level(KvType type, const Levels& levels, float x) {
  if (kv_block_spec(type).codes != KvCodes::kTable) return nearest_code(x - levels.value[0], levels.n - 1);
  static constexpr TableCells kCells = table_cells(levels_of(KvType::kIQ4_NL));
  const int code = kCells.first[nearest_code(x + 127.0f, 255)];
  return code + (x > kCells.bound[code] ? 1 : 0);
}

/// First scales that are tried, as shares of the one that makes the largest element a code.
constexpr float kShares[] = {1.0f, 0.95f};

/// Rounds every element to its nearest code for the scale and the minimum that the block has.
void choose_codes(BlockCodes& block, KvType type, const Levels& levels, const float* x, int64_t n) {
  const float scale = half_to_float(block.scale), minimum = half_to_float(block.minimum);
  const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
  for (int64_t i = 0; i < n; ++i) {
    block.code[i] = static_cast<uint8_t>(nearest_level(type, levels, (x[i] - minimum) * inverse));
  }
}

/// Range of the elements; not finite ones count as 0.
struct Range {
  float low = 0, high = 0;
};

Range range_of(const float* x, int64_t n, bool from_first) {
  Range range;
  if (from_first) range.low = range.high = x[0] - x[0] == 0.0f ? x[0] : 0.0f;
  for (int64_t i = 0; i < n; ++i) {
    if (x[i] < range.low) range.low = x[i];
    if (x[i] > range.high) range.high = x[i];
  }
  return range;
}

/// Scale (and minimum) with which the codes that were chosen come nearest to x: least squares.
void refine_scale(BlockCodes& block, const Levels& levels, bool minimums, const float* x, int64_t n) {
  float sum_l = 0, sum_ll = 0, sum_x = 0, sum_xl = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float level = levels.value[block.code[i]];
    sum_l += level;
    sum_ll += level * level;
    sum_x += x[i];
    sum_xl += x[i] * level;
  }
  const auto count = static_cast<float>(n);
  const float spread = minimums ? count * sum_ll - sum_l * sum_l : sum_ll;
  if (!(spread > 0.0f) || !(sum_xl - sum_xl == 0.0f)) return;  // one level alone, or elements without bounds
  const float scale = (minimums ? count * sum_xl - sum_l * sum_x : sum_xl) / spread;
  if (minimums) block.minimum = nearest_half((sum_x - scale * sum_l) / count);
  block.scale = nearest_half(scale);
}

/// Sum of the squares of what rounding changes.
float squared_error(const BlockCodes& block, const Levels& levels, const float* x, int64_t n) {
  const float scale = half_to_float(block.scale), minimum = half_to_float(block.minimum);
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float error = x[i] - (scale * levels.value[block.code[i]] + minimum);
    sum += error * error;
  }
  return sum;
}

/// Codes for a first scale, which is then fitted to them.
template <KvType kType>
void fit_codes(BlockCodes& block, const Levels& levels, const Range& range, float first_scale, const float* x,
               int64_t n) {
  constexpr bool kMinimums = kv_block_spec(kType).minimums;
  block.scale = nearest_half(first_scale);
  block.minimum = kMinimums ? nearest_half(range.low) : uint16_t{0};
  choose_codes(block, kType, levels, x, n);
  refine_scale(block, levels, kMinimums, x, n);
  choose_codes(block, kType, levels, x, n);
}

/// 8-bit codes reach as far as the largest element. With few codes a scale that
/// cuts it short, may fit the others better: the better of two is taken.
template <KvType kType>
void encode_block(BlockCodes& block, const float* x, int64_t n) {
  static constexpr Levels kLevels = levels_of(kType);
  constexpr KvBlockSpec kSpec = kv_block_spec(kType);
  const Range range = range_of(x, n, kSpec.minimums);
  if constexpr (kSpec.bits == 8) {
    const float largest = range.high > -range.low ? range.high : -range.low;
    block.scale = nearest_half(largest / 127.0f);
    choose_codes(block, kType, kLevels, x, n);
  } else {
    const float largest = range.high > -range.low ? range.high : range.low;
    const float scale =
        kSpec.minimums ? (range.high - range.low) / static_cast<float>(kLevels.n - 1) : largest / kLevels.value[0];
    float least = 0;
    for (const float share : kShares) {
      BlockCodes tried;
      fit_codes<kType>(tried, kLevels, range, scale * share, x, n);
      const float error = squared_error(tried, kLevels, x, n);
      if (share != kShares[0] && !(error < least)) continue;
      least = error;
      block = tried;
    }
  }
}

void encode(BlockCodes& block, KvType type, const float* x, int64_t n) {
  switch (type) {
    case KvType::kQ5_1: return encode_block<KvType::kQ5_1>(block, x, n);
    case KvType::kQ5_0: return encode_block<KvType::kQ5_0>(block, x, n);
    case KvType::kQ4_1: return encode_block<KvType::kQ4_1>(block, x, n);
    case KvType::kQ4_0: return encode_block<KvType::kQ4_0>(block, x, n);
    case KvType::kIQ4_NL: return encode_block<KvType::kIQ4_NL>(block, x, n);
    default: return encode_block<KvType::kQ8_0>(block, x, n);
  }
}

/// Bit of the fifth-bit word of keys, and half the bit of a nibble.
int pair_bit(int64_t e) {
  return static_cast<int>(e / 2 + 16 * (e % 2));
}
int nibble_shift(int64_t e) {
  return static_cast<int>(4 * (e % 8 / 2) + 16 * (e % 2));
}
/// Byte of element e (of 4) in a word of keys.
int byte_of(int64_t e) {
  constexpr int kPlaces[4] = {0, 2, 1, 3};
  return kPlaces[e % 4];
}

template <typename T>
T get(const void* memory, int64_t byte) {
  T x;
  std::memcpy(&x, static_cast<const std::byte*>(memory) + byte, sizeof x);
  return x;
}
template <typename T>
void put(void* memory, int64_t byte, T x) {
  std::memcpy(static_cast<std::byte*>(memory) + byte, &x, sizeof x);
}

void put_scales(void* page, const KvBlockSpec& spec, const KvBlockPlaces& places, int64_t b, int slot,
                const BlockCodes& block) {
  const int64_t at = 2 * (b * kPageTokens + slot);
  put(page, places.scales + at, block.scale);
  if (spec.minimums) put(page, places.minimums + at, block.minimum);
}

float decode(const void* page, KvType type, const KvBlockPlaces& places, int64_t b, int slot, uint32_t code) {
  const KvBlockSpec spec = kv_block_spec(type);
  const int64_t at = 2 * (b * kPageTokens + slot);
  const int level =
      spec.codes == KvCodes::kTable ? kv_code_table(type).value[code] : static_cast<int>(code) - spec.offset;
  const float x = half_to_float(get<uint16_t>(page, places.scales + at)) * static_cast<float>(level);
  return spec.minimums ? x + half_to_float(get<uint16_t>(page, places.minimums + at)) : x;
}

}  // namespace

void store_block_key(KvType type, void* keys, int slot, const float* x, int64_t dim) {
  const KvBlockSpec spec = kv_block_spec(type);
  const KvBlockPlaces places = kv_block_places(spec, dim);
  for (int64_t b = 0; b < places.blocks; ++b) {
    BlockCodes block;
    encode(block, type, x + b * kKvBlock, dim - b * kKvBlock < kKvBlock ? dim - b * kKvBlock : kKvBlock);
    const int n_words = spec.bits == 8 ? 8 : 4, per_word = kKvBlock / n_words;
    uint32_t fifth = 0;
    for (int w = 0; w < n_words; ++w) {
      uint32_t word = 0;
      for (int e = w * per_word; e < (w + 1) * per_word; ++e) {
        word |= spec.bits == 8 ? uint32_t{block.code[e]} << (8 * byte_of(e)) : (block.code[e] & 15u) << nibble_shift(e);
        fifth |= (block.code[e] >> 4 & 1u) << pair_bit(e);
      }
      put(keys, 4 * ((b * n_words + w) * kPageTokens + slot), word);
    }
    if (spec.bits == 5) put(keys, places.fifth + 4 * (b * kPageTokens + slot), fifth);
    put_scales(keys, spec, places, b, slot, block);
  }
}

void store_block_value(KvType type, void* values, int slot, const float* x, int64_t dim) {
  const KvBlockSpec spec = kv_block_spec(type);
  const KvBlockPlaces places = kv_block_places(spec, dim);
  for (int64_t b = 0; b < places.blocks; ++b) {
    BlockCodes block;
    encode(block, type, x + b * kKvBlock, dim - b * kKvBlock < kKvBlock ? dim - b * kKvBlock : kKvBlock);
    const int64_t at = slot * places.blocks + b;
    uint32_t fifth = 0;
    for (int j = 0; j < kKvBlock; ++j) {
      fifth |= (block.code[j] >> 4 & 1u) << j;
      if (spec.bits == 8) {
        put(values, kKvBlock * at + j, static_cast<uint8_t>(block.code[j] ^ 0x80u));
      } else if (j < 16) {
        put(values, 16 * at + j, static_cast<uint8_t>((block.code[j] & 15u) | (block.code[j + 16] & 15u) << 4));
      }
    }
    if (spec.bits == 5) put(values, places.fifth + 4 * at, fifth);
    put_scales(values, spec, places, b, slot, block);
  }
}

float block_key(KvType type, const void* keys, int64_t dim, int slot, int64_t d) {
  const KvBlockSpec spec = kv_block_spec(type);
  const KvBlockPlaces places = kv_block_places(spec, dim);
  const int64_t b = d / kKvBlock, per_word = spec.bits == 8 ? 4 : 8;
  const uint32_t word = get<uint32_t>(keys, 4 * (d / per_word * kPageTokens + slot));
  uint32_t code = spec.bits == 8 ? word >> (8 * byte_of(d)) & 255u : word >> nibble_shift(d) & 15u;
  if (spec.bits == 5) {
    code |= (get<uint32_t>(keys, places.fifth + 4 * (b * kPageTokens + slot)) >> pair_bit(d % kKvBlock) & 1u) << 4;
  }
  return decode(keys, type, places, b, slot, code);
}

float block_value(KvType type, const void* values, int64_t dim, int slot, int64_t d) {
  const KvBlockSpec spec = kv_block_spec(type);
  const KvBlockPlaces places = kv_block_places(spec, dim);
  const int64_t b = d / kKvBlock, e = d % kKvBlock, at = slot * places.blocks + b;
  uint32_t code;
  if (spec.bits == 8) {
    code = get<uint8_t>(values, kKvBlock * at + e) ^ 0x80u;
  } else {
    code = get<uint8_t>(values, 16 * at + e % 16) >> (e < 16 ? 0 : 4) & 15u;
  }
  if (spec.bits == 5) code |= (get<uint32_t>(values, places.fifth + 4 * at) >> e & 1u) << 4;
  return decode(values, type, places, b, slot, code);
}

}  // namespace hearth::kernels::reference
