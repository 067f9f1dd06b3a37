// What a Result offers besides its value. Compiled with the check that hosts can ask for.
#define HEARTH_CHECK_RESULTS
#include "hearth/result.h"

#include <gtest/gtest.h>

#include <sstream>

namespace {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

/// A type of this file's own: no other file has these functions without checks.
struct Answer {
  int value;
};

TEST(Result, ValueOrAndText) {
  Result<Answer> good = Answer{42}, bad = Error{ErrorCode::kNotFound, "there is no answer"};
  EXPECT_EQ(good.value_or(Answer{1}).value, 42);
  EXPECT_EQ(bad.value_or(Answer{1}).value, 1);
  EXPECT_EQ(hearth::to_string(bad.error()), "not_found: there is no answer");
  std::ostringstream out;
  out << bad.error();
  EXPECT_EQ(out.str(), "not_found: there is no answer");
}

TEST(ResultDeathTest, TheValueOfAFailureStopsAHostThatAsksForTheCheck) {
  Result<Answer> bad = Error{ErrorCode::kNotFound, "there is no answer"};
  EXPECT_DEATH((void)bad->value, "the value of a failed result is used: there is no answer");
  EXPECT_DEATH((void)(*bad).value, "there is no answer");
}

}  // namespace
