// Templates and JSON whose depth a file or a request chooses, in threads with small stacks.
#include <gtest/gtest.h>
#include <pthread.h>

#include <functional>

#include "hearth/chat_template.h"

namespace hearth {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kStackBytes = 1024 << 10;  // frames are larger
#else
constexpr size_t kStackBytes = 256 << 10;
#endif

void run_on_small_stack(const std::function<void()>& call) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, kStackBytes), 0);
  pthread_t thread;
  const auto run = [](void* f) -> void* {
    (*static_cast<const std::function<void()>*>(f))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, const_cast<std::function<void()>*>(&call)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

std::string repeated(std::string_view text, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

/// Compiles and renders; any end but a crash is right.
std::string outcome(const std::string& source, const std::string& variables = "{}") {
  std::string out;
  run_on_small_stack([&] {
    const auto made = ChatTemplate::compile(source);
    if (!made) {
      out = made.error().message;
      return;
    }
    const auto text = made->render_json(variables);
    out = text ? "rendered " + std::to_string(text->size()) : text.error().message;
  });
  return out;
}

TEST(SmallStack, RecursionOfATemplateEndsInAnError) {
  for (const char* source : {
           "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
           "{% macro f(x) %}{% if x %}{% for i in [1] %}{{ [f(x)]|join|trim }}{% endfor %}{% endif %}{% endmacro %}{{ "
           "f(1) }}",
           "{% macro f(x) %}{% call g() %}{{ f(x) }}{% endcall %}{% endmacro %}{% macro g() %}{{ caller() }}{% "
           "endmacro %}{{ f(1) }}",
           "{% macro f(x) %}{% set y %}{% filter upper %}{{ f(x) }}{% endfilter %}{% endset %}{{ y }}{% endmacro %}{{ "
           "f(1) }}",
           "{% macro f(x) %}{{ '%s' | format(f(x)) }}{{ '{}'.format(f(x)) }}{% endmacro %}{{ f(1) }}",
           "{% set ns = namespace(l=[[]]) %}{% for x in ns.l recursive %}{{ loop([[1]]) }}{% endfor %}",
       }) {
    const std::string end = outcome(source);
    EXPECT_NE(end.find("recursion"), std::string::npos) << source << ": " << end;
  }
}

TEST(SmallStack, UsualDepthsFit) {
  EXPECT_EQ(outcome("{% macro f(x) %}{% if x %}({{ f(x - 1) }}){% endif %}{% endmacro %}{{ f(20) }}"), "rendered 40");
}

TEST(SmallStack, DeepSourcesEndInAnError) {
  for (const char* piece : {"(", "[", "{1:", "-", "not ", "a(", "a[", "1 if (", "x|f(", "x is not (", "{{", "~("}) {
    outcome("{{ " + repeated(piece, 5000) + " }}");
  }
  for (const char* piece : {"{% if a %}", "{% for a in b %}", "{% for a in b if a recursive %}", "{% macro m() %}",
                            "{% call m() %}", "{% set a %}", "{% with %}", "{% filter f %}", "{% autoescape true %}"}) {
    outcome(repeated(piece, 5000));
  }
}

TEST(SmallStack, DeepButBalancedSourcesCompileOrAreRefused) {
  const std::string expression = repeated("(1 + ", 90) + "1" + repeated(")", 90);
  const std::string sums = "1" + repeated(" + 1", 290);
  for (const size_t depth : {20, 60, 100, 118}) {
    for (const auto& [begin, end] :
         {std::pair("{% if a %}", "{% endif %}"), std::pair("{% for a in [1] %}", "{% endfor %}"),
          std::pair("{% for a in [1] if a recursive %}{{ loop }}", "{% endfor %}"),
          std::pair("{% with b = 1 %}", "{% endwith %}"), std::pair("{% macro m(b) %}", "{% endmacro %}"),
          std::pair("{% call m() %}", "{% endcall %}"), std::pair("{% set b %}", "{% endset %}")}) {
      for (const std::string& inner : {expression, sums}) {
        const std::string end_of = outcome(repeated(begin, depth) + "{{ " + inner + " }}" + repeated(end, depth));
        EXPECT_FALSE(end_of.empty());
      }
    }
  }
}

TEST(SmallStack, DeepValuesPrint) {
  for (const size_t depth : {50, 300, 399, 5000}) {
    const std::string json = "{\"x\": " + repeated("[", depth) + repeated("]", depth) + "}";
    for (const char* source : {"{{ x }}", "{{ x|tojson }}", "{{ x|tojson(indent=2)|length }}", "{{ x == x }}",
                               "{{ [x, x]|sort|length }}", "{{ x|string|length }}", "{{ x is eq x }}"}) {
      EXPECT_FALSE(outcome(source, json).empty());
    }
  }
  const std::string grow =
      "{% set ns = namespace(l=[]) %}{% for i in range(2000) %}{% set ns.l = [ns.l] %}{% endfor %}";
  for (const char* source : {"{{ ns.l }}", "{{ ns.l|tojson }}", "{{ ns.l == [ns.l] }}", "{{ ns.l < [ns.l] }}"}) {
    EXPECT_FALSE(outcome(grow + source).empty());
  }
}

TEST(SmallStack, MessagesRender) {
  run_on_small_stack([] {
    const auto made = ChatTemplate::compile("{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}");
    ASSERT_TRUE(made);
    const std::string parts = repeated("[", 100000) + repeated("]", 100000);
    EXPECT_FALSE(made->render({{.role = "user", .content_parts_json = parts}}));
    EXPECT_TRUE(made->render({{.role = "user", .content = "hello"}}));
  });
}

}  // namespace
}  // namespace hearth
