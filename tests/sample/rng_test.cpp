// The generator against published outputs.
#include <gtest/gtest.h>

#include "hearth/sampler.h"

namespace hearth {
namespace {

// xoshiro256++ after SplitMix64(0), as in the test vectors of the Zig and Rust libraries.
TEST(Rng, GivesThePublishedSequence) {
  Rng rng(0);
  const uint64_t expected[] = {0x53175d61490b23df, 0x61da6f3dc380d507, 0x5c0fdf91ec9a7bfc, 0x02eebf8c3bbe5e1a};
  for (uint64_t value : expected) EXPECT_EQ(rng.next(), value);
}

TEST(Rng, UniformLiesInTheUnitInterval) {
  Rng rng(7);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.01);
}

}  // namespace
}  // namespace hearth
