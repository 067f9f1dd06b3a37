// Messages of conversations as OpenAI's and Ollama's clients write them.
#include "fields.h"

namespace hearth_server {
namespace {

/// Parts of a content, their texts joined by line breaks.
std::string read_parts(const Json& parts, const std::string& where) {
  std::string text;
  bool first = true;
  for (const Json& part : parts) {
    if (part.is_string()) {
      text += (first ? "" : "\n") + part.get<std::string>();
    } else {
      const std::string type = text_or(part, "type", "text");
      if (type != "text" && type != "input_text" && type != "output_text" && type != "refusal") {
        throw ApiError(400, where + ": content of the type '" + type + "' is not taken by this model", "", "messages");
      }
      text += (first ? "" : "\n") + text_or(part, type == "refusal" ? "refusal" : "text");
    }
    first = false;
  }
  return text;
}

hearth::ToolCall read_call(const Json& call) {
  const Json* function = field(call, "function");
  const Json& named = function != nullptr ? *function : call;
  hearth::ToolCall out{text_or(call, "id"), text_or(named, "name"), "{}"};
  const Json* arguments = field(named, "arguments");
  if (arguments == nullptr) return out;
  if (!arguments->is_string()) {
    out.arguments_json = to_text(*arguments);
    return out;
  }
  const std::string text = arguments->get<std::string>();
  const Json value = Json::parse(text, nullptr, false);
  // What is no JSON goes to the template as the text that it is.
  out.arguments_json = value.is_discarded() ? to_text(text) : text.empty() ? "{}" : to_text(value);
  return out;
}

hearth::ChatMessage read_message(const Json& entry, const std::string& where) {
  if (!entry.is_object()) throw ApiError(400, where + " is no object", "", "messages");
  hearth::ChatMessage message;
  message.role = text_or(entry, "role");
  if (message.role == "developer") message.role = "system";
  if (message.role == "function") message.role = "tool";
  if (message.role.empty()) throw ApiError(400, where + " has no role", "", "messages");
  const Json* content = field(entry, "content");
  if (content == nullptr) {
    message.no_content = true;
  } else if (content->is_string()) {
    message.content = content->get<std::string>();
  } else if (content->is_array()) {
    message.content = read_parts(*content, where);
  } else {
    throw ApiError(400, where + ": content is neither text nor a list of parts", "", "messages");
  }
  if (const Json* images = list_field(entry, "images"); images != nullptr && !images->empty()) {
    throw ApiError(400, where + ": this model cannot see pictures", "", "messages");
  }
  for (const char* name : {"reasoning_content", "reasoning", "thinking"})
    if (const Json* text = field(entry, name); text != nullptr && text->is_string()) message.reasoning = *text;
  const Json* calls = list_field(entry, "tool_calls");
  for (const Json& call : calls != nullptr ? *calls : Json::array()) {
    if (!call.is_object()) throw ApiError(400, where + ": a tool call is no object", "", "messages");
    message.tool_calls.push_back(read_call(call));
  }
  message.tool_call_id = text_or(entry, "tool_call_id");
  message.name = text_or(entry, "name", text_or(entry, "tool_name").c_str());
  return message;
}

}  // namespace

std::vector<hearth::ChatMessage> read_messages(const Json& list) {
  std::vector<hearth::ChatMessage> messages;
  for (const Json& entry : list) {
    messages.push_back(read_message(entry, "message " + std::to_string(messages.size())));
    hearth::ChatMessage& message = messages.back();
    if (message.no_content && message.tool_calls.empty()) message.no_content = false;  // an empty turn
  }
  return messages;
}

}  // namespace hearth_server
