// Fuzz entry: any bytes as an answer of a model, cut into pieces, under templates with calls as JSON and as pairs.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hearth/chat_parser.h"

namespace {

constexpr std::string_view kJson =
    "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>\n{% "
    "endif %}"
    "{{ m.content }}{% for c in m.tool_calls %}\n<call>{\"name\": \"{{ c.function.name }}\", \"arguments\": "
    "{{ c.function.arguments | tojson }}}</call>{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";
constexpr std::string_view kPairs =
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls %}<f={{ c.function.name }}>"
    "{% for k, v in c.function.arguments.items() %}<p={{ k }}>{{ v if v is string else v | tojson }}</p>{% endfor "
    "%}</f>"
    "{% endfor %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

void read(const hearth::ChatTemplate& tmpl, std::string_view text, size_t cut) {
  auto parser = hearth::ChatParser::create(tmpl);
  if (!parser) return;
  for (; !text.empty(); text.remove_prefix(cut < text.size() ? cut : text.size()))
    (void)parser->push(text.substr(0, cut));
  (void)parser->finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto json = hearth::ChatTemplate::compile(kJson);
  static const auto pairs = hearth::ChatTemplate::compile(kPairs);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (json) read(*json, text, 1 + size % 7);
  if (pairs) read(*pairs, text, 1 + size % 5);
  return 0;
}
