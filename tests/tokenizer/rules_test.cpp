// Split rules: the automaton against what the notation means, and every row of the table.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/tokenizer/pre_rules.h"
#include "lib/tokenizer/pre_splitter.h"

namespace hearth {
namespace {

class Words final : public WordSink {
 public:
  void word(std::string_view text) override { joined += (joined.empty() ? "" : "|") + std::string(text); }
  std::string joined;
};

std::string split(std::string_view pre, std::string_view text) {
  const PreRule* rule = find_pre_rule(pre);
  if (rule == nullptr) return "no such rule";
  const auto splitter = PreSplitter::create(*rule);
  if (!splitter) return splitter.error().message;
  Words words;
  splitter->split(text, words);
  return words.joined;
}

/// Length of the match at the begin of `text`, or -1.
int match(std::string_view pattern, std::string_view text) {
  const auto dfa = RuleDfa::compile(pattern);
  if (!dfa) return -2;
  const char* end = dfa->match(text.data(), text.data() + text.size());
  return end == nullptr ? -1 : static_cast<int>(end - text.data());
}

TEST(RuleDfa, FirstAlternativeWinsAndRepeatsAreGreedy) {
  EXPECT_EQ(match("a|ab", "ab"), 1);
  EXPECT_EQ(match("ab|a", "ab"), 2);
  EXPECT_EQ(match("a*", "aaab"), 3);
  EXPECT_EQ(match("a{2}", "aaab"), 2);
  EXPECT_EQ(match("a{1,3}", "aaaa"), 3);
  EXPECT_EQ(match("(a|b)+c?", "ababc"), 5);
  EXPECT_EQ(match("a?a?b", "ab"), 2);
  EXPECT_EQ(match("b", "ab"), -1);
}

TEST(RuleDfa, ClassesAndLookAhead) {
  EXPECT_EQ(match("\\p{L}+", "a\u00e9\u4e2d1"), 6);
  EXPECT_EQ(match("[^\\s\\p{L}]+", "1!\u20ac a"), 5);
  EXPECT_EQ(match("[\\p{L}&&[^a-z]]+", "AB\u00e9c"), 4);
  EXPECT_EQ(match("\\s+(?!\\S)", "   x"), 2);
  EXPECT_EQ(match("\\s+(?!\\S)", "   "), 3);
  EXPECT_EQ(match("\\s+(?!\\S)", " x"), -1);
  EXPECT_EQ(match("[\\-\\]]+", "-]a"), 2);
}

TEST(RuleDfa, WrongPatternsAreErrors) {
  for (const char* pattern : {"(a", "a)", "[\\p{X}]", "a{2", "\\"}) EXPECT_EQ(match(pattern, "a"), -2) << pattern;
}

TEST(PreRules, EveryRowCompiles) {
  for (const char* name :
       {"", "default", "llama-bpe", "qwen2", "qwen35", "gpt-2", "jais-2", "youtu", "kimi-k2", "afmoe", "deepseek-llm",
        "deepseek-v3", "chameleon", "superbpe", "tekken", "gpt-4o", "gemma4"}) {
    EXPECT_EQ(split(name, "x"), "x") << name;
  }
  EXPECT_EQ(find_pre_rule("no-such-name"), nullptr);
}

TEST(PreRules, SplitAsTheirModelsDo) {
  EXPECT_EQ(split("gpt-2", "I'll go 1234\n\n x"), "I|'ll| go| 1234|\n\n| x");
  EXPECT_EQ(split("llama-bpe", "I'LL go 1234!\n\n x"), "I|'LL| go| |123|4|!\n\n| x");
  EXPECT_EQ(split("qwen2", "a12 b"), "a|1|2| b");
  EXPECT_EQ(split("gpt-4o", "HelloWorld's ABCd"), "Hello|World's| ABCd");
  EXPECT_EQ(split("superbpe", "x1234567"), "x|1|234|567");
  EXPECT_EQ(split("afmoe", "1234567"), "1|234|567");
  EXPECT_EQ(split("deepseek-v3", "12345\u4e2d\u6587ab"), "123|45|\u4e2d\u6587|ab");
  EXPECT_EQ(split("gemma4", "a b\n\nc"), "a b|\n\n|c");
  EXPECT_EQ(split("bloom", "Hi, you"), "Hi|,| you");
  EXPECT_EQ(split("jais-2", "a" + std::string(8, ' ') + "b \n  c"), "a|    |  | | b| \n| | c");
}

}  // namespace
}  // namespace hearth
