// What requests have in common is held once and computed once; drafts change no answer.
#include <algorithm>
#include <thread>

#include "tests/engine/reuse_world.h"

namespace {

using hearth::Engine;
using hearth::GenerateOptions;
using hearth::Token;
using hearth::testing::Answer;
using hearth::testing::EngineReuse;

TEST_P(EngineReuse, ConversationsAtOnceComputeAndHoldTheirSystemPromptOnce) {
  constexpr int kConversations = 16, kShared = 700, kOwn = 20;
  for (const bool first_is_far : {false, true}) {
    Engine e = engine({.session = {.n_ctx = 704 + (kConversations + 1) * 128, .n_seqs = kConversations + 1}});
    std::vector<hearth::Ticket> tickets;
    for (int i = 0; i < kConversations; ++i) {
      auto ticket = e.submit({.prompt = prompt(kShared, kOwn, i), .generate = generate(5)});
      ASSERT_TRUE(ticket) << ticket.error().message;
      tickets.push_back(std::move(*ticket));
      // Whether the others come before or after the first has passed the place where they part is up to the threads.
      while (first_is_far && i == 0 && e.stats().prompt_tokens < kShared) std::this_thread::yield();
    }
    std::vector<Answer> answers;
    for (auto& ticket : tickets) answers.push_back(wait(ticket));
    // Those that come when less than two pages of it are still to be computed do not wait (kWorthWaiting).
    const uint64_t most = kShared + kConversations * (kOwn + 64 + 2 * 64);
    EXPECT_LE(e.stats().prompt_tokens, most);
    // Every conversation may have a page or two of its own; all of them together hold the shared pages once.
    EXPECT_LE(e.stats().cache.pages_used,
              (kShared / 64 + 1) * (e.stats().cache.pages_total > 80 ? 2 : 1) + 4 * kConversations);
    const Answer next = ask(e, {.prompt = prompt(kShared, kOwn, 77), .generate = generate(5)});
    EXPECT_GE(next.cached, kShared / 64 * 64);
    EXPECT_EQ(next.ids, alone(prompt(kShared, kOwn, 77), 5));
    for (const int i : {0, 1, kConversations - 1}) {
      EXPECT_EQ(answers[static_cast<size_t>(i)].ids, alone(prompt(kShared, kOwn, i), 5)) << i;
    }
  }
}

TEST_P(EngineReuse, AConversationMoreComputesItsOwnTokensAlone) {
  if (recurrent() || slides()) GTEST_SKIP() << "begins where a page ends";
  constexpr int kConversations = 65, kShared = 2000, kOwn = 20;
  Engine e = engine({.session = {.n_ctx = 2048 + kConversations * 64, .n_seqs = kConversations}});
  for (int i = 0; i < kConversations; ++i) {
    const uint64_t before = e.stats().prompt_tokens;
    const Answer answer = ask(e, {.prompt = prompt(kShared, kOwn, i), .generate = generate(5), .seq = i});
    EXPECT_EQ(answer.cached, i == 0 ? 0 : kShared);
    EXPECT_EQ(e.stats().prompt_tokens - before, static_cast<uint64_t>(i == 0 ? kShared + kOwn : kOwn)) << i;
    if (i % 16 == 0) {
      EXPECT_EQ(answer.ids, alone(prompt(kShared, kOwn, i), 5)) << i;
    }
  }
  // All of them at once: whole pages together, and one page each for what follows. Layers with a window have their own.
  const int n_groups = std::string(GetParam()) == "gpt-oss" ? 2 : 1;
  EXPECT_LE(e.stats().cache.pages_used, n_groups * (kShared / 64 + kConversations));
}

/// More conversations than places: what was said is known by its pages when its place has gone to others.
TEST_P(EngineReuse, ConversationsInTurnComputeOnlyWhatIsNew) {
  constexpr int kConversations = 6, kTurns = 4;
  Engine e = engine({.session = {.n_ctx = 4096, .n_seqs = 2, .n_kept_prefixes = 16}});
  std::vector<std::vector<Token>> texts;
  for (int i = 0; i < kConversations; ++i) texts.push_back(prompt(300, 40, i));
  for (int turn = 0; turn < kTurns; ++turn) {
    for (int i = 0; i < kConversations; ++i) {
      auto& text = texts[static_cast<size_t>(i)];
      const Answer answer = ask(e, {.prompt = text, .generate = generate(30)});
      const auto n_before = static_cast<int32_t>(text.size()) - 25 - 30;
      if (turn > 0 && !recurrent() && !slides()) {
        EXPECT_GE(answer.cached, n_before - 64) << turn << " " << i;
      }
      // A state is kept where the last prompt filled a page.
      if (turn > 0 && recurrent()) {
        EXPECT_GE(answer.cached, n_before - 64 - 64) << turn << " " << i;
      }
      if (turn == kTurns - 1) {
        EXPECT_EQ(answer.ids, alone(text, 30)) << i;
      }
      text.insert(text.end(), answer.ids.begin(), answer.ids.end());
      const auto more = prompt(0, 25, 10 * i + turn);
      text.insert(text.end(), more.begin(), more.end());
    }
  }
}

TEST_P(EngineReuse, TurnsOfALoopComputeOnlyWhatIsNew) {
  constexpr int kTurns = 20;
  Engine e = engine({.session = {.n_ctx = 2048, .n_seqs = 1}});
  std::vector<Token> text = prompt(300, 0, 0);
  for (int turn = 0; turn < kTurns; ++turn) {
    const auto before = e.stats().prompt_tokens;
    const Answer answer = ask(e, {.prompt = text, .generate = generate(20)});
    const auto computed = static_cast<int32_t>(e.stats().prompt_tokens - before);
    EXPECT_EQ(computed, static_cast<int32_t>(text.size()) - answer.cached);
    if (turn > 0) {
      EXPECT_LE(computed, 1 + 30) << turn;
    }  // the last token of an answer was written, not computed
    text.insert(text.end(), answer.ids.begin(), answer.ids.end());
    const auto more = prompt(0, 30, turn);
    text.insert(text.end(), more.begin(), more.end());
  }
  text.resize(text.size() - 30);
  EXPECT_EQ(ask(e, {.prompt = text, .generate = generate(20)}).ids, alone(text, 20));
}

/// A message was dropped from the middle. What is kept behind it goes to those alone who ask for approximations.
TEST_P(EngineReuse, TextsChangedInTheMiddleKeepWhatStays) {
  Engine e = engine({.session = {.n_ctx = 2048, .n_seqs = 2}});
  const auto text = [](bool whole, int n_own) {
    std::vector<Token> ids = prompt(200, whole ? 70 : 0, 5);
    for (const auto& more : {prompt(0, 300, 8), prompt(0, n_own, 9)}) ids.insert(ids.end(), more.begin(), more.end());
    return ids;
  };
  ask(e, {.prompt = text(true, 5), .generate = generate(10)});
  GenerateOptions changed = generate(20);
  changed.reuse_stretches = 64;
  const Answer answer = ask(e, {.prompt = text(false, 20), .generate = changed});
  EXPECT_EQ(answer.ids.size(), 20u);
  const bool keeps = !recurrent() && !slides() && std::string(GetParam()) != "gpt-oss";
  if (keeps) {
    EXPECT_GE(answer.cached, 500);
    hearth::SessionOptions options{.n_ctx = 1024, .n_threads = 1, .batch_invariant = true};
    options.k_type = options.v_type = hearth::KVType::kF32;
    auto session = hearth::Session::create(*model_, options);
    ASSERT_TRUE(session);
    ASSERT_TRUE(session->generate(std::span<const Token>(text(true, 5)), generate(10)));
    changed.continue_cache = true;
    const auto same = session->generate(std::span<const Token>(text(false, 20)), changed);
    ASSERT_TRUE(same);
    EXPECT_EQ(answer.ids, same->ids);
  }
  const Answer exact = ask(e, {.prompt = text(false, 30), .generate = generate(20)});
  if (keeps) {
    EXPECT_LE(exact.cached, 200);
  }
  EXPECT_EQ(exact.ids, alone(text(false, 30), 20));
  std::vector<hearth::Ticket> tickets;
  for (const int n_own : {21, 22, 23}) {
    auto ticket = e.submit({.prompt = text(false, n_own), .generate = changed});
    ASSERT_TRUE(ticket);
    tickets.push_back(std::move(*ticket));
  }
  for (auto& ticket : tickets) EXPECT_EQ(wait(ticket).ids.size(), 20u);
  EXPECT_EQ(ask(e, {.prompt = text(false, 40), .generate = generate(20)}).ids, alone(text(false, 40), 20));
}

TEST_P(EngineReuse, DraftsChangeNoAnswer) {
  for (const bool by_model : {false, true}) {
    hearth::EngineDrafts drafts{.options = {.max_draft = 7, .adaptive = false}};
    if (by_model) drafts.model = *model_;
    Engine e = engine({.session = {.n_ctx = 1024, .n_seqs = 3}, .drafts = drafts});
    std::vector<hearth::Ticket> tickets;
    for (int i = 0; i < 6; ++i) {
      auto ticket = e.submit({.prompt = prompt(80, 10 + 3 * i, i), .generate = generate(40), .drafts = i != 4});
      ASSERT_TRUE(ticket) << ticket.error().message;
      tickets.push_back(std::move(*ticket));
    }
    for (int i = 0; i < 6; ++i) {
      const Answer answer = wait(tickets[static_cast<size_t>(i)]);
      EXPECT_EQ(answer.ids, alone(prompt(80, 10 + 3 * i, i), 40)) << i << (by_model ? " model" : " lookup");
      if (i == 4) {
        EXPECT_EQ(answer.drafted, 0);
      }
      if (i != 4 && by_model) {
        EXPECT_GT(answer.accepted, 20);
      }  // the model guesses what it will say itself
    }
    if (by_model) {
      EXPECT_GT(e.stats().drafts.drafted, 0);
    }
    EXPECT_EQ(e.stats().generated_tokens, 6 * 40u);
  }
}

/// A prompt that comes beside an answer with drafts does not wait for its end.
TEST_P(EngineReuse, PromptsComeForwardBesideDrafts) {
  hearth::EngineDrafts drafts{.model = *model_, .options = {.max_draft = 3, .adaptive = false}};
  Engine e = engine({.session = {.n_ctx = 1024, .n_seqs = 2}, .drafts = drafts});
  auto first = e.submit({.prompt = prompt(0, 8, 1), .generate = generate(400)});
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(first->next());
  auto second = e.submit({.prompt = prompt(0, 8, 2), .generate = generate(2)});
  ASSERT_TRUE(second) << second.error().message;
  const auto timings = [](hearth::Ticket& ticket) {
    hearth::Timings last;
    while (auto event = ticket.next()) last = event->timings;
    return last;
  };
  const double in_prompt = timings(*second).prompt_seconds;
  EXPECT_LT(in_prompt, 0.5 * timings(*first).generate_seconds);
}

/// Drafts take no pages that others were promised, and answers that fill the context end with it.
TEST_P(EngineReuse, DraftsInAFullCache) {
  hearth::EngineDrafts drafts{.model = *model_, .options = {.max_draft = 15, .adaptive = false}};
  Engine e = engine({.session = {.n_ctx = 192, .n_seqs = 3}, .drafts = drafts});
  std::vector<hearth::Ticket> tickets;
  for (int i = 0; i < 3; ++i) {
    auto ticket = e.submit({.prompt = prompt(0, 20, i), .generate = generate(-1)});
    ASSERT_TRUE(ticket) << ticket.error().message;
    tickets.push_back(std::move(*ticket));
  }
  for (auto& ticket : tickets) {
    const auto answers = ticket.wait();
    ASSERT_TRUE(answers) << answers.error().message;
    EXPECT_EQ((*answers)[0].stop_reason, hearth::StopReason::kContextFull);
    EXPECT_GE((*answers)[0].ids.size(), 32u);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EngineReuse,
                         ::testing::Values("llama", "gpt-oss", "gemma3", "qwen3next", "deepseek2"),
                         hearth::testing::family_name);

}  // namespace
