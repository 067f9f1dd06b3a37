// How much of waiting prompts a step of the engine takes, and how it is shared among them.
#include "lib/engine/pace.h"

#include <gtest/gtest.h>

#include <limits>
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

/// What a machine takes: answers alone, and products of many columns.
struct Machine {
  double answers, once, per_token;

  void run(Pace& pace, int32_t n_answers, int32_t n_prompt) const {
    pace.took(n_prompt == 0 ? answers : once + per_token * (n_answers + n_prompt), n_answers, n_prompt);
  }
};

TEST(Pace, PromptsTakeTheirShareOfAStep) {
  Pace pace(2.0);
  EXPECT_EQ(pace.prompt_tokens(0, 1, 512), 512);
  EXPECT_EQ(pace.prompt_tokens(4, 1, 512), 0);  // how long such a step takes is seen first
  const Machine machine{.answers = 0.040, .once = 0.036, .per_token = 0.001};
  for (int i = 0; i < 50; ++i) machine.run(pace, 4, 0);
  EXPECT_EQ(pace.prompt_tokens(4, 1, 512), 32);  // no prompt was seen yet
  for (int i = 0; i < 50; ++i) machine.run(pace, 4, 40);
  EXPECT_NEAR(pace.prompt_tokens(4, 1, 512), 40, 1);
  for (int i = 0; i < 50; ++i) machine.run(pace, 0, 500);
  EXPECT_NEAR(pace.prompt_tokens(4, 1, 512), 40, 1);
  EXPECT_EQ(pace.prompt_tokens(4, 1, 30), 26);
}

TEST(Pace, OtherNumbersOfAnswersTakeWhatTheNearestDid) {
  Pace pace(2.0);
  const Machine machine{.answers = 0.040, .once = 0.038, .per_token = 0.001};
  for (int i = 0; i < 50; ++i) pace.took(0.020, 2, 0), machine.run(pace, 4, 0), machine.run(pace, 4, 10 + 10 * (i % 9));
  EXPECT_NEAR(pace.prompt_tokens(5, 1, 512), 40, 3);
  EXPECT_NEAR(pace.prompt_tokens(4, 1, 512), 40, 2);
  EXPECT_NEAR(pace.prompt_tokens(3, 1, 512), 20, 2);  // as two, which took half as long
  EXPECT_NEAR(pace.prompt_tokens(1, 1, 512), 20, 3);
  pace.took(0.030, 5, 0);
  EXPECT_LT(pace.prompt_tokens(5, 1, 512), pace.prompt_tokens(4, 1, 512));
}

TEST(Pace, OneReaderDoesNotHoldUpMany) {
  Pace pace(2.0);
  const Machine machine{.answers = 0.040, .once = 0.038, .per_token = 0.001};
  for (int i = 0; i < 50; ++i) machine.run(pace, 2, 0), machine.run(pace, 2, 10 * i);
  EXPECT_NEAR(pace.prompt_tokens(2, 1, 512), 40, 1);
  EXPECT_NEAR(pace.prompt_tokens(2, 2, 512), 40, 1);
  EXPECT_NEAR(pace.prompt_tokens(2, 4, 512), 80, 2);
  EXPECT_NEAR(pace.prompt_tokens(2, 6, 512), 120, 3);
  EXPECT_NEAR(pace.prompt_tokens(2, 60, 512), 320, 8);  // and many do not stop one
}

TEST(Pace, PartsAreLargeEnoughForTheirCost) {
  Pace pace(2.0);  // one answer reads weights in 30 ms; a product of many columns takes 80 at once: no time is left for
                   // its tokens
  const Machine machine{.answers = 0.030, .once = 0.080, .per_token = 0.001};
  int32_t n = 64;
  for (int i = 0; i < 200; ++i) {
    machine.run(pace, 1, 0);
    if (i % 8 == 0) machine.run(pace, 0, 128);
    machine.run(pace, 1, n);
    n = pace.prompt_tokens(1, 1, 512);
    EXPECT_GE(n, 32) << i;
  }
  EXPECT_NEAR(n, 51, 2);  // 51 ms at once, 51 for tokens
}

TEST(Pace, APromptThatGrowsLongKeepsToItsShare) {
  Pace pace(2.0);
  Machine machine{.answers = 0.072, .once = 0.080, .per_token = 0.0011};
  machine.run(pace, 0, 128);
  for (int i = 0; i < 40; ++i) machine.run(pace, 7, 0);
  for (int32_t done = 0; done < 2000;) {  // at its end a token costs two and a half times as much
    const int32_t n = pace.prompt_tokens(7, 1, 512);
    machine.per_token = 0.0011 + 0.0016 * done / 2000;
    EXPECT_LT(machine.once + machine.per_token * (7 + n), 2.4 * machine.answers) << done << " " << n;
    machine.run(pace, 7, n);
    done += n;
  }
}

TEST(Pace, NumbersOfAnswersAreSeenOnce) {
  Pace pace(2.0);
  for (const int32_t n : {1, 8, 9, 16, 17, 1000, std::numeric_limits<int32_t>::max()}) {
    pace.took(0.040, n, 0), pace.took(0.080, n, 40);
    EXPECT_GT(pace.prompt_tokens(n, 1, 64), 0) << n;
  }
  EXPECT_GT(pace.prompt_tokens(13, 1, 64), 0);  // as 9 to 16
}

TEST(Pace, ASlowPromptStillComesForward) {
  Pace pace(1.0);
  for (int i = 0; i < 50; ++i) pace.took(0.001, 4, 0), pace.took(1.0, 4, 10);
  EXPECT_EQ(pace.prompt_tokens(4, 1, 512), 8);
}

}  // namespace
}  // namespace hearth
