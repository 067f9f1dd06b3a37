// Every row of lib/arch, with and without experts, as a model that the test makes: it opens, and what a token gets does
// not depend on how tokens are grouped. The numbers themselves are the golden tests' business.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "support/family_model.h"
#include "support/rounding.h"

namespace {

using hearth::Architecture;
using hearth::Token;
using hearth::testing::FamilyModel;

constexpr int kVocab = FamilyModel::kVocab;
constexpr int kTokens = 90;

/// Relative difference by rounding alone. The longest sums run over the feed-forward's width and over all tokens; a
/// recurrent state is a sum over the tokens, too.
double rounding() {
  using namespace hearth::testing;
  return chain_difference(model_stages(FamilyModel::kLayers), std::max(FamilyModel::kFf, kTokens));
}

std::vector<Token> some_tokens(int n, int first) {
  std::vector<Token> ids;
  for (int i = 0; i < n; ++i) ids.push_back((first + 37 * i) % kVocab);
  return ids;
}

double relative(std::span<const float> a, std::span<const float> b) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
    norm += double{a[i]} * double{a[i]};
  }
  return std::sqrt(error / norm);
}

/// Logits of all tokens, `step` tokens a decode(); with `strangers`, beside a second sequence.
std::vector<float> run(const hearth::Model& model, const std::vector<Token>& tokens, size_t step, bool strangers,
                       const hearth::ThreadPool* pool = nullptr, hearth::KVType type = hearth::KVType::kF32) {
  auto session = hearth::Session::create(
      model,
      {.n_ctx = 400, .n_seqs = 2, .n_logits = 200, .k_type = type, .v_type = type, .n_threads = 1, .pool = pool});
  EXPECT_TRUE(session) << session.error().message;
  std::vector<float> logits;
  for (size_t at = 0; at < tokens.size(); at += step) {
    std::vector<hearth::BatchToken> batch;
    for (size_t i = at; i < std::min(tokens.size(), at + step); ++i) {
      if (strangers) batch.push_back({tokens[tokens.size() - 1 - i], static_cast<int32_t>(i), 1, false});
      batch.push_back({tokens[i], static_cast<int32_t>(i), 0, true});
    }
    const auto status = session->decode(batch);
    EXPECT_TRUE(status) << status.error().message;
    for (size_t i = 0; i < session->n_logits(); ++i)
      logits.insert(logits.end(), session->logits(i).begin(), session->logits(i).end());
  }
  return logits;
}

void expect_groupings_agree(const hearth::Model& model, const std::string& name) {
  const auto tokens = some_tokens(kTokens, 5);
  const auto whole = run(model, tokens, tokens.size(), false);
  ASSERT_TRUE(std::isfinite(whole.front())) << name;
  const auto one_by_one = run(model, tokens, 1, false);
  EXPECT_LE(relative(whole, one_by_one), rounding()) << name;
  // Many threads share heads and what else one thread does alone: the same bits.
  const hearth::ThreadPool many{.n_threads = 24, .run = [](int n, const std::function<void(int)>& task) {
                                  for (int i = n; i-- > 0;) task(i);
                                }};
  EXPECT_TRUE(one_by_one == run(model, tokens, 1, false, &many)) << name;
  for (const auto type : {hearth::KVType::kF16, hearth::KVType::kQ8_0}) {  // prompts are cut for the threads
    const auto alone = run(model, tokens, tokens.size(), false, nullptr, type);
    EXPECT_TRUE(alone == run(model, tokens, tokens.size(), false, &many, type)) << name;
  }
  EXPECT_LE(relative(whole, run(model, tokens, 13, false)), rounding()) << name;
  EXPECT_LE(relative(whole, run(model, tokens, tokens.size(), true)), rounding()) << name;
}

void expect_batches_agree(const hearth::Model& model, const std::string& name) {
  auto embedder = hearth::Embedder::create(model);
  ASSERT_TRUE(embedder) << name << ": " << embedder.error().message;
  const std::vector<std::vector<Token>> texts = {some_tokens(40, 1), some_tokens(3, 2), some_tokens(kTokens, 3)};
  const auto together = embedder->embed_tokens(texts);
  ASSERT_TRUE(together) << name << ": " << together.error().message;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto alone = embedder->embed_tokens(std::span(&texts[i], 1));
    ASSERT_TRUE(alone) << name << ": " << alone.error().message;
    EXPECT_LE(relative(alone->front().values, (*together)[i].values), rounding()) << name;
  }
}

TEST(EveryArchitecture, OpensAndGroupingDoesNotMatter) {
  for (const std::string& name : hearth::architecture_names()) {
    const Architecture& arch = *hearth::find_architecture(name);
    for (const bool experts : {false, true}) {
      const auto bytes = FamilyModel(arch, {.experts = experts}).gguf();
      const auto model = hearth::Model::from_memory(bytes);
      ASSERT_TRUE(model) << name << ": " << model.error().message;
      EXPECT_EQ(model->info().causal, arch.causal) << name;
      if (arch.causal) {
        expect_groupings_agree(*model, name);
      } else {
        expect_batches_agree(*model, name);
      }
    }
  }
}

TEST(EveryArchitecture, DistanceBiasIsTheSameBothWays) {
  const auto bytes = FamilyModel(*hearth::find_architecture("jina-bert-v2")).gguf();
  const auto model = hearth::Model::from_memory(bytes);
  ASSERT_TRUE(model) << model.error().message;
  auto embedder = hearth::Embedder::create(*model, {.pooling = hearth::Pooling::kMean});
  ASSERT_TRUE(embedder);
  // Tokens know nothing of their place but the distance to others: backwards is the same text, shuffled is not.
  const auto text = some_tokens(kTokens, 3);
  auto backwards = text, shuffled = text;
  std::reverse(backwards.begin(), backwards.end());
  std::rotate(shuffled.begin(), shuffled.begin() + 20, shuffled.begin() + 50);
  const auto all = embedder->embed_tokens(std::vector{text, backwards, shuffled});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_LE(relative((*all)[0].values, (*all)[1].values), rounding());
  EXPECT_GE(relative((*all)[0].values, (*all)[2].values), 1e-3);
}

TEST(EveryArchitecture, SlidingLayersKeepOnlyTheirWindow) {
  const auto kv_bytes = [](const char* name, int32_t n_ctx) {
    const auto bytes = FamilyModel(*hearth::find_architecture(name)).gguf();
    const auto plan = hearth::Model::from_memory(bytes)->plan({.n_ctx = n_ctx, .n_batch = 64});
    EXPECT_TRUE(plan) << plan.error().message;
    return static_cast<double>(plan->kv_cache_bytes);
  };
  // Of these four layers, Gemma 3 has none that sees everything, Gemma 2 two, Llama all. Tables grow with the context.
  constexpr double kTables = 24 << 10;
  EXPECT_NEAR(kv_bytes("gemma3", 4096), kv_bytes("gemma3", 8192), kTables);
  EXPECT_NEAR(kv_bytes("llama", 4096) * 2, kv_bytes("llama", 8192), kTables);
  EXPECT_NEAR(kv_bytes("gemma2", 8192) - kv_bytes("gemma2", 4096), kv_bytes("llama", 4096) / 2, kTables);
}

}  // namespace
