// Ollama's protocol: /api/generate and /api/chat.
#include <ctime>

#include "fields.h"
#include "ollama.h"

namespace hearth_server {
namespace {

int64_t nanoseconds(double seconds) {
  return static_cast<int64_t>(seconds * 1e9);
}

/// Options of a request over those of the model, which go over what its file recommends.
Json merged_options(const Json& body, const ModelEntry& entry, const ModelFacts& facts) {
  Json options = Json::object();
  for (const auto& [name, value] : facts.sampling) options[name] = value;
  for (const auto& [name, value] : entry.parameters.items()) options[name] = value;
  const Json* own = field(body, "options");
  if (own == nullptr) return options;
  if (!own->is_object()) throw ApiError(400, "'options' must be an object");
  for (const auto& [name, value] : own->items()) options[name] = value;
  return options;
}

void read_options(const Json& options, Ask& ask) {
  hearth::SamplerOptions& sampler = ask.generate.sampler;
  sampler.top_p = 0.9f;  // Ollama's defaults, where they are not ours
  sampler.min_p = 0;
  read_sampling(options, sampler);
  ask.generate.stop_texts = texts_field(options, "stop");
  const int64_t n = int_field(options, "num_predict").value_or(-1);
  ask.generate.max_tokens = static_cast<int32_t>(std::clamp<int64_t>(n, -1, INT32_MAX));
}

void read_format_field(const Json& body, Ask& ask) {
  const Json* format = field(body, "format");
  if (format == nullptr || *format == "") return;
  if (*format == "json") {
    ask.format = Format::kJson;
  } else if (format->is_object()) {
    ask.format = Format::kSchema;
    ask.format_text = to_text(*format);
  } else {
    throw ApiError(400, "invalid format: expected \"json\" or a JSON schema");
  }
}

void read_think(const Json& body, const ModelFacts& facts, Ask& ask) {
  const Json* think = field(body, "think");
  if (think == nullptr) return;
  bool wanted = true;
  if (think->is_boolean()) {
    wanted = think->get<bool>();
  } else {
    const std::string word = think->is_string() ? think->get<std::string>() : std::string();
    bool known = false;
    for (const char* level : {"low", "medium", "high", "max"}) known = known || word == level;
    if (!known) throw ApiError(400, "invalid think value: it must be true, false, low, medium, high or max");
    ask.variables.emplace_back("reasoning_effort", to_text(word));
  }
  if (wanted && !facts.can_think) throw ApiError(400, "\"" + ask.model + "\" does not support thinking");
  ask.thinking = wanted;
}

/// What generate and chat have in common; the model must be there.
Ask read_common(const Json& body, const ModelEntry& entry, const ModelFacts& facts) {
  Ask ask;
  ask.model = text_or(body, "model");
  ask.stream = bool_or(body, "stream", true);
  if (const Json* alive = field(body, "keep_alive")) ask.keep_alive = read_duration(*alive, "keep_alive");
  read_options(merged_options(body, entry, facts), ask);
  read_format_field(body, ask);
  read_think(body, facts, ask);
  const auto top = int_field(body, "top_logprobs");
  if (top && (*top < 0 || *top > 20)) throw ApiError(400, "top_logprobs must be between 0 and 20");
  if (bool_or(body, "logprobs", false)) ask.n_top = static_cast<int32_t>(top.value_or(0));
  return ask;
}

Json base_line(const std::string& model) {
  return {{"model", model}, {"created_at", rfc3339(std::time(nullptr))}};
}

Json logprobs_json(const std::vector<TokenChance>& chances, bool with_top) {
  Json list = Json::array();
  for (const TokenChance& chance : chances) {
    list.push_back(chance_json(chance));
    if (!with_top) list.back().erase("top_logprobs");
  }
  return list;
}

/// Both routes' lines; they differ in where the text stands.
class LineWriter final : public AnswerWriter {
 public:
  LineWriter(std::shared_ptr<Answering> answering, bool is_chat, bool with_context)
      : answering_(std::move(answering)), is_chat_(is_chat), with_context_(with_context) {}

  std::string event(const AnswerEvent& event) override {
    ids_.insert(ids_.end(), event.ids.begin(), event.ids.end());
    AnswerChoice part;
    part.chances = event.chances;
    switch (event.kind) {
      case AnswerEvent::Kind::kPrompt: return {};
      case AnswerEvent::Kind::kText: part.text = event.text; break;
      case AnswerEvent::Kind::kReasoning: part.reasoning = event.text; break;
      case AnswerEvent::Kind::kCall: {
        std::string out = flush_call();
        call_ = hearth::ToolCall{event.call_id, event.call_name, ""};
        return out;
      }
      case AnswerEvent::Kind::kArguments: call_->arguments_json += event.text; return {};
      case AnswerEvent::Kind::kEnd: return end_lines(event);
    }
    return flush_call() + line(part, false);
  }
  std::string failure(const ApiError& error) override { return to_text(error_json(Protocol::kOllama, error)) + "\n"; }
  std::string idle() override { return {}; }  // an empty line makes clients fall over

 private:
  std::string line(const AnswerChoice& part, bool done) const {
    Json value = ollama_line(*answering_, part, is_chat_);
    value["done"] = done;
    return to_text(value) + "\n";
  }
  std::string flush_call() {
    if (!call_) return {};
    AnswerChoice part;
    part.calls.push_back(*std::exchange(call_, std::nullopt));
    n_calls_ = n_calls_ + 1;
    return line(part, false);
  }
  std::string end_lines(const AnswerEvent& event) {
    std::string out = flush_call();
    AnswerChoice rest;
    rest.chances = event.chances;
    if (!rest.chances.empty()) out += line(rest, false);
    Json last = ollama_line(*answering_, AnswerChoice{}, is_chat_);
    add_ollama_end(*answering_, event.end, last);
    if (with_context_) last["context"] = context_of(ids_);
    return out + to_text(last) + "\n";
  }
  Json context_of(const std::vector<hearth::Token>& ids) const {
    Json context = Json(answering_->prompts()[0]);
    for (const hearth::Token id : ids) context.push_back(id);
    return context;
  }

  std::shared_ptr<Answering> answering_;
  bool is_chat_, with_context_;
  int32_t n_calls_ = 0;
  std::optional<hearth::ToolCall> call_;
  std::vector<hearth::Token> ids_;
};

HttpReply reply_with(Context& context, std::shared_ptr<Answering> answering, bool is_chat, bool with_context) {
  if (answering->ask().stream) {
    return stream_reply(answering, std::make_shared<LineWriter>(answering, is_chat, with_context), kNdjson);
  }
  const auto choices = answering->collect(context.still_there);
  if (!choices) return gone_reply();
  const AnswerChoice& choice = choices->front();
  Json value = ollama_line(*answering, choice, is_chat);
  add_ollama_end(*answering, choice.end, value);
  if (with_context) {
    value["context"] = answering->prompts()[0];
    for (const hearth::Token id : choice.ids) value["context"].push_back(id);
  }
  return json_reply(value);
}

/// No prompt: the model is loaded, or unloaded when it need not stay.
HttpReply load_reply(Context& context, const Ask& ask, bool is_chat) {
  const bool unload = ask.keep_alive && *ask.keep_alive == 0;
  if (unload) {
    context.server.models().unload(context.server.models().find(ask.model, false));
  } else {
    (void)context.server.models().use(ask.model, false, ask.keep_alive);
  }
  Json line = base_line(ask.model);
  if (is_chat) {
    line["message"] = {{"role", "assistant"}, {"content", ""}};
  } else {
    line["response"] = "";
  }
  line["done"] = true;
  line["done_reason"] = unload ? "unload" : "load";
  return json_reply(line);
}

std::vector<hearth::ChatMessage> generate_messages(const Json& body, const ModelEntry& entry, std::string prompt) {
  std::vector<hearth::ChatMessage> messages;
  const std::string system = text_or(body, "system", entry.system.c_str());
  if (!system.empty()) messages.push_back({.role = "system", .content = system});
  for (hearth::ChatMessage& message : read_messages(entry.messages)) messages.push_back(std::move(message));
  messages.push_back({.role = "user", .content = std::move(prompt)});
  return messages;
}

std::shared_ptr<Answering> begin_with(Context& context, Ask ask) {
  Lease lease = context.server.models().use(ask.model, false, ask.keep_alive);
  return std::make_shared<Answering>(std::move(lease), std::move(ask), &context.server.metrics(),
                                     context.request.notes);
}

HttpReply generate(Context& context) {
  const Json body = context.body();
  const ModelEntry entry = context.server.models().find(text_or(body, "model"), false);
  const ModelFacts facts = context.server.store().facts(entry);
  Ask ask = read_common(body, entry, facts);
  const std::string prompt = text_or(body, "prompt"), suffix = text_or(body, "suffix");
  const bool raw = bool_or(body, "raw", false);
  const bool has_system = !text_or(body, "system").empty(), has_template = !text_or(body, "template").empty();
  const Json* before = list_field(body, "context");
  if (raw && (has_system || has_template || before != nullptr)) {
    throw ApiError(400, "raw mode does not support template, system, or context");
  }
  if (const Json* images = list_field(body, "images"); images != nullptr && !images->empty()) {
    throw ApiError(400, "this model cannot see pictures");
  }
  if (prompt.empty() && suffix.empty()) return load_reply(context, ask, false);
  if (!suffix.empty()) {
    if (!facts.can_insert) throw ApiError(400, entry.full_name() + " does not support insert");
    const Lease lease = context.server.models().use(ask.model, false);
    ask.prompts = {infill_prompt(*lease, prompt, suffix)};
  } else if (raw) {
    ask.prompts = {{{prompt, {}}}};
  } else if (has_template) {
    throw ApiError(400, "'template' is not taken: the model's own template is used (or raw)");
  } else {
    ask.is_chat = true;
    ask.messages = generate_messages(body, entry, prompt);
  }
  return reply_with(context, begin_with(context, std::move(ask)), false, !raw);
}

HttpReply ollama_chat(Context& context) {
  const Json body = context.body();
  if (text_or(body, "model").empty()) throw ApiError(400, "model is required");
  const ModelEntry entry = context.server.models().find(text_or(body, "model"), false);
  const ModelFacts facts = context.server.store().facts(entry);
  Ask ask = read_common(body, entry, facts);
  const Json* messages = list_field(body, "messages");
  if (messages == nullptr || messages->empty()) return load_reply(context, ask, true);
  ask.is_chat = true;
  ask.drop_oldest = bool_or(body, "truncate", true);
  ask.messages = read_messages(entry.messages);
  const bool has_system = text_or((*messages)[0], "role") == "system";
  if (!entry.system.empty() && !has_system) {
    ask.messages.insert(ask.messages.begin(), {.role = "system", .content = entry.system});
  }
  for (hearth::ChatMessage& message : read_messages(*messages)) ask.messages.push_back(std::move(message));
  read_tools(body, ask);
  if (!ask.tools_json.empty() && !facts.has_tools) throw ApiError(400, ask.model + " does not support tools");
  return reply_with(context, begin_with(context, std::move(ask)), true, false);
}

}  // namespace

Json ollama_line(const Answering& answering, const AnswerChoice& part, bool is_chat) {
  Json line = base_line(answering.ask().model);
  if (is_chat) {
    Json message = {{"role", "assistant"}, {"content", part.text}};
    if (!part.reasoning.empty()) message["thinking"] = part.reasoning;
    for (const hearth::ToolCall& call : part.calls) {
      Json arguments = Json::parse(call.arguments_json, nullptr, false);
      if (!arguments.is_object()) arguments = Json::object();
      message["tool_calls"].push_back(
          {{"id", call.id}, {"function", {{"name", call.name}, {"arguments", std::move(arguments)}}}});
    }
    line["message"] = std::move(message);
  } else {
    line["response"] = part.text;
    if (!part.reasoning.empty()) line["thinking"] = part.reasoning;
  }
  if (!part.chances.empty()) line["logprobs"] = logprobs_json(part.chances, answering.ask().n_top > 0);
  return line;
}

void add_ollama_end(const Answering& answering, const AnswerEnd& end, Json& line) {
  line["done"] = true;
  line["done_reason"] = end.by_length() ? "length" : "stop";
  line["total_duration"] = nanoseconds(answering.seconds() + answering.lease().load_seconds);
  line["load_duration"] = nanoseconds(answering.lease().load_seconds);
  line["prompt_eval_count"] = end.prompt_tokens;
  line["prompt_eval_duration"] = nanoseconds(end.timings.prompt_seconds);
  line["eval_count"] = end.generated_tokens;
  line["eval_duration"] = nanoseconds(end.timings.generate_seconds);
}

std::span<const Route> ollama_routes() {
  static const Route kRoutes[] = {
      {"POST", "/api/generate", generate},
      {"POST", "/api/chat", ollama_chat},
  };
  return kRoutes;
}

}  // namespace hearth_server
