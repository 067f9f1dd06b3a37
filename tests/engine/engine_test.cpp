// Engine over the trained model of examples/models: every answer is what the request gets alone, whatever runs beside.
#include "hearth/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "lib/engine/alternatives.h"
#include "support/adapter_file.h"
#include "support/paths.h"

namespace {

using hearth::Engine;
using hearth::EngineEvent;
using hearth::EngineOptions;
using hearth::EngineRequest;
using hearth::ErrorCode;
using hearth::GenerateOptions;
using hearth::Model;
using hearth::Session;
using hearth::StopReason;
using hearth::Ticket;
using hearth::Token;

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";

GenerateOptions greedy(int32_t max_tokens) {
  GenerateOptions options{.max_tokens = max_tokens};
  options.sampler.greedy = true;
  return options;
}

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() : model_(Model::open(kSmallWorld)) {}

  static EngineOptions options(int32_t n_seqs, int32_t n_ctx) {
    return {.session = {.n_ctx = n_ctx, .n_seqs = n_seqs, .n_batch = 32, .n_threads = 1, .batch_invariant = true}};
  }
  Engine engine(const EngineOptions& wanted) {
    auto made = Engine::create(*model_, wanted);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  std::vector<Token> ids(const std::string& text) {
    return *model_->tokenizer().encode(text, {.add_special = true, .parse_special = false});
  }
  /// What a session of its own says.
  hearth::Generation alone(const std::vector<Token>& prompt, const GenerateOptions& generate) {
    auto session = Session::create(*model_, {.n_ctx = 512, .n_batch = 32, .n_threads = 1, .batch_invariant = true});
    auto result = session->generate(std::span<const Token>(prompt), generate);
    EXPECT_TRUE(result) << result.error().message;
    return std::move(*result);
  }
  static Ticket submit(Engine& engine, EngineRequest request) {
    auto ticket = engine.submit(std::move(request));
    EXPECT_TRUE(ticket) << ticket.error().message;
    return std::move(*ticket);
  }

  hearth::Result<Model> model_;
};

TEST_F(EngineTest, OneRequestIsWhatASessionGives) {
  Engine e = engine(options(2, 512));
  const auto prompt = ids("Anna has a red kite. The wind");
  const auto expected = alone(prompt, greedy(40));
  Ticket ticket = submit(e, {.prompt = prompt, .generate = greedy(40), .report_prompt = true});
  std::string text;
  std::vector<Token> tokens;
  int32_t prompt_done = 0;
  bool done = false;
  while (auto event = ticket.next()) {
    EXPECT_FALSE(done);
    text += event->text;
    if (event->kind == EngineEvent::Kind::kToken) tokens.push_back(event->id);
    if (event->kind == EngineEvent::Kind::kPrompt) prompt_done = event->prompt_done;
    if (event->kind != EngineEvent::Kind::kDone) continue;
    done = true;
    EXPECT_TRUE(event->status);
    EXPECT_EQ(event->stop_reason, expected.stop_reason);
    EXPECT_EQ(event->timings.generated_tokens, static_cast<int32_t>(expected.ids.size()));
    EXPECT_GT(event->timings.first_token_seconds, 0);
  }
  EXPECT_TRUE(done);
  EXPECT_EQ(text, expected.text);
  EXPECT_EQ(prompt_done, static_cast<int32_t>(prompt.size()));
  tokens.resize(std::min(tokens.size(), expected.ids.size()));
  EXPECT_EQ(tokens, expected.ids);
  EXPECT_EQ(e.stats().finished, 1u);
}

TEST_F(EngineTest, ManyRequestsGetWhatEachGetsAlone) {
  Engine e = engine(options(3, 600));
  const std::vector<std::string> beginnings = {"Anna has a red kite.",
                                               "Ben saw a dog in the park. The dog",
                                               "One day",
                                               "The cat sat by the window and",
                                               "Tom wanted to bake a",
                                               "It was raining. Mia took her",
                                               "The little boat was on",
                                               "Leo found a"};
  std::vector<Ticket> tickets;
  for (const auto& text : beginnings) tickets.push_back(submit(e, {.prompt = ids(text), .generate = greedy(50)}));
  for (size_t i = 0; i < tickets.size(); ++i) {
    const auto answers = tickets[i].wait();
    ASSERT_TRUE(answers) << answers.error().message;
    const auto expected = alone(ids(beginnings[i]), greedy(50));
    EXPECT_EQ((*answers)[0].text, expected.text) << beginnings[i];
    EXPECT_EQ((*answers)[0].ids, expected.ids);
    EXPECT_EQ((*answers)[0].stop_reason, expected.stop_reason);
  }
  const auto stats = e.stats();
  EXPECT_EQ(stats.finished, beginnings.size());
  EXPECT_EQ(stats.active + stats.waiting, 0);
}

TEST_F(EngineTest, AnswersOfOneRequestShareThePromptAndTakeSeedsInTurn) {
  Engine e = engine(options(3, 600));
  GenerateOptions sampled{.max_tokens = 30};
  sampled.sampler.seed = 7;
  const auto prompt = ids("One day a girl named Anna went to the park with her dog. She");
  Ticket ticket = submit(e, {.prompt = prompt, .generate = sampled, .n = 3});
  const auto answers = ticket.wait();
  ASSERT_TRUE(answers) << answers.error().message;
  for (const auto& answer : *answers) {
    EXPECT_EQ(answer.text, alone(prompt, sampled).text);
    ++sampled.sampler.seed;
  }
  EXPECT_NE((*answers)[0].text, (*answers)[1].text);
  EXPECT_EQ(e.stats().prompt_tokens, prompt.size());
}

TEST_F(EngineTest, APromptThatBeginsLikeAnEarlierOneIsNotComputedAgain) {
  Engine e = engine(options(2, 600));
  const auto prompt = ids("One day a girl named Anna went to the park with her dog. She");
  const auto first = *submit(e, {.prompt = prompt, .generate = greedy(30)}).wait();
  auto longer = prompt;
  longer.insert(longer.end(), first[0].ids.begin(), first[0].ids.end());
  const auto more = ids("Then");
  longer.insert(longer.end(), more.begin(), more.end());
  Ticket ticket = submit(e, {.prompt = longer, .generate = greedy(30)});
  int32_t cached = -1;
  std::string text;
  while (auto event = ticket.next()) {
    text += event->text;
    if (event->kind == EngineEvent::Kind::kDone) cached = event->cached_tokens;
  }
  EXPECT_GE(cached, static_cast<int32_t>(prompt.size() + first[0].ids.size()) - 1);
  EXPECT_EQ(text, alone(longer, greedy(30)).text);
  const auto fresh = submit(e, {.prompt = longer, .generate = greedy(30), .reuse_prefix = false}).wait();
  EXPECT_EQ((*fresh)[0].text, text);
  EXPECT_EQ(e.stats().cached_tokens, static_cast<uint64_t>(cached));
}

TEST_F(EngineTest, RequestsChooseTheirAdaptersAndPromptsAreSharedAmongEqualOnesOnly) {
  hearth::testing::TinyModel shape;
  shape.architecture = "llama";
  shape.tensors.clear();
  for (const int layer : {0, 3}) shape.add("blk." + std::to_string(layer) + ".ffn_down.weight", {512, 256});
  const auto bytes = hearth::testing::AdapterFile(shape, 4).gguf();
  const auto adapter = hearth::Adapter::from_memory(bytes, *model_);
  ASSERT_TRUE(adapter) << adapter.error().message;
  const auto prompt = ids("One day a girl named Anna went to the park with her dog. She");
  const auto with = [&](float scale) {
    auto session = Session::create(
        *model_,
        {.n_ctx = 512, .n_batch = 32, .n_threads = 1, .batch_invariant = true, .adapters = {{*adapter, scale}}});
    return session->generate(std::span<const Token>(prompt), greedy(20))->text;
  };
  Engine e = engine(options(4, 600));
  std::vector<std::pair<float, Ticket>> tickets;
  for (const float scale : {0.0f, 8.0f, 60.0f, 8.0f}) {
    tickets.emplace_back(scale,
                         submit(e, {.prompt = prompt, .generate = greedy(20), .adapters = {{{*adapter, scale}}}}));
  }
  for (auto& [scale, ticket] : tickets) EXPECT_EQ((*ticket.wait())[0].text, with(scale)) << scale;
  EXPECT_NE(with(60.0f), with(0.0f));
  for (const float scale : {8.0f, 4.0f}) {
    const auto before = e.stats().cached_tokens;
    EXPECT_EQ(
        (*submit(e, {.prompt = prompt, .generate = greedy(20), .adapters = {{{*adapter, scale}}}}).wait())[0].text,
        with(scale));
    EXPECT_EQ(e.stats().cached_tokens - before, scale == 8.0f ? prompt.size() - 1 : 0);
  }
  EXPECT_EQ((*submit(e, {.prompt = prompt, .generate = greedy(20)}).wait())[0].text, with(0.0f));
}

TEST_F(EngineTest, CancelledRequestsEndAndOthersGoOn) {
  Engine e = engine(options(2, 600));
  GenerateOptions endless = greedy(-1);
  endless.ignore_end = true;
  Ticket unwanted = submit(e, {.prompt = ids("One day"), .generate = endless});
  Ticket wanted = submit(e, {.prompt = ids("Anna has a red kite."), .generate = greedy(20)});
  ASSERT_TRUE(unwanted.next());
  EXPECT_TRUE(e.is_busy(0) || e.is_busy(1));
  for (const int seq : {-1, 2}) EXPECT_FALSE(e.is_busy(seq));
  unwanted.cancel();
  StopReason reason = StopReason::kLength;
  while (auto event = unwanted.next())
    if (event->kind == EngineEvent::Kind::kDone) reason = event->stop_reason;
  EXPECT_EQ(reason, StopReason::kCancelled);
  EXPECT_EQ((*wanted.wait())[0].text, alone(ids("Anna has a red kite."), greedy(20)).text);
  EXPECT_EQ(e.stats().cancelled, 1u);
  EXPECT_FALSE(e.is_busy(0) || e.is_busy(1));
}

TEST_F(EngineTest, AnEngineThatEndsEndsItsRequests) {
  GenerateOptions endless = greedy(-1);
  endless.ignore_end = true;
  std::optional<Ticket> running, queued;
  {
    Engine e = engine(options(1, 2000));
    running.emplace(submit(e, {.prompt = ids("One day"), .generate = endless}));
    queued.emplace(submit(e, {.prompt = ids("One day"), .generate = endless}));
    ASSERT_TRUE(running->next());
  }
  for (auto* ticket : {&*running, &*queued}) {
    StopReason reason = StopReason::kLength;
    while (auto event = ticket->next())
      if (event->kind == EngineEvent::Kind::kDone) reason = event->stop_reason;
    EXPECT_EQ(reason, StopReason::kCancelled);
  }
}

TEST_F(EngineTest, WhatCannotFitIsRefusedAtOnce) {
  EngineOptions wanted = options(2, 128);
  wanted.max_queue = 2;
  Engine e = engine(wanted);
  const auto code = [&](EngineRequest request) {
    auto ticket = e.submit(std::move(request));
    return ticket ? "accepted" : hearth::error_code_name(ticket.error().code);
  };
  EXPECT_STREQ(code({.prompt = std::vector<Token>(129, 5)}), "context_full");
  EXPECT_STREQ(code({.prompt = {}}), "invalid_argument");
  EXPECT_STREQ(code({.prompt = {5}, .n = 3}), "invalid_argument");
  EXPECT_STREQ(code({.prompt = {5}, .n = 0}), "invalid_argument");
  EXPECT_STREQ(code({.prompt = {1 << 20}}), "invalid_argument");
  std::vector<Ticket> tickets;
  std::string last = "accepted";
  GenerateOptions endless = greedy(-1);
  endless.ignore_end = true;
  for (int i = 0; i < 6 && last == "accepted"; ++i) {
    auto ticket = e.submit({.prompt = {5, 6, 7}, .generate = endless});
    last = ticket ? "accepted" : hearth::error_code_name(ticket.error().code);
    if (ticket) tickets.push_back(std::move(*ticket));
  }
  EXPECT_EQ(last, "limit");
  EXPECT_FALSE(e.embed(std::vector<std::string>{"a"}));
}

/// Three answers without end in a context for one and a half: all end, with what there was room for.
TEST_F(EngineTest, AnswersThatOutgrowTheContextEnd) {
  Engine e = engine(options(3, 192));
  GenerateOptions endless = greedy(-1);
  endless.ignore_end = true;
  std::vector<Ticket> tickets;
  for (const char* text : {"One day", "Anna has", "The cat"}) {
    tickets.push_back(submit(e, {.prompt = ids(text), .generate = endless}));
  }
  for (Ticket& ticket : tickets) {
    const auto answers = ticket.wait();
    ASSERT_TRUE(answers) << answers.error().message;
    EXPECT_EQ((*answers)[0].stop_reason, StopReason::kContextFull);
    EXPECT_GE((*answers)[0].ids.size(), 32u);
  }
}

TEST_F(EngineTest, AnUrgentRequestOvertakesThoseThatWait) {
  Engine e = engine(options(1, 512));
  Ticket running = submit(e, {.prompt = ids("One day"), .generate = greedy(60)});
  ASSERT_TRUE(running.next());
  Ticket patient = submit(e, {.prompt = ids("Anna has"), .generate = greedy(60)});
  Ticket urgent = submit(e, {.prompt = ids("The cat"), .generate = greedy(5), .priority = 5});
  ASSERT_TRUE(urgent.wait());
  bool waiting = false;
  EXPECT_LE(e.stats().finished, 2u);
  while (patient.next_within(60, waiting)) {
  }
  EXPECT_FALSE(waiting);
  EXPECT_EQ(e.stats().finished, 3u);
}

TEST_F(EngineTest, TextsAreEmbeddedBesideAnswers) {
  EngineOptions wanted = options(2, 512);
  wanted.embedder = hearth::EmbedderOptions{.n_threads = 1};
  Engine e = engine(wanted);
  Ticket ticket = submit(e, {.prompt = ids("One day"), .generate = greedy(40)});
  const std::vector<std::string> texts = {"a red kite", "a dog in the park"};
  const auto vectors = e.embed(texts);
  ASSERT_TRUE(vectors) << vectors.error().message;
  auto embedder = hearth::Embedder::create(*model_, {.n_threads = 1});
  for (size_t i = 0; i < texts.size(); ++i) EXPECT_EQ((*vectors)[i].values, embedder->embed(texts[i])->values);
  EXPECT_TRUE(ticket.wait());
}

TEST_F(EngineTest, ThreadsMaySubmitAtTheSameTime) {
  Engine e = engine(options(4, 800));
  const auto expected = alone(ids("Anna has a red kite."), greedy(12));
  std::atomic<int> n_right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        auto ticket = e.submit({.prompt = ids("Anna has a red kite."), .generate = greedy(12)});
        if (!ticket) continue;
        const auto answers = ticket->wait();
        n_right += answers && (*answers)[0].text == expected.text;
        (void)e.stats();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(n_right.load(), 20);
}

TEST_F(EngineTest, AlternativesAreTheMostProbableTokens) {
  Engine engine = this->engine(options(2, 512));
  EngineRequest request{.prompt = ids("Once upon a time"), .generate = greedy(8), .n_alternatives = 4};
  request.generate.probabilities = true;
  Ticket ticket = submit(engine, std::move(request));
  int n_tokens = 0;
  while (auto event = ticket.next()) {
    if (event->kind != EngineEvent::Kind::kToken) continue;
    ++n_tokens;
    ASSERT_EQ(4u, event->alternatives.size());
    EXPECT_EQ(event->id, event->alternatives[0].id);
    EXPECT_NEAR(std::log(event->probability), event->alternatives[0].logprob, 1e-4);
    for (size_t i = 1; i < 4; ++i) EXPECT_GE(event->alternatives[i - 1].logprob, event->alternatives[i].logprob);
  }
  EXPECT_EQ(8, n_tokens);
}

TEST(MostProbable, LeavesOutWhatIsNotFiniteAndTakesTheLowerIdOfTwo) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const float logits[] = {nan, 1.0f, -inf, 1.0f, 0.0f};
  const auto best = hearth::most_probable(logits, 10);
  ASSERT_EQ(3u, best.size());
  EXPECT_EQ(1, best[0].id);
  EXPECT_EQ(3, best[1].id);
  EXPECT_EQ(4, best[2].id);
  double sum = 0;
  for (const auto& entry : best) sum += std::exp(static_cast<double>(entry.logprob));
  EXPECT_NEAR(1, sum, 1e-6);
  const float none[] = {nan, -inf};
  EXPECT_TRUE(hearth::most_probable(none, 2).empty());
  EXPECT_TRUE(hearth::most_probable(logits, 0).empty());
}

}  // namespace
