// OpenAI's newer protocol: POST /v1/responses.
#include <algorithm>

#include "fields.h"
#include "openai.h"
#include "server.h"

namespace hearth_server {
namespace {

/// An item of `input`: a message, a call, or the result of one.
void read_item(const Json& item, std::vector<hearth::ChatMessage>& out) {
  const std::string type = text_or(item, "type", "message");
  if (type == "function_call") {
    const hearth::ToolCall call{text_or(item, "call_id"), text_or(item, "name"), text_or(item, "arguments", "{}")};
    const bool follows = !out.empty() && out.back().role == "assistant" && !out.back().tool_calls.empty();
    if (!follows) out.push_back({.role = "assistant", .no_content = true});
    out.back().tool_calls.push_back(call);
  } else if (type == "function_call_output") {
    const Json* result = field(item, "output");
    const std::string text = result == nullptr     ? ""
                             : result->is_string() ? result->get<std::string>()
                                                   : to_text(*result);
    out.push_back({.role = "tool", .content = text, .tool_call_id = text_or(item, "call_id")});
  } else if (type == "message") {
    for (hearth::ChatMessage& message : read_messages(Json::array({item}))) out.push_back(std::move(message));
  } else if (type != "reasoning" && type != "item_reference") {
    throw ApiError(400, "'input' has an item of the type '" + type + "', which is not taken", "", "input");
  }
}

Ask read_responses(const Json& body) {
  Ask ask;
  ask.is_chat = true;
  ask.model = text_or(body, "model");
  ask.stream = bool_or(body, "stream", false);
  if (const std::string text = text_or(body, "instructions"); !text.empty()) {
    ask.messages.push_back({.role = "system", .content = text});
  }
  const Json* input = field(body, "input");
  if (input == nullptr) throw ApiError(400, "'input' is missing", "", "input");
  if (field(body, "previous_response_id") != nullptr) {
    throw ApiError(400, "answers are not kept here: send the whole conversation as 'input'", "",
                   "previous_response_id");
  }
  if (input->is_string()) {
    ask.messages.push_back({.role = "user", .content = input->get<std::string>()});
  } else if (input->is_array() && !input->empty()) {
    for (const Json& item : *input) read_item(item, ask.messages);
  } else {
    throw ApiError(400, "'input' must be text or a list of items", "", "input");
  }
  read_sampling(body, ask.generate.sampler);
  const int64_t most = int_field(body, "max_output_tokens").value_or(-1);
  ask.generate.max_tokens = static_cast<int32_t>(std::clamp<int64_t>(most, -1, INT32_MAX));
  read_tools(body, ask, true);
  if (const Json* text = field(body, "text")) read_format(field(*text, "format"), ask);
  read_reasoning(body, ask);
  return ask;
}

Json text_item(const std::string& id, const std::string& text, const char* status) {
  const Json part = {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}};
  return {{"id", id},
          {"type", "message"},
          {"status", status},
          {"role", "assistant"},
          {"content", status == std::string("in_progress") ? Json::array() : Json::array({part})}};
}

Json reasoning_item(const std::string& id, const std::string& text) {
  return {{"id", id},
          {"type", "reasoning"},
          {"summary", Json::array()},
          {"content", Json::array({{{"type", "reasoning_text"}, {"text", text}}})}};
}

Json call_item(const std::string& id, const hearth::ToolCall& call, const char* status) {
  return {{"id", id},           {"type", "function_call"}, {"status", status},
          {"call_id", call.id}, {"name", call.name},       {"arguments", call.arguments_json}};
}

Json response_json(const Answering& answering, const std::string& id, const char* status, Json output,
                   const AnswerEnd* end) {
  Json out = {{"id", id},
              {"object", "response"},
              {"created_at", unix_now()},
              {"status", status},
              {"error", nullptr},
              {"incomplete_details", nullptr},
              {"instructions", nullptr},
              {"model", answering.ask().model},
              {"output", std::move(output)},
              {"parallel_tool_calls", answering.ask().parallel_tools},
              {"tool_choice", "auto"},
              {"tools", Json::array()},
              {"temperature", answering.ask().generate.sampler.temperature},
              {"top_p", answering.ask().generate.sampler.top_p},
              {"usage", nullptr}};
  if (end == nullptr) return out;
  if (end->by_length()) out["incomplete_details"] = {{"reason", "max_output_tokens"}};
  out["usage"] = {{"input_tokens", end->prompt_tokens},
                  {"input_tokens_details", {{"cached_tokens", end->cached_tokens}}},
                  {"output_tokens", end->generated_tokens},
                  {"output_tokens_details", {{"reasoning_tokens", 0}}},
                  {"total_tokens", end->prompt_tokens + end->generated_tokens}};
  return out;
}

const char* status_of(const AnswerEnd& end) {
  return end.by_length() ? "incomplete" : "completed";
}

Json output_of(const AnswerChoice& choice) {
  Json output = Json::array();
  if (!choice.reasoning.empty()) output.push_back(reasoning_item(random_id("rs_"), choice.reasoning));
  if (!choice.text.empty() || choice.calls.empty())
    output.push_back(text_item(random_id("msg_"), choice.text, "completed"));
  for (const hearth::ToolCall& call : choice.calls) output.push_back(call_item(random_id("fc_"), call, "completed"));
  return output;
}

/// Items one after another, each with its events from "added" to "done".
class ResponseWriter final : public AnswerWriter {
 public:
  explicit ResponseWriter(std::shared_ptr<Answering> answering) : answering_(std::move(answering)) {}

  std::string begin() override {
    const Json response = response_json(*answering_, id_, "in_progress", Json::array(), nullptr);
    const std::string created = named("response.created", {{"response", response}});
    return created + named("response.in_progress", {{"response", response}});
  }

  std::string event(const AnswerEvent& event) override {
    using Kind = AnswerEvent::Kind;
    switch (event.kind) {
      case Kind::kPrompt: return {};
      case Kind::kText: {
        const std::string opened = open(kMessage);
        return opened + grow("response.output_text.delta", event.text);
      }
      case Kind::kReasoning: {
        const std::string opened = open(kReasoning);
        return opened + grow("response.reasoning_text.delta", event.text);
      }
      case Kind::kCall: {
        std::string out = close();
        call_ = {event.call_id, event.call_name, ""};
        return out + open(kCall);
      }
      case Kind::kArguments: return grow("response.function_call_arguments.delta", event.text);
      case Kind::kEnd: break;
    }
    std::string out = output_.empty() && item_ == kNone ? open(kMessage) : "";
    out += close();
    const bool whole = !event.end.by_length();
    return out + named(whole ? "response.completed" : "response.incomplete",
                       {{"response", response_json(*answering_, id_, status_of(event.end), output_, &event.end)}});
  }
  std::string failure(const ApiError& error) override {
    return named("error", {{"code", error.code.empty() ? error_type(error.status) : error.code},
                           {"message", error.what()},
                           {"param", nullptr}});
  }

 private:
  enum Item { kNone, kMessage, kReasoning, kCall };

  std::string named(const char* type, Json data) {
    Json event = {{"type", type}, {"sequence_number", n_events_++}};
    event.update(data);
    return sse(event, type);
  }
  /// Adds where the item stands.
  Json at(Json data) const {
    data["item_id"] = item_id_;
    data["output_index"] = output_.size();
    if (item_ != kCall) data["content_index"] = 0;
    return data;
  }
  std::string grow(const char* type, const std::string& text) {
    text_ += text;
    Json data = at({{"delta", text}});
    if (item_ == kMessage) data["logprobs"] = Json::array();
    return named(type, std::move(data));
  }
  Json item(const char* status) const {
    if (item_ == kMessage) return text_item(item_id_, text_, status);
    if (item_ == kReasoning) return reasoning_item(item_id_, text_);
    return call_item(item_id_, {call_.id, call_.name, text_}, status);
  }
  Json part() const {
    if (item_ == kReasoning) return {{"type", "reasoning_text"}, {"text", text_}};
    return {{"type", "output_text"}, {"text", text_}, {"annotations", Json::array()}};
  }

  std::string open(Item kind) {
    if (item_ == kind && kind != kCall) return {};
    std::string out = close();
    item_ = kind;
    item_id_ = random_id(kind == kMessage ? "msg_" : kind == kReasoning ? "rs_" : "fc_");
    out += named("response.output_item.added", {{"output_index", output_.size()}, {"item", item("in_progress")}});
    if (kind != kCall) out += named("response.content_part.added", at({{"part", part()}}));
    return out;
  }
  std::string close() {
    if (item_ == kNone) return {};
    std::string out;
    if (item_ == kCall) {
      out = named("response.function_call_arguments.done", at({{"arguments", text_}}));
    } else {
      const char* type = item_ == kMessage ? "response.output_text.done" : "response.reasoning_text.done";
      Json done = at({{"text", text_}});
      if (item_ == kMessage) done["logprobs"] = Json::array();
      out = named(type, std::move(done));
      out += named("response.content_part.done", at({{"part", part()}}));
    }
    const Json whole = item("completed");
    out += named("response.output_item.done", {{"output_index", output_.size()}, {"item", whole}});
    output_.push_back(whole);
    item_ = kNone;
    text_.clear();
    return out;
  }

  std::shared_ptr<Answering> answering_;
  std::string id_ = random_id("resp_"), item_id_, text_;
  hearth::ToolCall call_;
  Item item_ = kNone;
  Json output_ = Json::array();
  int64_t n_events_ = 0;
};

HttpReply responses(Context& context) {
  auto answering = begin(context, read_responses(context.body()), true);
  if (answering->ask().stream) {
    return stream_reply(answering, std::make_shared<ResponseWriter>(answering), "text/event-stream");
  }
  const auto choices = answering->collect(context.still_there);
  if (!choices) return gone_reply();
  const AnswerChoice& choice = choices->front();
  return json_reply(
      response_json(*answering, random_id("resp_"), status_of(choice.end), output_of(choice), &choice.end));
}

HttpReply count_input(Context& context) {
  Ask ask = read_responses(context.body());
  ask.count_only = true;
  return json_reply(
      {{"input_tokens", begin(context, std::move(ask), true)->n_prompt_tokens()}, {"object", "response.input_tokens"}});
}

}  // namespace

std::span<const Route> responses_routes() {
  static const Route kRoutes[] = {
      {"POST", "/v1/responses", responses},
      {"POST", "/v1/responses/input_tokens", count_input},
  };
  return kRoutes;
}

}  // namespace hearth_server
