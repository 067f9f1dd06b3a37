// Products of many tokens at once, which some instruction sets make in bfloat16 (kernels::WideKernels): each of the
// ways in, what comes with a product, and what keeps to codes or floats. On other sets the same holds with other
// roundings.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/matmul/matmul_world.h"

namespace hearth {
namespace {

using kernels::TypeIndex;
using testing::expect;
using testing::Expected;
using testing::RandomMatrix;
using testing::RandomUpdate;
using testing::Rounding;
using testing::rounding_of;
using testing::Workplace;

constexpr int64_t kMany = 70;
constexpr int64_t kCols = 768;  // the last chunk is short
/// Of a matrix that one thread takes in the largest tiles.
constexpr int64_t kManyRows = 8 * kernels::kDotRows + 18;
/// Rows that are compared with double precision, to save time: of all places in a register, and of all tiles.
constexpr int64_t kEvery = 7;

int least_cols() {
  return kernels::kernels().matmul.wide.least_cols;
}

std::vector<float> unwritten(int64_t n) {
  return std::vector<float>(static_cast<size_t>(n), std::nanf(""));
}

/// [n, w.rows] products of the first n rows of x.
std::vector<float> product_of(const MatmulContext& ctx, const Matrix& w, const float* x, int64_t n,
                              const float* bias = nullptr, std::span<const LowRankUpdate> updates = {}) {
  std::vector<float> out = unwritten(n * w.rows);
  const Product product{&w, out.data(), w.rows, bias, updates};
  matmul(ctx, {x, w.cols, n}, {&product, 1});
  return out;
}

class WideMatmulTypes : public ::testing::TestWithParam<int> {
 protected:
  bool is_float() const { return kernels::kernels().types[GetParam()].kind == kernels::PanelKind::kFloat; }
  TypeIndex type() const { return static_cast<TypeIndex>(GetParam()); }
};

TEST_P(WideMatmulTypes, AgreesWithDoublePrecisionInOnePassOrSeveral) {
  std::mt19937 random(41);
  const int64_t unit = std::max(kernels::kernels().types[GetParam()].block_size, 32);
  for (const auto& [rows, cols] :
       {std::pair<int64_t, int64_t>(32, 256), {kManyRows, kCols}, {300, 512 + unit}, {75, kCols}}) {
    RandomMatrix w(GetParam(), rows, cols, random);
    const auto x = testing::random_floats(100 * cols, random);
    for (const auto& [n_tokens, in_pass] :
         {std::pair<int64_t, int64_t>(32, 128), {33, 128}, {kMany, 128}, {kMany, 64}, {100, 64}}) {
      w.matrix.scale = n_tokens == kMany ? 1.0f : 0.75f;
      Workplace place(1, in_pass);
      const int64_t ldo = rows + 3;
      std::vector<float> out = unwritten(n_tokens * ldo);
      const Product product{&w.matrix, out.data(), ldo};
      matmul(place.context(), {x.data(), cols, n_tokens}, {&product, 1});
      for (int64_t t = 0; t < n_tokens; ++t) {
        const int64_t in_this_pass = std::min(n_tokens - t / in_pass * in_pass, in_pass);
        for (int64_t r = rows; r < ldo; ++r) {
          ASSERT_TRUE(std::isnan(out[static_cast<size_t>(t * ldo + r)])) << "wrote beyond the row";
        }
        for (int64_t r = t % kEvery; r < rows; r += kEvery) {
          const float actual = out[static_cast<size_t>(t * ldo + r)];
          const Expected e = expect(w, r, x.data() + t * cols, rounding_of(type(), in_this_pass));
          const double sum = e.value * w.matrix.scale;
          ASSERT_NEAR(actual, sum, e.tolerance * w.matrix.scale + testing::kRoundoff * std::fabs(sum))
              << rows << "x" << cols << ", token " << t << " of " << n_tokens << ", row " << r;
        }
      }
    }
  }
}

/// The mean square of a rounding that is evenly spread over +-u is u^2 / 3 at most: two factors of bfloat16 stay below
/// twice that, and codes of 8 bits do not.
TEST_P(WideMatmulTypes, ErrorsTellTheWayThatAProductTook) {
  if (is_float() || least_cols() == 0) GTEST_SKIP() << "there is one way only";
  std::mt19937 random(42);
  const int64_t n_tokens = least_cols();
  const RandomMatrix w(GetParam(), 75, kCols, random);
  const auto x = testing::random_floats(n_tokens * kCols, random);
  Workplace place(2);
  const auto error_power = [&](bool batch_invariant, int64_t n) {
    const auto out = product_of(place.context(batch_invariant), w.matrix, x.data(), n);
    double errors = 0, values = 0;
    for (int64_t i = 0; i < n * 75; ++i) {
      const Expected e = expect(w, i % 75, x.data() + i / 75 * kCols, Rounding::kSums);
      errors += std::pow(double{out[static_cast<size_t>(i)]} - e.value, 2);
      values += std::pow(e.value, 2);
    }
    return errors / values;
  };
  constexpr double kBoth = 2 * testing::kBF16Roundoff * testing::kBF16Roundoff / 3;
  EXPECT_LT(error_power(false, n_tokens), kBoth);
  EXPECT_GT(error_power(true, n_tokens), kBoth);
  EXPECT_GT(error_power(false, n_tokens - 1), kBoth);
}

TEST_P(WideMatmulTypes, BatchInvariantAndFewTokensGiveTheBitsOfASingleToken) {
  std::mt19937 random(43);
  const RandomMatrix w(GetParam(), 140, kCols, random);
  const auto x = testing::random_floats(kMany * kCols, random);
  Workplace place(2);
  std::vector<float> alone;
  for (int64_t t = 0; t < kMany; ++t) {
    const auto one = product_of(place.context(true), w.matrix, x.data() + t * kCols, 1);
    alone.insert(alone.end(), one.begin(), one.end());
  }
  EXPECT_EQ(product_of(place.context(true), w.matrix, x.data(), kMany), alone);
  const int64_t few = least_cols() == 0 ? kMany : least_cols() - 1;
  alone.resize(static_cast<size_t>(few * 140));
  EXPECT_EQ(product_of(place.context(), w.matrix, x.data(), few), alone);
}

TEST_P(WideMatmulTypes, ExactProductsStayExact) {
  std::mt19937 random(44);
  const RandomMatrix w(GetParam(), 140, kCols, random);
  const auto x = testing::random_floats(kMany * kCols, random);
  Workplace place(2);
  const auto all = product_of(place.context(false, true), w.matrix, x.data(), kMany);
  for (int64_t i = 0; i < kMany * 140; ++i) {
    const Expected e = expect(w, i % 140, x.data() + i / 140 * kCols, Rounding::kSums);
    ASSERT_NEAR(all[static_cast<size_t>(i)], e.value, e.tolerance) << i;
  }
  auto parts = product_of(place.context(false, true), w.matrix, x.data(), 10);
  const auto rest = product_of(place.context(false, true), w.matrix, x.data() + 10 * kCols, kMany - 10);
  parts.insert(parts.end(), rest.begin(), rest.end());
  EXPECT_EQ(all, parts);
}

TEST_P(WideMatmulTypes, BiasScaleAndUpdatesAreAdded) {
  std::mt19937 random(45);
  for (const int64_t rows : {int64_t{45}, kManyRows}) {
    RandomMatrix w(GetParam(), rows, kCols, random);
    w.matrix.scale = 0.75f;
    const auto x = testing::random_floats(kMany * kCols, random), bias = testing::random_floats(rows, random);
    const RandomUpdate low(rows, kMany, random);
    const LowRankUpdate updates[] = {low.update()};
    Workplace place(1);
    const auto out = product_of(place.context(), w.matrix, x.data(), kMany, bias.data(), updates);
    for (int64_t t = 0; t < kMany; ++t) {
      for (int64_t r = t % kEvery; r < rows; r += kEvery) {
        const Expected e = expect(w, r, x.data() + t * kCols, rounding_of(type(), kMany)), more = low.added(r, t);
        const double biased = e.value * 0.75 + bias[static_cast<size_t>(r)], sum = biased + more.value;
        const double rounded = std::fabs(e.value) * 0.75 + std::fabs(biased) + RandomUpdate::kRank * std::fabs(sum);
        ASSERT_NEAR(out[static_cast<size_t>(t * rows + r)], sum,
                    e.tolerance * 0.75 + more.tolerance + testing::kRoundoff * rounded)
            << "token " << t << ", row " << r << " of " << rows;
      }
    }
  }
}

/// Entries of each expert: many, one, few, none, and just enough.
struct UnevenRouting {
  static constexpr int kExperts = 5;
  UnevenRouting() {
    const std::vector<int32_t> counts = {60, 1, 3, 0, 33};
    std::vector<int32_t> left = counts;
    for (int32_t i = 0, e = 0; expert.size() < 97; ++i, e = (e + 2) % kExperts) {
      if (left[static_cast<size_t>(e)]-- <= 0) continue;
      expert.push_back(e);
      row.push_back(i % kMany);
    }
  }
  int64_t size() const { return static_cast<int64_t>(expert.size()); }
  std::vector<int32_t> expert, row;
};

TEST_P(WideMatmulTypes, ExpertsEqualTheirOwnProducts) {
  std::mt19937 random(46);
  const UnevenRouting routing;
  for (const int64_t rows : {int64_t{37}, kManyRows}) {
    const RandomMatrix all(GetParam(), rows * UnevenRouting::kExperts, kCols, random);
    const RandomUpdate low(rows * UnevenRouting::kExperts, routing.size(), random);
    const auto x = testing::random_floats(kMany * kCols, random);
    const auto bias = testing::random_floats(rows * UnevenRouting::kExperts, random);
    const std::vector<float> scales = {0.5f, 1.25f, 1.0f, 3.0f, 1.0f};
    Matrix one = all.matrix;
    one.rows = rows;
    LowRankUpdate update = low.update();
    update.b.rows = rows;
    update.expert_stride_bytes = rows * update.b.row_bytes;
    std::vector<float> out = unwritten(routing.size() * rows);
    Product product;
    product.w = &one;
    product.expert_stride_bytes = rows * one.row_bytes;
    product.bias = bias.data();
    product.out = out.data();
    product.ldo = rows;
    product.scales = scales.data();
    product.updates = {&update, 1};
    Workplace place(1);
    matmul_experts(place.context(), {x.data(), kCols, kMany}, {routing.expert, routing.row, UnevenRouting::kExperts},
                   {&product, 1});
    for (int32_t e = 0; e < UnevenRouting::kExperts; ++e) {
      // The same entries as a product of their own.
      std::vector<float> own_x, own_low, actual;
      std::vector<int32_t> chosen;
      int64_t n = 0;
      for (size_t i = 0; i < routing.expert.size(); ++i) {
        if (routing.expert[i] != e) continue;
        const auto entry = static_cast<int64_t>(i);
        own_x.insert(own_x.end(), x.begin() + routing.row[i] * kCols, x.begin() + (routing.row[i] + 1) * kCols);
        own_low.insert(own_low.end(), low.low.begin() + entry * RandomUpdate::kRank,
                       low.low.begin() + (entry + 1) * RandomUpdate::kRank);
        actual.insert(actual.end(), out.begin() + entry * rows, out.begin() + (entry + 1) * rows);
        chosen.push_back(low.chosen[i]);
        ++n;
      }
      Matrix w = one;
      w.data += e * product.expert_stride_bytes;
      w.scale = scales[static_cast<size_t>(e)];
      LowRankUpdate own = update;
      own.b.data += e * update.expert_stride_bytes;
      own.low = own_low.data();
      own.chosen = chosen.data();
      EXPECT_EQ(actual, product_of(place.context(), w, own_x.data(), n, bias.data() + e * rows, {&own, 1}))
          << "expert " << e << " of " << n << " entries, " << rows << " rows";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, WideMatmulTypes, ::testing::Range(0, kernels::kTypeCount),
                         [](const auto& type) { return std::string(testing::kTypeNames[type.param]); });

/// Matrices of all ways at once: codes with and without minimum, and floats.
struct MixedMatrices {
  explicit MixedMatrices(std::mt19937& random) {
    int64_t rows = 45;  // to tiles of each size
    for (const TypeIndex type :
         {TypeIndex::kQ4_0, TypeIndex::kF16, TypeIndex::kQ4_K, TypeIndex::kF32, TypeIndex::kQ6_K}) {
      all.emplace_back(static_cast<int>(type), rows, kCols, random);
      rows += 150;
    }
    for (RandomMatrix& m : all) m.matrix.data = reinterpret_cast<const std::byte*>(m.blocks.data()) + 1;
  }
  std::vector<std::vector<float>> products(const MatmulContext& ctx, const std::vector<float>& x) const {
    std::vector<std::vector<float>> outs;
    for (const RandomMatrix& m : all) outs.push_back(unwritten(kMany * m.matrix.rows));
    std::vector<Product> products;
    for (size_t i = 0; i < all.size(); ++i) {
      products.push_back({&all[i].matrix, outs[i].data(), all[i].matrix.rows, nullptr});
    }
    matmul(ctx, {x.data(), kCols, kMany}, products);
    return outs;
  }
  std::vector<RandomMatrix> all;
};

TEST(WideMatmul, MatricesOfOneCallDoNotChangeEachOther) {
  std::mt19937 random(47);
  const MixedMatrices matrices(random);
  const auto x = testing::random_floats(kMany * kCols, random);
  Workplace place(1);
  const auto together = matrices.products(place.context(), x);
  for (size_t i = 0; i < matrices.all.size(); ++i) {
    EXPECT_EQ(together[i], product_of(place.context(), matrices.all[i].matrix, x.data(), kMany)) << "matrix " << i;
  }
}

/// Gate and up projections of different ways, with all that may come with them.
struct MixedGate {
  MixedGate(TypeIndex gate_type, TypeIndex up_type, int64_t rows, std::mt19937& random)
      : gate(static_cast<int>(gate_type), rows, kCols, random),
        up(static_cast<int>(up_type), rows, kCols, random),
        bias(testing::random_floats(rows, random)),
        low(rows, kMany, random),
        update(low.update()) {
    up.matrix.scale = 0.75f;
  }
  /// wide: where the results go instead.
  std::vector<float> product(const MatmulContext& ctx, const std::vector<float>& x, void* wide = nullptr) const {
    std::vector<float> out = unwritten(kMany * gate.matrix.rows);
    GatedProduct gated;
    gated.wide = wide;
    gated.gate.w = &gate.matrix;
    gated.up.w = &up.matrix;
    gated.gate.bias = bias.data();
    gated.up.out = out.data();
    gated.up.ldo = gate.matrix.rows;
    gated.kind = kernels::Gate::kSilu;
    gated.up.updates = {&update, 1};
    matmul_gated(ctx, {x.data(), kCols, kMany}, gated);
    return out;
  }
  RandomMatrix gate, up;
  std::vector<float> bias;
  RandomUpdate low;
  LowRankUpdate update;
};

TEST(WideMatmul, GatedIsTheGateOfTwoProducts) {
  std::mt19937 random(48);
  const auto x = testing::random_floats(kMany * kCols, random);
  Workplace place(1);
  for (const auto& [gate_type, up_type] :
       {std::pair(TypeIndex::kQ4_0, TypeIndex::kQ4_K), std::pair(TypeIndex::kF16, TypeIndex::kQ8_0)}) {
    for (const int64_t rows : {int64_t{45}, kManyRows}) {
      const MixedGate mixed(gate_type, up_type, rows, random);
      const auto g = product_of(place.context(), mixed.gate.matrix, x.data(), kMany, mixed.bias.data());
      const auto u = product_of(place.context(), mixed.up.matrix, x.data(), kMany, nullptr, {&mixed.update, 1});
      std::vector<float> expected(g.size());
      kernels::kernels().gate_mul(expected.data(), g.data(), u.data(), static_cast<int64_t>(g.size()),
                                  kernels::Gate::kSilu);
      const auto actual = mixed.product(place.context(), x);
      for (size_t i = 0; i < actual.size(); ++i) {
        // Vectors of other lengths: the ends may be computed by other operations, each of up to 16 units.
        ASSERT_NEAR(actual[i], expected[i], 32 * testing::kRoundoff * std::fabs(expected[i])) << i << " " << rows;
      }
    }
  }
}

/// What a gate leaves comes to the next product in bfloat16, without a way through memory as floats.
TEST(WideMatmul, GatedRowsMayStayWide) {
  std::mt19937 random(50);
  const auto x = testing::random_floats(kMany * kCols, random);
  Workplace place(2);
  if (least_cols() == 0) GTEST_SKIP() << "no set of this machine has wide products";
  for (const int64_t rows : {int64_t{32}, int64_t{544}, int64_t{1056}}) {
    const MixedGate mixed(TypeIndex::kQ4_0, TypeIndex::kF16, rows, random);
    const RandomMatrix down(static_cast<int>(TypeIndex::kQ8_0), 75, rows, random);
    ASSERT_TRUE(takes_wide_rows(place.context(), down.matrix, kMany));
    const auto between = mixed.product(place.context(), x);
    const auto expected = product_of(place.context(), down.matrix, between.data(), kMany);

    alignas(64) static std::byte wide[2 * kMany * 1056];
    const auto nothing = mixed.product(place.context(), x, wide);
    EXPECT_TRUE(std::all_of(nothing.begin(), nothing.end(), [](float f) { return std::isnan(f); }));
    auto actual = unwritten(kMany * 75);
    const Product product = {&down.matrix, actual.data(), 75};
    matmul(place.context(), {nullptr, 0, kMany, wide}, {&product, 1});
    EXPECT_EQ(actual, expected) << rows;
  }
  const RandomMatrix floats(static_cast<int>(TypeIndex::kF16), 75, 64, random);
  const RandomMatrix codes(static_cast<int>(TypeIndex::kQ8_0), 75, 64, random);
  EXPECT_FALSE(takes_wide_rows(place.context(), floats.matrix, kMany)) << "16-bit floats meet the rests as well";
  EXPECT_FALSE(takes_wide_rows(place.context(), codes.matrix, 1));
  EXPECT_FALSE(takes_wide_rows(place.context(), codes.matrix, 1000000)) << "they need more than one pass";
  MatmulContext invariant = place.context(), exact = place.context();
  invariant.batch_invariant = true;
  exact.exact_products = true;
  EXPECT_FALSE(takes_wide_rows(invariant, codes.matrix, kMany));
  EXPECT_FALSE(takes_wide_rows(exact, codes.matrix, kMany));
}

TEST(WideMatmul, IsTheSameForAnyNumberOfThreads) {
  std::mt19937 random(49);
  const MixedMatrices matrices(random);
  const MixedGate gate(TypeIndex::kQ4_0, TypeIndex::kQ6_K, kManyRows, random);
  const UnevenRouting routing;
  const RandomMatrix experts(static_cast<int>(TypeIndex::kQ4_K), 75 * UnevenRouting::kExperts, kCols, random);
  Matrix one = experts.matrix;
  one.rows = 75;
  const auto x = testing::random_floats(kMany * kCols, random);
  const auto run = [&](int n_threads) {
    Workplace place(n_threads);
    auto results = matrices.products(place.context(), x);
    results.push_back(gate.product(place.context(), x));
    results.push_back(unwritten(routing.size() * one.rows));
    Product product;
    product.w = &one;
    product.expert_stride_bytes = one.rows * one.row_bytes;
    product.out = results.back().data();
    product.ldo = one.rows;
    matmul_experts(place.context(), {x.data(), kCols, kMany}, {routing.expert, routing.row, UnevenRouting::kExperts},
                   {&product, 1});
    return results;
  };
  const auto expected = run(1);
  for (const auto& result : expected) {
    for (const float value : result) ASSERT_TRUE(std::isfinite(value));
  }
  EXPECT_EQ(run(2), expected);
  EXPECT_EQ(run(3), expected);
}

}  // namespace
}  // namespace hearth
