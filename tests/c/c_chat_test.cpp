// Grammars, conversations and calls of tools through the C interface.
#include "c/c_world.h"

namespace hearth::testing {
namespace {

TEST_F(CInterfaceTest, KeepsToAGrammar) {
  HearthGrammar* grammar = nullptr;
  EXPECT_EQ(hearth_grammar_from_gbnf("root ::= (", HEARTH_NUL, nullptr, &grammar, &error_), HEARTH_FORMAT);
  ASSERT_EQ(hearth_grammar_from_regex("[0-9]{3}", HEARTH_NUL, &grammar, &error_), HEARTH_OK);
  HearthGrammarMatch match{};
  match.size = sizeof match;
  ASSERT_EQ(hearth_grammar_match(grammar, "12x", HEARTH_NUL, &match, &error_), HEARTH_OK);
  EXPECT_EQ(match.taken, 2u);
  EXPECT_STREQ(match.expected, "'0' to '9'");
  hearth_free(match.expected);
  auto options = with_defaults(hearth_generate_options_init);
  options.grammar = grammar;
  HearthGeneration* made = nullptr;
  ASSERT_EQ(hearth_session_generate(session_, "A number: ", HEARTH_NUL, &options, nullptr, nullptr, &made, &error_),
            HEARTH_OK);
  const std::string text = text_of(hearth_generation_text(made));
  EXPECT_EQ(text.size(), 3u) << text;
  EXPECT_EQ(text.find_first_not_of("0123456789"), std::string::npos) << text;
  hearth_generation_free(made);
  HearthGrammarMatcher* matcher = nullptr;
  ASSERT_EQ(hearth_grammar_matcher_create(grammar, hearth_model_tokenizer(model_), &matcher, &error_), HEARTH_OK);
  EXPECT_EQ(hearth_grammar_matcher_accept_text(matcher, "12", HEARTH_NUL, &error_), HEARTH_OK);
  EXPECT_EQ(hearth_grammar_matcher_accept_text(matcher, "x", HEARTH_NUL, &error_), HEARTH_INVALID_ARGUMENT);
  const uint64_t* mask = nullptr;
  size_t n_words = 0;
  ASSERT_EQ(hearth_grammar_matcher_mask(matcher, &mask, &n_words, &error_), HEARTH_OK);
  EXPECT_EQ(n_words, (static_cast<size_t>(hearth_tokenizer_n_vocab(hearth_model_tokenizer(model_))) + 63) / 64);
  hearth_grammar_matcher_free(matcher);
  hearth_grammar_free(grammar);
}

TEST_F(CInterfaceTest, ChatsAndKeepsItsHistory) {
  HearthChat* chat = nullptr;
  ASSERT_EQ(hearth_chat_create(session_, nullptr, nullptr, &chat, &error_), HEARTH_OK) << error_.message;
  HearthChatAnswer* answer = nullptr;
  ASSERT_EQ(hearth_chat_say(chat, "Hello", HEARTH_NUL, nullptr, nullptr, &answer, &error_), HEARTH_OK);
  EXPECT_GT(hearth_chat_answer_text(answer).size, 0u);
  HearthChatMessage message{};
  message.size = sizeof message;
  hearth_chat_answer_message(answer, &message);
  EXPECT_STREQ(message.role, "assistant");
  ASSERT_TRUE(hearth_chat_messages(chat, 0, &message));
  EXPECT_STREQ(message.content, "Hello");
  EXPECT_FALSE(hearth_chat_messages(chat, 2, &message));
  HearthChatMessage history[2] = {with_defaults(hearth_chat_message_init), with_defaults(hearth_chat_message_init)};
  history[0].role = "system", history[0].content = "be brief";
  history[1].role = "user", history[1].content = "Tell me a story.";
  ASSERT_EQ(hearth_chat_set_messages(chat, history, 2, &error_), HEARTH_OK);
  hearth_chat_answer_free(answer);
  ASSERT_EQ(hearth_chat_answer(chat, nullptr, nullptr, &answer, &error_), HEARTH_OK) << error_.message;
  EXPECT_TRUE(hearth_chat_messages(chat, 2, &message));
  hearth_chat_answer_free(answer);
  hearth_chat_free(chat);
}

TEST_F(CInterfaceTest, ReadsCallsOfTools) {
  const char* source =
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls %}<call>{\"name\": \"{{ "
      "c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}</call>{% endfor %}{% endfor %}"
      "{% if add_generation_prompt %}<assistant>{% endif %}";
  HearthChatTemplate* compiled = nullptr;
  ASSERT_EQ(hearth_chat_template_compile(source, HEARTH_NUL, nullptr, nullptr, &compiled, &error_), HEARTH_OK);
  auto options = with_defaults(hearth_chat_options_init);
  options.tools_json = R"([{"function": {"name": "f", "parameters": {"properties": {"a": {}}}}}])";
  HearthToolUse* use = nullptr;
  ASSERT_EQ(hearth_tool_use_create(compiled, &options, nullptr, &use, &error_), HEARTH_OK) << error_.message;
  HearthChatParser* parser = nullptr;
  ASSERT_EQ(hearth_tool_use_parser(use, &parser, &error_), HEARTH_OK);
  HearthChatDelta delta{};
  delta.size = sizeof delta;
  ASSERT_EQ(hearth_chat_parser_push(parser, "yes<call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</call>", HEARTH_NUL,
                                    &delta, &error_),
            HEARTH_OK);
  EXPECT_EQ(text_of(delta.content), "yes");
  if (delta.n_tool_calls == 0) {
    ASSERT_EQ(hearth_chat_parser_finish(parser, &delta, &error_), HEARTH_OK);
  }
  ASSERT_EQ(delta.n_tool_calls, 1u);
  EXPECT_STREQ(delta.tool_calls[0].name, "f");
  EXPECT_STREQ(delta.tool_calls[0].arguments_json, "{\"a\": 1}");
  HearthGrammar* grammar = nullptr;
  char* after = nullptr;
  ASSERT_EQ(hearth_tool_use_grammar(use, nullptr, &grammar, &after, &error_), HEARTH_OK) << error_.message;
  EXPECT_NE(grammar, nullptr);
  hearth_free(after);
  hearth_grammar_free(grammar);
  hearth_chat_parser_free(parser);
  hearth_tool_use_free(use);
  hearth_chat_template_free(compiled);
}

}  // namespace
}  // namespace hearth::testing
