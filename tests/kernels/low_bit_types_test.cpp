// Types of one to four bits, by blocks put together by hand: what the fields of a block mean, without golden data.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "kernels/blocks.h"
#include "kernels/dispatch.h"
#include "kernels/reference/codebook_vectors.h"

namespace hearth::kernels {
namespace {

constexpr half_t kOne = 0x3c00, kTwo = 0x4000;

template <typename Block>
std::vector<float> values_of(const Block& block, TypeIndex type) {
  const TypeKernels& traits = isa_table(0)->types[static_cast<int>(type)];
  EXPECT_EQ(sizeof block, static_cast<size_t>(traits.block_bytes));
  std::vector<float> values(static_cast<size_t>(traits.block_size));
  traits.dequantize(values.data(), &block, traits.block_size);
  return values;
}

std::vector<float> slice(const std::vector<float>& values, size_t first, size_t n) {
  return {values.begin() + static_cast<std::ptrdiff_t>(first), values.begin() + static_cast<std::ptrdiff_t>(first + n)};
}

using Values = std::vector<float>;

TEST(LowBitTypes, CodebooksOfIq2LieOnE8AndAreAscending) {
  const auto check = [](const auto& codebook) {
    uint64_t last = 0;
    for (const uint64_t entry : codebook.entry) {
      int halves = 0;  // 8, 25 and 43 stand for 1/2, 3/2 and 5/2
      for (int i = 0; i < 8; ++i) {
        const auto byte = static_cast<int>(entry >> (8 * i)) & 255;
        ASSERT_TRUE(byte == 8 || byte == 25 || byte == 43);
        halves += byte == 8 ? 1 : byte == 25 ? 3 : 5;
      }
      EXPECT_EQ(halves % 4, 0) << "the sum is even";
      EXPECT_GT(entry, last);
      last = entry;
    }
  };
  check(reference::unpack_codebooks().iq2_xxs);
  check(reference::unpack_codebooks().iq2_xs);
  check(reference::unpack_codebooks().iq2_s);
}

TEST(LowBitTypes, CodebookOfIq1HoldsMinusEightZeroAndEight) {
  for (const uint64_t entry : reference::unpack_codebooks().iq1.entry) {
    for (int i = 0; i < 8; ++i) {
      const auto element = static_cast<int8_t>(entry >> (8 * i));
      ASSERT_TRUE(element == -8 || element == 0 || element == 8);
    }
  }
  EXPECT_EQ(reference::unpack_codebooks().iq1.entry[0], 0xf8f8f8f8f8f8f8f8u);
}

TEST(LowBitTypes, Iq2XxsHasIndicesThenSignsAndScale) {
  BlockIQ2_XXS block{};
  block.d = kTwo;
  block.qs[8] = 1;                                      // sub-block 1: vector 1 is (43, 8, ...)
  const uint32_t signs_and_scale = 3u << 28 | 1u << 7;  // scale 3.5 / 4; second eight: first and (for parity) last
  std::memcpy(block.qs + 12, &signs_and_scale, 4);
  const Values values = values_of(block, TypeIndex::kIQ2_XXS);
  EXPECT_EQ(slice(values, 0, 8), Values(8, 2 * 0.125f * 8));
  EXPECT_EQ(slice(values, 32, 8), (Values{75.25f, 14, 14, 14, 14, 14, 14, 14}));
  EXPECT_EQ(slice(values, 40, 8), (Values{-14, 14, 14, 14, 14, 14, 14, -14}));
}

TEST(LowBitTypes, Iq2XsAndIq2SHaveAScaleForSixteen) {
  BlockIQ2_XS xs{};
  xs.d = kOne;
  const uint16_t word = 1 | 3 << 9;  // vector 1; two signs, which are even already
  std::memcpy(reinterpret_cast<uint8_t*>(&xs) + 2, &word, 2);
  xs.scales[0] = 0x21;
  Values values = values_of(xs, TypeIndex::kIQ2_XS);
  EXPECT_EQ(slice(values, 0, 8), (Values{-43 * 0.375f, -3, 3, 3, 3, 3, 3, 3}));
  EXPECT_EQ(slice(values, 16, 8), Values(8, 0.625f * 8));

  BlockIQ2_S s{};
  s.d = kOne;
  s.qh[0] = 0x03;  // index 768 of the first eight
  s.signs[1] = 0x80;
  Values expected;
  for (int i = 0; i < 8; ++i) {
    expected.push_back(0.125f * static_cast<float>(reference::unpack_codebooks().iq2_s.entry[768] >> (8 * i) & 255));
  }
  values = values_of(s, TypeIndex::kIQ2_S);
  EXPECT_EQ(slice(values, 0, 8), expected);
  EXPECT_EQ(slice(values, 8, 8), (Values{1, 1, 1, 1, 1, 1, 1, -1}));
}

TEST(LowBitTypes, Iq3HasVectorsOfFour) {
  BlockIQ3_XXS xxs{};
  xxs.d = kOne;
  const uint32_t signs_and_scale = 1u << 28 | 0x10;  // scale 1.5 / 2; element 4 and, for parity, 7
  std::memcpy(xxs.signs_and_scales, &signs_and_scale, 4);
  Values values = values_of(xxs, TypeIndex::kIQ3_XXS);
  EXPECT_EQ(slice(values, 0, 8), (Values{3, 3, 3, 3, -3, 3, 3, -3}));

  BlockIQ3_S s{};
  s.d = kOne;
  s.scales[0] = 0x20;  // sub-block 1: 1 + 2 * 2
  s.qs[8] = 2;
  s.qh[1] = 1;  // index 258
  s.signs[4] = 2;
  Values expected;
  for (int i = 0; i < 4; ++i) {
    const auto element = static_cast<float>(reference::unpack_codebooks().iq3_s.entry[258] >> (8 * i) & 255);
    expected.push_back(i == 1 ? -5 * element : 5 * element);
  }
  values = values_of(s, TypeIndex::kIQ3_S);
  EXPECT_EQ(slice(values, 0, 4), Values(4, 1.0f));
  EXPECT_EQ(slice(values, 32, 4), expected);
}

TEST(LowBitTypes, Iq1AddsAnEighth) {
  BlockIQ1_S s{};
  s.d = kOne;
  const uint16_t high = 0x8000 | 1 << 12;  // minus an eighth, scale 3
  std::memcpy(reinterpret_cast<uint8_t*>(&s) + 2 + 32 + 2, &high, 2);
  Values values = values_of(s, TypeIndex::kIQ1_S);  // vector 0 is -1 everywhere
  EXPECT_EQ(slice(values, 0, 32), Values(32, -0.875f));
  EXPECT_EQ(slice(values, 32, 32), Values(32, -3.375f));

  BlockIQ1_M m{};
  const uint16_t scales[4] = {0x0008, 0x0000, 0xc000, 0x3000};  // d = 1.0 in the upper nibbles; second 16: scale 3
  std::memcpy(reinterpret_cast<uint8_t*>(&m) + 32 + 16, scales, 8);
  m.qh[0] = 0x80;  // the second eight: minus an eighth
  values = values_of(m, TypeIndex::kIQ1_M);
  EXPECT_EQ(slice(values, 0, 8), Values(8, -0.875f));
  EXPECT_EQ(slice(values, 8, 8), Values(8, -1.125f));
  EXPECT_EQ(slice(values, 16, 16), Values(16, -2.625f));
}

TEST(LowBitTypes, OneAndTwoBits) {
  BlockQ1_0 one{};
  one.d = kTwo;
  one.qs[15] = 0x80;
  Values values = values_of(one, TypeIndex::kQ1_0);
  EXPECT_EQ(values[0], -2.0f);
  EXPECT_EQ(values[127], 2.0f);

  BlockQ2_0 two{};
  two.d = kTwo;
  two.qs[0] = 0xe4;  // 0, 1, 2, 3
  values = values_of(two, TypeIndex::kQ2_0);
  EXPECT_EQ(slice(values, 0, 5), (Values{-2, 0, 2, 4, -2}));
}

TEST(LowBitTypes, TernaryDigits) {
  BlockTQ1_0 digits{};
  digits.d = kTwo;
  digits.qs[0] = (2 * 81 + 1 * 27 + 0 * 9 + 2 * 3 + 1) * 256 / 243 + 1;  // 21021 to the base 3, rounded up
  digits.qh[3] = digits.qs[0];
  Values values = values_of(digits, TypeIndex::kTQ1_0);
  EXPECT_EQ((Values{values[0], values[32], values[64], values[96], values[128]}), (Values{2, 0, -2, 2, 0}));
  EXPECT_EQ((Values{values[243], values[247], values[251], values[255]}), (Values{2, 0, -2, 2}));
  EXPECT_EQ(values[160], -2.0f);

  BlockTQ2_0 bits{};
  bits.d = kTwo;
  bits.qs[33] = 0x24;
  values = values_of(bits, TypeIndex::kTQ2_0);
  EXPECT_EQ((Values{values[129], values[161], values[193], values[225]}), (Values{-2, 0, 2, -2}));
}

TEST(LowBitTypes, Nvfp4ScalesAreUnsignedE4M3) {
  BlockNVFP4 block{};
  block.d[0] = 7 << 3;                           // 1
  block.d[1] = 7 << 3 | 4;                       // 1.5
  block.d[2] = 1;                                // 2^-9
  block.d[3] = 0x7f;                             // not a number: zero
  std::memset(block.qs, 0xf1, sizeof block.qs);  // 0.5 in the first eight of a sub-block, -6 in the others
  const Values values = values_of(block, TypeIndex::kNVFP4);
  EXPECT_EQ((Values{values[0], values[7], values[8], values[15]}), (Values{0.5f, 0.5f, -6, -6}));
  EXPECT_EQ((Values{values[16], values[24]}), (Values{0.75f, -9}));
  EXPECT_EQ((Values{values[32], values[40]}), (Values{0x1p-10f, -6 * 0x1p-9f}));
  EXPECT_EQ((Values{values[48], values[56]}), (Values{0, 0}));
}

}  // namespace
}  // namespace hearth::kernels
