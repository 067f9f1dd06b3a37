// Texts far beyond the context: memory stays what it was, and making room is no pause that a reader would notice.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>

#include "hearth/hearth.h"
#include "lib/session/session_impl.h"
#include "support/family_model.h"
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

/// What every page of a cache holds, group by group.
std::vector<std::vector<std::byte>> contents(KVCache& cache) {
  std::vector<std::vector<std::byte>> all;
  for (const Sequences& group : KVCacheInternals::of(cache).groups) {
    for (int32_t page = 0; page < group.pool().n_pages(); ++page) {
      const std::byte* bytes = group.pool().bytes(page);
      all.emplace_back(bytes, bytes + group.layout().page_bytes);
    }
  }
  return all;
}

/// Fills a context and makes room in it, several times; the most pages that one time wrote to. Pages that moved count
/// where their keys were turned, or where they were copied.
int64_t most_pages_written(Session& session, int32_t keep) {
  KVCache& cache = session.cache();
  const auto n_ctx = static_cast<int32_t>(session.options().n_ctx);
  const uint64_t bytes = cache.stats().bytes_total;
  int64_t most = 0;
  for (int round = 0; round < 4; ++round) {
    std::vector<Token> more(static_cast<size_t>(n_ctx - cache.length(0)));
    for (size_t i = 0; i < more.size(); ++i) more[i] = static_cast<Token>(i * 7 + i * i) % 250;
    EXPECT_TRUE(session.prefill(more));
    const auto before = contents(cache);
    EXPECT_GE(session.make_room(0, OnFull::kShift, keep).value_or(0), (n_ctx - keep) / 2 - KVCache::kPageTokens);
    const auto after = contents(cache);
    int64_t written = 0;
    for (size_t i = 0; i < before.size(); ++i) written += before[i] != after[i];
    most = std::max(most, written);
    EXPECT_LE(cache.stats().pages_used, n_ctx / KVCache::kPageTokens);
  }
  EXPECT_EQ(cache.stats().bytes_total, bytes);
  return most;
}

/// So that making room costs about the same in a context of any size, and less than a step in one that is worth it.
TEST(Shift, WritesToThreePagesWhateverTheContext) {
  const auto bytes = testing::FamilyModel(*find_architecture("llama")).gguf();
  const auto model = Model::from_memory(bytes);
  ASSERT_TRUE(model) << model.error().message;
  const auto written = [&](int32_t n_ctx, KVType type, int32_t keep) {
    auto session = Session::create(*model, {.n_ctx = n_ctx, .k_type = type, .v_type = type, .n_threads = 1});
    EXPECT_TRUE(session) << session.error().message;
    return most_pages_written(*session, keep);
  };
  for (const KVType type : list_kv_types()) {
    EXPECT_EQ(written(1024, type, 0), 0) << kv_type_name(type);  // pages move as they are
    const int64_t with_kept = written(1024, type, 4);  // what is kept is joined, and two pages had a turn to come
    EXPECT_GE(with_kept, 1) << kv_type_name(type);
    EXPECT_LE(with_kept, 3) << kv_type_name(type);
  }
  EXPECT_LE(written(4096, KVType::kF16, 4), 3);
  EXPECT_LE(written(4096, KVType::kQ8_0, 300), 3);
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
  EXPECT_LE(median(with), 2 * median(without));
}

/// Processor time, which others on the machine do not add to.
double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// What making room takes, in normal steps at the end of the context, by the medians of three times.
double pause_in_steps(Session& session) {
  const auto n_ctx = static_cast<int32_t>(session.options().n_ctx);
  constexpr int32_t kSteps = 8;
  std::vector<double> pauses, steps;
  for (int round = 0; round < 3; ++round) {
    std::vector<BatchToken> fill;
    int32_t at = session.cache().length(0);
    for (; at < n_ctx - kSteps; ++at) fill.push_back({at % 1900, at, 0, false});
    EXPECT_TRUE(session.decode(fill));
    for (; at < n_ctx; ++at) {
      const BatchToken token{at % 1900, at, 0, true};
      const double before = processor_seconds();
      EXPECT_TRUE(session.decode({&token, 1}));
      steps.push_back(processor_seconds() - before);
    }
    const double before = processor_seconds();
    EXPECT_TRUE(session.make_room(0, OnFull::kShift, 4));
    pauses.push_back(processor_seconds() - before);
  }
  return median(pauses) / median(steps);
}

TEST(SlowShift, NoTypeOfCellsPausesForLong) {
  const auto model = Model::open(testing::source_dir() + "/examples/models/small-world-q8_0.gguf");
  ASSERT_TRUE(model) << model.error().message;
  for (const KVType type : list_kv_types()) {
    auto session = Session::create(*model, {.n_ctx = 4096, .k_type = type, .v_type = type, .n_threads = 1});
    ASSERT_TRUE(session) << session.error().message;
    const double pause = pause_in_steps(*session);
    std::printf("    %s: %.2f steps\n", kv_type_name(type), pause);
#ifndef __SANITIZE_ADDRESS__
    EXPECT_LE(pause, 1) << kv_type_name(type);  // with the step that follows it, two
#endif
  }
}

}  // namespace
}  // namespace hearth
