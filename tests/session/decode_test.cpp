// Session::decode against the float64 oracle of a model that the test makes itself.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "support/rounding.h"
#include "support/tiny_model.h"

namespace {

using hearth::BatchToken;
using hearth::ErrorCode;
using hearth::Token;
using hearth::testing::TinyModel;

std::vector<Token> some_tokens(int n, int n_vocab, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Token> tokens;
  for (int i = 0; i < n; ++i) tokens.push_back(static_cast<Token>(random() % static_cast<unsigned>(n_vocab)));
  return tokens;
}

class Decode : public ::testing::Test {
 protected:
  void SetUp() override {
    bytes_ = tiny_.gguf();
    auto model = hearth::Model::from_memory(bytes_);
    ASSERT_TRUE(model) << model.error().message;
    model_.emplace(std::move(*model));
  }
  hearth::Session session(hearth::SessionOptions options = {}) {
    if (options.n_ctx == 0) options.n_ctx = 256;
    if (options.n_logits == 0) options.n_logits = options.n_ctx;
    if (options.n_threads == 0) options.n_threads = 2;
    auto session = hearth::Session::create(*model_, options);
    EXPECT_TRUE(session) << session.error().message;
    return std::move(*session);
  }
  static std::vector<BatchToken> batch(const std::vector<Token>& tokens, int from, int to, hearth::SeqId seq = 0) {
    std::vector<BatchToken> out;
    for (int i = from; i < to; ++i) out.push_back({tokens[static_cast<size_t>(i)], i, seq, true});
    return out;
  }
  /// Relative mean square error of a row by rounding alone; the longest sums run over the feed-forward's width or over
  /// the tokens that attention sees.
  static double rounding(size_t row) {
    const hearth::testing::TinyShape shape;
    const size_t n_terms = std::max(static_cast<size_t>(shape.d_ff), row + 1);
    return hearth::testing::chain_nmse(hearth::testing::model_stages(shape.n_layers), static_cast<double>(n_terms));
  }
  static void expect_row(const std::vector<double>& oracle, size_t row, std::span<const float> logits) {
    expect_row(oracle, row, logits, rounding(row));
  }
  static void expect_row(const std::vector<double>& oracle, size_t row, std::span<const float> logits,
                         double tolerance) {
    ASSERT_FALSE(logits.empty());
    double error = 0, norm = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      const double expected = oracle[row * logits.size() + i];
      error += (expected - logits[i]) * (expected - logits[i]);
      norm += expected * expected;
    }
    EXPECT_LE(error / norm, tolerance) << "row " << row;
  }

  TinyModel tiny_;
  std::vector<std::byte> bytes_;
  std::optional<hearth::Model> model_;
};

TEST_F(Decode, PromptMatchesTheOracle) {
  const auto tokens = some_tokens(150, 300, 7);
  const auto oracle = tiny_.logits(tokens);
  auto s = session({.k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32});
  ASSERT_TRUE(s.decode(batch(tokens, 0, 150)));
  ASSERT_EQ(s.n_logits(), 150u);
  for (size_t t = 0; t < 150; ++t) expect_row(oracle, t, s.logits(t));
}

TEST_F(Decode, AnyGroupingGivesTheSame) {
  const auto tokens = some_tokens(100, 300, 8);
  const auto oracle = tiny_.logits(tokens);
  for (const int step : {1, 3, 17, 64}) {
    auto s = session({.k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32});
    for (int at = 0; at < 100; at += step) {
      const int end = std::min(100, at + step);
      ASSERT_TRUE(s.decode(batch(tokens, at, end)));
      for (int t = at; t < end; ++t) expect_row(oracle, static_cast<size_t>(t), s.logits(static_cast<size_t>(t - at)));
    }
  }
}

TEST_F(Decode, BatchesLargerThanNBatchAreSplit) {
  const auto tokens = some_tokens(100, 300, 9);
  const auto oracle = tiny_.logits(tokens);
  auto s = session({.n_batch = 16, .k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32});
  ASSERT_TRUE(s.decode(batch(tokens, 0, 100)));
  for (size_t t = 0; t < 100; ++t) expect_row(oracle, t, s.logits(t));
}

TEST_F(Decode, StrangersInABatchDoNotMatter) {
  const auto a = some_tokens(40, 300, 10), b = some_tokens(40, 300, 11);
  const auto oracle_a = tiny_.logits(a), oracle_b = tiny_.logits(b);
  auto s = session({.n_seqs = 2, .k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32});
  std::vector<BatchToken> mixed;
  for (int i = 0; i < 40; ++i) {
    mixed.push_back({a[static_cast<size_t>(i)], i, 0, true});
    mixed.push_back({b[static_cast<size_t>(i)], i, 1, true});
  }
  ASSERT_TRUE(s.decode(mixed));
  for (size_t t = 0; t < 40; ++t) {
    expect_row(oracle_a, t, s.logits(2 * t));
    expect_row(oracle_b, t, s.logits(2 * t + 1));
  }
}

TEST_F(Decode, OnlyWantedLogitsAreComputed) {
  const auto tokens = some_tokens(30, 300, 12);
  const auto oracle = tiny_.logits(tokens);
  auto s = session({.k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32});
  auto wanted = batch(tokens, 0, 30);
  for (BatchToken& token : wanted) token.logits = token.pos == 4 || token.pos == 29;
  ASSERT_TRUE(s.decode(wanted));
  ASSERT_EQ(s.n_logits(), 2u);
  expect_row(oracle, 4, s.logits(0));
  expect_row(oracle, 29, s.logits(1));
  EXPECT_TRUE(s.logits(2).empty());
}

TEST_F(Decode, CopiedSequencesGoTheirOwnWay) {
  auto a = some_tokens(90, 300, 13);
  auto b = a;
  for (size_t i = 70; i < 90; ++i) b[i] = (b[i] + 17) % 300;
  const auto oracle_a = tiny_.logits(a), oracle_b = tiny_.logits(b);
  auto s = session({.n_seqs = 2, .k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32});
  ASSERT_TRUE(s.decode(batch(a, 0, 80)));
  ASSERT_TRUE(s.cache().copy(0, 1, 0, 70));  // ends inside a shared page
  EXPECT_GT(s.cache().stats().pages_shared, 0);
  EXPECT_EQ(s.cache().length(1), 70);
  ASSERT_TRUE(s.decode(batch(b, 70, 90, 1)));
  for (size_t t = 70; t < 90; ++t) expect_row(oracle_b, t, s.logits(t - 70));
  ASSERT_TRUE(s.decode(batch(a, 80, 90, 0)));
  for (size_t t = 80; t < 90; ++t) expect_row(oracle_a, t, s.logits(t - 80));
}

TEST_F(Decode, TrimmedPositionsAreComputedAnew) {
  const auto a = some_tokens(50, 300, 14);
  auto s = session({.k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32});
  auto other = a;
  for (size_t i = 20; i < 50; ++i) other[i] = (other[i] + 5) % 300;
  ASSERT_TRUE(s.decode(batch(other, 0, 50)));
  ASSERT_TRUE(s.cache().trim(0, 20));
  ASSERT_TRUE(s.decode(batch(a, 20, 50)));
  const auto oracle = tiny_.logits(a);
  for (size_t t = 20; t < 50; ++t) expect_row(oracle, t, s.logits(t - 20));
}

TEST_F(Decode, LongContextsInPiecesMatch) {
  hearth::testing::TinyShape shape;
  shape.n_ctx = 2048;
  const TinyModel tiny(shape);
  const auto bytes = tiny.gguf();
  auto model = hearth::Model::from_memory(bytes);
  ASSERT_TRUE(model) << model.error().message;
  const auto tokens = some_tokens(1300, 300, 15);
  const auto oracle = tiny.logits(tokens);
  auto s = hearth::Session::create(*model, {.n_ctx = 1400,
                                            .n_logits = 1400,
                                            .k_type = hearth::KVType::kF32,
                                            .v_type = hearth::KVType::kF32,
                                            .n_threads = 2});
  ASSERT_TRUE(s);
  ASSERT_TRUE(s->decode(batch(tokens, 0, 1299)));
  expect_row(oracle, 1298, s->logits(1298));
  ASSERT_TRUE(s->decode(batch(tokens, 1299, 1300)));  // one token: pieces are shared out
  expect_row(oracle, 1299, s->logits(0));
}

TEST_F(Decode, HalfCellsAreClose) {
  const auto tokens = some_tokens(64, 300, 16);
  const auto oracle = tiny_.logits(tokens);
  for (const auto type : {hearth::KVType::kF16, hearth::KVType::kBF16}) {
    auto s = session({.k_type = type, .v_type = type});
    ASSERT_TRUE(s.decode(batch(tokens, 0, 64)));
    const double roundoff =
        type == hearth::KVType::kF16 ? hearth::testing::kF16Roundoff : hearth::testing::kBF16Roundoff;
    const double tolerance = hearth::testing::entries_nmse(hearth::testing::TinyShape{}.n_layers, roundoff);
    for (size_t t = 0; t < 64; ++t) expect_row(oracle, t, s.logits(t), tolerance);
  }
}

TEST_F(Decode, ThreadsDoNotChangeABit) {
  const auto tokens = some_tokens(120, 300, 17);
  for (const auto type : hearth::list_kv_types()) {
    std::vector<float> first;
    for (const int threads : {1, 2, 4}) {
      auto s = session({.k_type = type, .v_type = type, .n_threads = threads});
      ASSERT_TRUE(s.decode(batch(tokens, 0, 119)));
      ASSERT_TRUE(s.decode(batch(tokens, 119, 120)));
      const std::vector<float> logits(s.logits(0).begin(), s.logits(0).end());
      if (first.empty()) first = logits;
      EXPECT_EQ(0, std::memcmp(first.data(), logits.data(), first.size() * sizeof(float))) << threads;
    }
  }
}

TEST_F(Decode, BatchInvariantOptionGivesEqualBits) {
  const auto tokens = some_tokens(60, 300, 18);
  std::vector<float> first;
  for (const int step : {1, 7, 60}) {
    auto s = session({.batch_invariant = true});
    for (int at = 0; at < 60; at += step) ASSERT_TRUE(s.decode(batch(tokens, at, std::min(60, at + step))));
    const auto last = s.logits(s.n_logits() - 1);
    const std::vector<float> logits(last.begin(), last.end());
    if (first.empty()) first = logits;
    EXPECT_EQ(0, std::memcmp(first.data(), logits.data(), first.size() * sizeof(float))) << step;
  }
}

TEST_F(Decode, ErrorsLeaveTheSessionUsable) {
  const auto tokens = some_tokens(64, 300, 19);
  auto s = session({.n_ctx = 40, .n_logits = 40, .k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32});
  ASSERT_TRUE(s.decode(batch(tokens, 0, 30)));
  const auto full = s.decode(batch(tokens, 30, 50));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kContextFull);
  EXPECT_EQ(s.cache().length(0), 30);
  const BatchToken bad_id{300, 30, 0, true};
  EXPECT_EQ(s.decode({&bad_id, 1}).error().code, ErrorCode::kInvalidArgument);
  const BatchToken taken{5, 29, 0, true};
  EXPECT_EQ(s.decode({&taken, 1}).error().code, ErrorCode::kInvalidArgument);
  const BatchToken no_sequence{5, 0, 1, true};
  EXPECT_EQ(s.decode({&no_sequence, 1}).error().code, ErrorCode::kInvalidArgument);
  const BatchToken negative{5, -1, 0, true};
  EXPECT_EQ(s.decode({&negative, 1}).error().code, ErrorCode::kInvalidArgument);
  const BatchToken twice[2] = {{5, 30, 0, true}, {5, 30, 0, true}};
  EXPECT_EQ(s.decode(twice).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(s.decode(batch(tokens, 30, 40)));
  const auto oracle = tiny_.logits(tokens);
  for (size_t t = 30; t < 40; ++t) expect_row(oracle, t, s.logits(t - 30));
}

TEST_F(Decode, OptionsOutOfRangeAreNamed) {
  for (const hearth::SessionOptions& options :
       {hearth::SessionOptions{.n_ctx = -1}, hearth::SessionOptions{.n_seqs = 0}, hearth::SessionOptions{.n_batch = 0},
        hearth::SessionOptions{.n_logits = -2}, hearth::SessionOptions{.n_threads = -1}}) {
    const auto s = hearth::Session::create(*model_, options);
    ASSERT_FALSE(s);
    EXPECT_EQ(s.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(s.error().message.find("n_"), std::string::npos) << s.error().message;
  }
}

TEST_F(Decode, PlanIsWhatASessionAllocates) {
  const hearth::SessionOptions options{.n_ctx = 128, .n_seqs = 3};
  const auto before = model_->plan(options);
  ASSERT_TRUE(before);
  const auto s = hearth::Session::create(*model_, options);
  ASSERT_TRUE(s);
  EXPECT_EQ(s->plan().total(), before->total());
  EXPECT_EQ(before->kv_cache_bytes, s->cache().stats().bytes_total);
  EXPECT_EQ(before->weights_bytes, bytes_.size());
}

TEST_F(Decode, GreedyGenerationIsTheOraclesArgmax) {
  auto s = session({.k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32});
  hearth::GenerateOptions options;
  options.max_tokens = 20;
  options.sampler.greedy = true;
  options.ignore_end = true;
  const auto result = s.generate("abcd", options);
  ASSERT_TRUE(result) << result.error().message;
  std::vector<Token> all = result->prompt_ids;
  for (const Token id : result->ids) {
    const auto oracle = tiny_.logits(all);
    const auto last = oracle.end() - 300;
    EXPECT_EQ(id, std::max_element(last, oracle.end()) - last);
    all.push_back(id);
  }
  EXPECT_EQ(result->stop_reason, hearth::StopReason::kLength);
  EXPECT_EQ(result->ids.size(), 20u);
}

TEST_F(Decode, GenerationStopsWhenTheContextIsFull) {
  auto s = session({.n_ctx = 16, .n_logits = 1});
  hearth::GenerateOptions options;
  options.max_tokens = -1;
  options.ignore_end = true;
  const auto result = s.generate("ab", options);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->stop_reason, hearth::StopReason::kContextFull);
  const auto too_long = s.generate(std::string(100, 'x'), options);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, ErrorCode::kContextFull);
  EXPECT_TRUE(s.generate("ab", options)) << "usable after an error";
}

TEST_F(Decode, StopTextsEndTheTextBeforeThem) {
  auto s = session();
  hearth::GenerateOptions options;
  options.max_tokens = 30;
  options.ignore_end = true;
  const auto whole = s.generate("ab", options);
  ASSERT_TRUE(whole);
  const std::string stop = whole->text.substr(whole->text.size() / 2, 2);
  options.stop_texts = {stop};
  std::string streamed;
  const auto cut = s.generate("ab", options, [&](std::string_view piece) { return streamed += piece, true; });
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->stop_reason, hearth::StopReason::kStopText);
  EXPECT_EQ(cut->text, whole->text.substr(0, whole->text.find(stop)));
  EXPECT_EQ(streamed, cut->text);
}

}  // namespace
