// Regular expressions: texts that match, texts that do not, and what is refused.
#include <gtest/gtest.h>

#include "hearth/grammar.h"
#include "lib/grammar/regex.h"

namespace hearth {
namespace {

struct Case {
  const char* pattern;
  const char* text;
  bool matches;
};

bool matches(const char* pattern, std::string_view text) {
  const auto grammar = Grammar::from_regex(pattern);
  EXPECT_TRUE(grammar.ok()) << pattern << ": " << grammar.error().message;
  if (!grammar) return false;
  const auto match = grammar->match(text);
  return match && match->can_end;
}

TEST(Regex, MatchesWholeTexts) {
  const Case cases[] = {
      {"a|bc", "a", true},
      {"a|bc", "bc", true},
      {"a|bc", "ab", false},
      {"[a-c]+", "abcabc", true},
      {"[^a-c]+", "xyzé", true},
      {"[^a-c]+", "xa", false},
      {"\\d{3}-\\d{4}", "123-4567", true},
      {"\\d{3}-\\d{4}", "123-456", false},
      {"a{2,3}", "aaaa", false},
      {"a{2,}", "aaaa", true},
      {"(?:ab)*c", "ababc", true},
      {"(?<x>ab)?c", "c", true},
      {"\\u00e9\\x41", "éA", true},
      {"\\u{1F600}", "😀", true},
      {"\\ud83d\\ude00", "😀", true},
      {".", "\n", false},
      {"[^]", "\n", true},
      {"\\p{Lu}\\p{Ll}+", "Éa", true},
      {"\\p{Lu}", "a", false},
      {"a{,3}", "a{,3}", true},
      {"^a$", "a", true},
      {"x{300}", "x", false},
      {"[\\w.-]+@[a-z]+", "a.b-c@de", true},
      {"a+?b", "aab", true},
      {"", "", true},
      {"[a\\-z]", "-", true},
      {"[\\d-x]", "-", true},
      {"\\/", "/", true},
  };
  for (const Case& c : cases) EXPECT_EQ(matches(c.pattern, c.text), c.matches) << c.pattern << " on " << c.text;
}

TEST(Regex, AnchorsInsideFollowTheTextsEnds) {
  const Case cases[] = {{"^a|b$", "xxb", true},   {"^a|b$", "ba", false},  {"^a|b$", "ax", true},
                        {"(^|,)a", "x,a", true},  {"(^|,)a", "xa", false}, {"a($|,)", "xa", true},
                        {"a($|,)", "axx", false}, {"a^b", "ab", false},    {"^$", "", true},
                        {"^$", "a", false},       {"x*$", "y", true}};
  for (const Case& c : cases) {
    const auto regex = grammar::parse_regex(c.pattern);
    ASSERT_TRUE(regex.ok()) << c.pattern;
    const auto dfa = grammar::automaton_of(*regex, false);
    ASSERT_TRUE(dfa.has_value());
    EXPECT_EQ(dfa->matches(c.text), c.matches) << c.pattern << " in " << c.text;
  }
}

TEST(Regex, RefusesWhatIsNotRegularByName) {
  const std::pair<const char*, const char*> cases[] = {{"(?=a)b", "looking ahead"},
                                                       {"(?!a)b", "looking ahead"},
                                                       {"(?<=a)b", "looking back"},
                                                       {"(a)\\1", "reference back"},
                                                       {"\\bword", "word boundary"}};
  for (const auto& [pattern, word] : cases) {
    const auto grammar = Grammar::from_regex(pattern);
    ASSERT_FALSE(grammar.ok()) << pattern;
    EXPECT_EQ(grammar.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(grammar.error().message.find(word), std::string::npos) << grammar.error().message;
  }
}

TEST(Regex, RefusesWhatIsMalformed) {
  for (const char* pattern : {"(a", "a)", "[a", "*a", "a**", "a{3,2}", "\\", "[z-a]", "\\x4", "\\u12", "a{1000000}"}) {
    EXPECT_FALSE(Grammar::from_regex(pattern).ok()) << pattern;
  }
  EXPECT_FALSE(Grammar::from_regex(std::string(100000, '(')).ok());
}

}  // namespace
}  // namespace hearth
