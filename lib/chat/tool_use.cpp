// ToolUse: the form of calls, learned or generic, and what follows from it.
#include "hearth/tool_use.h"

#include <algorithm>

#include "lib/base/concat.h"
#include "lib/base/guard.h"
#include "lib/base/quote.h"
#include "lib/chat/call_grammar.h"
#include "lib/chat/chat_parser_impl.h"
#include "lib/grammar/json_tree.h"
#include "lib/json/writer.h"

namespace hearth {
namespace {

using chat::AnswerFormat;

void set_generic_calls(AnswerFormat& format) {
  const std::string begin = "<tool_call>\n{\"name\": \"", end = "}\n</tool_call>";
  format.has_calls = true;
  format.as_pairs = false;
  format.glue = "\n";
  format.begin = begin;
  format.before_args = "\", \"arguments\": ";
  format.end = end;
  format.join = concat(end, "\n", begin);
}

/// What the system message says of tools where the template says nothing.
Result<std::string> describe(std::string_view tools_json) {
  const Result<grammar::JsonTree> tree = grammar::JsonTree::parse(tools_json);
  if (!tree) return tree.error();
  std::string text = "These functions can be called, one on each line:\n<tools>\n";
  for (const grammar::Json* tool : tree->root().items) {
    const grammar::Json* function = tool->find("function", grammar::Json::Kind::kObject);
    text += dump(function ? *function : *tool) + "\n";
  }
  return text +
         "</tools>\nA call is written so, with nothing behind it:\n<tool_call>\n{\"name\": \"NAME\", \"arguments\": "
         "{\"KEY\": \"VALUE\"}}\n</tool_call>\nIts result comes between <tool_response> and </tool_response>.";
}

void add_text(ChatMessage& message, const std::string& text) {
  if (message.content_parts_json.empty()) {
    message.no_content = false;
    message.content += (message.content.empty() ? "" : "\n\n") + text;
    return;
  }
  std::string part = R"({"type": "text", "text": )";
  json::append_string(part, text);
  const size_t end = message.content_parts_json.rfind(']');
  if (end == std::string::npos) return;  // render() says what is wrong
  const bool is_empty = message.content_parts_json.find('{') == std::string::npos;
  message.content_parts_json.insert(end, concat((is_empty ? "" : ", "), part, "}"));
}

std::string written_calls(const AnswerFormat& format, const std::vector<ToolCall>& calls) {
  std::string text;
  for (const ToolCall& call : calls) {
    text += (text.empty() ? format.begin : format.join) + call.name + format.before_args;
    text += call.arguments_json.empty() ? "{}" : call.arguments_json;
  }
  return text + format.end;
}

/// Calls and results as text, for templates that know neither.
std::vector<ChatMessage> as_text(const std::vector<ChatMessage>& messages, const AnswerFormat& format,
                                 const std::string& description) {
  std::vector<ChatMessage> out;
  const bool has_system = !messages.empty() && messages[0].role == "system";
  if (!has_system && !description.empty()) out.push_back({.role = "system", .content = description});
  bool after_result = false;
  for (const ChatMessage& message : messages) {
    const bool is_result = message.role == "tool";
    if (is_result && after_result) {
      add_text(out.back(), concat("<tool_response>\n", message.content, "\n</tool_response>"));
      continue;
    }
    ChatMessage& copy = out.emplace_back(message);
    after_result = is_result && message.content_parts_json.empty();
    if (&message == &messages[0] && has_system && !description.empty()) add_text(copy, description);
    if (is_result) copy.role = "user";
    if (after_result) copy.content = concat("<tool_response>\n", message.content, "\n</tool_response>");
    if (copy.tool_calls.empty()) continue;
    add_text(copy, written_calls(format, copy.tool_calls));
    copy.tool_calls.clear();
  }
  return out;
}

}  // namespace

struct ToolUse::Impl {
  ChatTemplate chat_template;
  ChatOptions options;  ///< without tools where the generic form describes them
  ToolUseOptions use;
  AnswerFormat format{};
  std::string tools_json{};         ///< those that are offered
  std::vector<chat::Tool> tools{};  ///< those that may be called
  std::string description{};        ///< of the generic form
  bool is_generic = false;
};

Result<ToolUse> ToolUse::create(const ChatTemplate& chat_template, const ChatOptions& options,
                                const ToolUseOptions& use) {
  return guard([&]() -> Result<ToolUse> {
    auto impl = std::make_shared<Impl>(Impl{.chat_template = chat_template, .options = options, .use = use});
    const bool forced = use.choice == ToolChoice::kRequired || use.choice == ToolChoice::kNamed;
    if (use.choice == ToolChoice::kNone) impl->options.tools_json.clear();
    impl->tools_json = impl->options.tools_json;
    if (!impl->tools_json.empty()) {
      Result<std::vector<chat::Tool>> tools = chat::read_tools(impl->tools_json);
      if (!tools) return tools.error();
      impl->tools = std::move(*tools);
    }
    if (impl->tools.empty()) impl->tools_json.clear();
    if (use.choice == ToolChoice::kNamed) {
      std::erase_if(impl->tools, [&](const chat::Tool& tool) { return tool.name != use.name; });
      if (impl->tools.empty()) {
        return Error{ErrorCode::kInvalidArgument, "tool choice: no tool is named " + quote(use.name)};
      }
    }
    if (forced && impl->tools.empty()) return Error{ErrorCode::kInvalidArgument, "tool choice: there are no tools"};
    Result<AnswerFormat> format = chat::learn_answer_format(chat_template, impl->options);
    if (!format) return format.error();
    impl->format = std::move(*format);
    impl->is_generic = !impl->tools_json.empty() && !impl->format.has_calls;
    if (impl->is_generic) {
      set_generic_calls(impl->format);
      Result<std::string> description = describe(impl->tools_json);
      if (!description) return description.error();
      impl->description = std::move(*description);
      impl->options.tools_json.clear();
    }
    return ToolUse(std::move(impl));
  });
}

Result<ChatPrompt> ToolUse::render(const std::vector<ChatMessage>& messages) const {
  return guard([&]() -> Result<ChatPrompt> {
    if (!impl_->is_generic && impl_->format.needs_no_content) {
      std::vector<ChatMessage> changed = messages;
      for (ChatMessage& message : changed) {
        const bool is_empty = message.content.empty() && message.content_parts_json.empty();
        if (!message.tool_calls.empty() && is_empty) message.no_content = true;
      }
      return impl_->chat_template.render(changed, impl_->options);
    }
    if (!impl_->is_generic) return impl_->chat_template.render(messages, impl_->options);
    return impl_->chat_template.render(as_text(messages, impl_->format, impl_->description), impl_->options);
  });
}

Result<ToolGrammar> ToolUse::grammar(const Tokenizer* tokenizer) const {
  return guard([&]() -> Result<ToolGrammar> {
    const Impl& impl = *impl_;
    if (impl.tools.empty()) return ToolGrammar{};
    const bool forced = impl.use.choice != ToolChoice::kAuto;
    ToolGrammar out;
    if (!forced) {
      out.after = chat::call_trigger(impl.format);
      if (out.after.empty() && !impl.format.begin.empty()) return ToolGrammar{};
    }
    Result<Grammar> grammar = chat::call_grammar(
        impl.format, impl.tools,
        {.parallel = impl.use.parallel, .forced = forced, .after = out.after, .tokenizer = tokenizer});
    const bool must = forced || std::any_of(impl.tools.begin(), impl.tools.end(),
                                            [](const chat::Tool& tool) { return tool.is_strict; });
    if (!grammar && !must && grammar.error().code == ErrorCode::kUnsupported) return ToolGrammar{};
    if (!grammar) return grammar.error();
    out.grammar = std::move(*grammar);
    return out;
  });
}

Result<ChatParser> ToolUse::parser() const {
  return guard([&]() -> Result<ChatParser> {
    AnswerFormat format = impl_->format;
    if (impl_->tools_json.empty()) format.has_calls = false;
    return ChatParserInternals::make(std::move(format), impl_->tools_json);
  });
}

bool ToolUse::has_tools() const {
  return !impl_->tools_json.empty();
}
bool ToolUse::is_generic() const {
  return impl_->is_generic;
}

}  // namespace hearth
