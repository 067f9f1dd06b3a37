// Variables of a conversation, named and nested as Hugging Face's apply_chat_template has them.
#include "lib/chat/messages.h"

#include "lib/base/concat.h"
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
  Builder(Heap& heap, const MessageForm& form) : heap_(heap), form_(form) {}

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
    error = {ErrorCode::kInvalidArgument, concat(member, ": ", problem)};
    return false;
  }

  bool parse(std::string_view json, Kind kind, const std::string& member, Value& out) {
    if (!parse(json, member, out)) return false;
    if (out.is(kind)) return true;
    error = {ErrorCode::kInvalidArgument,
             concat(member, ": a JSON ", (kind == Kind::kList ? "array" : "object"), " is expected")};
    return false;
  }

  bool message(const ChatMessage& message, const std::string& member, Value& out) {
    out = dict();
    // Roles of the API are words of the template's, not of a user's.
    static constexpr std::string_view kRoles[] = {"system", "user", "assistant", "tool", "developer"};
    bool known = false;
    for (const std::string_view role : kRoles) known = known || message.role == role;
    put(out, "role", text(message.role, known));
    Value written;
    if (!content(message, member, written)) return false;
    put(out, "content", std::move(written));
    if (!message.reasoning.empty()) put(out, "reasoning_content", text(message.reasoning, false));
    if (!message.tool_call_id.empty()) put(out, "tool_call_id", text(message.tool_call_id, false));
    if (!message.name.empty()) put(out, "name", text(message.name, false));
    if (!more(message, member, out)) return false;
    if (message.tool_calls.empty()) return true;
    const Value calls = list();
    for (size_t i = 0; i < message.tool_calls.size(); ++i) {
      const ToolCall& call = message.tool_calls[i];
      const Value entry = dict(), function = dict();
      Value arguments = dict();
      const std::string name = concat(member, ".tool_calls[", i, "].arguments_json");
      if (!call.arguments_json.empty() && !parse(call.arguments_json, Kind::kDict, name, arguments)) return false;
      if (form_.arguments_as_text) {
        arguments = text(call.arguments_json.empty() ? std::string_view("{}") : call.arguments_json, false);
      }
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

  /// The text of a message: its parts of type text, a line each.
  bool joined(const ChatMessage& message, const std::string& member, std::string& out) {
    out = message.content;
    if (message.content_parts_json.empty()) return true;
    Value parts;
    if (!parse(message.content_parts_json, Kind::kList, member + ".content_parts_json", parts)) return false;
    out.clear();
    for (const Value& part : parts.as<Sequence>().items) {
      const Value* found = part.is(Kind::kDict) ? part.as<Dict>().find("text") : &part;
      if (found == nullptr || !found->is_string()) continue;
      if (!out.empty()) out += '\n';
      out += found->as<String>().text.bytes();
    }
    return true;
  }

  Error error;

 private:
  using Content = MessageForm::Content;

  bool content(const ChatMessage& message, const std::string& member, Value& out) {
    if (form_.content == Content::kAsWritten && message.no_content) return true;
    if (form_.content != Content::kText && !message.content_parts_json.empty()) {
      return parse(message.content_parts_json, Kind::kList, member + ".content_parts_json", out);
    }
    std::string plain;
    if (!joined(message, member, plain)) return false;
    out = text(plain, false);
    if (form_.content != Content::kParts) return true;
    const Value part = dict(), parts = list();
    put(part, "type", text("text", true));
    put(part, "text", std::move(out));
    parts.as<Sequence>().push(part);
    out = parts;
    return true;
  }

  /// Members that the API has no field for, but none that it has.
  bool more(const ChatMessage& message, const std::string& member, const Value& out) {
    if (message.more_json.empty()) return true;
    Value members;
    if (!parse(message.more_json, Kind::kDict, member + ".more_json", members)) return false;
    for (const auto& entry : members.as<Dict>().entries) {
      if (!entry.key.is_string() || out.as<Dict>().find(entry.key) != nullptr) continue;
      out.as<Dict>().set(entry.key, entry.value);
    }
    return true;
  }

  Heap& heap_;
  const MessageForm form_;
};

bool is_system(const ChatMessage& message) {
  return message.role == "system" || message.role == "developer";
}

/// Without the system's messages at the head, whose text begins the first user's, or is one.
bool merge_system(Builder& build, std::vector<ChatMessage>& messages) {
  size_t n = 0;
  std::string head;
  for (; n < messages.size() && is_system(messages[n]); ++n) {
    std::string part;
    if (!build.joined(messages[n], concat("messages[", n, "]"), part)) return false;
    head += (n > 0 ? "\n" : "") + part;
  }
  messages.erase(messages.begin(), messages.begin() + static_cast<ptrdiff_t>(n));
  if (messages.empty() || messages.front().role != "user")
    messages.insert(messages.begin(), ChatMessage{.role = "user"});
  std::string rest;
  if (!build.joined(messages.front(), concat("messages[", n, "]"), rest)) return false;
  messages.front().content = rest.empty() ? head : concat(head, "\n", rest);
  messages.front().content_parts_json.clear();
  return true;
}

}  // namespace

std::vector<MessageForm> message_forms(const std::vector<ChatMessage>& messages) {
  using Content = MessageForm::Content;
  bool text = false, other = false, calls = false;
  for (const ChatMessage& message : messages) {
    const bool plain = message.content_parts_json.empty() && !message.no_content;
    text = text || plain;
    other = other || !plain;
    for (const ToolCall& call : message.tool_calls) calls = calls || !call.arguments_json.empty();
  }
  const bool system = !messages.empty() && is_system(messages.front());
  std::vector<MessageForm> forms;
  for (const bool merged : {false, true}) {
    for (const Content content : {Content::kAsWritten, Content::kText, Content::kParts}) {
      for (const bool as_text : {false, true}) {
        const bool same = (merged && !system) || (as_text && !calls) || (content == Content::kText && !other) ||
                          (content == Content::kParts && !text);
        if (!same) forms.push_back({content, as_text, merged});
      }
    }
  }
  return forms;
}

Result<Value> make_variables(Heap& heap, const std::vector<ChatMessage>& given, const ChatOptions& options,
                             std::string_view bos, std::string_view eos, const MessageForm& form) {
  Builder build(heap, form);
  std::vector<ChatMessage> merged;
  if (form.system_in_user) {
    merged = given;
    if (!merge_system(build, merged)) return build.error;
  }
  const std::vector<ChatMessage>& messages = form.system_in_user ? merged : given;
  const Value variables = build.dict(), list = build.list();
  size_t bytes = 0;
  for (const ChatMessage& message : messages) bytes += message.content.size() + message.reasoning.size() + 256;
  if (!heap.has_room(bytes)) return Error{ErrorCode::kLimit, "the messages are too large"};
  for (size_t i = 0; i < messages.size(); ++i) {
    Value message;
    if (!build.message(messages[i], concat("messages[", i, "]"), message)) return build.error;
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
    if (!build.parse(json, concat("variable '", name, "'"), value)) return build.error;
    build.put(variables, name, std::move(value));
  }
  return variables;
}

}  // namespace hearth
