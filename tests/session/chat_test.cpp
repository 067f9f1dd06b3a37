// Chat over the trained model of examples/models, and over a tiny one whose embedding has more rows than the
// vocabulary.
#include "hearth/chat.h"

#include <gtest/gtest.h>

#include <atomic>

#include "support/paths.h"
#include "support/tiny_model.h"

namespace {

using hearth::Chat;
using hearth::ChatMessage;
using hearth::ChatSettings;
using hearth::ErrorCode;
using hearth::Model;
using hearth::Session;
using hearth::StopReason;

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";
constexpr const char* kStory = "Tell me a story about Anna and a kite.";
constexpr const char* kQuestion = "What colour was the kite?";

class ChatTest : public ::testing::Test {
 protected:
  ChatTest() : model_(Model::open(kSmallWorld)) {}
  Session session(int32_t n_ctx = 512) {
    auto made = Session::create(*model_, {.n_ctx = n_ctx, .n_batch = 32, .n_threads = 1});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  static ChatSettings greedy() {
    ChatSettings settings;
    settings.generate.sampler.greedy = true;
    return settings;
  }
  static Chat chat(Session& session, ChatSettings settings = greedy()) {
    auto made = Chat::create(session, std::move(settings));
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }

  hearth::Result<Model> model_;
};

TEST_F(ChatTest, StreamsAnswersAndKeepsTheHistory) {
  Session s = session();
  Chat c = chat(s);
  std::string streamed;
  const auto story = c.say(kStory, [&](std::string_view piece) { return streamed += piece, true; });
  ASSERT_TRUE(story) << story.error().message;
  EXPECT_EQ(streamed, story->text);
  EXPECT_EQ(story->stop_reason, StopReason::kEndToken);
  const auto reply = c.say(kQuestion);
  ASSERT_TRUE(reply) << reply.error().message;
  ASSERT_TRUE(reply->text.starts_with("The kite was ")) << reply->text;
  EXPECT_NE(story->text.find(reply->text.substr(13, reply->text.size() - 14) + " kite"), std::string::npos);
  ASSERT_EQ(c.messages().size(), 4u);
  EXPECT_EQ(c.messages()[1].role, "assistant");
  EXPECT_EQ(c.messages()[1].content, story->text);
  EXPECT_EQ(c.used_tokens(), s.cache().length(0));
}

TEST_F(ChatTest, ComputesOnlyWhatIsNewAndAnswersAsIfAllWereNew) {
  Session s = session();
  Chat c = chat(s);
  ASSERT_TRUE(c.say(kStory));
  const auto with_cache = c.say(kQuestion);
  ASSERT_TRUE(with_cache);
  EXPECT_GT(with_cache->cached_tokens, 50);
  EXPECT_LT(with_cache->cached_tokens, with_cache->timings.prompt_tokens);
  Session fresh = session();
  Chat again = chat(fresh);
  again.messages().assign(c.messages().begin(), c.messages().end() - 1);
  const auto without = again.answer();
  ASSERT_TRUE(without);
  EXPECT_EQ(without->cached_tokens, 0);
  EXPECT_EQ(without->text, with_cache->text);
}

TEST_F(ChatTest, WhatOthersLeaveInTheCacheIsComputedAgain) {
  Session s = session();
  Chat c = chat(s);
  ASSERT_TRUE(c.say(kStory));
  ASSERT_TRUE(s.generate("Once", {.max_tokens = 3}));
  const auto reply = c.say(kQuestion);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->cached_tokens, 0);
  EXPECT_TRUE(reply->text.starts_with("The kite was ")) << reply->text;
}

TEST_F(ChatTest, AFullContextStopsOrForgetsTheOldest) {
  Session s = session(128);
  ChatSettings settings = greedy();
  Chat stops = chat(s, settings);
  ASSERT_TRUE(stops.say(kStory));
  const auto cut = stops.say(kStory);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->stop_reason, StopReason::kContextFull);
  const size_t before = stops.messages().size();
  const auto refused = stops.say(kQuestion);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kContextFull);
  EXPECT_EQ(stops.messages().size(), before) << "the history is as it was";

  settings.when_full = hearth::ContextFullPolicy::kDropOldest;
  Session other = session(128);
  Chat drops = chat(other, settings);
  drops.messages().push_back({.role = "system", .content = "Be kind."});
  ASSERT_TRUE(drops.say(kStory));
  const auto second = drops.say(kStory);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->dropped_messages, 2);
  EXPECT_EQ(drops.messages().front().role, "system");
  EXPECT_EQ(drops.messages().size(), 3u);
  const auto too_long = drops.say(std::string(2000, 'x'));
  ASSERT_FALSE(too_long);
  EXPECT_EQ(drops.messages().size(), 3u) << "nothing is forgotten for a message that never fits";
}

TEST_F(ChatTest, CancelledPromptsLeaveTheHistoryAndCancelledAnswersWhatTheySaid) {
  Session s = session();
  std::atomic<bool> cancel{true};
  ChatSettings settings = greedy();
  settings.generate.cancel = &cancel;
  Chat c = chat(s, settings);
  const auto before = c.say(kStory);
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(c.messages().empty());
  cancel = false;
  const auto during = c.say(kStory, [&](std::string_view) { return cancel = true, true; });
  ASSERT_TRUE(during);
  EXPECT_EQ(during->stop_reason, StopReason::kCancelled);
  EXPECT_FALSE(during->text.empty());
  EXPECT_EQ(c.messages().back().content, during->text);
  cancel = false;
  EXPECT_TRUE(c.say("Hello"));
}

TEST_F(ChatTest, StopTextsEndAnAnswer) {
  Session s = session();
  ChatSettings settings = greedy();
  settings.generate.stop_texts = {"never said", " kite."};
  Chat c = chat(s, settings);
  const auto answer = c.say(kStory);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->stop_reason, StopReason::kStopText);
  EXPECT_EQ(answer->text.find(" kite."), std::string::npos);
}

TEST_F(ChatTest, AnEmbeddingWithMoreRowsThanTokensTalksToo) {
  const auto bytes = hearth::testing::TinyModel({.n_ctx = 256, .n_tokens = 270}).gguf();
  const auto model = Model::from_memory(bytes);
  ASSERT_TRUE(model) << model.error().message;
  auto s = Session::create(*model, {.n_threads = 1});
  ASSERT_TRUE(s) << s.error().message;
  ChatSettings settings;
  settings.generate.max_tokens = 40;
  settings.generate.ignore_end = true;
  settings.generate.sampler = {.top_k = 0, .top_p = 1, .min_p = 0, .temperature = 5};
  bool all_known = true;
  settings.generate.on_token = [&](const hearth::GeneratedToken& token) {
    all_known &= token.id < model->tokenizer().n_vocab();
    return true;
  };
  auto c = Chat::create(*s, settings);
  ASSERT_TRUE(c) << c.error().message;
  const auto answer = c->say("Hi");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->timings.generated_tokens, 40);
  EXPECT_TRUE(all_known);
}

}  // namespace
