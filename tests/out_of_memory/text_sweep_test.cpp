// Memory that runs out in calls that read and write text: tokenizers, templates, chats, grammars, tools.
#include <optional>

#include "out_of_memory/sweep_world.h"
#include "tokenizer/tiny_vocab.h"

namespace hearth::testing {
namespace {

TEST(OutOfMemory, Chat) {
  Session session = make_session();
  ChatSettings settings;
  settings.generate.max_tokens = 3;
  settings.generate.sampler.greedy = true;
  const auto create = [&] {
    std::optional<ChatSettings> own;
    {
      const FailingAllocator::Pause pause;
      own = settings;
    }
    return Chat::create(session, std::move(*own));
  };
  sweep(create, [](const Chat& made) { return std::string(made.chat_template().source()); });
  Chat chat = *Chat::create(session, settings);
  const auto say = [&] {
    chat.messages().clear();
    return chat.say("hi there");  // so short that no block goes with the messages
  };
  sweep(say, [&](const ChatAnswer& answer) { return answer.text + std::to_string(chat.messages().size()); });
  const auto once = chat.say("and more");
  ASSERT_TRUE(once) << once.error().message;
  EXPECT_EQ(chat.messages().size(), 4u);
}

TEST(OutOfMemory, CompileAndRender) {
  sweep([] { return ChatTemplate::compile(kTemplate, "<s>", "</s>"); },
        [](const ChatTemplate& made) { return std::string(made.source()); });
  const ChatTemplate made = *ChatTemplate::compile(kTemplate, "<s>", "</s>");
  const std::vector<ChatMessage> messages = {
      {.role = "system", .content = "be brief"},
      {.role = "user", .content_parts_json = R"([{"type": "text", "text": "a question that is long"}])"},
      {.role = "assistant", .tool_calls = {{.id = "1", .name = "f", .arguments_json = R"({"x": [1, 2.5, null]})"}}}};
  ChatOptions options;
  options.tools_json = R"([{"type": "function", "function": {"name": "f", "parameters": {}}}])";
  const auto text = [](const ChatPrompt& prompt) { return prompt.text(); };
  sweep([&] { return made.render(messages, options); }, text);
  const std::string variables = R"({"messages": [{"role": "user", "content": "x"}]})";
  sweep([&] { return made.render_json(variables, 0); }, [](const std::string& out) { return out; });
  const ChatPrompt prompt = *made.render(messages, options);
  sweep([&] { return ChatTemplate::encode(prompt, tiny_model().tokenizer()); },
        [](const std::vector<Token>& ids) { return joined(ids); });
}

TEST(OutOfMemory, MakeGrammars) {
  const auto made = [](const Grammar& grammar) {
    const auto match = grammar.match("{\"a\":1}");
    return match ? match->expected : match.error().message;
  };
  const std::string schema = R"({"type": "object", "properties": {"a": {"type": "integer", "minimum": 0},
    "b": {"enum": ["x", "y"]}}, "required": ["a"], "additionalProperties": false})";
  sweep([] { return Grammar::from_gbnf("root ::= \"{\" [a-z\"]+ \":\" x* \"}\"\nx ::= [0-9] | \"(\" x \")\""); }, made);
  sweep([] { return Grammar::from_regex("\\{(\\w|\")+:[^a-c]{1,3}"); }, made);
  sweep([&] { return Grammar::from_json_schema(schema); }, made);
  const Grammar grammar = *Grammar::from_json_schema(schema);
  const Tokenizer& tokenizer = tiny_model().tokenizer();
  const auto first = GrammarMatcher::create(grammar, tokenizer);
  ASSERT_TRUE(first) << first.error().message;
  sweep([&] { return first->clone(); }, [](const GrammarMatcher& m) { return std::to_string(m.n_accepted()); });
  sweep(
      [&]() -> Result<uint64_t> {  // nothing here allocates beside the library
        auto matcher = first->clone();
        if (!matcher) return matcher.error();
        const auto mask = matcher->mask();
        if (!mask) return mask.error();
        uint64_t sum = 0;
        for (const uint64_t word : *mask) sum = 31 * sum + word;
        if (Status status = matcher->accept("{\"a\":1"); !status) return status.error();
        auto forced = matcher->forced();
        if (!forced) return forced.error();
        return sum + forced->size();
      },
      [](uint64_t sum) { return std::to_string(sum); });
}

constexpr const char* kToolTemplate =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls %}<call>{\"name\": \"{{ "
    "c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}</call>{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";

TEST(OutOfMemory, UseTools) {
  const ChatTemplate tmpl = *ChatTemplate::compile(kToolTemplate, "", "");
  const ChatOptions options{.tools_json = R"([{"function": {"name": "f", "parameters": {"properties": {"a": {}}}}}])"};
  sweep([&] { return ToolUse::create(tmpl, options); },
        [](const ToolUse& use) { return std::to_string(use.is_generic()) + std::to_string(use.has_tools()); });
  const ToolUse use = *ToolUse::create(tmpl, options);
  EXPECT_FALSE(use.is_generic());
  sweep([&] { return use.grammar(); }, [](const ToolGrammar& rules) { return rules.after; });
  const std::vector<ChatMessage> messages = {{.role = "user", .content = "hello"}};
  sweep([&] { return use.render(messages); }, [](const ChatPrompt& prompt) { return prompt.text(); });
  sweep(
      [&]() -> Result<size_t> {
        auto parser = use.parser();
        if (!parser) return parser.error();
        const auto part = parser->push("yes<call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</call>");
        if (!part) return part.error();
        const auto rest = parser->finish();
        if (!rest) return rest.error();
        return part->content.size() + (part->tool_calls.empty() ? 0 : part->tool_calls[0].arguments_json.size());
      },
      [](size_t n) { return std::to_string(n); });
}

TEST(OutOfMemory, Tokenize) {
  const std::string text = "hello world, hello  w\xc3\xb6rld 123 <user> <|tool|>!!\n ab abab";
  for (const TinyVocab& vocab : {sentence_piece_vocab(), byte_pair_vocab("llama-bpe"), plain_pair_vocab(),
                                 word_piece_vocab(), unigram_vocab()}) {
    const std::string bytes = vocab.file();
    const auto file = GgufFile::from_memory(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(file) << file.error().message;
    sweep([&] { return Tokenizer::from_gguf(*file); },
          [](const Tokenizer& made) { return std::to_string(made.n_vocab()) + std::string(made.warning()); });
    const Tokenizer tokenizer = *Tokenizer::from_gguf(*file);
    const EncodeOptions options{.add_special = true, .parse_special = true};
    sweep([&] { return tokenizer.encode(text, options); }, [](const std::vector<Token>& ids) { return joined(ids); });
    sweep([&] { return tokenizer.count(text, options); }, [](size_t n) { return std::to_string(n); });
    const std::vector<Token> ids = *tokenizer.encode(text, options);
    sweep([&] { return tokenizer.decode(ids); }, [](const std::string& out) { return out; });
  }
}

TEST(OutOfMemory, DecodeAStream) {
  TinyVocab vocab = sentence_piece_vocab();
  vocab.add(std::string(100, 'x'));
  const auto long_token = static_cast<Token>(vocab.tokens.size() - 1);
  const TinyTokenizer tokenizer(vocab);
  TokenDecoder decoder(*tokenizer);
  {
    const FailingAllocator failing(1);
    EXPECT_EQ(decoder.push(long_token), "");
  }
  EXPECT_TRUE(decoder.lost_text());
  EXPECT_EQ(decoder.push(long_token), std::string(100, 'x'));
}

}  // namespace
}  // namespace hearth::testing
