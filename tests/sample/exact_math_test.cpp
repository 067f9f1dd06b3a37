// The sampler's own exp, log and pow against the platform's.
#include "lib/sample/exact_math.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hearth::sample {
namespace {

TEST(ExactMath, ExpAgreesWithThePlatform) {
  for (double x = -700; x <= 700; x += 0.37) EXPECT_NEAR(exact_exp(x) / std::exp(x), 1.0, 1e-14) << x;
  EXPECT_EQ(exact_exp(0), 1.0);
  EXPECT_EQ(exact_exp(-1000), 0.0);
  EXPECT_EQ(exact_exp(-kInfinity), 0.0);
  EXPECT_EQ(exact_exp(1000), kInfinity);
  EXPECT_TRUE(std::isnan(exact_exp(std::nan(""))));
}

TEST(ExactMath, LogAgreesWithThePlatform) {
  for (double x = 1e-300; x < 1e300; x *= 1.7)
    EXPECT_NEAR(exact_log(x), std::log(x), 1e-14 * std::abs(std::log(x))) << x;
  for (double x = 0.5; x < 2; x += 0.01) EXPECT_NEAR(exact_log(x), std::log(x), 2e-16) << x;
  EXPECT_EQ(exact_log(1), 0.0);
  EXPECT_EQ(exact_log(0), -kInfinity);
  EXPECT_EQ(exact_log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(exact_log(-1)));
}

TEST(ExactMath, Pow) {
  EXPECT_NEAR(exact_pow(1.75, 10), std::pow(1.75, 10), 1e-10);
  EXPECT_NEAR(exact_pow(0.3, 2.5), std::pow(0.3, 2.5), 1e-15);
  EXPECT_EQ(exact_pow(0, 2), 0.0);
  EXPECT_EQ(exact_pow(7, 0), 1.0);
  EXPECT_NEAR(exact_log2(1024), 10.0, 1e-14);
}

}  // namespace
}  // namespace hearth::sample
