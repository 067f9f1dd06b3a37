// Engines over self-made models of several families, and what they answer.
#pragma once

#include <string>
#include <vector>

#include "hearth/engine.h"
#include "support/family_test.h"

namespace hearth::testing {

struct Answer {
  std::vector<Token> ids;
  int32_t cached = 0, drafted = 0, accepted = 0;
  SeqId seq = -1;
};

class EngineReuse : public FamilyTest {
 protected:
  Engine engine(EngineOptions options) {
    options.session.k_type = options.session.v_type = KVType::kF32;
    options.session.n_threads = 1;
    options.session.batch_invariant = true;
    auto made = Engine::create(*model_, options);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  static GenerateOptions generate(int32_t n) {
    return {.max_tokens = n, .sampler = {.greedy = true}, .ignore_end = true};
  }
  /// A shared beginning and tokens of one's own.
  static std::vector<Token> prompt(int n_shared, int n_own, int who) {
    std::vector<Token> ids;
    for (int i = 0; i < n_shared; ++i) ids.push_back(3 + (i * i + i * 7) % 250);
    for (int i = 0; i < n_own; ++i) ids.push_back(3 + (i * 11 + who * 31 + who) % 250);
    return ids;
  }
  static Answer wait(Ticket& ticket) {
    Answer answer;
    while (auto event = ticket.next()) {
      if (event->kind == EngineEvent::Kind::kToken) answer.ids.push_back(event->id);
      if (event->kind != EngineEvent::Kind::kDone) continue;
      EXPECT_TRUE(event->status) << event->status.error().message;
      answer.cached = event->cached_tokens;
      answer.drafted = event->drafted_tokens;
      answer.accepted = event->accepted_tokens;
      answer.seq = event->seq;
    }
    return answer;
  }
  static Answer ask(Engine& engine, EngineRequest request) {
    auto ticket = engine.submit(std::move(request));
    EXPECT_TRUE(ticket) << ticket.error().message;
    return wait(*ticket);
  }
  /// The answer of an engine that has seen nothing else.
  std::vector<Token> alone(const std::vector<Token>& prompt, int32_t n) {
    Engine fresh = engine({.session = {.n_ctx = 2048, .n_seqs = 1}});
    return ask(fresh, {.prompt = prompt, .generate = generate(n)}).ids;
  }
  bool recurrent() const { return std::string(GetParam()) == "qwen3next"; }
  /// Nothing tells what a page began with once every layer has let go of the beginning.
  bool slides() const { return std::string(GetParam()) == "gemma3"; }
};

}  // namespace hearth::testing
