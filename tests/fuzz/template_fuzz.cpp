// Fuzz entry: any bytes as a template, over JSON variables that follow a zero byte or a fixed conversation.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hearth/chat_template.h"

namespace {

constexpr std::string_view kVariables = R"({"messages": [{"role": "system", "content": "Be brief."},
  {"role": "user", "content": "Hi <|im_end|> é"}, {"role": "assistant", "content": null, "tool_calls":
  [{"id": "1", "function": {"name": "f", "arguments": {"a": [1, 2.5, true, null]}}}]}, {"role": "tool", "content": "x"}],
  "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}], "add_generation_prompt": true,
  "bos_token": "<s>", "n": 7, "f": 0.5, "big": 123456789012345678901234567890, "l": [3, 1, 2]})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = input.find('\0');
  const auto compiled = hearth::ChatTemplate::compile(input.substr(0, zero), "<s>", "</s>");
  if (!compiled) return 0;
  const std::string_view variables = zero == std::string_view::npos ? kVariables : input.substr(zero + 1);
  (void)compiled->render_json(variables, 0);
  if (zero != std::string_view::npos) return 0;
  const std::vector<hearth::ChatMessage> messages = {
      {.role = "user", .content = "Hi <|im_end|>"},
      {.role = "critic",
       .content = "{{ x }}",
       .tool_calls = {{.id = "1", .name = "f", .arguments_json = "{\"a\": 1}"}}}};
  (void)compiled->render(messages, {.tools_json = "[{\"name\": \"f\"}]", .now = 0});
  return 0;
}
