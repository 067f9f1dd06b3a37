// The trained model of examples/models: right answers to questions that training never contained, not only finite
// numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>

#include "hearth/hearth.h"
#include "support/paths.h"

namespace {

using hearth::ChatMessage;
using hearth::Model;
using hearth::Session;

constexpr double kFloor = 0.9;        // of the held-out questions; examples/models/README.md has what it reached
constexpr double kDraftFloor = 0.95;  // of the tokens of answers that the draft model guesses

constexpr int kThreads = 1;  // results do not depend on it, and ctest runs tests side by side

const std::string kFolder = hearth::testing::source_dir() + "/examples/models/";
const std::string kModel = kFolder + "small-world-q8_0.gguf";
const std::string kDraft = kFolder + "small-world-draft-q8_0.gguf";

struct Question {
  std::string kind, prompt, answer;
};

std::vector<Question> held_out() {
  std::ifstream file(hearth::testing::source_dir() + "/tests/data/held_out.jsonl");
  std::vector<Question> questions;
  for (std::string line; std::getline(file, line);) {
    const auto json = nlohmann::json::parse(line);
    questions.push_back({json["kind"], json["prompt"], json["answer"]});
  }
  return questions;
}

/// Share of the questions that are answered exactly with greedy decoding; prints it by kind.
double share_of_right_answers(const std::string& path) {
  const auto questions = held_out();
  EXPECT_GE(questions.size(), 500u);
  const auto model = Model::open(path);
  if (!model) {
    ADD_FAILURE() << model.error().message;
    return 0;
  }
  auto session = Session::create(*model, {.n_threads = kThreads});
  EXPECT_TRUE(session) << session.error().message;
  const hearth::GenerateOptions options{.max_tokens = 64, .sampler = {.greedy = true}, .parse_special = true};
  std::map<std::string, std::pair<int, int>> by_kind;  // right, asked
  int right = 0;
  for (const Question& question : questions) {
    const auto answer = session->generate(question.prompt, options);
    EXPECT_TRUE(answer) << answer.error().message;
    const bool is_right = answer && answer->text == question.answer;
    right += is_right;
    by_kind[question.kind].first += is_right;
    by_kind[question.kind].second += 1;
  }
  for (const auto& [kind, score] : by_kind)
    std::printf("    %-10s %d of %d\n", kind.c_str(), score.first, score.second);
  return static_cast<double>(right) / static_cast<double>(questions.size());
}

TEST(SlowSmallWorld, AnswersHeldOutQuestions) {
  EXPECT_GE(share_of_right_answers(kModel), kFloor);
}

/// The likeliest token at every place of `ids` from `first - 1` on: what comes at `first`, and so on.
std::vector<hearth::Token> likeliest(Session& session, std::span<const hearth::Token> ids, size_t first) {
  session.cache().clear();
  std::vector<hearth::BatchToken> batch;
  for (size_t i = 0; i + 1 < ids.size(); ++i) {
    batch.push_back({ids[i], static_cast<int32_t>(i), 0, i + 1 >= first});
  }
  const auto status = session.decode(batch);
  EXPECT_TRUE(status) << status.error().message;
  std::vector<hearth::Token> result;
  for (size_t i = 0; i < session.n_logits(); ++i) {
    const auto row = session.logits(i);
    result.push_back(static_cast<hearth::Token>(std::max_element(row.begin(), row.end()) - row.begin()));
  }
  return result;
}

TEST(SmallWorld, TheDraftModelGuessesMostTokensOfTheOther) {
  const auto model = Model::open(kModel), draft = Model::open(kDraft);
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_TRUE(draft) << draft.error().message;
  EXPECT_LT(draft->info().n_parameters, model->info().n_parameters * 3 / 5);
  ASSERT_EQ(draft->tokenizer().n_vocab(), model->tokenizer().n_vocab());
  for (hearth::Token id = 0; id < model->tokenizer().n_vocab(); ++id) {
    ASSERT_EQ(draft->tokenizer().piece(id), model->tokenizer().piece(id)) << id;
  }
  auto session = Session::create(*model, {.n_threads = kThreads});
  auto guesses = Session::create(*draft, {.n_logits = 64, .n_threads = kThreads});
  ASSERT_TRUE(session && guesses);
  size_t right = 0, all = 0;
  auto questions = held_out();
  questions.resize(std::min<size_t>(questions.size(), 100));
  for (const Question& question : questions) {
    const auto answer =
        session->generate(question.prompt, {.max_tokens = 64, .sampler = {.greedy = true}, .parse_special = true});
    ASSERT_TRUE(answer) << answer.error().message;
    std::vector<hearth::Token> ids = answer->prompt_ids;
    ids.insert(ids.end(), answer->ids.begin(), answer->ids.end());
    const auto guessed = likeliest(*guesses, ids, answer->prompt_ids.size());
    ASSERT_EQ(guessed.size(), answer->ids.size());
    for (size_t i = 0; i < guessed.size(); ++i) right += guessed[i] == answer->ids[i];
    all += guessed.size();
  }
  const double share = static_cast<double>(right) / static_cast<double>(all);
  std::printf("    %zu of %zu tokens, %.1f%%\n", right, all, 100 * share);
  EXPECT_GE(share, kDraftFloor);
}

TEST(SmallWorld, TellsAStoryAndAnswersAQuestionAboutIt) {
  const auto model = Model::open(kModel);
  ASSERT_TRUE(model) << model.error().message;
  const auto chat = hearth::ChatTemplate::from_gguf(model->file(), model->tokenizer());
  ASSERT_TRUE(chat) << chat.error().message;
  EXPECT_EQ(chat->warning(), "");
  auto session = Session::create(*model, {.n_threads = kThreads});
  ASSERT_TRUE(session) << session.error().message;
  const auto answer = [&](const std::vector<ChatMessage>& messages) {
    const auto prompt = chat->render(messages);
    EXPECT_TRUE(prompt) << prompt.error().message;
    const auto made =
        session->generate(prompt->text(), {.max_tokens = 200, .sampler = {.greedy = true}, .parse_special = true});
    EXPECT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->stop_reason, hearth::StopReason::kEndToken);
    return made->text;
  };
  std::vector<ChatMessage> messages = {{.role = "user", .content = "Tell me a story about Anna and a kite."}};
  const std::string story = answer(messages);
  EXPECT_NE(story.find("Anna"), std::string::npos) << story;
  EXPECT_GT(story.size(), 150u) << story;
  messages.push_back({.role = "assistant", .content = story});
  messages.push_back({.role = "user", .content = "What colour was the kite?"});
  const std::string reply = answer(messages);
  ASSERT_TRUE(reply.starts_with("The kite was ")) << reply;
  const std::string colour = reply.substr(13, reply.size() - 14);
  EXPECT_NE(story.find(colour + " kite"), std::string::npos) << story << "\n" << reply;
}

TEST(SmallWorld, TheFileDescribesItself) {
  const auto file = hearth::GgufFile::open(kModel);
  ASSERT_TRUE(file) << file.error().message;
  for (const char* key : {"general.name", "general.author", "general.license", "general.description",
                          "tokenizer.chat_template", "tokenizer.ggml.pre"}) {
    const auto text = file->get_string(key);
    ASSERT_TRUE(text) << text.error().message;
    EXPECT_FALSE(text->empty()) << key;
  }
  EXPECT_TRUE(file->get_float("general.sampling.temp"));
}

}  // namespace
