// Variables of a conversation, named and nested as Hugging Face's apply_chat_template has them.
#include "lib/chat/messages.h"

#include "lib/jinja/json_values.h"

namespace hearth {
namespace {

using jinja::Dict;
using jinja::Heap;
using jinja::Kind;
using jinja::Sequence;
using jinja::String;
using jinja::Text;
using jinja::Value;

class Builder {
 public:
  explicit Builder(Heap& heap) : heap_(heap) {}

  Value text(std::string_view bytes, bool trusted) { return Value(new String(heap_, Text(bytes, trusted), false)); }
  void put(const Value& dict, std::string_view key, Value value) {
    dict.as<Dict>().set(text(key, true), std::move(value));
  }
  Value dict() { return Value(new Dict(heap_)); }
  Value list() { return Value(new Sequence(heap_, Kind::kList)); }

  // JSON text as a value; an error names the member.
  bool parse(std::string_view json, const std::string& member, Value& out) {
    std::string problem;
    if (jinja::read_json(heap_, json, false, out, problem)) return true;
    error = {ErrorCode::kInvalidArgument, member + ": " + problem};
    return false;
  }

  bool parse(std::string_view json, Kind kind, const std::string& member, Value& out) {
    if (!parse(json, member, out)) return false;
    if (out.is(kind)) return true;
    error = {ErrorCode::kInvalidArgument,
             member + ": a JSON " + (kind == Kind::kList ? "array" : "object") + " is expected"};
    return false;
  }

  bool message(const ChatMessage& message, const std::string& member, Value& out) {
    out = dict();
    // Roles of the API are words of the template's, not of a user's.
    static constexpr std::string_view kRoles[] = {"system", "user", "assistant", "tool", "developer"};
    bool known = false;
    for (const std::string_view role : kRoles) known = known || message.role == role;
    put(out, "role", text(message.role, known));
    Value content = text(message.content, false);
    if (!message.content_parts_json.empty() &&
        !parse(message.content_parts_json, Kind::kList, member + ".content_parts_json", content)) {
      return false;
    }
    put(out, "content", std::move(content));
    if (!message.reasoning.empty()) put(out, "reasoning_content", text(message.reasoning, false));
    if (!message.tool_call_id.empty()) put(out, "tool_call_id", text(message.tool_call_id, false));
    if (!message.name.empty()) put(out, "name", text(message.name, false));
    if (message.tool_calls.empty()) return true;
    const Value calls = list();
    for (size_t i = 0; i < message.tool_calls.size(); ++i) {
      const ToolCall& call = message.tool_calls[i];
      const Value entry = dict(), function = dict();
      Value arguments = dict();
      const std::string name = member + ".tool_calls[" + std::to_string(i) + "].arguments_json";
      if (!call.arguments_json.empty() && !parse(call.arguments_json, Kind::kDict, name, arguments)) return false;
      if (!call.id.empty()) put(entry, "id", text(call.id, false));
      put(entry, "type", text("function", true));
      put(function, "name", text(call.name, false));
      put(function, "arguments", std::move(arguments));
      put(entry, "function", function);
      calls.as<Sequence>().push(entry);
    }
    put(out, "tool_calls", calls);
    return true;
  }

  Error error;

 private:
  Heap& heap_;
};

}  // namespace

Result<Value> make_variables(Heap& heap, const std::vector<ChatMessage>& messages, const ChatOptions& options,
                             std::string_view bos, std::string_view eos) {
  Builder build(heap);
  const Value variables = build.dict(), list = build.list();
  size_t bytes = 0;
  for (const ChatMessage& message : messages) bytes += message.content.size() + message.reasoning.size() + 256;
  if (!heap.has_room(bytes)) return Error{ErrorCode::kLimit, "the messages are too large"};
  for (size_t i = 0; i < messages.size(); ++i) {
    Value message;
    if (!build.message(messages[i], "messages[" + std::to_string(i) + "]", message)) return build.error;
    list.as<Sequence>().push(std::move(message));
  }
  build.put(variables, "messages", list);
  Value tools;
  if (!options.tools_json.empty() && !build.parse(options.tools_json, Kind::kList, "tools_json", tools)) {
    return build.error;
  }
  build.put(variables, "tools", std::move(tools));
  build.put(variables, "documents", Value());
  build.put(variables, "add_generation_prompt", Value(options.add_generation_prompt));
  if (!bos.empty()) build.put(variables, "bos_token", build.text(bos, true));
  if (!eos.empty()) build.put(variables, "eos_token", build.text(eos, true));
  for (const auto& [name, json] : options.variables) {
    Value value;
    if (!build.parse(json, "variable '" + name + "'", value)) return build.error;
    build.put(variables, name, std::move(value));
  }
  return variables;
}

}  // namespace hearth
