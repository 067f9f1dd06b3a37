// Patterns for tensor names.
#include "lib/quantize/name_pattern.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

namespace hearth {
namespace {

TEST(NamePattern, FindsWhatStandardExpressionsFind) {
  const std::vector<std::string> patterns = {"attn_q",
                                             "blk\\.[0-9]*[02468]\\.attn_(q|k)",
                                             "^blk\\.1\\.",
                                             "weight$",
                                             "^$",
                                             "a|b|",
                                             "ffn_(up|down).*",
                                             "blk\\.\\d{1,2}\\.ffn",
                                             "[^.]+\\.bias",
                                             "(blk|token)_?",
                                             "x?y*z+",
                                             "a{2}b{2,}",
                                             "(?:ab|a)*c$",
                                             "\\w+\\.\\w+",
                                             "[a-c-]+",
                                             ".",
                                             "a??b",
                                             "(a|ab)(c|bcd)d*",
                                             "[\\d.]+w",
                                             "((a{0,2}){2}b)+$"};
  const std::vector<std::string> texts = {"",
                                          "blk.0.attn_q.weight",
                                          "blk.12.attn_k.weight",
                                          "blk.13.ffn_up.bias",
                                          "token_embd",
                                          "aabbb",
                                          "abac",
                                          "xyyz",
                                          "abcdd",
                                          "output.weight",
                                          "ab",
                                          "-"};
  for (const std::string& pattern : patterns) {
    const auto compiled = NamePattern::compile(pattern);
    ASSERT_TRUE(compiled) << compiled.error().message;
    const std::regex standard(pattern);
    for (const std::string& text : texts) {
      EXPECT_EQ(compiled->found_in(text), std::regex_search(text, standard)) << pattern << " in " << text;
    }
  }
}

TEST(NamePattern, SaysWhereAPatternIsWrong) {
  for (const char* pattern :
       {"(", ")", "[", "[z-a]", "*a", "a**", "a{2", "a{3,2}", "a{2000}", "(?=a)", "\\1", "\\b", "\\"}) {
    const auto compiled = NamePattern::compile(pattern);
    ASSERT_FALSE(compiled) << pattern;
    EXPECT_NE(compiled.error().message.find(pattern), std::string::npos);
  }
}

TEST(NamePattern, TakesLinearTimeAndBoundedMemory) {
  EXPECT_FALSE(NamePattern::compile("((((a{999}){999}){999}){999})"));
  EXPECT_FALSE(NamePattern::compile(std::string(1000, '(')));
  const auto hard = NamePattern::compile("(a*)*(a*)*(a*)*b");
  ASSERT_TRUE(hard);
  EXPECT_FALSE(hard->found_in(std::string(20000, 'a')));
}

}  // namespace
}  // namespace hearth
