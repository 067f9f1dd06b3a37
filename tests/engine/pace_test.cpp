// How much of waiting prompts a step of the engine takes, and how it is shared among them.
#include "lib/engine/pace.h"

#include <gtest/gtest.h>

#include <numeric>

namespace hearth {
namespace {

TEST(ShareOut, HalfToTheFirstAndTheRestToAll) {
  EXPECT_EQ(share_out(std::vector<int32_t>{1000, 1000}, 64), (std::vector<int32_t>{48, 16}));
  EXPECT_EQ(share_out(std::vector<int32_t>{1000, 10}, 64), (std::vector<int32_t>{54, 10}));
  EXPECT_EQ(share_out(std::vector<int32_t>{5, 1000, 1000}, 65), (std::vector<int32_t>{5, 40, 20}));
  EXPECT_EQ(share_out(std::vector<int32_t>{3, 4}, 64), (std::vector<int32_t>{3, 4}));
  EXPECT_TRUE(share_out({}, 64).empty());
}

TEST(ShareOut, GivesAllThatThereIs) {
  for (int32_t budget = 1; budget < 70; ++budget) {
    const std::vector<int32_t> left = {7, 1, 30, 2, 19};
    const auto shares = share_out(left, budget);
    EXPECT_EQ(std::accumulate(shares.begin(), shares.end(), 0), std::min(budget, 59));
    for (size_t i = 0; i < left.size(); ++i) EXPECT_LE(shares[i], left[i]);
  }
}

TEST(Pace, PromptsTakeTheirShareOfAStep) {
  Pace pace(2.0);
  EXPECT_EQ(pace.prompt_tokens(0, 1, 512), 512);
  EXPECT_EQ(pace.prompt_tokens(4, 1, 512), 32);  // nothing is known yet
  for (int i = 0; i < 50; ++i) pace.took(0.040, 4, 0);
  for (int i = 0; i < 50; ++i) pace.took(0.080, 4, 40);  // a millisecond per token beside the answers
  EXPECT_NEAR(pace.prompt_tokens(4, 1, 512), 40, 1);
  for (int i = 0; i < 50; ++i) pace.took(0.050, 0, 500);  // prompts alone are quicker
  EXPECT_NEAR(pace.prompt_tokens(4, 1, 512), 400, 5);
  EXPECT_EQ(pace.prompt_tokens(4, 1, 100), 96);
}

TEST(Pace, OneReaderDoesNotHoldUpMany) {
  Pace pace(2.0);
  for (int i = 0; i < 50; ++i) pace.took(0.040, 2, 0);
  for (int i = 0; i < 50; ++i) pace.took(0.080, 2, 40);
  EXPECT_NEAR(pace.prompt_tokens(2, 1, 512), 40, 1);
  EXPECT_NEAR(pace.prompt_tokens(2, 2, 512), 40, 1);
  EXPECT_NEAR(pace.prompt_tokens(2, 4, 512), 80, 2);
  EXPECT_NEAR(pace.prompt_tokens(2, 6, 512), 120, 3);
  EXPECT_NEAR(pace.prompt_tokens(2, 60, 512), 120, 3);  // and many do not stop one
}

TEST(Pace, ASlowPromptStillComesForward) {
  Pace pace(1.0);
  for (int i = 0; i < 50; ++i) pace.took(0.001, 4, 0), pace.took(1.0, 4, 10);
  EXPECT_EQ(pace.prompt_tokens(4, 1, 512), 8);
}

}  // namespace
}  // namespace hearth
