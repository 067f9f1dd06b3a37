// Parts of writing and reading positions of KV types of blocks that are the same for every instruction set: what codes
// stand for, scales fitted by least squares, and codes in the order of kv_blocks.h. Of internal linkage, see
// kv_types.h.
#pragma once

#include <cstddef>
#include <cstring>

#include "kernels/half.h"
#include "kernels/kv_blocks.h"

namespace hearth::kernels {
namespace {

/// What a type's n codes stand for, ascending: value[code] for the first 32, then steps of 1.
struct KvLevels {
  float value[32];
  int n;
};

constexpr KvLevels kv_levels_of(KvType type) {
  const KvBlockSpec spec = kv_block_spec(type);
  KvLevels levels{{}, 1 << spec.bits};
  for (int i = 0; i < levels.n && i < 32; ++i) {
    levels.value[i] =
        static_cast<float>(spec.codes == KvCodes::kTable ? kv_code_table(type).value[i] : i - spec.offset);
  }
  return levels;
}
template <KvType kType>
constexpr KvLevels kKvLevels = kv_levels_of(kType);

/// Nearest half; what is beyond halves saturates, NaN becomes 0.
inline uint16_t nearest_half(float x) {
  constexpr float kLargest = 65504.0f;
  if (!(x >= -kLargest)) x = x < 0 ? -kLargest : 0;
  return float_to_half(x > kLargest ? kLargest : x);
}

/// The nearest integer to x within 0..last; 0 for NaN.
inline int nearest_kv_code(float x, int last) {
  if (!(x > 0.0f)) return 0;
  if (x >= static_cast<float>(last)) return last;
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to integers, ties to even
  return static_cast<int>((x + kMagic) - kMagic);
}

/// Between the level of a code and the next.
constexpr float kv_bound(const KvLevels& levels, int code) {
  return 0.5f * (levels.value[code] + levels.value[code + 1]);
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
inline int nearest_table_code(float x) {
  static constexpr KvTableCells kCells = kv_table_cells(kKvLevels<kType>);
  int code = kCells.first[nearest_kv_code(x + 127.0f, 255)];
  while (code > 0 && !(x > kv_bound(kKvLevels<kType>, code - 1))) --code;
  while (code + 1 < kKvLevels<kType>.n && x > kv_bound(kKvLevels<kType>, code)) ++code;
  return code;
}

/// First scales that are tried for types with few codes, as shares of the one that makes the largest element a code:
/// one that cuts it short may fit the others better.
constexpr int kKvShareCount = 2;
constexpr float kKvShares[kKvShareCount] = {1.0f, 0.95f};

template <bool kMinimums>
inline float first_kv_scale(const KvLevels& levels, float low, float high) {
  if (kMinimums) return (high - low) / static_cast<float>(levels.n - 1);
  return (high > -low ? high : low) / levels.value[0];
}

/// Sums over n elements x and the levels l that were chosen for them.
struct KvFit {
  float n, sum_l, sum_ll, sum_x, sum_xl;
};

/// Scale (and minimum) with which these levels come nearest to x: least squares. Unchanged where that is undetermined.
template <bool kMinimums>
inline void refine_scale(const KvFit& fit, uint16_t& scale, uint16_t& minimum) {
  const float spread = kMinimums ? fit.n * fit.sum_ll - fit.sum_l * fit.sum_l : fit.sum_ll;
  if (!(spread > 0.0f) || !(fit.sum_xl - fit.sum_xl == 0.0f)) return;  // one level alone, or elements without bounds
  const float best = (kMinimums ? fit.n * fit.sum_xl - fit.sum_l * fit.sum_x : fit.sum_xl) / spread;
  if (kMinimums) minimum = nearest_half((fit.sum_x - best * fit.sum_l) / fit.n);
  scale = nearest_half(best);
}

template <typename T>
inline T get_kv(const void* memory, int64_t byte) {
  T x;
  std::memcpy(&x, static_cast<const std::byte*>(memory) + byte, sizeof x);
  return x;
}
template <typename T>
inline void put_kv(void* memory, int64_t byte, T x) {
  std::memcpy(static_cast<std::byte*>(memory) + byte, &x, sizeof x);
}

template <KvType kType>
inline void put_kv_scales(void* page, const KvBlockPlaces& places, int64_t b, int slot, uint16_t scale,
                          uint16_t minimum) {
  const int64_t at = 2 * (b * kPageTokens + slot);
  put_kv(page, places.scales + at, scale);
  if (kv_block_spec(kType).minimums) put_kv(page, places.minimums + at, minimum);
}

/// The lower 4 bits of 8 codes in a word of keys.
inline uint32_t pack_nibbles(const uint8_t* code) {
  uint32_t word = 0;
  for (int e = 0; e < 8; ++e) word |= (code[e] & 15u) << (4 * (e / 2) + 16 * (e % 2));
  return word;
}
/// Bits 4 of a block's codes: of keys by pairs, of values in order.
inline uint32_t pack_fifth_bits(const uint8_t* code, bool by_pairs) {
  uint32_t bits = 0;
  for (int e = 0; e < kKvBlock; ++e) bits |= (code[e] >> 4 & 1u) << (by_pairs ? e / 2 + 16 * (e % 2) : e);
  return bits;
}

/// Codes of that many bits, of a block of a position.
template <int kBits>
[[gnu::noinline]] void put_key_codes(void* keys, const KvBlockPlaces& places, int64_t b, int slot,
                                     const uint8_t* code) {
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
[[gnu::noinline]] void put_value_codes(void* values, const KvBlockPlaces& places, int64_t b, int slot,
                                       const uint8_t* code) {
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

/// What the codes of a block of keys stand for, less minimum and scale, as signed bytes [32]. Codes of 4 bits stand for
/// table[code], others for code - offset.
template <int kBits>
[[gnu::noinline]] void get_key_codes(uint8_t* level, const void* keys, const KvBlockPlaces& places, int64_t b, int slot,
                                     int offset, const KvCodeTable& table) {
  constexpr int kWords = kBits == 8 ? 8 : 4;
  const uint32_t fifth = kBits == 5 ? get_kv<uint32_t>(keys, places.fifth + 4 * (b * kPageTokens + slot)) : uint32_t{0};
  for (int w = 0; w < kWords; ++w) {
    const auto word = get_kv<uint32_t>(keys, 4 * ((b * kWords + w) * kPageTokens + slot));
    uint8_t* out = level + w * (kKvBlock / kWords);
    for (int e = 0; e < kKvBlock / kWords; ++e) {
      const int place = w * (kKvBlock / kWords) + e;
      uint32_t code =
          kBits == 8 ? word >> (16 * (e % 2) + 8 * (e / 2)) & 255u : word >> (4 * (e / 2) + 16 * (e % 2)) & 15u;
      if (kBits == 5) code |= (fifth >> (place / 2 + 16 * (place % 2)) & 1u) << 4;
      const int value = kBits == 4 ? table.value[code] : static_cast<int>(code) - offset;
      out[e] = static_cast<uint8_t>(value);
    }
  }
}

}  // namespace
}  // namespace hearth::kernels
