// Anthropic's protocol: POST /v1/messages.
#include <algorithm>

#include "fields.h"
#include "server.h"

namespace hearth_server {
namespace {

/// A content as text: a text, or blocks of the type text.
std::string text_of(const Json& content, const std::string& where) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  for (const Json& block : content.is_array() ? content : Json::array()) {
    const std::string type = text_or(block, "type");
    if (type != "text") throw ApiError(400, where + ": content of the type '" + type + "' is not taken by this model");
    text += (text.empty() ? "" : "\n") + text_or(block, "text");
  }
  return text;
}

/// One message of theirs can be several of ours: results of tools are messages of their own.
void read_blocks(const Json& message, const std::string& where, std::vector<hearth::ChatMessage>& out) {
  const Json* content = field(message, "content");
  if (content == nullptr) throw ApiError(400, where + ": content is missing", "", "messages");
  hearth::ChatMessage one{.role = text_or(message, "role")};
  if (one.role != "user" && one.role != "assistant" && one.role != "system") {
    throw ApiError(400, where + ": the role must be user or assistant", "", "messages");
  }
  if (!content->is_array() && !content->is_string()) throw ApiError(400, where + ": content must be text or blocks");
  for (const Json& block : content->is_array() ? *content : Json::array({{{"type", "text"}, {"text", *content}}})) {
    const std::string type = text_or(block, "type");
    if (type == "tool_use") {
      const Json* input = field(block, "input");
      one.tool_calls.push_back({text_or(block, "id"), text_or(block, "name"), input ? to_text(*input) : "{}"});
    } else if (type == "tool_result") {
      const Json* result = field(block, "content");
      out.push_back({.role = "tool",
                     .content = result != nullptr ? text_of(*result, where) : "",
                     .tool_call_id = text_or(block, "tool_use_id")});
    } else if (type == "thinking") {
      one.reasoning += text_or(block, "thinking");
    } else if (type == "text") {
      one.content += (one.content.empty() ? "" : "\n") + text_or(block, "text");
    } else if (type != "redacted_thinking") {
      throw ApiError(400, where + ": content of the type '" + type + "' is not taken by this model");
    }
  }
  one.no_content = one.content.empty() && !one.tool_calls.empty();
  const bool only_results = one.content.empty() && one.tool_calls.empty() && !out.empty() && out.back().role == "tool";
  if (!only_results) out.push_back(std::move(one));
}

void read_anthropic_tools(const Json& body, Ask& ask) {
  Json list = Json::array();
  const Json* tools = list_field(body, "tools");
  for (const Json& tool : tools != nullptr ? *tools : Json::array()) {
    const Json* schema = field(tool, "input_schema");
    if (schema == nullptr) continue;  // the maker's own tools
    list.push_back(
        {{"type", "function"},
         {"function",
          {{"name", text_or(tool, "name")}, {"description", text_or(tool, "description")}, {"parameters", *schema}}}});
  }
  Json copy = {{"tools", std::move(list)}};
  const Json* choice = field(body, "tool_choice");
  if (choice != nullptr) {
    const std::string type = text_or(*choice, "type");
    copy["tool_choice"] = type;
    if (type == "tool")
      copy["tool_choice"] = {{"type", "function"}, {"function", {{"name", text_or(*choice, "name")}}}};
    copy["parallel_tool_calls"] = !bool_or(*choice, "disable_parallel_tool_use", false);
  }
  read_tools(copy, ask);
}

Ask read_messages_request(const Json& body, bool count_only) {
  Ask ask;
  ask.is_chat = true;
  ask.count_only = count_only;
  ask.model = text_or(body, "model");
  ask.stream = bool_or(body, "stream", false);
  const Json* messages = list_field(body, "messages");
  if (messages == nullptr || messages->empty()) throw ApiError(400, "messages: at least one message is required");
  if (const Json* system = field(body, "system")) {
    ask.messages.push_back({.role = "system", .content = text_of(*system, "system")});
  }
  for (size_t i = 0; i < messages->size(); ++i) {
    read_blocks((*messages)[i], "messages." + std::to_string(i), ask.messages);
  }
  read_sampling(body, ask.generate.sampler);
  ask.generate.stop_texts = texts_field(body, "stop_sequences");
  const auto most = int_field(body, "max_tokens");
  if (!count_only && (!most || *most < 1)) throw ApiError(400, "max_tokens: a number of at least 1 is required");
  ask.generate.max_tokens = static_cast<int32_t>(std::clamp<int64_t>(most.value_or(-1), -1, INT32_MAX));
  if (const Json* thinking = field(body, "thinking")) ask.thinking = text_or(*thinking, "type") == "enabled";
  read_anthropic_tools(body, ask);
  return ask;
}

const char* stop_reason(const AnswerEnd& end) {
  if (end.by_length()) return "max_tokens";
  if (end.called_tools) return "tool_use";
  return end.reason == hearth::StopReason::kStopText ? "stop_sequence" : "end_turn";
}

Json stop_json(const AnswerEnd& end) {
  const bool by_text = end.reason == hearth::StopReason::kStopText;
  return {{"stop_reason", stop_reason(end)}, {"stop_sequence", by_text ? Json(end.stop_text) : Json()}};
}

Json usage_json(const AnswerEnd& end) {
  return {{"input_tokens", end.prompt_tokens - end.cached_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", end.cached_tokens},
          {"output_tokens", end.generated_tokens}};
}

Json message_json(const Answering& answering, const AnswerChoice& choice) {
  Json content = Json::array();
  if (!choice.reasoning.empty()) {
    content.push_back({{"type", "thinking"}, {"thinking", choice.reasoning}, {"signature", ""}});
  }
  if (!choice.text.empty() || choice.calls.empty()) content.push_back({{"type", "text"}, {"text", choice.text}});
  for (const hearth::ToolCall& call : choice.calls) {
    Json input = Json::parse(call.arguments_json, nullptr, false);
    if (!input.is_object()) input = Json::object();
    content.push_back({{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", std::move(input)}});
  }
  Json out = {{"id", random_id("msg_")},
              {"type", "message"},
              {"role", "assistant"},
              {"model", answering.ask().model},
              {"content", std::move(content)}};
  out.update(stop_json(choice.end));
  out["usage"] = usage_json(choice.end);
  return out;
}

/// message_start, then blocks of one kind each, then message_delta and message_stop.
class MessageWriter final : public AnswerWriter {
 public:
  explicit MessageWriter(std::shared_ptr<Answering> answering) : answering_(std::move(answering)) {}

  std::string begin() override {
    const Json message = {
        {"id", random_id("msg_")},  {"type", "message"},
        {"role", "assistant"},      {"model", answering_->ask().model},
        {"content", Json::array()}, {"stop_reason", nullptr},
        {"stop_sequence", nullptr}, {"usage", {{"input_tokens", answering_->n_prompt_tokens()}, {"output_tokens", 0}}}};
    return named({{"type", "message_start"}, {"message", message}});
  }

  std::string event(const AnswerEvent& event) override {
    switch (event.kind) {
      case AnswerEvent::Kind::kPrompt: return {};
      case AnswerEvent::Kind::kText:
        return in_block("text", {{"type", "text"}, {"text", ""}}, {{"type", "text_delta"}, {"text", event.text}});
      case AnswerEvent::Kind::kReasoning:
        return in_block("thinking", {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}},
                        {{"type", "thinking_delta"}, {"thinking", event.text}});
      case AnswerEvent::Kind::kCall: {
        const std::string closed = close();
        return closed +
               open(
                   "tool_use",
                   {{"type", "tool_use"}, {"id", event.call_id}, {"name", event.call_name}, {"input", Json::object()}});
      }
      case AnswerEvent::Kind::kArguments: return delta({{"type", "input_json_delta"}, {"partial_json", event.text}});
      case AnswerEvent::Kind::kEnd: break;
    }
    std::string out = index_ < 0 ? open("text", {{"type", "text"}, {"text", ""}}) : "";
    out += close();
    return out + named({{"type", "message_delta"}, {"delta", stop_json(event.end)}, {"usage", usage_json(event.end)}}) +
           named({{"type", "message_stop"}});
  }
  std::string failure(const ApiError& error) override { return sse(error_json(Protocol::kAnthropic, error), "error"); }

 private:
  static std::string named(const Json& data) { return sse(data, data["type"].get<std::string>().c_str()); }
  /// A delta of a block, which is opened before if need be.
  std::string in_block(const char* kind, Json block, Json value) {
    const std::string opened = open(kind, std::move(block));
    return opened + delta(std::move(value));
  }
  std::string open(const char* kind, Json block) {
    if (kind_ == kind) return {};
    std::string out = close();
    kind_ = kind;
    return out + named({{"type", "content_block_start"}, {"index", ++index_}, {"content_block", std::move(block)}});
  }
  std::string close() {
    if (kind_.empty()) return {};
    kind_.clear();
    return named({{"type", "content_block_stop"}, {"index", index_}});
  }
  std::string delta(Json value) const {
    return named({{"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(value)}});
  }

  std::shared_ptr<Answering> answering_;
  int32_t index_ = -1;
  std::string kind_;  ///< of the block that is open
};

HttpReply messages(Context& context) {
  auto answering = begin(context, read_messages_request(context.body(), false), true);
  if (answering->ask().stream) {
    return stream_reply(answering, std::make_shared<MessageWriter>(answering), "text/event-stream");
  }
  const auto choices = answering->collect(context.still_there);
  return choices ? json_reply(message_json(*answering, choices->front())) : gone_reply();
}

HttpReply count(Context& context) {
  return json_reply(
      {{"input_tokens", begin(context, read_messages_request(context.body(), true), true)->n_prompt_tokens()}});
}

}  // namespace

std::span<const Route> anthropic_routes() {
  static const Route kRoutes[] = {
      {"POST", "/v1/messages", messages},
      {"POST", "/v1/messages/count_tokens", count},
  };
  return kRoutes;
}

}  // namespace hearth_server
