// KV types of blocks: 32 elements of a position share a scale, x = scale * (code - offset) + minimum, where the code is
// stored in 8, 5 or 4 bits, or is looked up in a table by 4.
//
// Keys: a lane is a position, so a position has 32-bit words. Of the elements of a word, pairs (2i, 2i + 1) stand in
// the lower and the upper half at the same place, so that a shift and a mask give codes as pairs of 16 bits:
//   8 bits   elements 0, 2, 1, 3 from the lowest byte up
//   4 bits   element e at bits 4 (e / 2) + 16 (e % 2)
//   fifth    bit of element e at bit e / 2 + 16 (e % 2)
// Values: a lane is an element.
//   8 bits   signed bytes, code - 128
//   4 bits   byte j: element j in the lower half, element j + 16 in the upper
//   fifth    bit of element e at bit e
#pragma once

#include <cstdint>

#include "kernels/kv_types.h"

namespace hearth::kernels {

inline constexpr int kKvBlock = 32;

/// How codes of a block are stored.
enum class KvCodes : uint8_t { kBytes, kNibbles, kFiveBits, kTable };

struct KvBlockSpec {
  KvCodes codes;
  int bits;
  int offset;  ///< of codes, after the table's 128 was added
  bool minimums;
};

static inline constexpr KvBlockSpec kv_block_spec(KvType type) {
  switch (type) {
    case KvType::kQ5_1: return {KvCodes::kFiveBits, 5, 0, true};
    case KvType::kQ5_0: return {KvCodes::kFiveBits, 5, 16, false};
    case KvType::kQ4_1: return {KvCodes::kNibbles, 4, 0, true};
    case KvType::kQ4_0: return {KvCodes::kNibbles, 4, 8, false};
    case KvType::kIQ4_NL: return {KvCodes::kTable, 4, 128, false};
    default: return {KvCodes::kBytes, 8, 128, false};
  }
}

/// What a 4-bit code of values stands for, less its offset, [16]: of codes without their fifth bit where there is one.
struct KvCodeTable {
  int8_t value[16];
};

static inline constexpr KvCodeTable kv_code_table(KvType type) {
  if (type == KvType::kIQ4_NL) {
    return {{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}};
  }
  KvCodeTable table{};
  for (int i = 0; i < 16; ++i) table.value[i] = static_cast<int8_t>(i - kv_block_spec(type).offset);
  return table;
}

/// Where the arrays of a page lie; codes begin it. The same numbers for keys and values.
struct KvBlockPlaces {
  int64_t blocks;                   ///< of a position
  int64_t fifth, scales, minimums;  ///< bytes from the start of the page
};

static inline constexpr KvBlockPlaces kv_block_places(const KvBlockSpec& spec, int64_t dim) {
  const int64_t blocks = (dim + kKvBlock - 1) / kKvBlock;
  const int64_t fifth = blocks * kPageTokens * (spec.bits == 8 ? 32 : 16);
  const int64_t scales = fifth + blocks * kPageTokens * (spec.bits == 5 ? 4 : 0);
  return {blocks, fifth, scales, scales + blocks * kPageTokens * 2};
}

/// Size of the Hadamard matrix that heads of `dim` elements are multiplied with before they are stored, and again when
/// they are read; 1: none. It spreads an element that is much larger than the others over all of them, which lowers the
/// error of types with few codes: those of 4 and 5 bits.
static inline constexpr int64_t kv_rotation(KvType type, int64_t dim) {
  if (kv_type_info(type).block_size == 1 || kv_block_spec(type).bits == 8) return 1;
  constexpr int64_t kMost = 64, kLeast = 8;
  const int64_t largest = dim & -dim;  // power of two that divides it
  return largest < kLeast ? 1 : largest > kMost ? kMost : largest;
}

}  // namespace hearth::kernels
