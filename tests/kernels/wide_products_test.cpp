// Products of many columns in bfloat16 (WideKernels), on every instruction set that has them: every type of integer
// codes against double precision, with guards around what is written.
#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include "tests/kernels/random_blocks.h"
#include "tests/support/kernel_test.h"
#include "tests/support/rounding.h"

namespace hearth::test {
namespace {

using kernels::KernelTable;
using kernels::kPanelRows;
using kernels::kWideChunk;
using kernels::PanelKind;
using kernels::TypeKernels;

constexpr int kQ4_0 = static_cast<int>(kernels::TypeIndex::kQ4_0);

/// Rows of codes, and what they stand for.
struct Weights {
  Weights(const TypeKernels& traits, int rows, int64_t k, std::mt19937& random)
      : n_rows(rows),
        n(k),
        row_bytes(k / traits.block_size * traits.block_bytes),
        blocks(testing::random_blocks(traits, rows * k, random)),
        values(static_cast<size_t>(rows * k)),
        step(values.size()) {
    traits.dequantize(values.data(), blocks.data(), rows * k);
    if (traits.kind == PanelKind::kFloat) return;
    std::vector<int8_t> code(values.size());
    std::vector<float> scale(values.size() / 16), min(values.size() / 16);
    traits.unpack({code.data(), scale.data(), min.data()}, blocks.data(), rows * k);
    for (size_t i = 0; i < step.size(); ++i) {
      step[i] = 2 * (0x1p15 + 256) * std::fabs(double{scale[i / 16]}) + 4 * std::fabs(double{min[i / 16]});
    }
  }
  int n_rows;
  int64_t n, row_bytes;
  std::vector<uint8_t> blocks;
  std::vector<float> values;
  /// By how many units roundoff of float a weight may be off before it is rounded to bfloat16: codes have at most 8
  /// bits, and an offset of up to 2^15 and as many may be added to them and, scaled, be taken off again; minimums may
  /// be products.
  std::vector<double> step;
};

/// n_cols columns of n floats.
struct Columns {
  Columns(int64_t columns, int64_t length, std::mt19937& random)
      : n_cols(columns), n(length), values(testing::random_floats(columns * length, random)) {}
  const float* column(int64_t c) const { return values.data() + c * n; }
  float* column(int64_t c) { return values.data() + c * n; }
  int64_t n_cols, n;
  std::vector<float> values;
};

/// Where a product is to be left.
enum class Place { kAcc, kOut };

class WideProducts : public EveryIsa {
 protected:
  void SetUp() override {
    EveryIsa::SetUp();
    if (!IsSkipped() && isa().matmul.wide.least_cols == 0) GTEST_SKIP() << "this set has no wide products";
  }

  /// [n_cols][n_rows] products as the kernels make them. Columns are packed up to n_at_once at a time.
  std::vector<float> product(int type, const Weights& w, const Columns& x, Place place = Place::kAcc,
                             int n_at_once = 6) {
    const kernels::WideKernels& wide = isa().matmul.wide;
    const TypeKernels& traits = isa().types[type];
    const int n_blocks = (w.n_rows + kPanelRows - 1) / kPanelRows;
    const int64_t ldo = n_blocks * kPanelRows + 5;
    Guarded<unsigned char> acts(static_cast<size_t>(2 * x.n * x.n_cols), 0), codes(kernels::kPanelBytes, 0);
    Guarded<float> acc(static_cast<size_t>(n_blocks * x.n_cols * kPanelRows), 0);
    Guarded<float> out(static_cast<size_t>((x.n_cols - 1) * ldo + n_blocks * kPanelRows), 3);
    const kernels::WideActs packed = {acts.data(), x.n_cols, x.n};
    pack(wide.pack, packed, x, n_at_once);
    for (int64_t k = 0; k < x.n; k = kernels::wide_chunk_end(k, x.n)) {
      const int64_t n = kernels::wide_chunk_end(k, x.n) - k;
      Guarded<unsigned char> panel(static_cast<size_t>(n_blocks * kPanelRows * n * 2), 0);
      for (int block = 0; block < n_blocks; ++block) {
        const int row = block * kPanelRows;
        for (int64_t i = 0; i < n; i += kWideChunk) {
          const int64_t n_codes = std::min<int64_t>(kWideChunk, n - i);
          const uint8_t* data = w.blocks.data() + row * w.row_bytes + (k + i) / traits.block_size * traits.block_bytes;
          isa().matmul.decode[type](codes.data(), {data, w.row_bytes, std::min(kPanelRows, w.n_rows - row)}, n_codes);
          unsigned char* at = panel.data() + (block * n + i) * kPanelRows * 2;
          wide.expand[static_cast<int>(traits.kind)](at, codes.data(), n_codes);
          if (wide.widen[type] == nullptr) continue;
          Guarded<unsigned char> directly(static_cast<size_t>(n_codes * kPanelRows * 2), 0);
          wide.widen[type](directly.data(), {data, w.row_bytes, std::min(kPanelRows, w.n_rows - row)}, n_codes);
          EXPECT_TRUE(std::equal(directly.data(), directly.data() + directly.size(), at)) << testing::kTypeNames[type];
          EXPECT_TRUE(directly.intact());
        }
      }
      const bool leaves = place == Place::kOut && k + n == x.n;
      std::vector<kernels::WideBlock> to;
      for (int row = 0; row < n_blocks * kPanelRows; row += kPanelRows) {
        const kernels::WideNext next = {std::as_bytes(std::span(w.blocks)).data(), w.row_bytes, w.row_bytes};
        to.push_back({acc.data() + row * x.n_cols, leaves ? out.data() + row : nullptr, next});
      }
      wide.multiply(to.data(), n_blocks, panel.data(), packed, k / kWideChunk, ldo, k == 0);
      EXPECT_TRUE(panel.intact());
    }
    EXPECT_TRUE(acts.intact() && codes.intact() && acc.intact() && out.intact());
    std::vector<float> result;
    for (int64_t c = 0; c < x.n_cols; ++c) {
      for (int r = 0; r < w.n_rows; ++r) {
        const int64_t in_acc = (r / kPanelRows * x.n_cols + c) * kPanelRows + r % kPanelRows;
        result.push_back(place == Place::kOut ? out.data()[c * ldo + r] : acc.data()[in_acc]);
      }
      for (int64_t i = n_blocks * kPanelRows; i < ldo && c + 1 < x.n_cols; ++i) {
        EXPECT_TRUE(std::isnan(out.data()[c * ldo + i])) << "wrote between the columns";
      }
    }
    return result;
  }

  static void pack(decltype(kernels::WideKernels::pack) kernel, const kernels::WideActs& packed, const Columns& x,
                   int n_at_once) {
    for (int64_t c = 0; c < x.n_cols; c += n_at_once) {
      std::vector<const float*> columns;
      for (int64_t i = c; i < std::min<int64_t>(c + n_at_once, x.n_cols); ++i) columns.push_back(x.column(i));
      kernel(packed, c, static_cast<int>(columns.size()), columns.data());
    }
  }

  /// [n_cols][n_rows] products of up to 32 rows of 16-bit floats. Without rests of weights or of columns: what the
  /// nearest bfloat16 numbers alone give.
  std::vector<float> split_product(int type, const Weights& w, const Columns& x, bool with_rests = true) {
    const kernels::WideKernels& wide = isa().matmul.wide;
    Guarded<unsigned char> acts(static_cast<size_t>(2 * x.n * x.n_cols), 0), act_rests(acts.size(), 0);
    Guarded<float> acc(static_cast<size_t>(x.n_cols * kPanelRows), 0);
    const kernels::WideActs packed = {acts.data(), x.n_cols, x.n}, rests = {act_rests.data(), x.n_cols, x.n};
    pack(wide.pack, packed, x, 5);
    pack(wide.pack_rests, rests, x, 6);
    const kernels::WideBlock block = {acc.data(), nullptr};
    for (int64_t k = 0; k < x.n; k = kernels::wide_chunk_end(k, x.n)) {
      const int64_t n = kernels::wide_chunk_end(k, x.n) - k, chunk = k / kWideChunk;
      Guarded<unsigned char> panel(static_cast<size_t>(kPanelRows * n * 2), 0), panel_rests(panel.size(), 0);
      wide.split[type](panel.data(), panel_rests.data(), {w.blocks.data() + 2 * k, w.row_bytes, w.n_rows}, n);
      wide.multiply(&block, 1, panel.data(), packed, chunk, 0, k == 0);
      if (with_rests) wide.multiply(&block, 1, panel.data(), rests, chunk, 0, false);
      if (with_rests && wide.has_rests[type]) wide.multiply(&block, 1, panel_rests.data(), packed, chunk, 0, false);
      EXPECT_TRUE(panel.intact() && panel_rests.intact());
    }
    EXPECT_TRUE(acts.intact() && act_rests.intact() && acc.intact());
    std::vector<float> result;
    for (int64_t c = 0; c < x.n_cols; ++c) {
      result.insert(result.end(), acc.data() + c * kPanelRows, acc.data() + c * kPanelRows + w.n_rows);
    }
    return result;
  }

  /// The largest error of a product in units of its bound.
  ///
  /// With u the unit roundoff of bfloat16, each factor is off by at most u of itself, a product by 2u + u^2 of itself
  /// (the weight, too, by a few units of float). Signs and sizes of these errors are those of numbers drawn at random,
  /// so that by Hoeffding's inequality the sum is off by more than 6 times the root of the sum of their squares with a
  /// chance of 2 exp(-18). To this comes the error of a sum of floats.
  double worst_error(const std::vector<float>& actual, const Weights& w, const Columns& x,
                     double factors = 2 * testing::kBF16Roundoff + testing::kBF16Roundoff * testing::kBF16Roundoff) {
    double worst = 0;
    for (int64_t c = 0; c < x.n_cols; ++c) {
      for (int r = 0; r < w.n_rows; ++r) {
        double sum = 0, magnitude = 0, squares = 0;
        for (int64_t k = 0; k < x.n; ++k) {
          const auto at = static_cast<size_t>(r * x.n + k);
          const double xk = double{x.column(c)[k]}, product = double{w.values[at]} * xk;
          const double off = factors * std::fabs(product) + testing::kRoundoff * w.step[at] * std::fabs(xk);
          sum += product;
          magnitude += std::fabs(product);
          squares += off * off;
        }
        const double bound = 6 * std::sqrt(squares) + testing::sum_error(static_cast<double>(x.n)) * magnitude;
        const double error = std::fabs(double{actual[static_cast<size_t>(c * w.n_rows + r)]} - sum) / bound;
        if (!(error <= worst)) worst = error;
      }
    }
    return worst;
  }

  template <typename Check>
  void for_every_type(const Check& check) {
    for (int type = 0; type < kernels::kTypeCount; ++type) {
      if (reference().types[type].kind != PanelKind::kFloat) check(type, reference().types[type]);
    }
  }
};

TEST_P(WideProducts, OfEveryTypeAgreeWithDoublePrecision) {
  std::mt19937 random = rng(31);
  for_every_type([&](int type, const TypeKernels& traits) {
    // Elements that fill a part of a chunk, a chunk, and some with a rest; rows of one block to four.
    const int64_t unit = std::max(traits.block_size, 32);
    for (const auto& [k, n_rows] : {std::pair(unit, 1), std::pair<int64_t, int>(512, 32), std::pair(512 + unit, 75),
                                    std::pair(1536 + unit, 128)}) {
      const Weights w(traits, n_rows, k, random);
      for (const int n_cols : {1, 17, 33}) {
        const Columns x(n_cols, k, random);
        ASSERT_LE(worst_error(product(type, w, x), w, x), 1)
            << testing::kTypeNames[type] << ", " << n_rows << " rows of " << k << ", " << n_cols << " columns";
      }
    }
  });
}

/// Each factor is a sum of two bfloat16 numbers: what the second leaves is at most u^2 of the factor, and what the
/// product of both second ones would give, which is left out, as much of the product.
TEST_P(WideProducts, Of16BitFloatsAgreeWithDoublePrecision) {
  constexpr double kFactors = 3 * testing::kBF16Roundoff * testing::kBF16Roundoff;
  std::mt19937 random = rng(37);
  int n_types = 0;
  for (int type = 0; type < kernels::kTypeCount; ++type) {
    if (isa().matmul.wide.split[type] == nullptr) continue;
    ++n_types;
    for (const int64_t k : {32, 512, 576, 1056}) {
      for (const int n_cols : {1, 17, 33, 64}) {
        const Weights w(reference().types[type], 1 + n_cols % kPanelRows, k, random);
        const Columns x(n_cols, k, random);
        EXPECT_LE(worst_error(split_product(type, w, x), w, x, kFactors), 1)
            << testing::kTypeNames[type] << ", rows of " << k << ", " << n_cols << " columns";
        if (n_cols == 1) continue;
        EXPECT_GT(worst_error(split_product(type, w, x, false), w, x, kFactors), 1) << "the bound tells nothing";
      }
    }
  }
  EXPECT_EQ(n_types, 2);
}

TEST_P(WideProducts, OfEveryNumberOfColumnsAndRowsAgreeWithDoublePrecision) {
  std::mt19937 random = rng(32);
  const TypeKernels& traits = reference().types[kQ4_0];
  for (int n_cols = 1; n_cols <= 70; ++n_cols) {
    const int n_rows = 1 + 41 * n_cols % (kernels::kWideBlocks * kPanelRows);
    const int64_t k = 32 * (1 + n_cols % 33);
    const Weights w(traits, n_rows, k, random);
    const Columns x(n_cols, k, random);
    ASSERT_LE(worst_error(product(kQ4_0, w, x, Place::kAcc, 1 + n_cols % 6), w, x), 1)
        << n_rows << " rows of " << k << ", " << n_cols << " columns";
  }
}

/// The bound above means something: it is passed by far where a part of the weights is wrong.
TEST_P(WideProducts, TheBoundTellsWeightsWithoutTheirMinimumOrWithAnothersScale) {
  std::mt19937 random = rng(33);
  for_every_type([&](int type, const TypeKernels& traits) {
    const Weights w(traits, 32, 512, random);
    const Columns x(32, 512, random);
    const std::vector<float> actual = product(type, w, x);
    std::vector<int8_t> code(w.values.size());
    std::vector<float> scale(w.values.size() / 16), min(w.values.size() / 16);
    traits.unpack({code.data(), scale.data(), min.data()}, w.blocks.data(), 32 * 512);
    Weights no_min = w, shifted = w;
    for (size_t i = 0; i < w.values.size(); ++i) {
      no_min.values[i] += min[i / 16];
      shifted.values[i] = scale[(i + 512) / 16 % scale.size()] * static_cast<float>(code[i]) - min[i / 16];
    }
    const bool has_min = traits.kind == PanelKind::kScale32Min || traits.kind == PanelKind::kScale16Min;
    EXPECT_EQ(has_min, worst_error(actual, no_min, x) > 2) << testing::kTypeNames[type];
    EXPECT_GT(worst_error(actual, shifted, x), 2) << testing::kTypeNames[type];
  });
}

TEST_P(WideProducts, OfAColumnDoNotDependOnTheOthers) {
  std::mt19937 random = rng(34);
  const int64_t k = 1056;
  const Weights w(reference().types[kQ4_0], 64, k, random);
  const Columns all(70, k, random);
  std::vector<std::vector<float>> alone;
  for (int64_t c = 0; c < all.n_cols; ++c) {
    Columns one = all;
    one.n_cols = 1;
    one.values.assign(all.column(c), all.column(c) + k);
    alone.push_back(product(kQ4_0, w, one));
  }
  for (const int64_t n_cols : {2, 15, 16, 17, 31, 32, 33, 48, 64, 65, 70}) {
    Columns x = all;
    x.n_cols = n_cols;
    const std::vector<float> actual = product(kQ4_0, w, x);
    for (int64_t c = 0; c < n_cols; ++c) {
      ASSERT_TRUE(std::equal(alone[static_cast<size_t>(c)].begin(), alone[static_cast<size_t>(c)].end(),
                             actual.begin() + c * w.n_rows))
          << "column " << c << " of " << n_cols;
    }
  }
}

TEST_P(WideProducts, ColumnsPackedStepByStepAreTheSame) {
  std::mt19937 random = rng(38);
  const kernels::WideKernels& wide = isa().matmul.wide;
  for (const int64_t k : {32, 512, 576, 608, 1568}) {
    for (const int64_t n_cols : {1, 16, 33, 70}) {
      const Columns x(n_cols, k, random);
      Guarded<unsigned char> whole(static_cast<size_t>(2 * k * n_cols), 0), steps(whole.size(), 0);
      pack(wide.pack, {whole.data(), n_cols, k}, x, 6);
      for (int64_t step = 0; step < k / kernels::kWideStep; ++step) {
        for (int64_t c = 0; c < n_cols; c += 29) {
          const auto n = static_cast<int>(std::min<int64_t>(29, n_cols - c));
          std::vector<float> values;
          for (int i = 0; i < n; ++i) {
            const float* from = x.column(c + i) + step * kernels::kWideStep;
            values.insert(values.end(), from, from + kernels::kWideStep);
          }
          wide.pack_step({steps.data(), n_cols, k}, step, c, n, values.data());
        }
      }
      EXPECT_TRUE(std::equal(whole.data(), whole.data() + whole.size(), steps.data())) << n_cols << " x " << k;
      EXPECT_TRUE(steps.intact());
    }
  }
}

TEST_P(WideProducts, LeftInTheOutputAreTheSame) {
  std::mt19937 random = rng(35);
  for (const int64_t k : {32, 512, 1056}) {
    for (const int n_rows : {32, 64, 128}) {
      const Weights w(reference().types[kQ4_0], n_rows, k, random);
      for (const int n_cols : {1, 16, 17, 32, 33, 70}) {
        const Columns x(n_cols, k, random);
        EXPECT_EQ(product(kQ4_0, w, x, Place::kOut), product(kQ4_0, w, x))
            << n_rows << " rows of " << k << ", " << n_cols << " columns";
      }
    }
  }
}

TEST_P(WideProducts, WhatIsNoNumberStaysInItsColumn) {
  std::mt19937 random = rng(36);
  const int64_t k = 544;
  const Weights w(reference().types[kQ4_0], 32, k, random);
  const Columns clean(40, k, random);
  const std::vector<float> expected = product(kQ4_0, w, clean);
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    for (const int64_t at : {int64_t{0}, int64_t{511}, k - 1}) {
      Columns x = clean;
      x.column(3)[at] = x.column(20)[at] = x.column(39)[at] = bad;
      const std::vector<float> actual = product(kQ4_0, w, x);
      for (int64_t c = 0; c < x.n_cols; ++c) {
        for (int r = 0; r < w.n_rows; ++r) {
          const auto i = static_cast<size_t>(c * w.n_rows + r);
          if (c == 3 || c == 20 || c == 39) {
            ASSERT_FALSE(std::isfinite(actual[i])) << "column " << c << ", row " << r;
          } else {
            ASSERT_EQ(actual[i], expected[i]) << "column " << c << ", row " << r;
          }
        }
      }
    }
  }
}

HEARTH_INSTANTIATE_EVERY_ISA(WideProducts);

}  // namespace
}  // namespace hearth::test
