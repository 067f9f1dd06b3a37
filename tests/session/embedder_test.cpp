// Embedder over a model that the test makes itself: pooling, batches, truncation, errors.
#include "hearth/embedder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/rounding.h"
#include "support/tiny_model.h"

namespace {

using hearth::Embedder;
using hearth::ErrorCode;
using hearth::Pooling;
using hearth::Token;
using hearth::testing::TinyModel;

class Embedding : public ::testing::Test {
 protected:
  void SetUp() override {
    bytes_ = TinyModel().gguf();
    auto model = hearth::Model::from_memory(bytes_);
    ASSERT_TRUE(model) << model.error().message;
    model_.emplace(std::move(*model));
  }
  Embedder embedder(const hearth::EmbedderOptions& options = {}) {
    auto made = Embedder::create(*model_, options);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  static std::vector<Token> tokens(int n, int first) {
    std::vector<Token> ids;
    for (int i = 0; i < n; ++i) ids.push_back((first + 37 * i) % 300);
    return ids;
  }
  /// Hidden states [n, d_model] of one sequence.
  std::vector<std::vector<float>> hidden(const std::vector<Token>& ids) {
    auto session = hearth::Session::create(
        *model_, {.n_ctx = 256, .n_logits = 256, .k_type = hearth::KVType::kF32, .v_type = hearth::KVType::kF32});
    std::vector<hearth::BatchToken> batch;
    for (const Token id : ids) batch.push_back({id, static_cast<int32_t>(batch.size()), 0, true});
    EXPECT_TRUE(session->decode(batch));
    std::vector<std::vector<float>> rows;
    for (size_t i = 0; i < ids.size(); ++i) rows.emplace_back(session->hidden(i).begin(), session->hidden(i).end());
    return rows;
  }
  static void expect_near(std::span<const float> expected, std::span<const float> actual) {
    ASSERT_EQ(expected.size(), actual.size());
    double error = 0, norm = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      error += (double{expected[i]} - double{actual[i]}) * (double{expected[i]} - double{actual[i]});
      norm += double{expected[i]} * double{expected[i]};
    }
    const hearth::testing::TinyShape shape;
    EXPECT_LE(error, norm * hearth::testing::chain_nmse(hearth::testing::model_stages(shape.n_layers), shape.d_ff));
  }

  std::vector<std::byte> bytes_;
  std::optional<hearth::Model> model_;
};

TEST_F(Embedding, PoolsHiddenStates) {
  const std::vector<std::vector<Token>> texts = {tokens(7, 3), tokens(1, 9), tokens(70, 20)};
  for (const Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kLast}) {
    const auto vectors = embedder({.pooling = pooling, .normalize = false}).embed_tokens(texts);
    ASSERT_TRUE(vectors) << vectors.error().message;
    for (size_t i = 0; i < texts.size(); ++i) {
      const auto rows = hidden(texts[i]);
      std::vector<float> expected = pooling == Pooling::kLast ? rows.back() : rows.front();
      if (pooling == Pooling::kMean) {
        for (size_t d = 0; d < expected.size(); ++d) {
          double sum = 0;
          for (const auto& row : rows) sum += row[d];
          expected[d] = static_cast<float>(sum / static_cast<double>(rows.size()));
        }
      }
      expect_near(expected, (*vectors)[i].values);
      EXPECT_EQ((*vectors)[i].n_tokens, static_cast<int32_t>(texts[i].size()));
    }
  }
}

TEST_F(Embedding, TextsBesideItDoNotChangeAVector) {
  std::vector<std::vector<Token>> texts;
  for (int i = 0; i < 90; ++i) texts.push_back(tokens(1 + i % 23, i));
  auto alone = embedder({.batch_tokens = 1});
  const auto together = embedder().embed_tokens(texts);
  ASSERT_TRUE(together) << together.error().message;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto one = alone.embed_tokens(std::span(&texts[i], 1));
    ASSERT_TRUE(one) << one.error().message;
    expect_near(one->front().values, (*together)[i].values);
  }
}

TEST_F(Embedding, MemoryIsTakenForTheTextsThatCome) {
  auto e = embedder();
  const auto cache_after = [&](size_t n_texts, int n_tokens) {
    const std::vector<std::vector<Token>> texts(n_texts, tokens(n_tokens, 3));
    EXPECT_TRUE(e.embed_tokens(texts));
    return e.plan().kv_cache_bytes;
  };
  const uint64_t one = cache_after(1, 10), all = cache_after(64, 32);
  EXPECT_LT(8 * one, all);
  EXPECT_EQ(cache_after(1, 10), all) << "what was taken stays";
  EXPECT_EQ(cache_after(500, 32), all) << "more texts, more batches";
}

TEST_F(Embedding, FewerDimensionsAreALeadingPartOfLengthOne) {
  const std::vector<std::vector<Token>> text = {tokens(9, 4)};
  const auto all = embedder({.normalize = false}).embed_tokens(text);
  auto few = embedder({.dimensions = 5});
  EXPECT_EQ(few.dimensions(), 5);
  const auto cut = few.embed_tokens(text);
  ASSERT_TRUE(all && cut);
  const auto& values = cut->front().values;
  ASSERT_EQ(values.size(), 5u);
  EXPECT_NEAR(hearth::cosine_similarity(values, std::span(all->front().values).first(5)), 1.0f, 1e-6f);
  double squares = 0;
  for (const float v : values) squares += double{v} * double{v};
  EXPECT_NEAR(squares, 1.0, 1e-6);
}

TEST_F(Embedding, LongTextsAreRefusedOrCut) {
  const std::string text(2000, 'x');
  const auto refused = embedder().embed(text);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kContextFull);
  const auto cut = embedder({.truncate = true}).embed(text);
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_EQ(cut->n_tokens, model_->info().n_ctx_train);
}

TEST_F(Embedding, BadRequestsAreNamed) {
  EXPECT_EQ(Embedder::create(*model_, {.dimensions = 49}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Embedder::create(*model_, {.batch_tokens = 0}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Embedder::create(*model_, {.pooling = Pooling::kRank}).error().code, ErrorCode::kUnsupported);
  auto e = embedder();
  const std::vector<std::vector<Token>> empty = {{1, 2}, {}}, bad = {{1, 300}}, good = {{1, 2}};
  EXPECT_NE(e.embed_tokens(empty).error().message.find("text 1"), std::string::npos);
  EXPECT_EQ(e.embed_tokens(bad).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(e.embed_tokens(good)) << "usable after an error";
  EXPECT_TRUE(e.embed_tokens({})->empty());
}

TEST(CosineSimilarity, OfKnownVectors) {
  const std::vector<float> a = {1, 0}, b = {1, 1}, zero = {0, 0}, longer = {1, 0, 0};
  EXPECT_NEAR(hearth::cosine_similarity(a, b), std::sqrt(0.5f), 1e-6f);
  EXPECT_EQ(hearth::cosine_similarity(a, zero), 0.0f);
  EXPECT_EQ(hearth::cosine_similarity(a, longer), 0.0f);
}

}  // namespace
