// ChatParser: what templates write of an assistant's message is read back, at once and cut into pieces.
#include "hearth/chat_parser.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/golden.h"

namespace hearth {
namespace {

using Json = nlohmann::json;

const char* const kTools = R"([{"type": "function", "function": {"name": "get_weather", "description": "Weather.",
  "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "c"},
  "days": {"type": "integer", "description": "d"}}, "required": ["city"]}}},
  {"type": "function", "function": {"name": "search", "description": "Search.", "parameters": {"type": "object",
  "properties": {"query": {"type": "string", "description": "q"}, "filter": {"type": "object", "description": "f"}},
  "required": ["query"]}}}])";

struct Read {
  std::string content, reasoning;
  std::vector<ToolCall> calls;
};

void add(Read& to, const ChatDelta& part) {
  to.content += part.content;
  to.reasoning += part.reasoning;
  to.calls.insert(to.calls.end(), part.tool_calls.begin(), part.tool_calls.end());
}

Read read_back(const ChatTemplate& tmpl, const std::string& text, size_t cut) {
  auto parser = ChatParser::create(tmpl, {.tools_json = kTools});
  Read out;
  for (size_t at = 0; at < text.size(); at += cut) add(out, *parser->push(std::string_view(text).substr(at, cut)));
  add(out, *parser->finish());
  return out;
}

/// What the template writes for a message, without the end of the turn; "" when it cannot.
std::string written(const ChatTemplate& tmpl, const ChatMessage& message) {
  const ChatMessage user{.role = "user", .content = "Hi?"};
  const ChatMessage plain{.role = "assistant", .content = "Zplain9"};
  const auto prompt = tmpl.render({user}, {.tools_json = kTools});
  const auto whole = tmpl.render({user, message}, {.add_generation_prompt = false, .tools_json = kTools});
  const auto simple = tmpl.render({user, plain}, {.add_generation_prompt = false, .tools_json = kTools});
  if (!prompt || !whole || !simple || !whole->text().starts_with(prompt->text())) return "";
  std::string text = whole->text().substr(prompt->text().size());
  const size_t at = simple->text().find("Zplain9");
  const std::string end = at == std::string::npos ? "" : simple->text().substr(at + 7);
  if (!end.empty() && text.ends_with(end)) text.resize(text.size() - end.size());
  return text;
}

TEST(GoldenChatParser, ReadsBackWhatTemplatesWrite) {
  const auto files = testing::golden_files("chat/templates", ".jinja");
  if (files.empty()) GTEST_SKIP() << "no chat/templates in " << testing::golden_dir();
  const ToolCall weather{
      .id = "abcDE1234", .name = "get_weather", .arguments_json = R"({"city": "Z\u00fcrich", "days": 3})"};
  const ToolCall search{.id = "fghIJ5678",
                        .name = "search",
                        .arguments_json = R"({"query": "a <b> \"c\"", "filter": {"n": [1, {"k": null}]}})"};
  size_t n_calls = 0, n_reasoning = 0;
  for (const auto& path : files) {
    const auto tmpl = ChatTemplate::compile(testing::read_file(path), "<s>", "</s>");
    ASSERT_TRUE(tmpl.ok()) << path;
    const auto parser = ChatParser::create(*tmpl, {.tools_json = kTools});
    if (!parser) continue;
    n_calls += parser->knows_calls();
    n_reasoning += parser->knows_reasoning();
    const std::vector<ChatMessage> messages = {
        {.role = "assistant", .content = "Just text, 1 < 2."},
        {.role = "assistant", .content = "Answer.", .reasoning = "I think."},
        {.role = "assistant", .tool_calls = {weather}},
        {.role = "assistant", .tool_calls = {weather, search}},
        {.role = "assistant", .content = "Let me look.", .tool_calls = {search}},
    };
    for (const ChatMessage& message : messages) {
      if (!message.tool_calls.empty() && !parser->knows_calls()) continue;
      if (!message.reasoning.empty() && !parser->knows_reasoning()) continue;
      const std::string text = written(*tmpl, message);
      if (text.empty()) continue;
      for (const size_t cut : {text.size(), size_t{1}, size_t{7}}) {
        const Read got = read_back(*tmpl, text, cut);
        const std::string what = path.filename().string() + ", pieces of " + std::to_string(cut) + ": " + text;
        if (text.find(message.content) != std::string::npos) {
          // Content before a call may be written as thinking.
          const std::string all = got.content + got.reasoning;
          EXPECT_EQ(message.tool_calls.empty() ? got.content
                                               : all.substr(all.size() - std::min(all.size(), message.content.size())),
                    message.content)
              << what;
        }
        if (text.find("I think.") != std::string::npos) {
          EXPECT_EQ(got.reasoning, message.reasoning) << what;
        }
        if (text.find("get_weather") == std::string::npos && text.find("search") == std::string::npos) continue;
        size_t n_written = 0;  // some templates write one call at most
        for (const ToolCall& call : message.tool_calls) n_written += text.find(call.name) != std::string::npos;
        EXPECT_EQ(got.calls.size(), n_written) << what;
        for (size_t i = 0; i < std::min(got.calls.size(), message.tool_calls.size()); ++i) {
          EXPECT_EQ(got.calls[i].name, message.tool_calls[i].name) << what;
          EXPECT_EQ(Json::parse(got.calls[i].arguments_json, nullptr, false),
                    Json::parse(message.tool_calls[i].arguments_json))
              << what;
        }
      }
    }
  }
  std::cout << n_calls << " templates with calls, " << n_reasoning << " with reasoning, of " << files.size() << "\n";
  EXPECT_GE(n_calls, 20u);
}

TEST(ChatParser, KeepsMalformedCallsAndOtherTextAsContent) {
  const auto tmpl = ChatTemplate::compile(
      "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls %}<call>{\"name\": \"{{ "
      "c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}</call>{% endfor %}<|end|>{% endfor %}"
      "{% if add_generation_prompt %}<|assistant|>{% endif %}");
  ASSERT_TRUE(tmpl.ok()) << tmpl.error().message;
  const std::string good = "Yes. <call>{\"name\": \"f\", \"arguments\": {\"a\": [1]}}</call>";
  const Read read = read_back(*tmpl, good, 3);
  ASSERT_EQ(read.calls.size(), 1u);
  EXPECT_EQ(read.calls[0].name, "f");
  EXPECT_EQ(read.calls[0].arguments_json, "{\"a\": [1]}");
  EXPECT_EQ(read.content, "Yes. ");
  for (const std::string text :
       {"<call>{\"name\": \"f\", \"arguments\": [1]}</call>", "a <call> b", "<call>{\"name\": \"f",
        "<call>{\"name\": \"f\", \"arguments\": {\"a\": tru}}</call> x", "<cal", "<call>"}) {
    for (const size_t cut : {size_t{1}, text.size()}) {
      const Read other = read_back(*tmpl, text, cut);
      EXPECT_EQ(other.content, text);
      EXPECT_TRUE(other.calls.empty());
    }
  }
}

}  // namespace
}  // namespace hearth
