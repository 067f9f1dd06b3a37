// Sequences of an engine in files: what one run computed, another goes on from.
#include <fstream>
#include <thread>

#include "support/adapter_file.h"
#include "support/temp_dir.h"
#include "tests/engine/reuse_world.h"

namespace {

using hearth::Engine;
using hearth::EngineEvent;
using hearth::EngineOptions;
using hearth::ErrorCode;
using hearth::Token;
using hearth::testing::Answer;

class EngineSaved : public hearth::testing::EngineReuse {
 protected:
  std::string file(const std::string& name) const { return folder_.file(name); }
  /// A prompt, the answer to it and more.
  static std::vector<Token> longer(std::vector<Token> text, const Answer& answer, int who) {
    text.insert(text.end(), answer.ids.begin(), answer.ids.end());
    const auto more = prompt(0, 9, who);
    text.insert(text.end(), more.begin(), more.end());
    return text;
  }
  hearth::testing::TempDir folder_;
};

constexpr EngineOptions options(int32_t n_ctx, int32_t n_seqs) {
  EngineOptions made;
  made.session.n_ctx = n_ctx;
  made.session.n_seqs = n_seqs;
  return made;
}

TEST_P(EngineSaved, GoOnInAnotherRun) {
  const auto text = prompt(150, 20, 1);
  const int32_t n_held = 170 + 30 - 1;  // the last token of an answer is not computed
  Answer first;
  {
    Engine e = engine(options(1024, 3));
    first = ask(e, {.prompt = text, .generate = generate(30), .seq = 2});
    EXPECT_EQ(first.seq, 2);
    const auto held = e.save(2, file("a"));
    if (slides()) {
      ASSERT_FALSE(held);
      EXPECT_EQ(held.error().code, ErrorCode::kUnsupported);
      return;
    }
    ASSERT_TRUE(held) << held.error().message;
    EXPECT_EQ(held->n_tokens, n_held);
    std::ifstream in(file("a"), std::ios::binary | std::ios::ate);
    EXPECT_EQ(held->bytes, static_cast<uint64_t>(in.tellg()));
    const auto erased = e.erase(2);
    ASSERT_TRUE(erased);
    EXPECT_EQ(*erased, n_held);
    EXPECT_EQ(e.erase(2).value_or(-1), 0);
  }
  Engine e = engine(options(1024, 3));
  const auto held = e.restore(1, file("a"));
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_EQ(held->n_tokens, n_held);
  const auto next = longer(text, first, 4);
  const Answer answer = ask(e, {.prompt = next, .generate = generate(20)});
  EXPECT_EQ(answer.seq, 1);
  EXPECT_EQ(answer.cached, n_held);
  EXPECT_EQ(answer.ids, alone(next, 20));
}

TEST_P(EngineSaved, FilesThatDoNotFitAreRefusedWithTheReason) {
  if (slides()) GTEST_SKIP() << "nothing of it can be saved";
  Engine e = engine(options(1024, 2));
  const auto text = prompt(150, 20, 1);
  ask(e, {.prompt = text, .generate = generate(5), .seq = 0});
  ASSERT_TRUE(e.save(0, file("a")));
  const auto refused = [&](Engine& engine, const std::string& name, ErrorCode code, const char* word) {
    const auto held = engine.restore(0, name);
    ASSERT_FALSE(held) << word;
    EXPECT_EQ(held.error().code, code) << held.error().message;
    EXPECT_NE(held.error().message.find(word), std::string::npos) << held.error().message;
  };
  refused(e, file("none"), ErrorCode::kNotFound, "none");
  std::ofstream(file("odd")) << "hearthKV, but no more of it than this line";
  refused(e, file("odd"), ErrorCode::kInvalidArgument, "version");
  std::ofstream(file("cut"), std::ios::binary) << std::string(40, '\0');
  refused(e, file("cut"), ErrorCode::kFormat, "does not begin as one does");
  Engine small = engine(options(128, 1));
  refused(small, file("a"), ErrorCode::kInvalidArgument, "beyond a context of 128");
  EngineOptions halves = options(1024, 2);
  auto other = Engine::create(*model_, halves);
  ASSERT_TRUE(other);
  refused(*other, file("a"), ErrorCode::kInvalidArgument, "f16");
  EXPECT_EQ(e.restore(2, file("a")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(e.save(-1, file("b")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(e.save(0, file("b/c")).error().code, ErrorCode::kNotFound);
  // What the sequence held is still there.
  const auto next = prompt(150, 25, 1);
  EXPECT_EQ(ask(e, {.prompt = next, .generate = generate(5)}).ids, alone(next, 5));
}

/// A file takes the room of what others left, but not of answers that are being written.
TEST_P(EngineSaved, MakesRoom) {
  if (slides()) GTEST_SKIP() << "nothing of it can be saved";
  Engine e = engine(options(512, 2));
  const auto text = prompt(300, 0, 1);
  ask(e, {.prompt = text, .generate = generate(5), .seq = 0});
  ASSERT_TRUE(e.save(0, file("a")));
  ASSERT_TRUE(e.erase(0));
  ask(e, {.prompt = prompt(0, 400, 8), .generate = generate(5), .seq = 1});
  ASSERT_TRUE(e.restore(0, file("a")));
  EXPECT_EQ(ask(e, {.prompt = prompt(300, 9, 1), .generate = generate(5)}).cached, recurrent() ? 0 : 300);
  auto writes = e.submit({.prompt = prompt(0, 250, 8), .generate = generate(200), .seq = 1});
  ASSERT_TRUE(writes);
  auto begun = writes->next();  // its pages are promised from here on
  ASSERT_TRUE(begun);
  ASSERT_EQ(begun->kind, EngineEvent::Kind::kToken);
  const auto held = e.restore(0, file("a"));
  if (!held) {
    EXPECT_EQ(held.error().code, ErrorCode::kContextFull) << held.error().message;
  }  // or the answer had ended
  const auto answer = writes->wait();
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)[0].stop_reason, hearth::StopReason::kLength);
}

/// Requests for one sequence take turns, and what concerns it waits for them.
TEST_P(EngineSaved, SequencesThatRequestsNameTakeTurns) {
  Engine e = engine(options(2048, 3));
  std::vector<hearth::Ticket> tickets;
  for (int i = 0; i < 4; ++i) {
    auto ticket = e.submit({.prompt = prompt(100, 10, i), .generate = generate(30), .seq = 1});
    ASSERT_TRUE(ticket) << ticket.error().message;
    tickets.push_back(std::move(*ticket));
  }
  const Answer beside = ask(e, {.prompt = prompt(100, 10, 9), .generate = generate(3)});
  EXPECT_NE(beside.seq, 1);
  std::thread eraser([&] { EXPECT_TRUE(e.erase(1)); });
  for (int i = 0; i < 4; ++i) {
    const Answer answer = wait(tickets[static_cast<size_t>(i)]);
    EXPECT_EQ(answer.seq, 1);
    EXPECT_EQ(answer.ids, alone(prompt(100, 10, i), 30)) << i;
  }
  eraser.join();
  EXPECT_EQ(e.submit({.prompt = {1}, .seq = 3}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(e.submit({.prompt = {1}, .n = 2, .seq = 0}).error().code, ErrorCode::kInvalidArgument);
}

/// What an adapter had its part in is for requests with it alone.
TEST_P(EngineSaved, BelongToTheirAdapters) {
  if (slides()) GTEST_SKIP() << "nothing of it can be saved";
  hearth::testing::FamilyModel shape(*hearth::find_architecture(GetParam()));
  const auto bytes = hearth::testing::AdapterFile(shape.tiny, 2).gguf();
  const auto adapter = hearth::Adapter::from_memory(bytes, *model_);
  ASSERT_TRUE(adapter) << adapter.error().message;
  const std::vector<hearth::AdapterScale> with = {{*adapter, 0.5f}};
  Engine e = engine(options(1024, 2));
  const auto text = prompt(200, 5, 1);
  ask(e, {.prompt = text, .generate = generate(5), .adapters = with, .seq = 0});
  ASSERT_TRUE(e.save(0, file("a")));
  ASSERT_TRUE(e.erase(0));
  const auto refused = e.restore(0, file("a"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("adapters"), std::string::npos) << refused.error().message;
  Engine fresh = engine(options(1024, 2));
  ASSERT_TRUE(fresh.restore(0, file("a"), with));
  auto more = text;
  more.insert(more.end(), {5, 6, 7});
  EXPECT_EQ(ask(fresh, {.prompt = more, .generate = generate(5)}).cached, 0);
  EXPECT_GE(ask(fresh, {.prompt = more, .generate = generate(5), .adapters = with}).cached, recurrent() ? 0 : 200);
}

INSTANTIATE_TEST_SUITE_P(Families, EngineSaved, ::testing::Values("llama", "gpt-oss", "gemma3", "qwen3next"),
                         hearth::testing::family_name);

}  // namespace
