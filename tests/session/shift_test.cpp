// Texts far beyond the context: memory stays what it was, and making room is no pause that a reader would notice.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "hearth/hearth.h"
#include "support/paths.h"

namespace hearth {
namespace {

/// Kilobytes that are resident; 0: unknown.
int64_t resident() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    int64_t n = 0;
    if (word == "VmRSS:" && file >> n) return n;
  }
  return 0;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

TEST(SlowShift, TwentyThousandTokensInAContextOf4096) {
  const std::string folder = testing::source_dir() + "/examples/models";
  const auto model = Model::open(folder + "/small-world-q8_0.gguf");
  ASSERT_TRUE(model) << model.error().message;
  auto session = Session::create(*model, {.n_ctx = 4096, .n_threads = 1});
  ASSERT_TRUE(session) << session.error().message;
  constexpr size_t kTokens = 20000;
  std::vector<double> steps;
  std::vector<size_t> shifts;  // steps that made room
  int64_t early = 0;
  int32_t length = 0;
  steps.reserve(kTokens);
  auto last = std::chrono::steady_clock::now();
  GenerateOptions o{
      .max_tokens = kTokens, .sampler = {.temperature = 1}, .ignore_end = true, .on_full = OnFull::kShift};
  o.on_token = [&](const GeneratedToken&) {
    const auto now = std::chrono::steady_clock::now();
    const int32_t before = std::exchange(length, session->cache().length(0));
    if (length < before) shifts.push_back(steps.size());
    steps.push_back(std::chrono::duration<double>(now - last).count());
    if (steps.size() == kTokens / 2) early = resident();
    last = std::chrono::steady_clock::now();
    return true;
  };
  const auto made = session->generate("Once upon a time", o);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->ids.size(), kTokens);
  EXPECT_EQ(session->cache().stats().bytes_total, session->plan().kv_cache_bytes);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LE(resident(), early + 4096) << "after " << early;  // the text itself takes some
#endif
  ASSERT_GE(shifts.size(), 7u);
  std::vector<double> with, without;
  for (const size_t at : shifts) {
    with.push_back(steps[at]);
    for (size_t i = at - 50; i < at; ++i) without.push_back(steps[i]);
  }
  EXPECT_LE(median(with), 3 * median(without));  // a step, and a pause of at most two
}

}  // namespace
}  // namespace hearth
