// An assistant of one's own, as lesson 5 explains it: several users, each with a history, on one engine; tools, notes
// that are searched, and answers that are held against them.
//
//   assistant MODEL EMBEDDER NOTES "WHO: QUESTION"...      (-: MODEL searches, too)
#include <cstdio>
#include <map>
#include <thread>

#include "notes.h"

namespace {

using hearth::ChatMessage, hearth::Result;

constexpr int kContext = 512, kAnswer = 96;  // tokens: of a conversation, of an answer
constexpr float kClose = 0.6f;               // score from which a note has to do with a question
constexpr const char* kTools = R"([
  {"type": "function", "function": {"name": "find", "description": "Where a thing is",
   "parameters": {"type": "object", "properties": {"thing": {"type": "string"}}, "required": ["thing"]}}},
  {"type": "function", "function": {"name": "price", "description": "What a food costs",
   "parameters": {"type": "object", "properties": {"food": {"type": "string"}}, "required": ["food"]}}}])";

/// What the users share.
struct House {
  hearth::Engine engine;
  hearth::ToolUse tools;
  Library library;
};

struct User {
  std::vector<std::string> questions{};
  std::vector<ChatMessage> history{};
  std::string told{};  ///< what happened
};

/// What the model says to these messages: text, or calls of tools.
Result<ChatMessage> ask(House& house, std::vector<ChatMessage>& history) {
  const hearth::Tokenizer& tokenizer = house.engine.model().tokenizer();
  std::vector<hearth::Token> ids;
  for (;;) {  // the template makes one text of all messages; of too many the oldest question and its answer go
    auto prompt = house.tools.render(history);
    if (!prompt) return prompt.error();
    auto encoded = hearth::ChatTemplate::encode(*prompt, tokenizer);
    if (!encoded) return encoded.error();
    ids = *encoded;
    const auto next = std::find_if(history.begin() + 1, history.end(), [](auto& m) { return m.role == "user"; });
    if (ids.size() + kAnswer <= kContext || next == history.end()) break;
    history.erase(history.begin(), next);
  }
  auto rules = house.tools.grammar(&tokenizer);  // a call that the model begins is kept to a tool's name and schema
  auto parser = house.tools.parser();
  if (!rules || !parser) return rules ? parser.error() : rules.error();
  hearth::GenerateOptions how{.max_tokens = kAnswer, .sampler = {.greedy = true}};
  how.grammar = rules->grammar, how.grammar_after = rules->after;
  auto ticket = house.engine.submit({.prompt = ids, .generate = how});
  if (!ticket) return ticket.error();
  ChatMessage answer{.role = "assistant"};
  const auto take = [&](const Result<hearth::ChatDelta>& part) {
    if (!part) return;
    answer.content += part->content;
    answer.tool_calls.insert(answer.tool_calls.end(), part->tool_calls.begin(), part->tool_calls.end());
  };
  while (auto event = ticket->next()) {
    if (!event->status) return event->status.error();
    take(parser->push(event->text));
  }
  take(parser->finish());
  return answer;
}

/// One question, up to the answer.
hearth::Status answer(House& house, User& user, const std::string& question) {
  user.told += question + "\n";
  user.history.push_back({.role = "user", .content = question});
  auto note = house.library.nearest(question, kClose);
  auto said = ask(house, user.history);
  bool has_called = false;
  for (int round = 0; said && !said->tool_calls.empty() && round < 3; ++round, has_called = true) {
    user.history.push_back(*said);
    for (const hearth::ToolCall& call : said->tool_calls) {
      // The argument is the text between the last quotes. One that nobody said was made up: then the question counts.
      const std::string upto = call.arguments_json.substr(0, call.arguments_json.rfind('"'));
      const std::string argument = upto.substr(upto.rfind('"') + 1);
      if (!argument.empty() && question.find(argument) != std::string::npos)
        note = house.library.nearest(argument, kClose);
      const std::string result = note && *note != nullptr ? (*note)->text : "nowhere";
      user.told += "    " + call.name + "(" + argument + "): " + result + "\n";
      user.history.push_back({.role = "tool", .content = result, .tool_call_id = call.id});
    }
    said = ask(house, user.history);
  }
  if (!note || !said) return note ? said.error() : note.error();
  // What the notes say counts more than what the model says: an answer without the note's words gives way to the note.
  std::string text = said->content;
  if (*note == nullptr && has_called) text = "The notes say nothing about that.";
  if (*note != nullptr && text.find((*note)->text) == std::string::npos) {
    user.told += "    the model said: " + text + "\n";
    text = (*note)->name + ": " + (*note)->text;
  }
  if (*note != nullptr) text += " [" + (*note)->file + "]";
  user.history.push_back({.role = "assistant", .content = text});
  user.told += "  " + text + "\n";
  return {};
}

int fail(const hearth::Error& error) {
  return std::fprintf(stderr, "%s\n", error.message.c_str()), 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return std::fprintf(stderr, "usage: assistant MODEL EMBEDDER NOTES \"WHO: QUESTION\"...\n"), 2;
  auto model = hearth::Model::open(argv[1]);
  if (!model) return fail(model.error());
  auto searching = std::string(argv[2]) == "-" ? model : hearth::Model::open(argv[2]);
  if (!searching) return fail(searching.error());
  auto library = Library::open(argv[3], *searching);
  if (!library) return fail(library.error());
  auto form = hearth::ChatTemplate::from_gguf(model->file(), model->tokenizer());
  if (!form) return fail(form.error());
  auto tools = hearth::ToolUse::create(*form, {.tools_json = kTools});
  if (!tools) return fail(tools.error());
  // Products of floats, and independent of who else is answered: the same text on every machine.
  auto engine = hearth::Engine::create(
      *model, {.session = {.n_ctx = 4 * kContext, .n_seqs = 4, .batch_invariant = true, .exact_products = true}});
  if (!engine) return fail(engine.error());
  House house{std::move(*engine), *tools, std::move(*library)};

  std::map<std::string, User> users;
  for (const std::string& line : std::vector<std::string>(argv + 4, argv + argc)) {
    const std::string who = line.substr(0, line.find(": "));
    users[who].questions.push_back(line.substr(std::min(who.size() + 2, line.size())));
  }
  std::vector<std::thread> threads;
  for (auto& of_user : users) {
    threads.emplace_back([&house, &user = of_user.second] {
      for (const std::string& question : user.questions) {
        if (auto done = answer(house, user, question); !done) user.told += done.error().message + "\n";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& [name, user] : users) std::printf("--- %s\n%s", name.c_str(), user.told.c_str());
  const hearth::EngineStats stats = house.engine.stats();
  std::printf("%d requests, %d tokens written\n", int(stats.finished), int(stats.generated_tokens));
  std::printf("%d tokens of prompts computed, %d reused; %d steps\n", int(stats.prompt_tokens),
              int(stats.cached_tokens), int(stats.steps));
}
