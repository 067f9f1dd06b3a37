// Blocks of KV types whose elements share a scale: rounding to codes, and places of codes.
#include "kernels/reference/kv_blocks.h"

#include "kernels/half.h"
#include "kernels/kv_block_codes.h"
#include "kernels/reference/vector_ops.h"

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

/// Nearest half; what is beyond halves saturates, NaN becomes 0.
uint16_t nearest_half(float x) {
  constexpr float kLargest = 65504.0f;
  if (!(x >= -kLargest)) x = x < 0 ? -kLargest : 0;
  return float_to_half(x > kLargest ? kLargest : x);
}

/// The nearest integer to x within first..last, counted from first; 0 for NaN.
int nearest_code(float x, int first, int last) {
  if (!(x > static_cast<float>(first))) return 0;
  if (x >= static_cast<float>(last)) return last - first;
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to integers, ties to even
  return static_cast<int>((x + kMagic) - kMagic) - first;
}

/// A table's levels, cell by cell of width 1: the code at the lower end of cell i, which is at i - 127.5.
struct KvTableCells {
  uint8_t first[256];
};

constexpr KvTableCells kv_table_cells(const KvLevels& levels) {
  KvTableCells cells{};
  int code = 0;
  for (int i = 0; i < 256; ++i) {
    while (code + 1 < levels.n && static_cast<float>(i) - 127.5f > kv_bound(levels, code)) ++code;
    cells.first[i] = static_cast<uint8_t>(code);
  }
  return cells;
}

/// The code of a table whose level is nearest to x, the lower of two: how many bounds lie below x.
template <KvType kType>
int nearest_table_code(float x) {
  static constexpr KvTableCells kCells = kv_table_cells(kKvLevels<kType>);
  int code = kCells.first[nearest_code(x, -127, 128)];
  while (code > 0 && !(x > kv_bound(kKvLevels<kType>, code - 1))) --code;
  while (code + 1 < kKvLevels<kType>.n && x > kv_bound(kKvLevels<kType>, code)) ++code;
  return code;
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
      constexpr int kFirst = -kv_block_spec(kType).offset;
      code = nearest_code(x, kFirst, kFirst + (1 << kv_block_spec(kType).bits) - 1);
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
  range.low += 0.0f;  // 0, not -0
  return range;
}

template <bool kMinimums>
float first_kv_scale(const KvLevels& levels, float low, float high) {
  if (kMinimums) return (high - low) / static_cast<float>(levels.n - 1);
  return (high > -low ? high : low) / levels.value[0];
}

/// Fits the scale (and the minimum) to the codes that were chosen, by least squares; unchanged where that is
/// undetermined. How much less the sum of squared errors is thereby than with levels of 0 (or their mean) alone, up to
/// a factor that depends on n.
template <KvType kType>
float refine(BlockCodes& codes, const Block& block) {
  constexpr bool kMinimums = kv_block_spec(kType).minimums;
  float l[kKvBlock], ll[kKvBlock], x[kKvBlock], xl[kKvBlock];
  for (int i = 0; i < kKvBlock; ++i) {
    x[i] = block.x[i];
    l[i] = kKvLevels<kType>.value[codes.code[i]] * block.valid[i];
    ll[i] = l[i] * l[i];
    xl[i] = x[i] * l[i];
  }
  const auto n = static_cast<float>(block.n);
  const float sum_l = sum_block(l), sum_ll = sum_block(ll), sum_x = sum_block(x), sum_xl = sum_block(xl);
  const float spread = kMinimums ? n * sum_ll - sum_l * sum_l : sum_ll;
  if (!(spread > 0.0f) || !(sum_xl - sum_xl == 0.0f)) return 0;  // one level alone, or elements without bounds
  const float common = kMinimums ? n * sum_xl - sum_l * sum_x : sum_xl;
  const float best = common / spread;
  if (kMinimums) codes.minimum = nearest_half((sum_x - best * sum_l) / n);
  codes.scale = nearest_half(best);
  return common * best;
}

/// 8-bit codes reach as far as the largest element. With few codes several first scales are tried, each is fitted to
/// its codes, and the one that promises the least error is taken.
template <KvType kType>
BlockCodes encode(const float* elements, int64_t left) {
  constexpr KvBlockSpec kSpec = kv_block_spec(kType);
  const Block block(elements, left);
  const Range range = range_of(block, kSpec.minimums);
  BlockCodes codes;
  if constexpr (kSpec.bits == 8) {
    codes.scale = nearest_half((range.high > -range.low ? range.high : -range.low) / 127.0f);
  } else {
    const float first = first_kv_scale<kSpec.minimums>(kKvLevels<kType>, range.low, range.high);
    float most = 0;
    for (int i = 0; i < kKvShareCount; ++i) {
      BlockCodes tried;
      tried.scale = nearest_half(first * kKvShares[i]);
      tried.minimum = kSpec.minimums ? nearest_half(range.low) : uint16_t{0};
      choose_codes<kType>(tried, block);
      const float gain = refine<kType>(tried, block);
      if (i > 0 && !(gain > most)) continue;
      most = gain;
      codes = tried;
    }
  }
  choose_codes<kType>(codes, block);
  for (int64_t i = block.n; i < kKvBlock; ++i) codes.code[i] = 0;
  return codes;
}

template <KvType kType>
void put_kv_scales(void* page, const KvBlockPlaces& places, int64_t b, int slot, uint16_t scale, uint16_t minimum) {
  const int64_t at = 2 * (b * kPageTokens + slot);
  put_kv(page, places.scales + at, scale);
  if (kv_block_spec(kType).minimums) put_kv(page, places.minimums + at, minimum);
}

/// The lower 4 bits of 8 codes in a word of keys.
uint32_t pack_nibbles(const uint8_t* code) {
  uint32_t word = 0;
  for (int e = 0; e < 8; ++e) word |= (code[e] & 15u) << (4 * (e / 2) + 16 * (e % 2));
  return word;
}
/// Bits 4 of a block's codes: of keys by pairs, of values in order.
uint32_t pack_fifth_bits(const uint8_t* code, bool by_pairs) {
  uint32_t bits = 0;
  for (int e = 0; e < kKvBlock; ++e) bits |= (code[e] >> 4 & 1u) << (by_pairs ? e / 2 + 16 * (e % 2) : e);
  return bits;
}

/// Codes of that many bits, of a block of a position.
template <int kBits>
void put_key_codes(void* keys, const KvBlockPlaces& places, int64_t b, int slot, const uint8_t* code) {
  constexpr int kWords = kBits == 8 ? 8 : 4;
  for (int w = 0; w < kWords; ++w) {
    const uint8_t* c = code + w * (kKvBlock / kWords);
    const uint32_t word =
        kBits == 8 ? c[0] | uint32_t{c[2]} << 8 | uint32_t{c[1]} << 16 | uint32_t{c[3]} << 24 : pack_nibbles(c);
    put_kv(keys, 4 * ((b * kWords + w) * kPageTokens + slot), word);
  }
  if (kBits == 5) put_kv(keys, places.fifth + 4 * (b * kPageTokens + slot), pack_fifth_bits(code, true));
}

template <int kBits>
void put_value_codes(void* values, const KvBlockPlaces& places, int64_t b, int slot, const uint8_t* code) {
  const int64_t at = slot * places.blocks + b;
  uint8_t bytes[kKvBlock];
  constexpr int kBytes = kBits == 8 ? kKvBlock : kKvBlock / 2;
  for (int j = 0; j < kBytes; ++j) {
    bytes[j] =
        static_cast<uint8_t>(kBits == 8 ? code[j] ^ 0x80u : (code[j] & 15u) | (code[j + kKvBlock - kBytes] & 15u) << 4);
  }
  std::memcpy(static_cast<std::byte*>(values) + kBytes * at, bytes, kBytes);
  if (kBits == 5) put_kv(values, places.fifth + 4 * at, pack_fifth_bits(code, false));
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

void turn_block_keys(KvType type, void* keys, uint64_t slots, int64_t k_dim, const KeyTurn& turn, float* k) {
  const int64_t rotation = kv_rotation(type, k_dim);
  for (int slot = 0; slot < kPageTokens; ++slot) {
    if ((slots >> slot & 1u) == 0) continue;
    for (int64_t d = 0; d < k_dim; ++d) k[d] = block_key(type, keys, k_dim, slot, d);
    if (rotation > 1) hadamard(k, k_dim, rotation);  // its own inverse
    (turn.halves ? rope_halves : rope_pairs)(k, turn.cos_sin, turn.n_rot);
    if (rotation > 1) hadamard(k, k_dim, rotation);
    store_block_key(type, keys, slot, k, k_dim);
  }
}

}  // namespace hearth::kernels::reference
