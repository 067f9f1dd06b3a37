// trace_attention: the numbers are the stage's (tests/model/attention_stage_test.cpp compares them with an oracle);
// here what a session does around them.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "hearth/hearth.h"
#include "lib/arch/architecture.h"
#include "support/family_model.h"
#include "support/rounding.h"
#include "support/tiny_model.h"

namespace hearth::testing {
namespace {

std::vector<Token> some_tokens(int n) {
  std::vector<Token> ids;
  for (int i = 0; i < n; ++i) ids.push_back((5 + 37 * i) % 50);
  return ids;
}

Session session_of(const Model& model, SessionOptions options = {}) {
  options.n_ctx = 256;
  options.n_threads = 2;
  auto session = Session::create(model, options);
  EXPECT_TRUE(session) << session.error().message;
  return std::move(*session);
}

class Trace : public ::testing::Test {
 protected:
  std::vector<std::byte> bytes_ = TinyModel().gguf();
  Model model_ = *Model::from_memory(bytes_);
};

TEST_F(Trace, ComputesAsPrefillDoes) {
  const auto ids = some_tokens(100);
  Session traced = session_of(model_), plain = session_of(model_);
  const auto seen = trace_attention(traced, ids);
  ASSERT_TRUE(seen) << seen.error().message;
  ASSERT_TRUE(plain.prefill(ids));
  EXPECT_TRUE(std::equal(plain.logits(0).begin(), plain.logits(0).end(), traced.logits(0).begin()));
  EXPECT_EQ(traced.cache().length(0), 100);
  EXPECT_EQ(seen->layer, model_.info().n_layers - 1);
  EXPECT_EQ(seen->n_heads, model_.info().n_heads);
  EXPECT_EQ(seen->n_positions, 100);
  EXPECT_EQ(seen->values.size(), static_cast<size_t>(100 * seen->n_heads));
  // A session that is not asked again does nothing for it: the next prefill is an ordinary one.
  EXPECT_TRUE(traced.prefill(some_tokens(3)));
}

/// Largest difference of two sets of weights.
double difference(const AttentionWeights& a, const AttentionWeights& b) {
  EXPECT_EQ(a.values.size(), b.values.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(a.values.size(), b.values.size()); ++i) {
    largest = std::max(largest, std::abs(double{a.values[i]} - double{b.values[i]}));
  }
  return largest;
}

TEST_F(Trace, PartsOfAPromptMakeNoDifference) {
  const auto ids = some_tokens(150);
  SessionOptions floats{.k_type = KVType::kF32, .v_type = KVType::kF32};
  Session whole = session_of(model_, floats);
  const auto expected = trace_attention(whole, ids);
  floats.n_batch = 64;
  floats.n_seqs = 2;
  Session parts = session_of(model_, floats);
  const auto in_batches = trace_attention(parts, ids, {.seq = 1});
  ASSERT_TRUE(parts.prefill(std::span(ids).first(149)));
  const auto last_alone = trace_attention(parts, std::span(ids).last(1));
  ASSERT_TRUE(expected && in_batches && last_alone);
  EXPECT_LE(difference(*expected, *in_batches), 1e-5);
  EXPECT_LE(difference(*expected, *last_alone), 1e-5);
}

TEST_F(Trace, LayersDiffer) {
  const auto ids = some_tokens(20);
  Session session = session_of(model_, {.n_seqs = 2});
  const auto first = trace_attention(session, ids, {.seq = 0, .layer = 0});
  const auto last = trace_attention(session, ids, {.seq = 1});
  ASSERT_TRUE(first && last);
  EXPECT_EQ(first->layer, 0);
  EXPECT_GT(difference(*first, *last), 1e-3);
}

TEST_F(Trace, SaysWhatIsWrong) {
  Session session = session_of(model_);
  const auto code = [&](std::span<const Token> ids, const TraceOptions& options) {
    const auto seen = trace_attention(session, ids, options);
    return seen ? std::optional<ErrorCode>() : seen.error().code;
  };
  const std::vector<Token> ids = some_tokens(4), many = some_tokens(257), bad = {1, 999999};
  EXPECT_EQ(code(ids, {.layer = model_.info().n_layers}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(ids, {.seq = 7}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({}, {}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(bad, {}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(many, {}), ErrorCode::kContextFull);
  const std::atomic<bool> stop = true;
  EXPECT_EQ(code(ids, {.cancel = &stop}), ErrorCode::kCancelled);
  EXPECT_EQ(session.cache().length(0), 0);
  EXPECT_EQ(code(ids, {}), std::nullopt);
}

// Rows sum to 1 for every kind of attention that there is; sinks take a share of it.
TEST(TraceOfEveryArchitecture, SharesSumToOne) {
  int n_recurrent = 0;
  for (const std::string& name : architecture_names()) {
    const auto bytes = FamilyModel(*find_architecture(name)).gguf();
    const auto model = Model::from_memory(bytes);
    ASSERT_TRUE(model) << name;
    Session session = session_of(*model, {.n_batch = 256});
    const auto seen = trace_attention(session, some_tokens(90));
    ASSERT_TRUE(seen) << name << ": " << seen.error().message;
    const bool has_sinks = model->file().tensor("blk.0.attn_sinks.weight") != nullptr;
    for (int32_t head = 0; head < seen->n_heads; ++head) {
      double sum = 0;
      for (int32_t pos = 0; pos < 90; ++pos) sum += double{seen->values[static_cast<size_t>(head * 90 + pos)]};
      EXPECT_LE(sum, 1 + 1e-5) << name;
      EXPECT_GE(sum, has_sinks ? 0.1 : 1 - 1e-5) << name;
    }
    if (find_architecture(name)->recurrent) {
      const auto none = trace_attention(session, some_tokens(1), {.layer = 0});
      ASSERT_FALSE(none);
      EXPECT_EQ(none.error().code, ErrorCode::kUnsupported) << none.error().message;
      ++n_recurrent;
    }
  }
  EXPECT_GT(n_recurrent, 0);
}

}  // namespace
}  // namespace hearth::testing
