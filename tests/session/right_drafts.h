// Texts for tests of drafts, and what drafts that are always right do.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "hearth/hearth.h"

namespace hearth::testing {

inline std::vector<Token> some_text(int n) {
  std::vector<Token> ids;
  for (int i = 0; i < n; ++i) ids.push_back(3 + (i * 37 + i * i) % 290);
  return ids;
}

/// A greedy text of 60 tokens is the same with drafts of 5, every one of which is taken; six tokens come of a step, but
/// for some steps at its ends.
inline void expect_right_drafts(Session& session, Result<Speculator> made, int n_more, const char* name = "") {
  ASSERT_TRUE(made) << name << ": " << made.error().message;
  GenerateOptions o{.max_tokens = 60, .sampler = {.greedy = true}, .ignore_end = true};
  const auto plain = session.generate(std::span<const Token>(some_text(9)), o);
  o.speculator = &*made;
  const auto drafted = session.generate(std::span<const Token>(some_text(9)), o);
  ASSERT_TRUE(plain && drafted) << name;
  EXPECT_EQ(drafted->ids, plain->ids) << name;
  EXPECT_EQ(made->stats().accepted, made->stats().drafted) << name;
  EXPECT_LE(made->stats().steps, 60 / 6 + n_more) << name;
}

}  // namespace hearth::testing
