// The kernels of matrix products at the table's level: every instruction set against the reference, for every type,
// number of rows and columns, with guards around what is written.
#include <cstring>
#include <string>
#include <tuple>

#include "kernels/blocks.h"
#include "tests/kernels/random_blocks.h"
#include "tests/support/kernel_test.h"
#include "tests/support/rounding.h"

namespace hearth::test {
namespace {

using kernels::ActGroup;
using kernels::KernelTable;
using kernels::kPanelRows;
using kernels::PanelKind;

constexpr int64_t kBlocks = 16;  // of 32 columns
constexpr int64_t kCols = kBlocks * 32;

/// What a tile says of memory that will be read later.
struct Ahead {
  const void* at = nullptr;
  int64_t stride = 0;
  int64_t bytes = 0;
};

class MatmulKernelsOf : public EveryIsa {
 protected:
  /// acc [n_cols, 32] of a tile times x, decoded and multiplied in two pieces.
  std::vector<float> product(const KernelTable& t, int type, const std::vector<uint8_t>& tile, int n_rows,
                             const std::vector<float>& x, int n_cols, bool many_columns = false,
                             const Ahead& ahead = {}) {
    const kernels::TypeKernels& traits = t.types[type];
    const int64_t row_bytes = kCols / traits.block_size * traits.block_bytes;
    Guarded<unsigned char> panel(static_cast<size_t>(kernels::kPanelBytes), 0);
    Guarded<unsigned char> memory(static_cast<size_t>(kernels::act_group_bytes(kCols / 2, n_cols)), 0);
    Guarded<float> acc(static_cast<size_t>(n_cols * kPanelRows), 0);
    const ActGroup group = kernels::act_group_at(memory.data(), kCols / 2, n_cols);
    for (const int64_t first : {int64_t{0}, kBlocks / 2}) {
      const int64_t n = first == 0 ? kCols / 2 : kCols - kCols / 2;
      const int64_t offset = first * 32 / traits.block_size * traits.block_bytes;
      const kernels::WeightTile rows = {tile.data() + offset, row_bytes,    n_rows,     ahead.at,
                                        ahead.stride,         many_columns, ahead.bytes};
      t.matmul.decode[type](panel.data(), rows, n);
      if (traits.kind == PanelKind::kFloat) {
        const float* columns[kernels::kGroupCols] = {};
        for (int c = 0; c < n_cols; ++c) columns[c] = x.data() + c * kCols + first * 32;
        t.matmul.multiply_floats(acc.data(), panel.data(), columns, n_cols, n, first == 0);
      } else {
        for (int c = 0; c < n_cols; ++c) t.matmul.pack_acts(group, c, x.data() + c * kCols + first * 32, n);
        t.matmul.multiply[static_cast<int>(traits.kind)](acc.data(), panel.data(), group, n / 32, first == 0);
      }
    }
    EXPECT_TRUE(panel.intact() && memory.intact() && acc.intact());
    return {acc.data(), acc.data() + acc.size()};
  }
};

TEST_P(MatmulKernelsOf, AgreeWithTheReference) {
  std::mt19937 random = rng(21);
  for (int type = 0; type < kernels::kTypeCount; ++type) {
    const kernels::TypeKernels& traits = reference().types[type];
    for (const int n_rows : {1, 9, 31, 32}) {
      const std::vector<uint8_t> tile = testing::random_weights(traits, n_rows * kCols, random);
      std::vector<float> weights(static_cast<size_t>(n_rows * kCols));
      traits.dequantize(weights.data(), tile.data(), n_rows * kCols);
      for (int n_cols = 1; n_cols <= kernels::kGroupCols; ++n_cols) {
        const auto x = testing::random_floats(n_cols * kCols, random);
        const auto actual = product(isa(), type, tile, n_rows, x, n_cols);
        const auto expected = product(reference(), type, tile, n_rows, x, n_cols);
        for (int c = 0; c < n_cols; ++c) {
          for (int r = 0; r < n_rows; ++r) {
            double magnitude = 0;
            for (int64_t k = 0; k < kCols; ++k) {
              magnitude += std::fabs(double{weights[static_cast<size_t>(r * kCols + k)]} *
                                     x[static_cast<size_t>(c * kCols + k)]);
            }
            const auto at = static_cast<size_t>(c * kPanelRows + r);
            ASSERT_NEAR(actual[at], expected[at], testing::sum_difference(kCols) * magnitude)
                << "type " << type << ", row " << r << " of " << n_rows << ", column " << c << " of " << n_cols;
          }
        }
      }
    }
  }
}

TEST_P(MatmulKernelsOf, PanelsForManyColumnsGiveTheSameBits) {
  std::mt19937 random = rng(24);
  for (int type = 0; type < kernels::kTypeCount; ++type) {
    const kernels::TypeKernels& traits = reference().types[type];
    if (traits.kind == PanelKind::kFloat) continue;
    const auto tile = testing::random_blocks(traits, kPanelRows * kCols, random);
    for (int n_cols = 1; n_cols <= kernels::kGroupCols; ++n_cols) {
      const auto x = testing::random_floats(n_cols * kCols, random);
      EXPECT_EQ(product(isa(), type, tile, kPanelRows, x, n_cols, true),
                product(isa(), type, tile, kPanelRows, x, n_cols))
          << "type " << type << ", " << n_cols << " columns";
    }
  }
}

TEST_P(MatmulKernelsOf, WhatIsPrefetchedMayLieAnywhereAndChangesNothing) {
  std::mt19937 random = rng(25);
  const void* nowhere[] = {reinterpret_cast<const void*>(uintptr_t{64}), reinterpret_cast<const void*>(~uintptr_t{63})};
  for (int type = 0; type < kernels::kTypeCount; ++type) {
    const auto tile = testing::random_blocks(reference().types[type], kPanelRows * kCols, random);
    const auto x = testing::random_floats(kCols, random);
    const auto expected = product(isa(), type, tile, kPanelRows, x, 1);
    for (const void* at : nowhere) {
      for (const Ahead& ahead : {Ahead{at, 1000, 0}, Ahead{at, 0, 1}, Ahead{at, 0, 3545}, Ahead{at, 0, 1 << 20}}) {
        EXPECT_EQ(product(isa(), type, tile, kPanelRows, x, 1, false, ahead), expected)
            << "type " << type << ", " << ahead.bytes << " bytes";
      }
    }
  }
}

/// Blocks of all kinds: evenly spread, with few large values, one value alone, few steps, magnitudes from the smallest
/// that count up, zeros.
std::vector<float> blocks_of_all_kinds(int64_t n, std::mt19937& random) {
  std::vector<float> x = testing::random_floats(n, random);
  for (int64_t i = 0; i < n; ++i) {
    float& v = x[static_cast<size_t>(i)];
    switch (i / 32 % 8) {
      case 1: v = v * v * v * v * v; break;
      case 2: v = i % 32 == 7 ? v : 0.0f; break;
      case 3: v = std::round(v * 4) * 0.37f; break;
      case 4: v *= 1e-29f; break;
      case 5: v = 0.0f; break;
      case 6: v *= 1e36f; break;
      case 7: v = i % 2 == 0 ? 0.3f : -0.3f; break;
      default: break;
    }
  }
  return x;
}

TEST_P(MatmulKernelsOf, ActivationsAreCodedAsByTheReference) {
  std::mt19937 random = rng(26);
  for (int n_cols = 1; n_cols <= kernels::kGroupCols; ++n_cols) {
    const auto x = blocks_of_all_kinds(n_cols * kCols, random);
    const auto bytes = static_cast<size_t>(kernels::act_group_bytes(kCols, n_cols));
    Guarded<unsigned char> actual_bytes(bytes, 0), expected_bytes(bytes, 0);
    const ActGroup actual = kernels::act_group_at(actual_bytes.data(), kCols, n_cols);
    const ActGroup expected = kernels::act_group_at(expected_bytes.data(), kCols, n_cols);
    for (int c = 0; c < n_cols; ++c) {
      isa().matmul.pack_acts(actual, c, x.data() + c * kCols, kCols);
      reference().matmul.pack_acts(expected, c, x.data() + c * kCols, kCols);
    }
    const auto same = [](const auto* a, const auto* b, int64_t n) { return std::equal(a, a + n, b); };
    EXPECT_TRUE(same(actual.q, expected.q, kCols * n_cols)) << n_cols << " columns";
    EXPECT_TRUE(same(actual.d, expected.d, kBlocks * n_cols)) << n_cols << " columns";
    EXPECT_TRUE(same(actual.sum16, expected.sum16, 2 * kBlocks * n_cols)) << n_cols << " columns";
    EXPECT_TRUE(same(actual.sum32, expected.sum32, kBlocks * n_cols)) << n_cols << " columns";
  }
}

TEST_P(MatmulKernelsOf, WhatIsNotFiniteStaysVisible) {
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (const size_t place : {size_t{32}, size_t{45}, size_t{63}}) {
      std::vector<float> x(static_cast<size_t>(kCols), 0.5f);
      x[place] = odd;
      std::vector<unsigned char> memory(static_cast<size_t>(kernels::act_group_bytes(kCols, 1)) + 64);
      const auto at = (reinterpret_cast<uintptr_t>(memory.data()) + 63) & ~uintptr_t{63};
      const ActGroup group = kernels::act_group_at(reinterpret_cast<void*>(at), kCols, 1);
      isa().matmul.pack_acts(group, 0, x.data(), kCols);
      EXPECT_TRUE(std::isnan(group.d[1]) && std::isnan(group.sum32[1]) && std::isnan(group.sum16[2])) << odd;
      EXPECT_FLOAT_EQ(group.d[0] * static_cast<float>(group.q[0]), 0.5f) << odd;
    }
  }
}

TEST_P(MatmulKernelsOf, GroupsAreWhatTheirColumnsAre) {
  if (isa().matmul.pack_group == nullptr) GTEST_SKIP() << "no groups at once";
  std::mt19937 random = rng(24);
  for (const int64_t n : {int64_t{32}, int64_t{64}, kCols / 2, kCols}) {
    for (int n_cols = 1; n_cols <= kernels::kGroupCols; ++n_cols) {
      const auto x = testing::random_floats(n_cols * n, random);
      const auto bytes = static_cast<size_t>(kernels::act_group_bytes(kCols, n_cols));
      Guarded<unsigned char> together(bytes, 0), one_by_one(bytes, 0);
      const float* columns[kernels::kGroupCols] = {};
      for (int c = 0; c < n_cols; ++c) {
        columns[c] = x.data() + c * n;
        isa().matmul.pack_acts(kernels::act_group_at(one_by_one.data(), kCols, n_cols), c, columns[c], n);
      }
      isa().matmul.pack_group(kernels::act_group_at(together.data(), kCols, n_cols), columns, n);
      EXPECT_TRUE(together.intact() && one_by_one.intact());
      EXPECT_EQ(std::vector<unsigned char>(together.data(), together.data() + bytes),
                std::vector<unsigned char>(one_by_one.data(), one_by_one.data() + bytes))
          << n << " elements, " << n_cols << " columns";
    }
  }
}

TEST_P(MatmulKernelsOf, FewColumnsAreBitForBitWhatPanelsGive) {
  std::mt19937 random = rng(23);
  for (int type = 0; type < kernels::kTypeCount; ++type) {
    const kernels::TypeKernels& traits = reference().types[type];
    if (isa().matmul.dot_columns[type] == nullptr) continue;
    for (const auto& [n_rows, n_chunks, n_cols] :
         {std::tuple(1, 2, 1), std::tuple(16, 9, 1), std::tuple(31, 2, 1), std::tuple(75, 5, 1),
          std::tuple(kernels::kDotRows, 9, 1), std::tuple(1, 2, 2), std::tuple(32, 2, 2), std::tuple(5, 1, 3),
          std::tuple(31, 3, 3), std::tuple(32, 2, 4), std::tuple(9, 3, 5), std::tuple(32, 9, 6)}) {
      if (n_cols > isa().matmul.dot_most_cols[type]) continue;
      const int64_t n = n_chunks * kCols + traits.block_size;  // the last chunk is short
      const int64_t row_bytes = n / traits.block_size * traits.block_bytes;
      const int64_t stride = kernels::act_group_bytes(kCols, n_cols), ldo = n_rows + 3;
      const auto tile = testing::random_blocks(traits, n_rows * n, random);
      const auto x = testing::random_floats(n_cols * n, random);
      Guarded<unsigned char> acts(static_cast<size_t>((n_chunks + 1) * stride), 0), panel(kernels::kPanelBytes, 0);
      for (int64_t k = 0; k < n; k += kCols) {
        const ActGroup group = kernels::act_group_at(acts.data() + k / kCols * stride, kCols, n_cols);
        for (int c = 0; c < n_cols; ++c) {
          isa().matmul.pack_acts(group, c, x.data() + c * n + k, std::min(kCols, n - k));
        }
      }
      Guarded<float> actual(static_cast<size_t>((n_cols - 1) * ldo + n_rows), 3);
      isa().matmul.dot_columns[type](actual.data(), ldo, {tile.data(), row_bytes, n_rows}, acts.data(), stride, n,
                                     n_cols);
      EXPECT_TRUE(actual.intact());
      for (int first = 0; first < n_rows; first += kPanelRows) {
        const int rows = std::min(kPanelRows, n_rows - first);
        std::vector<float> expected(static_cast<size_t>(n_cols * kPanelRows));
        for (int64_t k = 0; k < n; k += kCols) {
          const int64_t part = std::min(kCols, n - k);
          const auto* data = tile.data() + first * row_bytes + k / traits.block_size * traits.block_bytes;
          isa().matmul.decode[type](panel.data(), {data, row_bytes, rows}, part);
          const ActGroup group = kernels::act_group_at(acts.data() + k / kCols * stride, kCols, n_cols);
          isa().matmul.multiply[static_cast<int>(traits.kind)](expected.data(), panel.data(), group, part / 32, k == 0);
        }
        for (int c = 0; c < n_cols; ++c) {
          for (int r = 0; r < rows; ++r) {
            ASSERT_EQ(actual.data()[c * ldo + first + r], expected[static_cast<size_t>(c * kPanelRows + r)])
                << "type " << type << ", row " << first + r << ", column " << c << " of " << n_cols;
          }
        }
      }
    }
  }
}

/// The portable kernels promise the reference's bits.
class PortableMatmul : public MatmulKernelsOf {
 protected:
  void SetUp() override {
    MatmulKernelsOf::SetUp();
    if (!IsSkipped() && std::string(isa().isa) != "portable") GTEST_SKIP() << "other sets sum in another order";
  }
};

TEST_P(PortableMatmul, GivesTheBitsOfTheReference) {
  std::mt19937 random = rng(25);
  for (int type = 0; type < kernels::kTypeCount; ++type) {
    const kernels::TypeKernels& traits = reference().types[type];
    if (traits.kind == PanelKind::kFloat) continue;
    const auto tile = testing::random_blocks(traits, 32 * kCols, random);
    std::vector<float> actual(kCols), expected(kCols);
    isa().types[type].dequantize(actual.data(), tile.data(), kCols);
    traits.dequantize(expected.data(), tile.data(), kCols);
    EXPECT_EQ(actual, expected) << "type " << type;
    for (const int n_cols : {1, 5}) {
      auto x = testing::random_floats(n_cols * kCols, random);
      for (int i = 0; i < 64; ++i) x[static_cast<size_t>(i)] = 0.0f;  // blocks without a scale
      EXPECT_EQ(product(isa(), type, tile, 31, x, n_cols), product(reference(), type, tile, 31, x, n_cols))
          << "type " << type;
    }
  }
}

TEST_P(PortableMatmul, LargestCodesDoNotOverflowWords) {
  const std::vector<float> x(static_cast<size_t>(kCols), 1.0f);  // coded as 127
  kernels::BlockQ8_0 bytes = {0x3c00, {}};
  std::memset(bytes.qs, 0x80, sizeof bytes.qs);  // -128
  kernels::BlockQ6_K sixes = {};
  std::memset(sixes.scales, 1, sizeof sixes.scales);
  sixes.d = 0x3c00;  // codes -32
  kernels::BlockQ4_K fours = {0x3c00, 0x3c00, {}, {}};
  std::memset(fours.scales, 0xff, sizeof fours.scales);
  std::memset(fours.qs, 0xff, sizeof fours.qs);  // 15
  const auto rows_of = [](const auto& block, int64_t n) {
    std::vector<uint8_t> tile(static_cast<size_t>(32 * n) * sizeof block);
    for (size_t i = 0; i < tile.size(); i += sizeof block) std::memcpy(tile.data() + i, &block, sizeof block);
    return tile;
  };
  const std::tuple<kernels::TypeIndex, std::vector<uint8_t>> cases[] = {
      {kernels::TypeIndex::kQ8_0, rows_of(bytes, kCols / 32)},
      {kernels::TypeIndex::kQ6_K, rows_of(sixes, kCols / 256)},
      {kernels::TypeIndex::kQ4_K, rows_of(fours, kCols / 256)}};
  for (const auto& [type, tile] : cases) {
    EXPECT_EQ(product(isa(), static_cast<int>(type), tile, 32, x, 1),
              product(reference(), static_cast<int>(type), tile, 32, x, 1));
  }
}

TEST_P(MatmulKernelsOf, RowsOfFloatsAgreeWithTheReference) {
  std::mt19937 random = rng(22);
  for (int type = 0; type < kernels::kTypeCount; ++type) {
    const kernels::TypeKernels& traits = reference().types[type];
    if (traits.kind != PanelKind::kFloat) continue;
    for (const int64_t n : {1, 7, 8, 15, 16, 33, 100, 512}) {
      for (const int n_rows : {1, 3, 4, 32}) {
        const auto tile = testing::random_weights(traits, n_rows * n, random);
        const auto x = testing::random_floats(n, random);
        Guarded<float> actual(static_cast<size_t>(n_rows), 3), expected(static_cast<size_t>(n_rows), 0);
        isa().matmul.dot_rows[type](actual.data(), {tile.data(), n * traits.block_bytes, n_rows}, x.data(), n);
        reference().matmul.dot_rows[type](expected.data(), {tile.data(), n * traits.block_bytes, n_rows}, x.data(), n);
        EXPECT_TRUE(actual.intact());
        std::vector<float> weights(static_cast<size_t>(n_rows * n));
        traits.dequantize(weights.data(), tile.data(), n_rows * n);
        for (size_t r = 0; r < actual.size(); ++r) {
          double magnitude = 0;
          for (size_t k = 0; k < static_cast<size_t>(n); ++k)
            magnitude += std::fabs(double{weights[r * static_cast<size_t>(n) + k]} * x[k]);
          const double bound = testing::sum_difference(static_cast<double>(n)) * magnitude;
          ASSERT_NEAR(actual[r], expected[r], bound) << type << " " << n;
        }
      }
    }
  }
}

HEARTH_INSTANTIATE_EVERY_ISA(MatmulKernelsOf);
HEARTH_INSTANTIATE_EVERY_ISA(PortableMatmul);

}  // namespace
}  // namespace hearth::test
