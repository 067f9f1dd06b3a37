// Bit layouts of the common block types, by blocks put together by hand: every field is set alone or to values that
// differ from place to place, so that a bit that moves changes a number. The expected values come from the definition
// of the formats (the GGUF specification; OCP Microscaling Formats 1.0 for MXFP4), written out here once more, place by
// place. Rarer types: low_bit_types_test.cpp.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernels/blocks.h"
#include "kernels/dispatch.h"

namespace hearth::kernels {
namespace {

constexpr half_t kOne = 0x3c00, kTwo = 0x4000, kHalf = 0x3800, kMinusThree = 0xc200;
using Values = std::vector<float>;

/// What a block stands for.
template <typename Block>
Values values_of(const Block& block, TypeIndex type) {
  const TypeKernels& traits = isa_table(0)->types[static_cast<int>(type)];
  EXPECT_EQ(sizeof block, static_cast<size_t>(traits.block_bytes));
  Values values(static_cast<size_t>(traits.block_size));
  traits.dequantize(values.data(), &block, traits.block_size);
  return values;
}

/// A block of one bit after the other: `check(block, bit)` for every bit of a field.
template <typename Block, typename Check>
void each_bit(size_t offset, size_t bytes, Check check) {
  for (size_t bit = 0; bit < 8 * bytes; ++bit) {
    uint8_t memory[sizeof(Block)] = {};
    memory[offset + bit / 8] = static_cast<uint8_t>(1u << bit % 8);
    Block block;
    std::memcpy(&block, memory, sizeof block);
    check(block, bit / 8, static_cast<int>(bit % 8));
  }
}

/// That `values` are `base` everywhere but at `at`.
void expect_only(const Values& values, size_t at, float value, float base, const char* what, size_t byte, int bit) {
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(values[i], i == at ? value : base) << what << ": byte " << byte << ", bit " << bit << ", element " << i;
  }
}
float power(int n) {
  return static_cast<float>(1 << n);
}

/// The nibbles of types of 32: bits 0..3 of byte j belong to element j, bits 4..7 to element j + 16.
template <typename Block>
void check_nibbles(TypeIndex type, size_t offset, float base, const char* name) {
  each_bit<Block>(offset, 16, [&](Block block, size_t byte, int bit) {
    block.d = kTwo;
    const size_t element = bit < 4 ? byte : byte + 16;
    expect_only(values_of(block, type), element, base + 2 * power(bit % 4), base, name, byte, bit);
  });
}
/// The fifth bits of types of 32: bit i of the 32 belongs to element i.
template <typename Block>
void check_fifth_bits(TypeIndex type, size_t offset, float base, const char* name) {
  each_bit<Block>(offset, 4, [&](Block block, size_t byte, int bit) {
    block.d = kTwo;
    expect_only(values_of(block, type), 8 * byte + static_cast<size_t>(bit), base + 32, base, name, byte, bit);
  });
}

TEST(BlockBits, Q4_0) {
  check_nibbles<BlockQ4_0>(TypeIndex::kQ4_0, 2, 2 * -8, "Q4_0");
}
TEST(BlockBits, Q4_1) {
  check_nibbles<BlockQ4_1>(TypeIndex::kQ4_1, 4, 0, "Q4_1");
  BlockQ4_1 block{};
  block.m = kMinusThree;
  EXPECT_EQ(values_of(block, TypeIndex::kQ4_1), Values(32, -3));
}
TEST(BlockBits, Q5_0) {
  check_nibbles<BlockQ5_0>(TypeIndex::kQ5_0, 6, 2 * -16, "Q5_0");
  check_fifth_bits<BlockQ5_0>(TypeIndex::kQ5_0, 2, 2 * -16, "Q5_0");
}
TEST(BlockBits, Q5_1) {
  check_nibbles<BlockQ5_1>(TypeIndex::kQ5_1, 8, 0, "Q5_1");
  check_fifth_bits<BlockQ5_1>(TypeIndex::kQ5_1, 4, 0, "Q5_1");
  BlockQ5_1 block{};
  block.m = kMinusThree;
  EXPECT_EQ(values_of(block, TypeIndex::kQ5_1), Values(32, -3));
}
TEST(BlockBits, Q8_0) {
  each_bit<BlockQ8_0>(2, 32, [](BlockQ8_0 block, size_t byte, int bit) {
    block.d = kTwo;
    expect_only(values_of(block, TypeIndex::kQ8_0), byte, bit == 7 ? -256 : 2 * power(bit), 0, "Q8_0", byte, bit);
  });
}

/// Two bits of Q2_K and Q3_K: bits 2g and 2g + 1 of byte i of a half belong to its element 32 g + i.
size_t element_of_two_bits(size_t byte, int bit) {
  return byte / 32 * 128 + static_cast<size_t>(bit / 2) * 32 + byte % 32;
}

TEST(BlockBits, Q2KCodesThenScalesAndMinimums) {
  each_bit<BlockQ2_K>(16, 64, [](BlockQ2_K block, size_t byte, int bit) {
    block.d = kTwo;
    std::memset(block.scales, 3, sizeof block.scales);
    const size_t element = element_of_two_bits(byte, bit);
    expect_only(values_of(block, TypeIndex::kQ2_K), element, 6 * power(bit % 2), 0, "Q2_K", byte, bit);
  });
  each_bit<BlockQ2_K>(0, 16, [](BlockQ2_K block, size_t byte, int bit) {
    block.d = kOne;
    block.dmin = kHalf;
    std::memset(block.qs, 0xff, sizeof block.qs);
    const Values values = values_of(block, TypeIndex::kQ2_K);
    for (size_t i = 0; i < 256; ++i) {
      const float value = bit < 4 ? 3 * power(bit) : -0.5f * power(bit - 4);
      ASSERT_EQ(values[i], i / 16 == byte ? value : 0) << "byte " << byte << ", bit " << bit << ", element " << i;
    }
  });
}

TEST(BlockBits, Q3KCodesMaskAndScales) {
  // All scales are 32 + 1: low nibbles 1, upper two bits 2. Without bits of hmask, codes are 4 less.
  const auto scales_of_one = [](BlockQ3_K& block) {
    std::memset(block.scales, 0x11, 8);
    std::memset(block.scales + 8, 0xaa, 4);
    block.d = kTwo;
  };
  each_bit<BlockQ3_K>(32, 64, [&](BlockQ3_K block, size_t byte, int bit) {
    scales_of_one(block);
    const size_t element = element_of_two_bits(byte, bit);
    expect_only(values_of(block, TypeIndex::kQ3_K), element, 2 * (power(bit % 2) - 4), -8, "Q3_K", byte, bit);
  });
  each_bit<BlockQ3_K>(0, 32, [&](BlockQ3_K block, size_t byte, int bit) {
    scales_of_one(block);
    const size_t element = static_cast<size_t>(bit) * 32 + byte;
    expect_only(values_of(block, TypeIndex::kQ3_K), element, 0, -8, "Q3_K hmask", byte, bit);
  });
  each_bit<BlockQ3_K>(96, 12, [](BlockQ3_K block, size_t byte, int bit) {
    block.d = kOne;
    const Values values = values_of(block, TypeIndex::kQ3_K);  // codes are -4 and scales -32 but for one bit
    const size_t place = static_cast<size_t>(bit);
    const size_t scale = byte < 8 ? byte + (place < 4 ? 0 : 8) : place / 2 * 4 + byte - 8;
    const float added = byte < 8 ? power(bit % 4) : 16 * power(bit % 2);
    for (size_t i = 0; i < 256; ++i) {
      ASSERT_EQ(values[i], -4 * ((i / 16 == scale ? added : 0) - 32))
          << "byte " << byte << ", bit " << bit << ", " << i;
    }
  });
}

/// Q4_K and Q5_K: sub-block, whether it is the minimum, and worth of a bit of the 12 bytes of scales and minimums.
struct ScaleBit {
  size_t block;
  bool is_min;
  float worth;
};
ScaleBit scale_bit(size_t byte, int bit) {
  if (byte < 8) {
    const bool is_min = byte >= 4;
    if (bit < 6) return {byte % 4, is_min, power(bit)};
    return {byte % 4 + 4, is_min, power(bit - 2)};  // bits 4 and 5 of the other four
  }
  return {byte - 8 + 4, bit >= 4, power(bit % 4)};
}

template <typename Block>
void check_scales_and_minimums(TypeIndex type, uint8_t codes, float code, const char* name) {
  each_bit<Block>(4, 12, [&](Block block, size_t byte, int bit) {
    block.d = kTwo;
    block.dmin = kHalf;
    std::memset(block.qs, codes, sizeof block.qs);
    const Values values = values_of(block, type);
    const ScaleBit expected = scale_bit(byte, bit);
    for (size_t i = 0; i < 256; ++i) {
      const float value = expected.is_min ? -0.5f * expected.worth : 2 * code * expected.worth;
      ASSERT_EQ(values[i], i / 32 == expected.block ? value : 0)
          << name << ": byte " << byte << ", bit " << bit << ", " << i;
    }
  });
}
/// All scales 1, all minimums 0.
template <typename Block>
void set_scales_to_one(Block& block) {
  block.d = kTwo;
  block.dmin = kOne;
  std::memset(block.scales, 1, 4);
  std::memset(block.scales + 8, 1, 4);
}
/// Nibbles of Q4_K and Q5_K: 32 bytes hold two sub-blocks, the first in the low nibbles.
template <typename Block>
void check_super_nibbles(TypeIndex type, size_t offset, const char* name) {
  each_bit<Block>(offset, 128, [&](Block block, size_t byte, int bit) {
    set_scales_to_one(block);
    const size_t element = byte / 32 * 64 + (bit < 4 ? 0 : 32) + byte % 32;
    expect_only(values_of(block, type), element, 2 * power(bit % 4), 0, name, byte, bit);
  });
}

TEST(BlockBits, Q4K) {
  check_super_nibbles<BlockQ4_K>(TypeIndex::kQ4_K, 16, "Q4_K");
  check_scales_and_minimums<BlockQ4_K>(TypeIndex::kQ4_K, 0x55, 5, "Q4_K");
}
TEST(BlockBits, Q5K) {
  check_super_nibbles<BlockQ5_K>(TypeIndex::kQ5_K, 48, "Q5_K");
  check_scales_and_minimums<BlockQ5_K>(TypeIndex::kQ5_K, 0x55, 5, "Q5_K");
  each_bit<BlockQ5_K>(16, 32, [](BlockQ5_K block, size_t byte, int bit) {
    set_scales_to_one(block);
    const size_t element = static_cast<size_t>(bit) * 32 + byte;
    expect_only(values_of(block, TypeIndex::kQ5_K), element, 32, 0, "Q5_K qh", byte, bit);
  });
}

TEST(BlockBits, Q6K) {
  const auto base = [](BlockQ6_K& block) {
    block.d = kTwo;
    std::memset(block.scales, 1, sizeof block.scales);
  };
  each_bit<BlockQ6_K>(0, 128, [&](BlockQ6_K block, size_t byte, int bit) {
    base(block);
    const size_t element = byte / 64 * 128 + (bit < 4 ? 0 : 64) + byte % 64;
    expect_only(values_of(block, TypeIndex::kQ6_K), element, 2 * (power(bit % 4) - 32), -64, "Q6_K ql", byte, bit);
  });
  each_bit<BlockQ6_K>(128, 64, [&](BlockQ6_K block, size_t byte, int bit) {
    base(block);
    const float value = 2 * (16 * power(bit % 2) - 32);
    expect_only(values_of(block, TypeIndex::kQ6_K), element_of_two_bits(byte, bit), value, -64, "Q6_K qh", byte, bit);
  });
  each_bit<BlockQ6_K>(192, 16, [](BlockQ6_K block, size_t byte, int bit) {
    block.d = kOne;
    const Values values = values_of(block, TypeIndex::kQ6_K);
    for (size_t i = 0; i < 256; ++i) {
      const float scale = bit == 7 ? -128 : power(bit);
      ASSERT_EQ(values[i], i / 16 == byte ? -32 * scale : 0) << "byte " << byte << ", bit " << bit << ", " << i;
    }
  });
}

// The two tables of 16 values, as the formats define them.
constexpr float kIq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr float kFp4[16] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};

/// Every value of the table at every place: byte j holds element j in its low nibble, j + 16 in its high one.
template <typename Set>
void check_table(TypeIndex type, const float (&table)[16], size_t first, Set set) {
  for (size_t shift = 0; shift < 16; ++shift) {
    uint8_t qs[16];
    for (size_t j = 0; j < 16; ++j) qs[j] = static_cast<uint8_t>((j + shift) % 16 | (j + shift + 5) % 16 << 4);
    const Values values = values_of(set(qs), type);
    for (size_t j = 0; j < 16; ++j) {
      ASSERT_EQ(values[first + j], 2 * table[(j + shift) % 16]) << "element " << j;
      ASSERT_EQ(values[first + j + 16], 2 * table[(j + shift + 5) % 16]) << "element " << j + 16;
    }
  }
}

TEST(BlockBits, IQ4NL) {
  check_table(TypeIndex::kIQ4_NL, kIq4, 0, [](const uint8_t* qs) {
    BlockIQ4_NL block;
    block.d = kTwo;
    std::memcpy(block.qs, qs, 16);
    return block;
  });
}

TEST(BlockBits, MXFP4) {
  const auto with_exponent = [](uint8_t e, const uint8_t* qs) {
    BlockMXFP4 block;
    block.e = e;
    std::memcpy(block.qs, qs, 16);
    return block;
  };
  check_table(TypeIndex::kMXFP4, kFp4, 0, [&](const uint8_t* qs) { return with_exponent(128, qs); });
  uint8_t ones[16];
  std::memset(ones, 0x22, 16);  // 1.0
  EXPECT_EQ(values_of(with_exponent(127, ones), TypeIndex::kMXFP4), Values(32, 1));
  EXPECT_EQ(values_of(with_exponent(0, ones), TypeIndex::kMXFP4), Values(32, 0x1p-127f));
  EXPECT_EQ(values_of(with_exponent(1, ones), TypeIndex::kMXFP4), Values(32, 0x1p-126f));
  EXPECT_EQ(values_of(with_exponent(254, ones), TypeIndex::kMXFP4), Values(32, 0x1p127f));
}

TEST(BlockBits, IQ4XS) {
  for (size_t sub = 0; sub < 8; ++sub) {  // codes; scales are 32 + 1: low nibbles 1, upper two bits 2
    check_table(TypeIndex::kIQ4_XS, kIq4, 32 * sub, [sub](const uint8_t* qs) {
      BlockIQ4_XS block{};
      block.d = kTwo;
      std::memset(block.scales_l, 0x11, sizeof block.scales_l);
      block.scales_h = 0xaaaa;
      std::memcpy(block.qs + 16 * sub, qs, 16);
      return block;
    });
  }
  each_bit<BlockIQ4_XS>(2, 6, [](BlockIQ4_XS block, size_t byte, int bit) {
    block.d = kOne;
    std::memset(block.qs, 0x88, sizeof block.qs);  // 1
    const size_t place = static_cast<size_t>(bit);
    const size_t sub = byte < 2 ? 4 * byte + place / 2 : 2 * (byte - 2) + place / 4;
    const float added = byte < 2 ? 16 * power(bit % 2) : power(bit % 4);
    const Values values = values_of(block, TypeIndex::kIQ4_XS);
    for (size_t i = 0; i < 256; ++i) {
      ASSERT_EQ(values[i], (i / 32 == sub ? added : 0) - 32) << "byte " << byte << ", bit " << bit << ", " << i;
    }
  });
}

TEST(BlockBits, FloatTypes) {
  const auto value = [](TypeIndex type, uint32_t bits) {
    float x = 0;
    isa_table(0)->types[static_cast<int>(type)].dequantize(&x, &bits, 1);
    return x;
  };
  EXPECT_EQ(value(TypeIndex::kF32, 0xc0490fdb), -0x1.921fb6p+1f);
  EXPECT_EQ(value(TypeIndex::kF16, 0xc248), -0x1.92p+1f);
  EXPECT_EQ(value(TypeIndex::kF16, 0x0001), 0x1p-24f);
  EXPECT_EQ(value(TypeIndex::kF16, 0x7bff), 65504.0f);
  EXPECT_EQ(value(TypeIndex::kBF16, 0xc049), -0x1.92p+1f);
}

}  // namespace
}  // namespace hearth::kernels
