// ChatTemplate: compiled templates of a file, and prompts from messages.
#include <ctime>
#include <optional>

#include "hearth/chat_template.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/chat/messages.h"
#include "lib/jinja/interpreter.h"
#include "lib/jinja/json_values.h"
#include "lib/jinja/parser.h"

namespace hearth {

using jinja::Interpreter;

struct ChatTemplate::Impl {
  std::string source;
  std::shared_ptr<const jinja::Template> main;
  std::shared_ptr<const jinja::Template> tool_use;  // for prompts with tools; may be null
  std::string bos, eos;
  std::string warning;
};

namespace {

// The format of OpenAI's ChatML, which many models without a template of their own still understand.
constexpr std::string_view kChatMl =
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

int64_t seconds_of(int64_t now) {
  return now >= 0 ? now : static_cast<int64_t>(std::time(nullptr));
}

std::vector<ChatPrompt::Piece> pieces_of(const jinja::Text& text) {
  std::vector<ChatPrompt::Piece> pieces;
  for (size_t pos = 0; pos < text.size();) {
    const size_t end = text.run_end(pos);
    pieces.push_back({std::string(text.bytes().substr(pos, end - pos)), text.trusted_at(pos)});
    pos = end;
  }
  return pieces;
}

/// What the user said last, without blanks around it; empty when that is in parts.
std::string_view last_user_text(const std::vector<ChatMessage>& messages) {
  constexpr std::string_view kBlanks = " \t\r\n";
  for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
    if (message->role != "user") continue;
    const std::string_view text = message->content_parts_json.empty() ? message->content : std::string_view();
    const size_t begin = text.find_first_not_of(kBlanks);
    return begin == std::string_view::npos ? std::string_view()
                                           : text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
  }
  return {};
}

}  // namespace

Result<ChatTemplate> ChatTemplate::compile(std::string_view source, std::string_view bos, std::string_view eos) {
  return guard([&]() -> Result<ChatTemplate> {
    auto impl = std::make_shared<Impl>();
    impl->source = source;
    impl->bos = bos;
    impl->eos = eos;
    auto compiled = jinja::compile_template(source);
    if (!compiled) return compiled.error();
    impl->main = *std::move(compiled);
    return ChatTemplate(std::move(impl));
  });
}

Result<ChatTemplate> ChatTemplate::from_gguf(const GgufFile& file, const Tokenizer& tokenizer) {
  return guard([&]() -> Result<ChatTemplate> {
    const auto written = [&](std::optional<Token> id) {
      return id ? std::string(tokenizer.raw_token(*id)) : std::string();
    };
    auto impl = std::make_shared<Impl>();
    impl->bos = written(tokenizer.bos());
    impl->eos = written(tokenizer.eos());
    const auto source_of = [&](std::string_view key) {
      const auto text = file.get_string(key);
      return text ? std::string(*text) : std::string();
    };
    impl->source = source_of("tokenizer.chat_template");
    if (impl->source.empty()) {
      impl->source = kChatMl;
      impl->warning = "the file has no chat template; ChatML is used, which the model may not have been trained on";
    }
    auto compiled = jinja::compile_template(impl->source);
    if (!compiled) return Error{compiled.error().code, "tokenizer.chat_template, " + compiled.error().message};
    impl->main = *std::move(compiled);
    const std::string tool_use = source_of("tokenizer.chat_template.tool_use");
    if (!tool_use.empty()) {
      auto with_tools = jinja::compile_template(tool_use);
      if (with_tools) {
        impl->tool_use = *std::move(with_tools);
      } else {
        impl->warning = one_line("tokenizer.chat_template.tool_use is left out, " + with_tools.error().message);
      }
    }
    return ChatTemplate(std::move(impl));
  });
}

Result<ChatPrompt> ChatTemplate::render(const std::vector<ChatMessage>& messages, const ChatOptions& options) const {
  return guard([&]() -> Result<ChatPrompt> {
    const bool with_tools = !options.tools_json.empty() && impl_->tool_use;
    jinja::RunOptions run;
    run.now = seconds_of(options.now);
    run.extensions = true;
    std::optional<Result<ChatPrompt>> best;  // the first prompt, or else the first error
    for (const MessageForm& form : message_forms(messages)) {
      Interpreter interpreter(with_tools ? *impl_->tool_use : *impl_->main, run);
      auto variables = make_variables(interpreter.heap(), messages, options, impl_->bos, impl_->eos, form);
      if (!variables) return variables.error();
      auto text = interpreter.run(*std::move(variables));
      if (!text && text.error().code != ErrorCode::kFormat) return best ? *std::move(best) : text.error();
      if (!text) {
        if (!best) best.emplace(text.error());
        continue;
      }
      ChatPrompt prompt{pieces_of(*text)};
      if (!interpreter.printed_python() && text->bytes().find(last_user_text(messages)) != std::string_view::npos) {
        return prompt;
      }
      if (!best || !*best) best.emplace(std::move(prompt));
    }
    return *std::move(best);
  });
}

Result<std::string> ChatTemplate::render_json(std::string_view variables_json, int64_t now) const {
  return guard([&]() -> Result<std::string> {
    jinja::RunOptions run;
    run.now = seconds_of(now);
    Interpreter interpreter(*impl_->main, run);
    jinja::Value variables;
    std::string problem;
    if (!jinja::read_json(interpreter.heap(), variables_json, false, variables, problem)) {
      return Error{ErrorCode::kInvalidArgument, "variables: " + problem};
    }
    if (!variables.is(jinja::Kind::kDict))
      return Error{ErrorCode::kInvalidArgument, "variables: a JSON object is expected"};
    auto text = interpreter.run(std::move(variables));
    if (!text) return text.error();
    return std::string(text->bytes());
  });
}

std::string_view ChatTemplate::source() const {
  return impl_->source;
}
std::string_view ChatTemplate::warning() const {
  return impl_->warning;
}

}  // namespace hearth
