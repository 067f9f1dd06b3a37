// What templates cost against the size of their text and their variables: linear, or ended by a bound.
#include <gtest/gtest.h>

#include "hearth/chat_template.h"
#include "support/cost.h"

namespace hearth {
namespace {

using testing::expect_linear;

std::string repeated(std::string_view text, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

/// A call that renders `source` with the texts x and y.
auto rendering(std::string_view source, std::string x, std::string y = "") {
  auto made = ChatTemplate::compile(source);
  EXPECT_TRUE(made) << made.error().message;
  std::string variables = R"({"x": ")" + x + R"(", "y": ")" + y + R"("})";
  return [made = std::move(*made), variables = std::move(variables)] {
    const auto text = made.render_json(variables);
    EXPECT_TRUE(text || text.error().code == ErrorCode::kLimit) << text.error().message;
  };
}

TEST(TemplateCost, SearchesForWhatAlmostMatches) {
  for (const char* source :
       {"{{ y in x }}", "{{ x.count(y) }}", "{{ x.find(y) }}", "{{ x.rfind(y) }}", "{{ x.split(y)|length }}",
        "{{ x.rsplit(y)|length }}", "{{ x.replace(y, 'z')|length }}", "{{ x.partition(y)|length }}",
        "{{ x.rpartition(y)|length }}", "{{ x|replace(y, 'z')|length }}"}) {
    for (const bool at_end : {true, false}) {
      expect_linear(source, 150000, [&](size_t n) {
        const std::string half = repeated("a", n / 2);
        return rendering(source, repeated("a", n), at_end ? half + "b" : "b" + half);
      });
    }
  }
}

TEST(TemplateCost, StripsTagsThatNeverEnd) {
  for (const char* piece : {"<", "<!--", "<!-- >", "a<b"}) {
    expect_linear(piece, 60000, [&](size_t n) { return rendering("{{ x|striptags|length }}", repeated(piece, n)); });
  }
}

TEST(TemplateCost, WrapsWordsThatFitNowhere) {
  for (const char* source :
       {"{{ x|wordwrap(1)|length }}", "{{ x|wordwrap(3)|length }}", "{{ x|wordwrap(5, false)|length }}"}) {
    expect_linear(source, 20000, [&](size_t n) { return rendering(source, repeated("a", n)); });
    expect_linear(source, 20000, [&](size_t n) { return rendering(source, repeated("a-b ", n / 4)); });
  }
}

TEST(TemplateCost, StripsManyCharacters) {
  std::string letters;
  for (int c = 0xa1; c < 0x800; ++c) {
    letters += static_cast<char>(0xc0 | c >> 6);
    letters += static_cast<char>(0x80 | (c & 0x3f));
  }
  expect_linear("strip", 50000,
                [&](size_t n) { return rendering("{{ x.strip(y)|length }}", repeated("\xdf\xbf", n), letters); });
}

TEST(TemplateCost, PrintsLargeIntegers) {
  expect_linear("big", 150, [](size_t n) {
    return rendering("{% for i in range(" + std::to_string(n) + ") %}{{ 2 ** 14000 + i }}{% endfor %}", "");
  });
  expect_linear("the same again", 4000, [](size_t n) {
    return rendering("{% set b = 2 ** 14000 %}{% for i in range(" + std::to_string(n) +
                         ") %}{{ b > 1.5 }}{{ [b]|tojson|length }}{% endfor %}",
                     "");
  });
}

/// A call that compiles.
auto compiling(std::string source) {
  return [source = std::move(source)] {
    const auto made = ChatTemplate::compile(source);
    EXPECT_TRUE(made || made.error().code != ErrorCode::kOutOfMemory);
  };
}

TEST(TemplateCost, CompilesVariablesInConditions) {
  expect_linear("one after the other", 400, [](size_t n) {
    std::string source;
    for (size_t i = 0; i < n; ++i) source += "{% if a %}{% set v" + std::to_string(i) + " = 1 %}{% endif %}";
    return compiling(source);
  });
  expect_linear("nested", 20, [](size_t n) {
    std::string source;
    for (size_t i = 0; i < 40 * n; ++i) {
      source += (i % 40 < 20 ? "{% if a %}" : "") + ("{% set v" + std::to_string(i)) + " = a %}" +
                (i % 40 >= 20 ? "{% endif %}" : "");
    }
    return compiling(source);
  });
}

TEST(TemplateCost, CompilesManyNames) {
  expect_linear("keywords", 3000, [](size_t n) {
    std::string source = "{{ f(";
    for (size_t i = 0; i < n; ++i) source += "k" + std::to_string(i) + "=1,";
    return compiling(source + ") }}");
  });
  expect_linear("parameters", 3000, [](size_t n) {
    std::string source = "{% macro f(";
    for (size_t i = 0; i < n; ++i) source += "p" + std::to_string(i) + "=1,";
    source.back() = ')';
    return compiling(source + " %}{% endmacro %}");
  });
  expect_linear("blocks", 1500, [](size_t n) {
    std::string source;
    for (size_t i = 0; i < n; ++i) source += "{% block b" + std::to_string(i) + " %}{% endblock %}";
    return compiling(source);
  });
}

TEST(TemplateCost, LooksUpLongKeys) {
  expect_linear("keys", 20000, [](size_t n) {
    return rendering("{% set d = {x: 1, 'b': 2} %}{% for i in range(300) %}{{ d[x] }}{{ x in d }}{% endfor %}",
                     repeated("k", n));
  });
}

}  // namespace
}  // namespace hearth
