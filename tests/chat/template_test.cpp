// Bounds, errors with their place, and who wrote which part of a prompt.
#include <gtest/gtest.h>

#include <ctime>

#include "hearth/chat_template.h"

namespace hearth {
namespace {

Result<std::string> render(std::string_view source, std::string_view variables = "{}") {
  const auto tmpl = ChatTemplate::compile(source);
  if (!tmpl) return tmpl.error();
  return tmpl->render_json(variables, 0);
}

#if defined(__SANITIZE_THREAD__)
constexpr double kSlower = 10;  // the promise is that of a build without instruments
#else
constexpr double kSlower = 1;
#endif

TEST(TemplateBounds, WhatNeverEndsOrGrowsWithoutBoundFailsWithinASecond) {
  const std::string range = "{% for a in range(100000) %}";
  const std::string nested = range + range + "{% endfor %}{% endfor %}";
  const std::string sources[] = {
      nested,
      range + "{% for b in range(100000) %}x{% endfor %}{% endfor %}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('abcdefgh') }}",
      "{% set n = namespace(s='ab') %}" + range + "{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s|length }}",
      "{% set n = namespace(s=[1]) %}" + range + "{% set n.s = n.s + n.s %}{% endfor %}",
      "{% set n = namespace(s=[]) %}" + range + "{% set n.s = [n.s] %}{% endfor %}{{ n.s }}",
      "{% set n = namespace(s=[]) %}" + range + "{% set n.s = n.s|map('list') %}{% endfor %}{{ n.s|list }}",
      "{{ 'x' * 99999999999 }}",
      "{{ [1] * 99999999999 }}",
      "{{ 'x'.center(99999999999) }}",
      "{{ '%99999999999d' % 1 }}",
      "{{ '{:99999999999}'.format(1) }}",
      "{{ 10 ** (10 ** 10) }}",
      "{{ [1]|tojson(indent=99999999999) }}",
      "{{ ('a' * 100000).replace('', 'b' * 100000) }}",
      "{% for x in [[]] recursive %}{{ loop([[]]) }}{% endfor %}",
      std::string(100000, '('),
      "{{ " + std::string(100000, '[') + " }}",
      "{{ " + std::string(100000, '-') + "1 }}",
  };
  for (const std::string& source : sources) {
    const std::clock_t begin = std::clock();  // of this process: other work on the machine does not count
    const auto text = render(source);
    const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    const bool is_plain_text = source.front() == '(';
    EXPECT_EQ(text.ok(), is_plain_text) << source.substr(0, 100);
    EXPECT_LT(seconds, kSlower) << source.substr(0, 100);
  }
}

TEST(TemplateErrors, NameLineAndColumn) {
  EXPECT_EQ(render("a\n  {{ x.y }}").error().message, "line 2, column 8: 'x' is undefined");
  EXPECT_EQ(render("a\n{% if %}").error().message.substr(0, 17), "line 2, column 7:");
  EXPECT_EQ(render("{{ raise_exception('no ' + 'tools') }}").error().message, "no tools");
  EXPECT_EQ(render("{{ 1 + none }}").error().code, ErrorCode::kFormat);
  EXPECT_EQ(render("{{ x }}", "{\"x\": }").error().code, ErrorCode::kInvalidArgument);
}

std::string trusted_text(std::string_view source, std::string content) {
  const auto tmpl = ChatTemplate::compile(source, "<s>", "</s>");
  if (!tmpl) return tmpl.error().message;
  const auto prompt = tmpl->render({{.role = "user", .content = std::move(content)}}, {});
  if (!prompt) return prompt.error().message;
  std::string out;
  for (const ChatPrompt::Piece& piece : prompt->pieces)
    out += piece.trusted ? piece.text : std::string(piece.text.size(), '.');
  return out;
}

TEST(TemplateProvenance, TravelsThroughStringOperations) {
  const std::string c = "messages[0].content";
  EXPECT_EQ(trusted_text("<a>{{ " + c + " }}<b>", "xyz"), "<a>...<b>");
  EXPECT_EQ(trusted_text("{{ '<a>' + " + c + " ~ '<b>' }}", "xyz"), "<a>...<b>");
  EXPECT_EQ(trusted_text("{{ ('<a> ' + " + c + " + ' <b>')[1:-1]|upper }}", "xyz"), "A> ... <B");
  EXPECT_EQ(trusted_text("{{ (" + c + " + '|<b>').split('|')|join('-') }}", "xyz"), "...-<b>");
  EXPECT_EQ(trusted_text("{{ '<a>%s<b>'|format(" + c + ") }}{{ '{}!'.format(" + c + ") }}", "xyz"), "<a>...<b>...!");
  EXPECT_EQ(trusted_text("{{ 'aXb'.replace('X', " + c + ")|trim }}", "xyz"), "a...b");
  EXPECT_EQ(trusted_text("{{ " + c + ".replace('y', '<s>') }}", "xyz"), ".<s>.");
  EXPECT_EQ(trusted_text("{{ {'<k>': " + c + "}|tojson }}", "x\n"), "..<k>.........");
  EXPECT_EQ(
      trusted_text("{% macro m(x) %}<{{ x }}>{% endmacro %}{% set y %}{{ m(" + c + ") }}{% endset %}{{ y }}", "xyz"),
      "<...>");
  EXPECT_EQ(trusted_text("{{ messages[0].role }}{{ bos_token }}{{ loop }}{{ 1 + 1 }}", "x"), "user<s>2");
  EXPECT_EQ(trusted_text("{% for x in " + c + " %}[{{ x }}]{% endfor %}", "xy"), "[.][.]");
}

/// What a template makes of messages; an error is "error: ...".
std::string chat(std::string_view source, const std::vector<ChatMessage>& messages) {
  const auto tmpl = ChatTemplate::compile(source);
  if (!tmpl) return tmpl.error().message;
  const auto prompt = tmpl->render(messages, {});
  return prompt ? prompt->text() : "error: " + prompt.error().message;
}

TEST(TemplateMessages, PartsBecomeTextWhereTheTemplateKnowsOnlyThat) {
  const char* parts = R"([{"type": "text", "text": "one "}, {"type": "image"}, {"type": "text", "text": "two"}])";
  const std::vector<ChatMessage> messages = {{.role = "user", .content_parts_json = parts}};
  EXPECT_EQ(chat("{{ '<' + messages[0].content }}", messages), "<one \ntwo");
  EXPECT_EQ(chat("<{{ messages[0].content }}>", messages), "<one \ntwo>");
  EXPECT_EQ(chat("{{ messages[0].content.strip() }}", messages), "one \ntwo");
  EXPECT_EQ(chat("{% for p in messages[0].content %}{{ p.type }} {% endfor %}", messages), "text image text ");
}

TEST(TemplateMessages, TextBecomesAPartWhereTheTemplateKnowsOnlyThose) {
  const char* loop = "{% for p in messages[0].content %}{% if p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}";
  EXPECT_EQ(chat(loop, {{.role = "user", .content = "hello"}}), "hello");
  EXPECT_EQ(chat("{{ messages[0].content[0]['text'] }}", {{.role = "user", .content = "hello"}}), "hello");
  EXPECT_EQ(chat("{{ messages[0].content | upper }}", {{.role = "user", .content = "hello"}}), "HELLO");
}

TEST(TemplateMessages, ArgumentsAreAnObjectOrTextAsTheTemplateNeeds) {
  const std::string json = R"({"city": "Paris"})";
  const std::vector<ChatMessage> messages = {
      {.role = "assistant", .tool_calls = {{.name = "f", .arguments_json = json}}}};
  const std::string arguments = "messages[0].tool_calls[0].function.arguments";
  EXPECT_EQ(chat("{{ '<' + " + arguments + " }}", messages), "<" + json);
  EXPECT_EQ(chat("{{ " + arguments + " }}", messages), json);
  EXPECT_EQ(chat("{{ " + arguments + " | tojson }}", messages), json);
  EXPECT_EQ(chat("{{ " + arguments + ".city }}", messages), "Paris");
  EXPECT_EQ(chat("{% for k, v in " + arguments + ".items() %}{{ k ~ v }}{% endfor %}", messages), "cityParis");
}

TEST(TemplateMessages, NoContentIsNoneOrEmpty) {
  const std::vector<ChatMessage> messages = {{.role = "assistant", .no_content = true}};
  EXPECT_EQ(chat("{{ messages[0].content is none }}", messages), "True");
  EXPECT_EQ(chat("<{{ messages[0].content }}>", messages), "<>");
  EXPECT_EQ(chat("{{ '<' + messages[0].content }}", messages), "<");
}

TEST(TemplateMessages, FurtherMembersReachTheTemplate) {
  const std::vector<ChatMessage> messages = {
      {.role = "user", .content = "x", .more_json = R"({"thinking": "deep", "role": "system", "n": [1]})"}};
  EXPECT_EQ(chat("{% set m = messages[0] %}{{ m.role ~ m.thinking ~ m.n[0] ~ m.content }}", messages), "userdeep1x");
  const auto tmpl = ChatTemplate::compile("{{ messages[0].thinking }}");
  const auto prompt = tmpl->render(messages, {});
  ASSERT_TRUE(prompt);
  EXPECT_FALSE(prompt->pieces[0].trusted);
  EXPECT_EQ(chat("x", {{.role = "user", .more_json = "[1]"}}),
            "error: messages[0].more_json: a JSON object is expected");
}

TEST(TemplateMessages, ARefusedSystemRoleBeginsTheFirstUserMessage) {
  const std::string refuses =
      "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
      "{% for m in messages %}{{ m.role ~ ':' ~ m.content ~ ';' }}{% endfor %}";
  EXPECT_EQ(chat(refuses, {{.role = "system", .content = "brief"}, {.role = "user", .content = "hi"}}),
            "user:brief\nhi;");
  EXPECT_EQ(chat(refuses, {{.role = "system", .content = "brief"}}), "user:brief;");
  EXPECT_EQ(chat(refuses, {{.role = "system", .content = "brief"}, {.role = "assistant", .content = "hi"}}),
            "user:brief;assistant:hi;");
  EXPECT_EQ(chat("{{ messages[0].role }}", {{.role = "system", .content = "brief"}}), "system");
  EXPECT_EQ(chat("{{ raise_exception('never') }}", {{.role = "system"}, {.role = "user", .content = "hi"}}),
            "error: never");
}

TEST(TemplateVariables, ListsMayGrowInChatsButNotInTheGoldenWay) {
  const char* source = "{% set x = [] %}{% set _ = x.append(1) %}{{ x }}";
  EXPECT_FALSE(render(source).ok());
  const auto tmpl = ChatTemplate::compile(source);
  ASSERT_TRUE(tmpl.ok());
  EXPECT_EQ(tmpl->render({}, {})->text(), "[1]");
}

}  // namespace
}  // namespace hearth
