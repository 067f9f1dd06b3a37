// Conversations from and to JSON.
#include "chat_messages.h"

#include "model_options.h"

namespace hearth_tool {
namespace {

using hearth::ChatMessage;
using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// A call as {"id", "function": {"name", "arguments"}}; arguments are an object, or JSON in a text.
hearth::ToolCall call_from_json(const Json& call) {
  const Json function = call.contains("function") ? Json(call["function"]) : call;
  hearth::ToolCall out{text_of(call, "id"), text_of(function, "name"), "{}"};
  const auto arguments = function.find("arguments");
  if (arguments != function.end()) {
    out.arguments_json = arguments->is_string() ? arguments->get<std::string>() : arguments->dump();
  }
  return out;
}

/// Members that ChatMessage has no field for, as a JSON object; empty when there are none.
std::string more_of(const Json& entry) {
  Json more = Json::object();
  for (const auto& [key, value] : entry.items()) {
    bool known = false;
    for (const char* field : {"role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name"}) {
      known = known || key == field;
    }
    if (!known) more[key] = value;
  }
  return more.empty() ? std::string() : more.dump();
}

/// Whether arrays and objects lie deeper inside each other than templates take; the JSON package would recurse over
/// them.
bool is_too_deep(const Json& root) {
  constexpr int kMostDepth = 400;
  std::vector<const Json*> level{&root}, next;
  for (int depth = 0; !level.empty(); ++depth) {
    if (depth > kMostDepth) return true;
    next.clear();
    for (const Json* value : level) {
      for (const Json& child : *value) {
        if (child.is_structured()) next.push_back(&child);
      }
    }
    level.swap(next);
  }
  return false;
}

}  // namespace

Result<std::vector<ChatMessage>> messages_from_json(const Json& list) {
  if (!list.is_array()) return Error{ErrorCode::kFormat, "a JSON list of messages is expected"};
  if (is_too_deep(list)) return Error{ErrorCode::kLimit, "messages are nested too deeply"};
  std::vector<ChatMessage> messages;
  for (const Json& entry : list) {
    const std::string where = "message " + std::to_string(messages.size());
    if (!entry.is_object() || text_of(entry, "role").empty()) return Error{ErrorCode::kFormat, where + " has no role"};
    ChatMessage message{.role = text_of(entry, "role"),
                        .content = text_of(entry, "content"),
                        .reasoning = text_of(entry, "reasoning_content"),
                        .tool_call_id = text_of(entry, "tool_call_id"),
                        .name = text_of(entry, "name")};
    message.more_json = more_of(entry);
    const auto content = entry.find("content");
    message.no_content = content != entry.end() && content->is_null();
    if (content != entry.end() && content->is_array()) {
      message.content_parts_json = content->dump();
    } else if (content != entry.end() && !content->is_string() && !content->is_null()) {
      return Error{ErrorCode::kFormat, where + ": content is neither text nor a list of parts"};
    }
    const auto calls = entry.find("tool_calls");
    if (calls != entry.end() && calls->is_array()) {
      for (const Json& call : *calls) {
        if (!call.is_object()) return Error{ErrorCode::kFormat, where + ": a tool call is not an object"};
        message.tool_calls.push_back(call_from_json(call));
      }
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

Json messages_to_json(const std::vector<ChatMessage>& messages) {
  Json list = Json::array();
  for (const ChatMessage& message : messages) {
    Json entry = {{"role", message.role}, {"content", message.content}};
    if (!message.reasoning.empty()) entry["reasoning_content"] = message.reasoning;
    for (const hearth::ToolCall& call : message.tool_calls) {
      Json arguments = Json::parse(call.arguments_json, nullptr, false);
      if (arguments.is_discarded()) arguments = call.arguments_json;
      entry["tool_calls"].push_back(
          {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", arguments}}}});
    }
    if (!message.tool_call_id.empty()) entry["tool_call_id"] = message.tool_call_id;
    if (!message.name.empty()) entry["name"] = message.name;
    list.push_back(std::move(entry));
  }
  return list;
}

Result<std::vector<std::pair<std::string, std::string>>> template_variables(const std::vector<std::string>& pairs) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{ErrorCode::kInvalidArgument, "--var " + pair + ": NAME=VALUE is expected"};
    }
    const std::string value = pair.substr(equals + 1);
    const bool is_json = Json::accept(value);
    out.emplace_back(pair.substr(0, equals),
                     is_json ? value : Json(value).dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return out;
}

Result<hearth::ChatTemplate> open_template(const hearth::GgufFile& file, const hearth::Tokenizer& tokenizer,
                                           const std::string& path) {
  if (path.empty()) return hearth::ChatTemplate::from_gguf(file, tokenizer);
  const auto source = read_text(path);
  if (!source) return source.error();
  const auto written = [&](std::optional<hearth::Token> id) {
    return id ? tokenizer.raw_token(*id) : std::string_view();
  };
  auto compiled = hearth::ChatTemplate::compile(*source, written(tokenizer.bos()), written(tokenizer.eos()));
  if (!compiled) return Error{compiled.error().code, path + ": " + compiled.error().message};
  return compiled;
}

}  // namespace hearth_tool
