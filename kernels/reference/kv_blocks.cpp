// Blocks of KV types whose elements share a scale: rounding to codes, and places of codes.
#include "kernels/reference/kv_blocks.h"

#include "kernels/kv_block_codes.h"

namespace hearth::kernels::reference {
namespace {

/// A block of up to 32 elements; what pads it is 0 and not valid.
struct Block {
  float x[kKvBlock] = {}, valid[kKvBlock] = {};
  int64_t n;

  Block(const float* elements, int64_t left) : n(left < kKvBlock ? left : kKvBlock) {
    for (int64_t i = 0; i < n; ++i) x[i] = elements[i], valid[i] = 1.0f;
  }
};

/// Codes from 0 on; those of what pads the block are 0.
struct BlockCodes {
  uint8_t code[kKvBlock] = {};
  uint16_t scale = 0, minimum = 0;
};

/// Sum of 32 numbers, as vectors of any width can make it: halves are added until one number is left.
float sum_block(float* x) {
  for (int half = kKvBlock / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) x[i] += x[i + half];
  }
  return x[0];
}

/// Rounds every element to its nearest code for the scale and the minimum that the block has.
template <KvType kType>
void choose_codes(BlockCodes& codes, const Block& block) {
  const float scale = half_to_float(codes.scale), minimum = half_to_float(codes.minimum);
  const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
  for (int i = 0; i < kKvBlock; ++i) {
    const float x = (block.x[i] - minimum) * inverse;
    int code;
    if constexpr (kv_block_spec(kType).codes == KvCodes::kTable) {
      code = nearest_table_code<kType>(x);
    } else {
      code = nearest_kv_code(x - kKvLevels<kType>.value[0], (1 << kv_block_spec(kType).bits) - 1);
    }
    codes.code[i] = static_cast<uint8_t>(code);
  }
}

/// Range of the elements; not finite ones count as 0.
struct Range {
  float low = 0, high = 0;
};

Range range_of(const Block& block, bool from_first) {
  Range range;
  if (from_first) range.low = range.high = block.x[0] - block.x[0] == 0.0f ? block.x[0] : 0.0f;
  for (int64_t i = 0; i < block.n; ++i) {
    if (block.x[i] < range.low) range.low = block.x[i];
    if (block.x[i] > range.high) range.high = block.x[i];
  }
  return range;
}

/// Fits the scale (and the minimum) to the codes that were chosen.
template <KvType kType>
void refine(BlockCodes& codes, const Block& block) {
  float l[kKvBlock], ll[kKvBlock], x[kKvBlock], xl[kKvBlock];
  for (int i = 0; i < kKvBlock; ++i) {
    x[i] = block.x[i];
    l[i] = kKvLevels<kType>.value[codes.code[i]] * block.valid[i];
    ll[i] = l[i] * l[i];
    xl[i] = x[i] * l[i];
  }
  const KvFit fit{static_cast<float>(block.n), sum_block(l), sum_block(ll), sum_block(x), sum_block(xl)};
  refine_scale<kv_block_spec(kType).minimums>(fit, codes.scale, codes.minimum);
}

/// Sum of the squares of what rounding changes.
template <KvType kType>
float squared_error(const BlockCodes& codes, const Block& block) {
  const float scale = half_to_float(codes.scale), minimum = half_to_float(codes.minimum);
  float squares[kKvBlock];
  for (int i = 0; i < kKvBlock; ++i) {
    const float error = (block.x[i] - (scale * kKvLevels<kType>.value[codes.code[i]] + minimum)) * block.valid[i];
    squares[i] = error * error;
  }
  return sum_block(squares);
}

/// 8-bit codes reach as far as the largest element. With few codes several first scales are tried, each is fitted to
/// its codes, and the best is taken.
template <KvType kType>
BlockCodes encode(const float* elements, int64_t left) {
  constexpr KvBlockSpec kSpec = kv_block_spec(kType);
  const Block block(elements, left);
  const Range range = range_of(block, kSpec.minimums);
  BlockCodes codes;
  if constexpr (kSpec.bits == 8) {
    codes.scale = nearest_half((range.high > -range.low ? range.high : -range.low) / 127.0f);
    choose_codes<kType>(codes, block);
  } else {
    const float first = first_kv_scale<kSpec.minimums>(kKvLevels<kType>, range.low, range.high);
    float least = 0;
    for (int i = 0; i < kKvShareCount; ++i) {
      BlockCodes tried;
      tried.scale = nearest_half(first * kKvShares[i]);
      tried.minimum = kSpec.minimums ? nearest_half(range.low) : uint16_t{0};
      choose_codes<kType>(tried, block);
      refine<kType>(tried, block);
      choose_codes<kType>(tried, block);
      const float error = squared_error<kType>(tried, block);
      if (i > 0 && !(error < least)) continue;
      least = error;
      codes = tried;
    }
  }
  for (int64_t i = block.n; i < kKvBlock; ++i) codes.code[i] = 0;
  return codes;
}

template <KvType kType>
void store(void* page, int slot, const float* x, int64_t dim, bool is_key) {
  const KvBlockPlaces places = kv_block_places(kv_block_spec(kType), dim);
  for (int64_t b = 0; b < places.blocks; ++b) {
    const BlockCodes block = encode<kType>(x + b * kKvBlock, dim - b * kKvBlock);
    is_key ? put_key_codes<kv_block_spec(kType).bits>(page, places, b, slot, block.code)
           : put_value_codes<kv_block_spec(kType).bits>(page, places, b, slot, block.code);
    put_kv_scales<kType>(page, places, b, slot, block.scale, block.minimum);
  }
}

void store(KvType type, void* page, int slot, const float* x, int64_t dim, bool is_key) {
#define HEARTH_KV_TYPE(Name, name, block_size, block_bytes)
#define HEARTH_KV_BLOCK_TYPE(Name, name, block_size, block_bytes) \
  if (type == KvType::k##Name) store<KvType::k##Name>(page, slot, x, dim, is_key);
#include "kernels/kv_types.inc"
#undef HEARTH_KV_TYPE
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

float decode(const void* page, KvType type, const KvBlockPlaces& places, int64_t b, int slot, uint32_t code) {
  const KvBlockSpec spec = kv_block_spec(type);
  const int64_t at = 2 * (b * kPageTokens + slot);
  const int level =
      spec.codes == KvCodes::kTable ? kv_code_table(type).value[code] : static_cast<int>(code) - spec.offset;
  const float x = half_to_float(get_kv<uint16_t>(page, places.scales + at)) * static_cast<float>(level);
  return spec.minimums ? x + half_to_float(get_kv<uint16_t>(page, places.minimums + at)) : x;
}

}  // namespace

void store_block_key(KvType type, void* keys, int slot, const float* x, int64_t dim) {
  store(type, keys, slot, x, dim, true);
}

void store_block_value(KvType type, void* values, int slot, const float* x, int64_t dim) {
  store(type, values, slot, x, dim, false);
}

float block_key(KvType type, const void* keys, int64_t dim, int slot, int64_t d) {
  const KvBlockSpec spec = kv_block_spec(type);
  const KvBlockPlaces places = kv_block_places(spec, dim);
  const int64_t b = d / kKvBlock, per_word = spec.bits == 8 ? 4 : 8;
  const uint32_t word = get_kv<uint32_t>(keys, 4 * (d / per_word * kPageTokens + slot));
  uint32_t code = spec.bits == 8 ? word >> (8 * byte_of(d)) & 255u : word >> nibble_shift(d) & 15u;
  if (spec.bits == 5) {
    code |= (get_kv<uint32_t>(keys, places.fifth + 4 * (b * kPageTokens + slot)) >> pair_bit(d % kKvBlock) & 1u) << 4;
  }
  return decode(keys, type, places, b, slot, code);
}

float block_value(KvType type, const void* values, int64_t dim, int slot, int64_t d) {
  const KvBlockSpec spec = kv_block_spec(type);
  const KvBlockPlaces places = kv_block_places(spec, dim);
  const int64_t b = d / kKvBlock, e = d % kKvBlock, at = slot * places.blocks + b;
  uint32_t code;
  if (spec.bits == 8) {
    code = get_kv<uint8_t>(values, kKvBlock * at + e) ^ 0x80u;
  } else {
    code = get_kv<uint8_t>(values, 16 * at + e % 16) >> (e < 16 ? 0 : 4) & 15u;
  }
  if (spec.bits == 5) code |= (get_kv<uint32_t>(values, places.fifth + 4 * at) >> e & 1u) << 4;
  return decode(values, type, places, b, slot, code);
}

}  // namespace hearth::kernels::reference
