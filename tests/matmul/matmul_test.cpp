// matmul, matmul_gated and matmul_experts against a double-precision oracle, for every type and number of tokens.
#include "lib/matmul/matmul.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <string>
#include <vector>

#include "tests/matmul/matmul_world.h"

namespace hearth {
namespace {

using kernels::kTypeCount;
using kernels::TypeIndex;

using testing::expect;
using testing::Expected;
using testing::kMaxCols;
using testing::kMaxTokens;
using testing::RandomMatrix;
using testing::Rounding;
using testing::rounding_of;
using testing::Workplace;

class MatmulTypes : public ::testing::TestWithParam<int> {
 protected:
  const kernels::TypeKernels& traits() const { return kernels::kernels().types[GetParam()]; }
  bool is_float() const { return traits().kind == kernels::PanelKind::kFloat; }
};

TEST_P(MatmulTypes, AgreesWithDoublePrecision) {
  std::mt19937 random(1);
  Workplace place(2);
  for (const int64_t base : {256, 768}) {
    const int64_t cols = (traits().block_size == 1) ? base + 40 : (traits().block_size == 32) ? base + 32 : base;
    for (const int64_t rows : {1, 31, 75}) {
      const RandomMatrix w(GetParam(), rows, cols, random);
      for (const int64_t n_tokens : {1, 2, 3, 5, 8, 13, 17, 33, 64, 100}) {
        const int64_t ldx = cols + 3;
        const int64_t ldo = rows + 2;
        const auto x = testing::random_floats(n_tokens * ldx, random);
        const auto bias = testing::random_floats(rows, random);
        std::vector<float> out(static_cast<size_t>(n_tokens * ldo), std::nanf(""));
        const Product product{&w.matrix, out.data(), ldo, bias.data()};
        matmul(place.context(), {x.data(), ldx, n_tokens}, {&product, 1});
        for (int64_t t = 0; t < n_tokens; ++t) {
          for (int64_t r = 0; r < ldo; ++r) {
            const float actual = out[static_cast<size_t>(t * ldo + r)];
            if (r >= rows) {
              ASSERT_TRUE(std::isnan(actual)) << "wrote beyond the row";
              continue;
            }
            const Expected e = expect(w, r, x.data() + t * ldx, rounding_of(w.matrix.type, n_tokens));
            const double sum = e.value + bias[static_cast<size_t>(r)];
            ASSERT_NEAR(actual, sum, e.tolerance + testing::kRoundoff * std::fabs(sum))
                << rows << "x" << cols << " tokens " << n_tokens << " at " << t << "," << r;
          }
        }
      }
    }
  }
}

TEST_P(MatmulTypes, ExactProductsRoundOnlySums) {
  std::mt19937 random(8);
  Workplace place(2);
  const int64_t cols = kMaxCols;
  for (const int64_t rows : {1, 75, 300}) {
    const RandomMatrix w(GetParam(), rows, cols, random);
    for (const int64_t n_tokens : {1, 2, 30}) {
      const auto x = testing::random_floats(n_tokens * cols, random);
      std::vector<float> out(static_cast<size_t>(n_tokens * rows), std::nanf(""));
      const Product product{&w.matrix, out.data(), rows, nullptr};
      matmul(place.context(false, true), {x.data(), cols, n_tokens}, {&product, 1});
      for (int64_t t = 0; t < n_tokens; ++t) {
        for (int64_t r = 0; r < rows; ++r) {
          const Expected e = expect(w, r, x.data() + t * cols, Rounding::kSums);
          ASSERT_NEAR(out[static_cast<size_t>(t * rows + r)], e.value, e.tolerance) << t << "," << r;
        }
      }
    }
  }
}

TEST_P(MatmulTypes, IsTheSameForAnyNumberOfThreads) {
  std::mt19937 random(2);
  const int64_t cols = 512;
  const int64_t rows = 300;
  const RandomMatrix w(GetParam(), rows, cols, random);
  for (const int64_t n_tokens : {1, 7, 50}) {
    const auto x = testing::random_floats(n_tokens * cols, random);
    std::vector<std::vector<float>> results;
    for (const int n_threads : {1, 2, 4}) {
      Workplace place(n_threads);
      std::vector<float> out(static_cast<size_t>(n_tokens * rows), std::nanf(""));
      const Product product{&w.matrix, out.data(), rows, nullptr};
      matmul(place.context(), {x.data(), cols, n_tokens}, {&product, 1});
      results.push_back(out);
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(results[0], results[2]);
  }
}

TEST_P(MatmulTypes, BatchInvariantResultsDoNotDependOnOtherColumns) {
  std::mt19937 random(3);
  const int64_t cols = 768;
  const int64_t rows = 70;
  const int64_t n_tokens = 29;
  const RandomMatrix w(GetParam(), rows, cols, random);
  const auto x = testing::random_floats(n_tokens * cols, random);
  Workplace place(2, 16);  // passes of 16 columns
  auto run = [&](int64_t first, int64_t n) {
    std::vector<float> out(static_cast<size_t>(n * rows), std::nanf(""));
    const Product product{&w.matrix, out.data(), rows, nullptr};
    matmul(place.context(true), {x.data() + first * cols, cols, n}, {&product, 1});
    return out;
  };
  const auto all = run(0, n_tokens);
  int64_t first = 0;
  for (const int64_t n : {1, 2, 3, 1, 9, 13}) {
    const auto part = run(first, n);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), all.begin() + first * rows)) << n << " tokens";
    first += n;
  }
  EXPECT_EQ(first, n_tokens);
}

TEST_P(MatmulTypes, GatedIsTheGateOfTwoProducts) {
  std::mt19937 random(4);
  const int64_t cols = 256;
  const int64_t rows = 45;
  const RandomMatrix gate(GetParam(), rows, cols, random);
  const RandomMatrix up(GetParam(), rows, cols, random);
  Workplace place(2);
  for (const int64_t n_tokens : {1, 20}) {
    const auto x = testing::random_floats(n_tokens * cols, random);
    const auto bias = testing::random_floats(rows, random);
    const size_t size = static_cast<size_t>(n_tokens * rows);
    std::vector<float> g(size);
    std::vector<float> u(size);
    std::vector<float> out(size, std::nanf(""));
    const Product products[] = {{&gate.matrix, g.data(), rows, bias.data()}, {&up.matrix, u.data(), rows, nullptr}};
    matmul(place.context(), {x.data(), cols, n_tokens}, products);
    GatedProduct gated;
    gated.gate.w = &gate.matrix;
    gated.up.w = &up.matrix;
    gated.gate.bias = bias.data();
    gated.up.out = out.data();
    gated.up.ldo = rows;
    gated.kind = kernels::Gate::kSilu;
    matmul_gated(place.context(), {x.data(), cols, n_tokens}, gated);
    for (size_t i = 0; i < size; ++i) {
      const double expected = g[i] / (1.0 + std::exp(-static_cast<double>(g[i]))) * u[i];
      // exp hands on the rounding of its argument; it, the sum, the quotient and the product have up to 4 units each.
      const double bound = (16 + std::fabs(g[i])) * testing::kRoundoff;
      // Where exp overflows a float, the sigmoid is 0 instead of a number below the smallest normal one.
      const double lost = std::fabs(double{g[i]} * u[i]) * FLT_MIN;
      ASSERT_NEAR(out[i], expected, bound * std::fabs(expected) + lost);
    }
  }
}

TEST_P(MatmulTypes, ExpertsEqualTheirOwnProducts) {
  std::mt19937 random(5);
  const int64_t cols = 256;
  const int64_t rows = 37;
  const int n_experts = 5;
  const RandomMatrix all(GetParam(), rows * n_experts, cols, random);
  Matrix one = all.matrix;
  one.rows = rows;
  const int64_t n_tokens = 19;
  const auto x = testing::random_floats(n_tokens * cols, random);
  const auto bias = testing::random_floats(rows * n_experts, random);
  std::vector<int32_t> expert;
  std::vector<int32_t> row;
  for (int32_t t = 0; t < n_tokens; ++t) {
    expert.insert(expert.end(), {t % 3, 4});  // expert 3 gets none
    row.insert(row.end(), {t, t});
  }
  const int64_t n_entries = static_cast<int64_t>(expert.size());
  std::vector<float> out(static_cast<size_t>(n_entries * rows), std::nanf(""));
  Workplace place(2, 16);
  Product product;
  product.w = &one;
  product.expert_stride_bytes = rows * one.row_bytes;
  product.bias = bias.data();
  product.out = out.data();
  product.ldo = rows;
  matmul_experts(place.context(true), {x.data(), cols, n_tokens}, {expert, row, n_experts}, {&product, 1});
  for (int64_t i = 0; i < n_entries; ++i) {
    Matrix w = one;
    const size_t e = static_cast<size_t>(i);
    w.data += expert[e] * product.expert_stride_bytes;
    std::vector<float> expected(static_cast<size_t>(rows));
    const Product alone{&w, expected.data(), rows, bias.data() + expert[e] * rows};
    matmul(place.context(true), {x.data() + row[e] * cols, cols, 1}, {&alone, 1});
    for (int64_t r = 0; r < rows; ++r) {
      ASSERT_EQ(out[static_cast<size_t>(i * rows + r)], expected[static_cast<size_t>(r)]) << i << "," << r;
    }
  }
}

TEST(Matmul, SeveralProductsOfMixedTypesShareOneCall) {
  std::mt19937 random(6);
  const int64_t cols = 512;
  std::vector<RandomMatrix> matrices;
  for (int type = 0; type < kTypeCount; ++type) matrices.emplace_back(type, 33 + type, cols, random);
  for (RandomMatrix& m : matrices) m.matrix.data = reinterpret_cast<const std::byte*>(m.blocks.data()) + 1;
  const int64_t n_tokens = 11;
  const auto x = testing::random_floats(n_tokens * cols, random);
  std::vector<std::vector<float>> outs;
  std::vector<Product> products;
  for (const RandomMatrix& m : matrices)
    outs.emplace_back(static_cast<size_t>(n_tokens * m.matrix.rows), std::nanf(""));
  for (size_t i = 0; i < matrices.size(); ++i) {
    products.push_back({&matrices[i].matrix, outs[i].data(), matrices[i].matrix.rows, nullptr});
  }
  Workplace place(2);
  matmul(place.context(), {x.data(), cols, n_tokens}, products);
  for (size_t i = 0; i < matrices.size(); ++i) {
    for (int64_t t = 0; t < n_tokens; ++t) {
      for (int64_t r = 0; r < matrices[i].matrix.rows; ++r) {
        const Expected e = expect(matrices[i], r, x.data() + t * cols, rounding_of(matrices[i].matrix.type, n_tokens));
        ASSERT_NEAR(outs[i][static_cast<size_t>(t * matrices[i].matrix.rows + r)], e.value, e.tolerance);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, MatmulTypes, ::testing::Range(0, kTypeCount),
                         [](const auto& type) { return std::string(testing::kTypeNames[type.param]); });

TEST(Matmul, ProductsThatScratchIsTooSmallForAreLeftOutAndReported) {
  Workplace place(2);
  std::mt19937 random(3);
  constexpr auto kType = static_cast<int>(TypeIndex::kF32);
  const RandomMatrix wide(kType, 8, kMaxCols + 1, random), narrow(kType, 8, kMaxCols, random);
  const std::vector<float> x(static_cast<size_t>(kMaxCols) + 1, 1.0f);
  std::vector<float> y(8, 7.0f);
  const MatmulContext context = place.context();
  const Product too_wide{&wide.matrix, y.data(), 8, nullptr}, fits{&narrow.matrix, y.data(), 8, nullptr};
  matmul(context, {x.data(), kMaxCols + 1, 1}, {&too_wide, 1});
  EXPECT_EQ(y, std::vector<float>(8, 7.0f));
  const Status status = context.scratch->take_status();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find(std::to_string(kMaxCols + 1)), std::string::npos);
  matmul(context, {x.data(), kMaxCols, 1}, {&fits, 1});
  EXPECT_NE(y[0], 7.0f);
  EXPECT_TRUE(context.scratch->take_status());
}

}  // namespace
}  // namespace hearth
