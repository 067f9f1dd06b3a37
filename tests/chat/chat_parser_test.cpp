// ChatParser: what templates write of an assistant's message is read back, at once and cut into pieces.
#include "hearth/chat_parser.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "hearth/tool_use.h"
#include "lib/chat/chat_parser_impl.h"
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
  bool operator==(const Read& other) const {
    return content == other.content && reasoning == other.reasoning &&
           std::equal(calls.begin(), calls.end(), other.calls.begin(), other.calls.end(),
                      [](const ToolCall& a, const ToolCall& b) {
                        return a.id == b.id && a.name == b.name && a.arguments_json == b.arguments_json;
                      });
  }
};

void add(Read& to, const ChatDelta& part) {
  to.content += part.content;
  to.reasoning += part.reasoning;
  to.calls.insert(to.calls.end(), part.tool_calls.begin(), part.tool_calls.end());
}

/// The text in pieces of `cut` bytes, the first of them of `first`.
Read read_back(const chat::AnswerFormat& format, std::string_view text, size_t first, size_t cut) {
  auto parser = ChatParserInternals::make(format, kTools);
  Read out;
  add(out, *parser->push(text.substr(0, first)));
  for (size_t at = first; at < text.size(); at += cut) add(out, *parser->push(text.substr(at, cut)));
  add(out, *parser->finish());
  return out;
}

/// What the template writes for a message, without the end of the turn; "" when it cannot.
std::string written_as(const ChatTemplate& tmpl, const ChatMessage& message) {
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

/// Some templates write calls only where there is no content.
std::string written(const ChatTemplate& tmpl, ChatMessage message) {
  const std::string text = written_as(tmpl, message);
  if (message.tool_calls.empty() || !message.content.empty()) return text;
  if (text.find(message.tool_calls[0].name) != std::string::npos) return text;
  message.no_content = true;
  return written_as(tmpl, message);
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
    const auto format = chat::learn_answer_format(*tmpl, {.tools_json = kTools});
    if (!format) continue;
    n_calls += format->has_calls;
    n_reasoning += format->has_reasoning;
    const std::vector<ChatMessage> messages = {
        {.role = "assistant", .content = "Just text, 1 < 2."},
        {.role = "assistant", .content = "Answer.", .reasoning = "I think."},
        {.role = "assistant", .tool_calls = {weather}},
        {.role = "assistant", .tool_calls = {weather, search}},
        {.role = "assistant", .content = "Let me look.", .tool_calls = {search}},
    };
    for (const ChatMessage& message : messages) {
      const std::string text = written(*tmpl, message);
      if (text.empty()) continue;
      if (!message.tool_calls.empty() && !format->has_calls) {
        EXPECT_EQ(text.find(message.tool_calls[0].name), std::string::npos) << path << ": " << text;
        continue;
      }
      if (!message.reasoning.empty() && !format->has_reasoning) {
        EXPECT_EQ(text.find(message.reasoning), std::string::npos) << path << ": " << text;
        continue;
      }
      const Read at_once = read_back(*format, text, text.size(), text.size());
      for (size_t first = 1; first < text.size(); ++first) {
        ASSERT_TRUE(read_back(*format, text, first, text.size()) == at_once)
            << path << " cut at " << first << ": " << text;
      }
      for (const size_t cut : {text.size(), size_t{1}, size_t{7}}) {
        const Read got = read_back(*format, text, cut, cut);
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
  const auto format = chat::learn_answer_format(*tmpl, {.tools_json = kTools});
  ASSERT_TRUE(format.ok());
  const Read read = read_back(*format, good, 3, 3);
  ASSERT_EQ(read.calls.size(), 1u);
  EXPECT_EQ(read.calls[0].name, "f");
  EXPECT_EQ(read.calls[0].arguments_json, "{\"a\": [1]}");
  EXPECT_EQ(read.content, "Yes. ");
  for (const std::string text :
       {"<call>{\"name\": \"f\", \"arguments\": [1]}</call>", "a <call> b", "<call>{\"name\": \"f",
        "<call>{\"name\": \"f\", \"arguments\": {\"a\": tru}}</call> x", "<cal", "<call>"}) {
    for (const size_t cut : {size_t{1}, text.size()}) {
      const Read other = read_back(*format, text, cut, cut);
      EXPECT_EQ(other.content, text);
      EXPECT_TRUE(other.calls.empty());
    }
  }
}

/// Where nothing but a tool's name begins a call, only known names do, and only where the answer begins.
TEST(ChatParser, CallsMayBeginWithTheirNames) {
  const auto tmpl = ChatTemplate::compile(
      "{% for m in messages %}<|{{ m.role }}|>{% for c in m.tool_calls %}{{ c.function.name }}\n{{ "
      "c.function.arguments | tojson }}{% else %}{{ '\\n' }}{{ m.content }}{% endfor %}{% endfor %}"
      "{% if add_generation_prompt %}<|assistant|>{% endif %}");
  ASSERT_TRUE(tmpl.ok()) << tmpl.error().message;
  const auto format = chat::learn_answer_format(*tmpl, {.tools_json = kTools});
  ASSERT_TRUE(format.ok());
  EXPECT_TRUE(format->has_calls);
  const std::string call = "search\n{\"query\": \"x\"}", other = "get_weather\n{\"city\": \"Rome\"}";
  for (const size_t cut : {size_t{1}, size_t{100}}) {
    const Read two = read_back(*format, call + other, cut, cut);
    ASSERT_EQ(two.calls.size(), 2u);
    EXPECT_EQ(two.calls[0].name, "search");
    EXPECT_EQ(two.calls[1].arguments_json, "{\"city\": \"Rome\"}");
    EXPECT_EQ(two.content, "");
    EXPECT_EQ(read_back(*format, "\n" + call, cut, cut).content, call);
    for (const std::string text : {"find\n{\"query\": 1}", "search", "search it", "search\n{\"query\": ", "get_we"}) {
      const Read plain = read_back(*format, text, cut, cut);
      EXPECT_EQ(plain.content, text);
      EXPECT_TRUE(plain.calls.empty());
    }
  }
  const auto use = ToolUse::create(*tmpl, {.tools_json = kTools});
  ASSERT_TRUE(use.ok());
  const auto rules = use->grammar();
  ASSERT_TRUE(rules.ok() && rules->grammar && rules->after.empty());
  EXPECT_TRUE(rules->grammar->match(call)->can_end);
  EXPECT_TRUE(rules->grammar->match("\nfind é\n{}")->can_end);
  EXPECT_EQ(rules->grammar->match("search\n{\"find\": 1}")->taken, 9u);
  EXPECT_EQ(rules->grammar->match("find\n{}")->taken, 0u);
}

TEST(ChatParser, CallsMayNeedMessagesWithoutContent) {
  const auto tmpl = ChatTemplate::compile(
      "{% for m in messages %}<|{{ m.role }}|>{% if m.content is none %}{% for c in m.tool_calls %}<call>{{ "
      "c.function.name }} {{ c.function.arguments | tojson }}</call>{% endfor %}{% else %}{{ m.content }}{% endif %}"
      "<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}");
  ASSERT_TRUE(tmpl.ok()) << tmpl.error().message;
  const auto use = ToolUse::create(*tmpl, {.tools_json = kTools});
  ASSERT_TRUE(use.ok()) << use.error().message;
  EXPECT_FALSE(use->is_generic());
  const ToolCall call{.name = "search", .arguments_json = "{\"query\": \"x\"}"};
  const auto prompt = use->render({{.role = "user", .content = "?"}, {.role = "assistant", .tool_calls = {call}}});
  ASSERT_TRUE(prompt.ok());
  EXPECT_EQ(prompt->text(), "<|user|>?<|end|><|assistant|><call>search {\"query\": \"x\"}</call><|end|><|assistant|>");
}

}  // namespace
}  // namespace hearth
