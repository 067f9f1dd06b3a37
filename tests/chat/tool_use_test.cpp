// Tools in conversations: forced calls validate, calls that a model begins are kept to a tool, other answers are free.
#include "hearth/tool_use.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "hearth/chat.h"
#include "hearth/session.h"
#include "support/paths.h"
#include "tests/support/golden.h"
#include "tests/support/json_validator.h"

namespace hearth {
namespace {

using Json = nlohmann::json;

const std::string kSmallWorld = hearth::testing::source_dir() + "/examples/models/small-world-q8_0.gguf";

const char* const kTools = R"([{"type": "function", "function": {"name": "get_weather", "description": "Weather.",
  "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "c"},
  "days": {"type": "integer", "description": "d"}}, "required": ["city"]}}},
  {"type": "function", "function": {"name": "search", "description": "Search.", "parameters": {"type": "object",
  "properties": {"query": {"type": "string", "description": "q"}, "filter": {"type": "object", "description": "f"}},
  "required": ["query"]}}}])";

const char* const kWithRef = R"([{"type": "function", "function": {"name": "add", "strict": true, "parameters":
  {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"},
  "unit": {"enum": ["apples", "pears"]}}, "required": ["a", "b", "unit"], "additionalProperties": false,
  "$defs": {"n": {"type": "integer", "minimum": 0, "maximum": 99}}}}},
  {"type": "function", "function": {"name": "list_of", "parameters": {"type": "object", "properties": {"items":
  {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 8}, "minItems": 1, "maxItems": 3}},
  "required": ["items"]}}}])";

Json schema_of(const std::string& tools, const std::string& name) {
  for (const Json& tool : Json::parse(tools)) {
    if (tool["function"]["name"] == name) return tool["function"]["parameters"];
  }
  return false;
}

struct Read {
  std::string content;
  std::vector<ToolCall> calls;
};

Read read(const ToolUse& use, const std::string& text) {
  auto parser = use.parser();
  Read out;
  for (const auto& part : {parser->push(text), parser->finish()}) {
    out.content += part->content;
    out.calls.insert(out.calls.end(), part->tool_calls.begin(), part->tool_calls.end());
  }
  return out;
}

/// What a template writes for calls, behind the prompt and without the end of the turn.
std::string written(const ChatTemplate& tmpl, const std::vector<ToolCall>& calls, const char* plain = "Zplain9") {
  const ChatMessage user{.role = "user", .content = "Hi?"};
  const auto prompt = tmpl.render({user}, {.tools_json = kTools});
  const auto answer = [&](const ChatMessage& message) {
    const auto made = tmpl.render({user, message}, {.add_generation_prompt = false, .tools_json = kTools});
    return made && prompt && made->text().starts_with(prompt->text()) ? made->text().substr(prompt->text().size())
                                                                      : std::string();
  };
  std::string text = answer({.role = "assistant", .tool_calls = calls});
  const std::string simple = answer({.role = "assistant", .content = plain});
  const size_t at = simple.find(plain);
  const std::string end = at == std::string::npos ? "" : simple.substr(at + std::string(plain).size());
  if (!end.empty() && text.ends_with(end)) text.resize(text.size() - end.size());
  return text.substr(std::min(text.find_first_not_of("\r\n "), text.size()));
}

TEST(GoldenToolUse, ForcedCallsAreWhatTemplatesWrite) {
  const auto files = testing::golden_files("chat/templates", ".jinja");
  if (files.empty()) GTEST_SKIP() << "no chat/templates in " << testing::golden_dir();
  const ToolCall weather{.id = "abcDE1234", .name = "get_weather", .arguments_json = R"({"city": "Rome", "days": 3})"};
  const ToolCall search{
      .id = "fghIJ5678", .name = "search", .arguments_json = R"({"query": "a b", "filter": {"n": 1}})"};
  ToolCall other = weather, wrong = weather;
  other.name = "get_whether";
  wrong.arguments_json = R"({"city": "Rome", "days": "three"})";
  size_t n_learned = 0, n_written = 0, n_same = 0, n_two = 0;
  for (const auto& path : files) {
    const auto tmpl = ChatTemplate::compile(testing::read_file(path), "<s>", "</s>");
    ASSERT_TRUE(tmpl.ok()) << path;
    const auto use = ToolUse::create(*tmpl, {.tools_json = kTools}, {.choice = ToolChoice::kRequired});
    if (!use || use->is_generic()) continue;
    ++n_learned;
    const auto rules = use->grammar();
    ASSERT_TRUE(rules.ok()) << path << ": " << rules.error().message;
    ASSERT_TRUE(rules->grammar && rules->after.empty()) << path;
    const auto fits = [&](const std::vector<ToolCall>& calls) {
      const std::string text = written(*tmpl, calls);
      const auto match = rules->grammar->match(text);
      return match.ok() && match->taken == text.size() && !text.empty();
    };
    if (written(*tmpl, {weather}).empty()) continue;  // the prompt begins what such a message has not
    ++n_written;
    n_same += fits({weather});
    n_two += fits({weather, search});
    if (!fits({weather})) {
      const auto match = rules->grammar->match(written(*tmpl, {weather}));
      std::cout << path.filename().string() << " at " << match->taken << " of " << written(*tmpl, {weather})
                << ", expected " << match->expected << "\n";
    }
    EXPECT_FALSE(fits({other})) << path;
    EXPECT_FALSE(fits({wrong})) << path;
    const auto lazy = ToolUse::create(*tmpl, {.tools_json = kTools});
    const auto begun = lazy->grammar();
    ASSERT_TRUE(begun.ok()) << path << ": " << begun.error().message;
    const std::string text = written(*tmpl, {weather});
    const size_t at = text.find(begun->after);
    ASSERT_TRUE(begun->grammar.has_value()) << path;
    if (at == std::string::npos) continue;
    const auto match = begun->grammar->match(text.substr(at + begun->after.size()));
    EXPECT_EQ(match->taken, text.size() - at - begun->after.size())
        << path << ": " << text << " after " << begun->after;
  }
  std::cout << n_same << " of " << n_written << " templates of " << n_learned << ", with two calls " << n_two << "\n";
  EXPECT_EQ(n_same, n_written);
  EXPECT_GE(n_same, n_learned * 4 / 5);
}

class ToolUseGeneration : public ::testing::Test {
 protected:
  ToolUseGeneration()
      : model(Model::open(kSmallWorld)),
        session(Session::create(*model, {.n_ctx = 512, .n_threads = 1})),
        tmpl(ChatTemplate::from_gguf(model->file(), model->tokenizer())) {}

  std::string generate(const ToolUse& use, const std::string& question, uint64_t seed, float temperature) {
    const auto prompt = use.render({{.role = "user", .content = question}});
    const auto ids = ChatTemplate::encode(*prompt, model->tokenizer());
    auto rules = use.grammar(&model->tokenizer());
    EXPECT_TRUE(rules.ok()) << rules.error().message;
    GenerateOptions options{.max_tokens = 200, .grammar = rules->grammar, .grammar_after = rules->after};
    options.sampler.seed = seed;
    options.sampler.temperature = temperature;
    const auto out = session->generate(*ids, options);
    EXPECT_TRUE(out.ok()) << out.error().message;
    return out.ok() ? out->text : "";
  }

  Result<Model> model;
  Result<Session> session;
  Result<ChatTemplate> tmpl;
};

/// HEARTH_SEEDS=500 in the environment takes more of them.
TEST_F(ToolUseGeneration, ForcedCallsValidate) {
  const char* asked = std::getenv("HEARTH_SEEDS");
  const uint64_t n_seeds = asked ? std::strtoull(asked, nullptr, 10) : 25;
  const auto use =
      ToolUse::create(*tmpl, {.tools_json = kWithRef}, {.choice = ToolChoice::kRequired, .parallel = false});
  ASSERT_TRUE(use.ok()) << use.error().message;
  size_t n_valid = 0;
  for (uint64_t seed = 0; seed < n_seeds; ++seed) {
    const std::string text = generate(*use, "What is 27 + 45?", seed, 1.2f);
    const Read got = read(*use, text);
    ASSERT_EQ(got.calls.size(), 1u) << text;
    const testing::JsonValidator validator(schema_of(kWithRef, got.calls[0].name));
    const Json arguments = Json::parse(got.calls[0].arguments_json, nullptr, false);
    EXPECT_TRUE(validator.valid(arguments)) << text;
    n_valid += validator.valid(arguments);
  }
  std::cout << n_valid << " of " << n_seeds << " calls validate\n";
}

TEST_F(ToolUseGeneration, NamedToolIsCalled) {
  const auto use = ToolUse::create(*tmpl, {.tools_json = kWithRef}, {.choice = ToolChoice::kNamed, .name = "list_of"});
  ASSERT_TRUE(use.ok());
  const Read got = read(*use, generate(*use, "What is 27 + 45?", 7, 1.0f));
  ASSERT_GE(got.calls.size(), 1u);
  for (const ToolCall& call : got.calls) EXPECT_EQ(call.name, "list_of");
  const auto unknown = ToolUse::create(*tmpl, {.tools_json = kWithRef}, {.choice = ToolChoice::kNamed, .name = "x"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().message, "tool choice: no tool is named 'x'");
}

TEST_F(ToolUseGeneration, AModelThatBeginsACallIsKeptToATool) {
  const std::string tools = R"([{"type": "function", "function": {"name": "get_time", "parameters": {"type": "object",
    "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}}}])";
  const auto use = ToolUse::create(*tmpl, {.tools_json = tools});
  ASSERT_TRUE(use.ok());
  size_t n_calls = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const std::string text = generate(*use, "What is the weather in London?", seed, 0.8f);
    const Read got = read(*use, text);
    n_calls += got.calls.size();
    for (const ToolCall& call : got.calls) {
      EXPECT_EQ(call.name, "get_time") << text;
      const Json city = Json::parse(call.arguments_json)["city"];
      EXPECT_TRUE(city == "Paris" || city == "Rome") << text;
    }
    EXPECT_EQ(got.content.find("<tool_call>"), std::string::npos) << text;
  }
  EXPECT_GE(n_calls, 1u);
}

TEST_F(ToolUseGeneration, AQuestionIsAnsweredByACall) {
  const std::string tools = R"([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object",
    "properties": {"place": {"type": "string"}}, "required": ["place"]}}}])";
  ChatSettings settings;
  settings.prompt.tools_json = tools;
  settings.generate.sampler.greedy = true;
  auto chat = Chat::create(*session, settings);
  ASSERT_TRUE(chat.ok());
  const auto answer = chat->say("How is the weather at the museum?");
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  ASSERT_EQ(answer->message.tool_calls.size(), 1u) << answer->text;
  EXPECT_EQ(answer->message.tool_calls[0].name, "weather");
  EXPECT_EQ(answer->message.tool_calls[0].arguments_json, R"({"place": "museum"})");
  EXPECT_EQ(answer->message.content, "");
  chat->messages().push_back({.role = "tool", .content = "sunny"});
  const auto result = chat->answer();
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->message.content, "The weather at the museum is sunny.");
}

TEST(ToolUse, GenericFormWhereATemplateHasNone) {
  const auto tmpl = ChatTemplate::compile(
      "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}"
      "<|assistant|>{% endif %}");
  const auto use = ToolUse::create(*tmpl, {.tools_json = kTools}, {.choice = ToolChoice::kRequired});
  ASSERT_TRUE(use.ok()) << use.error().message;
  EXPECT_TRUE(use->is_generic());
  const ToolCall call{.name = "search", .arguments_json = R"({"query": "x"})"};
  const auto prompt = use->render({{.role = "user", .content = "Find x."},
                                   {.role = "assistant", .tool_calls = {call, call}},
                                   {.role = "tool", .content = "one"},
                                   {.role = "tool", .content = "two"}});
  ASSERT_TRUE(prompt.ok()) << prompt.error().message;
  const std::string text = prompt->text();
  EXPECT_TRUE(text.starts_with("<|system|>These functions")) << text;
  EXPECT_NE(text.find("\"name\":\"get_weather\""), std::string::npos) << text;
  const std::string calls = "<tool_call>\n{\"name\": \"search\", \"arguments\": {\"query\": \"x\"}}\n</tool_call>";
  EXPECT_NE(text.find("<|assistant|>" + calls + "\n" + calls + "<|end|>"), std::string::npos) << text;
  EXPECT_TRUE(
      text.ends_with("<|user|><tool_response>\none\n</tool_response>\n\n<tool_response>\ntwo\n</tool_response>"
                     "<|end|><|assistant|>"))
      << text;
  const auto rules = use->grammar();
  ASSERT_TRUE(rules.ok());
  EXPECT_TRUE(rules->grammar->match(calls + "\n" + calls)->can_end);
  const Read got = read(*use, "Let me look.\n" + calls + "\n" + calls);
  EXPECT_EQ(got.content, "Let me look.");
  EXPECT_EQ(got.calls.size(), 2u);
}

TEST(ToolUse, SchemasThatCannotBeKeptAreRefusedWhereTheyMustBe) {
  const auto tmpl = ChatTemplate::compile("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}");
  const auto tools = [](const char* strict) {
    return std::string(R"([{"type": "function", "function": {"name": "f", "strict": )") + strict +
           R"(, "parameters": {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)y"}}}}}])";
  };
  for (const auto choice : {ToolChoice::kAuto, ToolChoice::kRequired}) {
    for (const char* strict : {"false", "true"}) {
      const auto use = ToolUse::create(*tmpl, {.tools_json = tools(strict)}, {.choice = choice});
      ASSERT_TRUE(use.ok()) << use.error().message;
      const auto rules = use->grammar();
      const bool may = choice == ToolChoice::kAuto && strict[0] == 'f';
      EXPECT_EQ(rules.ok(), may);
      if (!rules) {
        EXPECT_NE(rules.error().message.find("tools, f: schema, #/properties/a"), std::string::npos);
        continue;
      }
      const auto match = rules->grammar->match("\n{\"name\": \"f\", \"arguments\": {\"b\": [1]}}\n</tool_call>");
      EXPECT_TRUE(match->can_end);
    }
  }
}

}  // namespace
}  // namespace hearth
