// The lexer: tokens, white space control, and the place of errors.
#include "lib/jinja/lexer.h"

#include <gtest/gtest.h>

namespace hearth::jinja {
namespace {

/// Tokens with a letter for their type: d(ata), n(ame), s(tring), i(nteger), f(loat), o(perator), and the brackets.
std::string tokens(std::string_view source) {
  std::vector<LexToken> list;
  SyntaxError error;
  const std::string normal = normalize_source(source);
  if (!tokenize(normal, list, error)) return "error at " + std::to_string(error.offset) + ": " + error.message;
  std::string out;
  for (const LexToken& token : list) {
    switch (token.type) {
      case TokenType::kData: out += "d(" + token.text + ")"; break;
      case TokenType::kBlockBegin: out += "{%"; break;
      case TokenType::kBlockEnd: out += "%}"; break;
      case TokenType::kVariableBegin: out += "{{"; break;
      case TokenType::kVariableEnd: out += "}}"; break;
      case TokenType::kName: out += " n:" + token.text; break;
      case TokenType::kString: out += " s:" + token.text; break;
      case TokenType::kInteger: out += " i:" + token.text; break;
      case TokenType::kFloat: out += " f:" + std::to_string(token.number); break;
      case TokenType::kOperator: out += " o:" + token.text; break;
      case TokenType::kEnd: break;
    }
  }
  return out;
}

TEST(JinjaLexer, DataAndExpressions) {
  EXPECT_EQ(tokens("a{{ b.c }}d"), "d(a){{ n:b o:. n:c}}d(d)");
  EXPECT_EQ(tokens("{{ 'x\\n' ~ \"y'\" }}"), "{{ s:x\n o:~ s:y'}}");
  EXPECT_EQ(tokens("{{ 1_000 + 0x1F - 2.5e1 // 3 ** 4 }}"), "{{ i:1000 o:+ i:0x1F o:- f:25.000000 o:// i:3 o:** i:4}}");
  EXPECT_EQ(tokens("a{# no {{ x }} #}b"), "d(a)d(b)");
}

TEST(JinjaLexer, WhiteSpaceControl) {
  EXPECT_EQ(tokens("a \n{%- if x -%}\n b"), "d(a){% n:if n:x%}d(b)");
  EXPECT_EQ(tokens("a\n  {% if x %}\nb"), "d(a\n){% n:if n:x%}d(b)") << "trim_blocks and lstrip_blocks";
  EXPECT_EQ(tokens("a\n  {%+ if x +%}\nb"), "d(a\n  ){% n:if n:x%}d(\nb)");
  EXPECT_EQ(tokens("a  {{ x }}\nb"), "d(a  ){{ n:x}}d(\nb)") << "expressions keep the space around";
  EXPECT_EQ(tokens("a\r\nb\n"), "d(a\nb)");
}

TEST(JinjaLexer, RawTextIsNotLookedInto) {
  EXPECT_EQ(tokens("{% raw %}{{ x }}{% endraw %}y"), "d({{ x }})d(y)");
}

TEST(JinjaLexer, BracketsMustMatch) {
  EXPECT_EQ(tokens("{{ {'a': 1} }}"), "{{ o:{ s:a o:: i:1 o:}}}");
  EXPECT_EQ(tokens("{{ (1] }}").substr(0, 11), "error at 5:");
  EXPECT_EQ(tokens("{{ 'abc }}").substr(0, 11), "error at 3:");
}

TEST(JinjaLexer, PositionsCountCharacters) {
  const std::string_view source = "a\n\u00e9\u00e9x";
  EXPECT_EQ(position_of(source, 6).line, 2u);
  EXPECT_EQ(position_of(source, 6).column, 3u);
  EXPECT_EQ(position_of(source, 0).column, 1u);
}

}  // namespace
}  // namespace hearth::jinja
