// Rows of floats: every instruction set against the reference, over awkward sizes, misaligned and guarded.
#include <functional>

#include "tests/support/kernel_test.h"
#include "tests/support/rounding.h"

namespace hearth::test {
namespace {

using kernels::Gate;
using kernels::KernelTable;

const std::vector<size_t> kSizes = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 257, 1000, 2048};
constexpr double kUnit = testing::kRoundoff;
constexpr double kLargest = 6;  // of normal numbers, in standard deviations
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class VectorOps : public EveryIsa {
 protected:
  using Op = std::function<void(const KernelTable&, float* y, const float* x, const float* w, int64_t n)>;

  /// Differences that rounding allows between two correct kernels for rows of n: relative to the result, and absolute.
  struct Bounds {
    double relative = 0, absolute = 0;
  };
  using BoundsOf = std::function<Bounds(double n)>;

  /// Runs op with y = a, x = b, w = c on both tables and compares y.
  void compare(const Op& op, const BoundsOf& bounds_of, float sigma = 2.0f) {
    std::mt19937 random = rng(1);
    for (size_t n : kSizes) {
      for (size_t shift : {size_t{0}, size_t{1}, size_t{5}}) {
        Guarded<float> y(n, shift), x(n, shift), w(n, (shift * 3) % 16);
        fill_normal(y, random, sigma);
        fill_normal(x, random, sigma);
        fill_normal(w, random, 1.0f);
        std::vector<float> expected(y.data(), y.data() + n);
        op(reference(), expected.data(), x.data(), w.data(), static_cast<int64_t>(n));
        op(isa(), y.data(), x.data(), w.data(), static_cast<int64_t>(n));
        EXPECT_TRUE(y.intact() && x.intact() && w.intact()) << "n = " << n;
        const Bounds bounds = bounds_of(static_cast<double>(n));
        for (size_t i = 0; i < n; ++i) {
          ASSERT_TRUE(close(y[i], expected[i], bounds.relative, bounds.absolute)) << "element " << i << " of " << n;
        }
      }
    }
  }
};

TEST_P(VectorOps, Elementwise) {
  const auto same = [](double) { return Bounds{}; };
  compare([](auto& t, float* y, const float* x, const float*, int64_t n) { t.add(y, x, n); }, same);
  compare([](auto& t, float* y, const float*, const float*, int64_t n) { t.scale(y, 0.37f, n); }, same);
  // A product and a sum, each rounded or not.
  constexpr double kSigma = 2, kSum = 1.37 * kLargest * kSigma;
  compare([](auto& t, float* y, const float* x, const float*, int64_t n) { t.axpy(y, 0.37f, x, n); },
          [](double) { return Bounds{.absolute = 2 * kUnit * kSum}; });
}

TEST_P(VectorOps, Norms) {
  // Half of the error of a sum of squares, of both sides; root, quotient and products have a unit each.
  const auto rms = [](double n) { return Bounds{.relative = testing::sum_error(n) + 8 * kUnit}; };
  compare([](auto& t, float* y, const float* x, const float* w, int64_t n) { t.rms_norm(y, x, w, n, 1e-5f); }, rms);
  compare([](auto& t, float* y, const float* x, const float*, int64_t n) { t.rms_norm(y, x, nullptr, n, 1e-5f); }, rms);
  compare([](auto& t, float* y, const float*, const float* w, int64_t n) { t.rms_norm(y, y, w, n, 1e-5f); }, rms);
  // Besides, the mean is off by the error of its sum, in units of the deviation, times a weight.
  const auto layer = [&](double n) {
    return Bounds{.relative = rms(n).relative, .absolute = kLargest * testing::sum_difference(n)};
  };
  compare([](auto& t, float* y, const float* x, const float* w, int64_t n) { t.layer_norm(y, x, w, w, n, 1e-5f); },
          layer);
  compare(
      [](auto& t, float* y, const float*, const float*, int64_t n) { t.layer_norm(y, y, nullptr, nullptr, n, 1e-5f); },
      layer);
}

/// exp and its kin on both sides: the rounding of the argument becomes a relative error of the result, which itself has
/// up to 8 units. Beyond 88 a float has no exp.
double exp_difference(double argument) {
  return 2 * (8 + std::fmin(argument, 88)) * kUnit;
}

TEST_P(VectorOps, Gates) {
  for (Gate gate : {Gate::kSilu, Gate::kGelu, Gate::kReluSquared, Gate::kSwigluClamped}) {
    SCOPED_TRACE(static_cast<int>(gate));
    const auto gated = [=](auto& t, float* y, const float* g, const float* u, int64_t n) {
      t.gate_mul(y, g, u, n, gate);
    };
    // The argument of GELU's tanh grows with the cube.
    const auto bounds = [](double) { return Bounds{exp_difference(88), 1e-12}; };
    compare(gated, bounds, 3.0f);
    compare([=](auto& t, float* y, const float* g, const float*, int64_t n) { t.gate_mul(y, g, nullptr, n, gate); },
            bounds, 3.0f);
    compare([=](auto& t, float* y, const float*, const float* u, int64_t n) { t.gate_mul(y, y, u, n, gate); }, bounds,
            1.0f);
    compare(gated, bounds, 8.0f);
  }
}

TEST_P(VectorOps, GateExtremes) {
  const std::vector<float> extremes = {0.0f, -0.0f, 1e-30f, -1e-30f, 88.0f, -88.0f, 100.0f, 1e4f, kInf, kNan, 3e38f};
  for (Gate gate : {Gate::kSilu, Gate::kGelu, Gate::kReluSquared, Gate::kSwigluClamped}) {
    std::vector<float> y(extremes.size()), expected(extremes.size());
    const int64_t n = static_cast<int64_t>(extremes.size());
    isa().gate_mul(y.data(), extremes.data(), nullptr, n, gate);
    reference().gate_mul(expected.data(), extremes.data(), nullptr, n, gate);
    for (size_t i = 0; i < y.size(); ++i) {
      if (std::isnan(extremes[i]) && gate == Gate::kReluSquared) continue;
      EXPECT_TRUE(close(y[i], expected[i], exp_difference(88), 1e-30))
          << "gate " << static_cast<int>(gate) << " of " << extremes[i];
    }
  }
}

TEST_P(VectorOps, Hadamard) {
  std::mt19937 random = rng(21);
  for (int64_t size = 1; size <= kernels::kMostHadamard; size *= 2) {
    const auto n = static_cast<size_t>(3 * size);
    std::vector<float> x(n);
    for (float& element : x) element = std::normal_distribution<float>()(random);
    std::vector<float> actual = x, expected = x;
    isa().hadamard(actual.data(), 3 * size, size);
    reference().hadamard(expected.data(), 3 * size, size);
    EXPECT_EQ(actual, expected) << size;
    double first = 0;
    for (int64_t i = 0; i < size; ++i) first += double{x[static_cast<size_t>(size + i)]};
    EXPECT_NEAR(actual[static_cast<size_t>(size)], first / std::sqrt(double(size)), 1e-5);
    isa().hadamard(actual.data(), 3 * size, size);  // its own inverse
    for (size_t i = 0; i < n; ++i) EXPECT_NEAR(actual[i], x[i], 1e-5);
  }
}

TEST_P(VectorOps, SoftCap) {
  // Quotient, tanh and product: tanh forgives the rounding of its argument.
  const auto bounds = [](double) { return Bounds{.relative = exp_difference(0)}; };
  compare([](auto& t, float* y, const float*, const float*, int64_t n) { t.soft_cap(y, 30.0f, n); }, bounds);
  compare([](auto& t, float* y, const float*, const float*, int64_t n) { t.soft_cap(y, 5.0f, n); }, bounds, 20.0f);
  std::vector<float> y = {kInf, -kInf, kNan, 0.0f, 1e-20f, 3e38f};
  isa().soft_cap(y.data(), 30.0f, 6);
  EXPECT_EQ(y[0], 30.0f);
  EXPECT_EQ(y[1], -30.0f);
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_EQ(y[3], 0.0f);
  EXPECT_TRUE(close(y[4], 1e-20f, exp_difference(0), 0));
  EXPECT_EQ(y[5], 30.0f);
}

TEST_P(VectorOps, Softmax) {
  const auto softmax = [](auto& t, float* y, const float*, const float*, int64_t n) { t.softmax(y, n); };
  for (const float sigma : {3.0f, 60.0f}) {
    const auto bounds = [=](double n) {
      return Bounds{exp_difference(2 * kLargest * double{sigma}) + testing::sum_difference(n), 1e-37};
    };
    compare(softmax, bounds, sigma);
  }
}

TEST_P(VectorOps, SoftmaxExtremes) {
  std::vector<float> y = {-kInf, 0.0f, -kInf, 1e30f, 1e30f, -3e38f, 5.0f, 1.0f, 2.0f, -kInf};
  isa().softmax(y.data(), 10);
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(y[i], i == 3 || i == 4 ? 0.5f : 0.0f);
}

TEST_P(VectorOps, Dot) {
  std::mt19937 random = rng(2);
  for (size_t n : kSizes) {
    Guarded<float> x(n, 3), y(n, 7);
    fill_normal(x, random);
    fill_normal(y, random);
    double magnitude = 0;
    for (size_t i = 0; i < n; ++i) magnitude += std::fabs(double{x[i]} * y[i]);
    const float actual = isa().dot(x.data(), y.data(), static_cast<int64_t>(n));
    const float expected = reference().dot(x.data(), y.data(), static_cast<int64_t>(n));
    EXPECT_NEAR(actual, expected, testing::sum_difference(static_cast<double>(n)) * magnitude) << n;
  }
}

TEST_P(VectorOps, Rope) {
  std::mt19937 random = rng(3);
  for (size_t n : {2, 4, 6, 16, 30, 32, 34, 62, 64, 66, 96, 128, 250, 256}) {
    for (bool pairs : {false, true}) {
      Guarded<float> x(n, 1), cs(n, 5);
      fill_normal(x, random);
      fill_normal(cs, random);
      std::vector<float> expected(x.data(), x.data() + n);
      const auto run = [&](const KernelTable& t, float* row) {
        (pairs ? t.rope_pairs : t.rope_halves)(row, cs.data(), static_cast<int64_t>(n));
      };
      run(reference(), expected.data());
      run(isa(), x.data());
      EXPECT_TRUE(x.intact() && cs.intact());
      constexpr double kSum = 2 * kLargest * kLargest;  // of two products, which are rounded or not, as their sum is
      for (size_t i = 0; i < n; ++i)
        ASSERT_TRUE(close(x[i], expected[i], 0, 2 * kUnit * kSum)) << n << (pairs ? " pairs" : " halves");
    }
  }
}

HEARTH_INSTANTIATE_EVERY_ISA(VectorOps);

}  // namespace
}  // namespace hearth::test
