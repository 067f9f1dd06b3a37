// Session::generate and prefill: prompts of three kinds, callbacks, cancelling, embeddings with more rows than tokens.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/tiny_model.h"

namespace {

using hearth::BatchToken;
using hearth::ErrorCode;
using hearth::GeneratedToken;
using hearth::GenerateOptions;
using hearth::Session;
using hearth::StopReason;
using hearth::Token;
using hearth::testing::TinyModel;
using hearth::testing::TinyShape;

/// A model and a session over it.
class Generate : public ::testing::Test {
 protected:
  void open(const TinyShape& shape = {}, hearth::SessionOptions options = {}) {
    bytes_ = TinyModel(shape).gguf();
    auto model = hearth::Model::from_memory(bytes_);
    ASSERT_TRUE(model) << model.error().message;
    model_.emplace(std::move(*model));
    options.n_threads = 1;
    auto session = Session::create(*model_, options);
    ASSERT_TRUE(session) << session.error().message;
    session_.emplace(std::move(*session));
  }
  static GenerateOptions greedy(int32_t max_tokens) {
    return {.max_tokens = max_tokens, .sampler = {.greedy = true}, .ignore_end = true};
  }

  std::vector<std::byte> bytes_;
  std::optional<hearth::Model> model_;
  std::optional<Session> session_;
};

TEST_F(Generate, ATextItsTokensAndARenderedPromptAreTheSamePrompt) {
  open();
  const auto text = session_->generate("abcd", greedy(12));
  ASSERT_TRUE(text) << text.error().message;
  const auto tokens = session_->generate(text->prompt_ids, greedy(12));
  ASSERT_TRUE(tokens) << tokens.error().message;
  EXPECT_EQ(tokens->ids, text->ids);
  EXPECT_EQ(tokens->text, text->text);
  hearth::ChatPrompt rendered;
  rendered.pieces.push_back({"abcd", false});
  const auto chat = session_->generate(rendered, greedy(12));
  ASSERT_TRUE(chat) << chat.error().message;
  EXPECT_EQ(chat->prompt_ids, text->prompt_ids);
  EXPECT_EQ(chat->ids, text->ids);
}

TEST_F(Generate, ARenderedPromptKeepsMarkersOfUsersAsText) {
  open();
  hearth::ChatPrompt prompt;
  prompt.pieces = {{"</s>", true}, {"</s>", false}};
  const auto made = session_->generate(prompt, greedy(1));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(std::count(made->prompt_ids.begin(), made->prompt_ids.end(), *model_->tokenizer().eos()), 1);
}

TEST_F(Generate, EveryTokenIsToldWithItsProbability) {
  open();
  std::vector<Token> ids;
  std::string text;
  GenerateOptions options = greedy(10);
  options.on_token = [&](const GeneratedToken& token) {
    ids.push_back(token.id);
    text += token.text;
    EXPECT_GT(token.probability, 0);
    EXPECT_LE(token.probability, 1);
    EXPECT_EQ(token.finished, ids.size() == 10);
    return true;
  };
  const auto made = session_->generate("ab", options);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(ids, made->ids);
  EXPECT_EQ(text, made->text);
}

TEST_F(Generate, CallbacksStopIt) {
  open();
  GenerateOptions options = greedy(50);
  int n = 0;
  options.on_token = [&](const GeneratedToken&) { return ++n < 4; };
  const auto by_token = session_->generate("ab", options);
  ASSERT_TRUE(by_token);
  EXPECT_EQ(by_token->stop_reason, StopReason::kCallback);
  EXPECT_EQ(by_token->ids.size(), 4u);
  std::string said;
  const auto by_text = session_->generate("ab", greedy(50), [&](std::string_view piece) {
    said += piece;
    return said.size() < 3;
  });
  ASSERT_TRUE(by_text);
  EXPECT_EQ(by_text->stop_reason, StopReason::kCallback);
  EXPECT_EQ(by_text->text, said);
}

TEST_F(Generate, ThePromptsProgressIsToldAndCanCancel) {
  open({}, {.n_batch = 4});
  const std::vector<Token> prompt(10, 5);
  std::vector<int32_t> told;
  GenerateOptions options = greedy(2);
  options.on_prompt = [&](int32_t done, int32_t total) {
    EXPECT_EQ(total, 10);
    told.push_back(done);
    return true;
  };
  ASSERT_TRUE(session_->generate(prompt, options));
  EXPECT_EQ(told, (std::vector<int32_t>{4, 8, 10}));
  options.on_prompt = [&](int32_t done, int32_t) { return done < 8; };
  const auto cancelled = session_->generate(prompt, options);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled);
}

TEST_F(Generate, CancelFromACallbackKeepsTheText) {
  open();
  std::atomic<bool> cancel{false};
  GenerateOptions options = greedy(50);
  options.cancel = &cancel;
  int n = 0;
  options.on_token = [&](const GeneratedToken&) {
    cancel = ++n == 3;
    return true;
  };
  const auto made = session_->generate("ab", options);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->stop_reason, StopReason::kCancelled);
  EXPECT_EQ(made->ids.size(), 3u);
  EXPECT_FALSE(session_->generate("ab", options)) << "the flag is still set";
  cancel = false;
  EXPECT_TRUE(session_->generate("ab", options));
}

TEST_F(Generate, CancelBeforeThePromptIsAnError) {
  open();
  const std::atomic<bool> cancel{true};
  GenerateOptions options = greedy(5);
  options.cancel = &cancel;
  const auto made = session_->generate("ab", options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(session_->cache().length(0), 0);
}

TEST_F(Generate, CancelFromAnotherThreadStopsWithinADecode) {
  open({.n_layers = 60, .n_ctx = 8192}, {.n_ctx = 8192, .n_batch = 4096});
  const std::vector<Token> prompt(4096, 7);
  std::atomic<bool> cancel{false};
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    cancel = true;
  });
  const auto status = session_->prefill(prompt, {.cancel = &cancel});
  other.join();
  ASSERT_FALSE(status) << "one batch of 4096 tokens and 60 layers was over within 30 ms";
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(session_->cache().length(0), 0);
}

TEST_F(Generate, ACancelledDecodeLeavesTheCacheAsItWas) {
  open();
  const std::vector<Token> prompt = {1, 20, 30, 40};
  ASSERT_TRUE(session_->prefill(prompt));
  const std::vector<BatchToken> batch = {{50, 4, 0, false}, {60, 5, 0, true}};
  ASSERT_TRUE(session_->decode(batch));
  const auto row = session_->logits(0);
  const std::vector<float> expected(row.begin(), row.end());
  ASSERT_TRUE(session_->cache().trim(0, 4));
  const std::atomic<bool> cancel{true};
  const auto status = session_->decode(batch, &cancel);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(session_->cache().length(0), 4);
  EXPECT_EQ(session_->n_logits(), 0u);
  ASSERT_TRUE(session_->decode(batch));
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), session_->logits(0).begin()));
}

TEST_F(Generate, AnEmbeddingWithMoreRowsThanTokensGivesTokensOnly) {
  open({.n_tokens = 280});
  ASSERT_EQ(model_->info().n_vocab, 300);
  ASSERT_EQ(model_->tokenizer().n_vocab(), 280);
  GenerateOptions options = {.max_tokens = 100, .sampler = {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 5}};
  options.ignore_end = true;
  const auto made = session_->generate("ab", options);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->ids.size(), 100u);
  for (const Token id : made->ids) EXPECT_LT(id, 280);
}

TEST_F(Generate, PrefillGoesOnWhereTheSequenceEnds) {
  open({}, {.n_seqs = 2, .n_batch = 2, .n_logits = 2});
  const std::vector<Token> all = {1, 20, 30, 40, 50};
  ASSERT_TRUE(session_->prefill(all, {.seq = 1}));
  const std::vector<float> expected(session_->logits(0).begin(), session_->logits(0).end());
  ASSERT_TRUE(session_->prefill(std::span(all).first(2)));
  int32_t n_rows = 0;
  ASSERT_TRUE(session_->prefill(std::span(all).subspan(2), {.all_logits = true, .on_progress = [&](int32_t, int32_t) {
                                                              n_rows += static_cast<int32_t>(session_->n_logits());
                                                              return true;
                                                            }}));
  EXPECT_EQ(n_rows, 3);
  EXPECT_EQ(session_->cache().length(0), 5);
  EXPECT_EQ(std::vector<float>(session_->logits(0).begin(), session_->logits(0).end()), expected);
  EXPECT_FALSE(session_->prefill({}));
}

}  // namespace
