// POST /v1/chat/completions.
#include <ctime>

#include "fields.h"
#include "openai.h"
#include "server.h"

namespace hearth_server {
namespace {

/// What chat and completions have in common.
void read_common(const Json& body, Ask& ask) {
  ask.model = text_or(body, "model");
  ask.stream = bool_or(body, "stream", false);
  read_sampling(body, ask.generate.sampler);
  read_logit_bias(body, ask);
  if (const Json* lora = list_field(body, "lora"); lora != nullptr) ask.adapters = read_adapter_scales(*lora);
  ask.generate.stop_texts = texts_field(body, "stop");
  ask.generate.ignore_end = bool_or(body, "ignore_eos", false);
  const auto most = int_field(body, "max_completion_tokens");
  const auto older = int_field(body, "max_tokens");
  const int64_t n = most.value_or(older.value_or(int_field(body, "n_predict").value_or(-1)));
  ask.generate.max_tokens = static_cast<int32_t>(std::clamp<int64_t>(n, -1, INT32_MAX));
  ask.n = static_cast<int32_t>(std::clamp<int64_t>(int_field(body, "n").value_or(1), 0, INT32_MAX));
  ask.reuse_prefix = bool_or(body, "cache_prompt", true);
  ask.seq = static_cast<hearth::SeqId>(std::clamp<int64_t>(int_field(body, "id_slot").value_or(-1), -1, INT32_MAX));
  if (const auto least = int_field(body, "n_cache_reuse")) {
    ask.reuse_stretches = static_cast<int32_t>(std::clamp<int64_t>(*least, 0, INT32_MAX));
  }
  if (const auto ttl = number_field(body, "ttl")) ask.keep_alive = *ttl;
  if (const Json* alive = field(body, "keep_alive")) ask.keep_alive = read_duration(*alive, "keep_alive");
}

/// llama-server's own fields for what an answer must look like.
void read_own_format(const Json& body, Ask& ask) {
  if (const auto grammar = text_field(body, "grammar"); grammar && !grammar->empty()) {
    ask.format = Format::kGrammar;
    ask.format_text = *grammar;
  } else if (const Json* schema = field(body, "json_schema")) {
    ask.format = Format::kSchema;
    ask.format_text = to_text(*schema);
  }
}

Json delta_chunk(const Json& base, int32_t index, Json delta, Json logprobs = nullptr) {
  Json chunk = base;
  Json choice = {{"index", index}, {"delta", std::move(delta)}, {"finish_reason", nullptr}};
  if (!logprobs.is_null()) choice["logprobs"] = std::move(logprobs);
  chunk["choices"].push_back(std::move(choice));
  return chunk;
}

Json logprobs_json(const std::vector<TokenChance>& chances) {
  Json content = Json::array();
  for (const TokenChance& chance : chances) content.push_back(chance_json(chance));
  return {{"content", std::move(content)}};
}

class ChatWriter final : public AnswerWriter {
 public:
  ChatWriter(std::shared_ptr<Answering> answering, bool with_usage)
      : answering_(std::move(answering)), with_usage_(with_usage) {
    base_ = {{"id", random_id("chatcmpl-")},     {"object", "chat.completion.chunk"}, {"created", unix_now()},
             {"model", answering_->ask().model}, {"system_fingerprint", "hearth"},    {"choices", Json::array()}};
    begun_.resize(static_cast<size_t>(answering_->ask().n));
  }

  std::string event(const AnswerEvent& event) override {
    if (event.kind == AnswerEvent::Kind::kPrompt) {  // as llama-server tells it
      Json chunk = base_;
      chunk["prompt_progress"] = {{"total", event.prompt_total}, {"processed", event.prompt_done}};
      return sse(chunk);
    }
    std::string out;
    auto begun = begun_[static_cast<size_t>(event.choice)];
    if (!begun && (event.kind != AnswerEvent::Kind::kEnd || !any_begun_)) {
      out = sse(delta_chunk(base_, event.choice, {{"role", "assistant"}, {"content", ""}}));
    }
    begun_[static_cast<size_t>(event.choice)] = any_begun_ = true;
    Json logprobs = answering_->ask().n_top >= 0 && !event.chances.empty() ? logprobs_json(event.chances) : Json();
    if (event.kind != AnswerEvent::Kind::kEnd) {
      return out + sse(delta_chunk(base_, event.choice, delta_of(event), std::move(logprobs)));
    }
    if (!logprobs.is_null()) out += sse(delta_chunk(base_, event.choice, {{"content", ""}}, std::move(logprobs)));
    Json chunk = delta_chunk(base_, event.choice, Json::object());
    chunk["choices"][0]["finish_reason"] = openai_finish(event.end);
    chunk["timings"] = timings_json(event.end);
    return out + sse(chunk);
  }

  std::string end() override {
    std::string out;
    if (with_usage_) {
      Json chunk = base_;
      chunk["usage"] = openai_usage(answering_->usage());
      out = sse(chunk);
    }
    return out + "data: [DONE]\n\n";
  }

  std::string failure(const ApiError& error) override { return sse(error_json(Protocol::kOpenAI, error)); }

 private:
  static Json delta_of(const AnswerEvent& event) {
    switch (event.kind) {
      case AnswerEvent::Kind::kReasoning: return {{"reasoning_content", event.text}};
      case AnswerEvent::Kind::kCall:
        return {{"tool_calls", Json::array({{{"index", event.call},
                                             {"id", event.call_id},
                                             {"type", "function"},
                                             {"function", {{"name", event.call_name}, {"arguments", ""}}}}})}};
      case AnswerEvent::Kind::kArguments:
        return {{"tool_calls", Json::array({{{"index", event.call}, {"function", {{"arguments", event.text}}}}})}};
      default: return {{"content", event.text}};
    }
  }

  std::shared_ptr<Answering> answering_;
  bool with_usage_, any_begun_ = false;
  Json base_;
  std::vector<char> begun_;
};

HttpReply chat_completions(Context& context) {
  const Json body = context.body();
  Ask ask = read_openai_chat(body);
  const Json* options = field(body, "stream_options");
  const bool with_usage = options != nullptr && bool_or(*options, "include_usage", false);
  auto answering = begin(context, std::move(ask), true);
  if (answering->ask().stream)
    return stream_reply(answering, openai_chat_writer(answering, with_usage), "text/event-stream");
  const auto choices = answering->collect(context.still_there);
  return choices ? json_reply(openai_chat_json(*answering, *choices)) : gone_reply();
}

HttpReply count_tokens(Context& context) {
  Ask ask = read_openai_chat(context.body());
  ask.count_only = true;
  return json_reply({{"input_tokens", begin(context, std::move(ask), true)->n_prompt_tokens()}});
}

/// Several texts and tokens, as they stand.
class TextWriter final : public AnswerWriter {
 public:
  TextWriter(std::shared_ptr<Answering> answering, bool with_usage)
      : answering_(std::move(answering)), with_usage_(with_usage) {
    base_ = {{"id", random_id("cmpl-")},
             {"object", "text_completion"},
             {"created", unix_now()},
             {"model", answering_->ask().model},
             {"choices", Json::array()}};
  }
  std::string event(const AnswerEvent& event) override {
    Json chunk = base_;
    const bool is_end = event.kind == AnswerEvent::Kind::kEnd;
    chunk["choices"].push_back({{"text", is_end ? "" : event.text},
                                {"index", event.choice},
                                {"logprobs", nullptr},
                                {"finish_reason", is_end ? Json(openai_finish(event.end)) : Json()}});
    // As llama-server does; it shares its event with no text.
    if (is_end && !with_usage_) chunk["usage"] = openai_usage(answering_->usage());
    return sse(chunk);
  }
  std::string end() override {
    Json chunk = base_;
    chunk["usage"] = openai_usage(answering_->usage());
    return (with_usage_ ? sse(chunk) : "") + "data: [DONE]\n\n";
  }
  std::string failure(const ApiError& error) override { return sse(error_json(Protocol::kOpenAI, error)); }

 private:
  std::shared_ptr<Answering> answering_;
  bool with_usage_;
  Json base_;
};

/// The form of /v1/completions: four lists of equal length.
Json text_logprobs(const AnswerChoice& choice, size_t offset) {
  Json tokens = Json::array(), chances = Json::array(), tops = Json::array(), offsets = Json::array();
  for (const TokenChance& chance : choice.chances) {
    tokens.push_back(chance.piece);
    chances.push_back(chance.logprob);
    Json top = Json::object();
    for (const TokenChance& other : chance.top) top[other.piece] = other.logprob;
    tops.push_back(std::move(top));
    offsets.push_back(offset);
    offset += chance.piece.size();
  }
  return {{"tokens", tokens}, {"token_logprobs", chances}, {"top_logprobs", tops}, {"text_offset", offsets}};
}

Json completion_json(const Answering& answering, const std::vector<AnswerChoice>& choices, bool echo) {
  const Ask& ask = answering.ask();
  Json list = Json::array();
  for (size_t i = 0; i < choices.size(); ++i) {
    std::string before;
    if (echo) {
      const auto& prompt = answering.prompts()[i / static_cast<size_t>(ask.n)];
      if (auto text = answering.lease()->model.tokenizer().decode(prompt, {.skip_special = true})) before = *text;
    }
    list.push_back({{"text", before + choices[i].text},
                    {"index", i},
                    {"logprobs", ask.n_top >= 0 ? text_logprobs(choices[i], before.size()) : Json()},
                    {"finish_reason", openai_finish(choices[i].end)}});
  }
  return {{"id", random_id("cmpl-")},
          {"object", "text_completion"},
          {"created", unix_now()},
          {"model", ask.model},
          {"choices", std::move(list)},
          {"usage", openai_usage(usage_of(choices, ask.n))},
          {"timings", timings_json(choices.back().end)}};
}

HttpReply completions(Context& context) {
  const Json body = context.body();
  bool echo = false;
  Ask ask = read_openai_completion(body, echo);
  if (const auto suffix = text_field(body, "suffix"); suffix && !suffix->empty()) {
    Lease lease = context.server.models().use(ask.model, true);
    if (ask.prompts.size() != 1 || ask.prompts[0].size() != 1) throw ApiError(400, "'suffix' goes with one text");
    try {
      ask.prompts = {infill_prompt(*lease, ask.prompts[0][0].text, *suffix)};
    } catch (const ApiError& error) {
      throw ApiError(400, error.what(), "", "suffix");
    }
  }
  const Json* options = field(body, "stream_options");
  const bool with_usage = options != nullptr && bool_or(*options, "include_usage", false);
  auto answering = begin(context, std::move(ask), true);
  if (answering->ask().stream) {
    return stream_reply(answering, std::make_shared<TextWriter>(answering, with_usage), "text/event-stream");
  }
  const auto choices = answering->collect(context.still_there);
  return choices ? json_reply(completion_json(*answering, *choices, echo)) : gone_reply();
}

}  // namespace

Ask read_openai_chat(const Json& body) {
  Ask ask;
  read_common(body, ask);
  const Json* messages = list_field(body, "messages");
  if (messages == nullptr || messages->empty()) {
    throw ApiError(400, "'messages' must be a list of at least one message", "", "messages");
  }
  ask.is_chat = true;
  ask.report_prompt = ask.stream && bool_or(body, "return_progress", false);
  ask.messages = read_messages(*messages);
  read_tools(body, ask);
  read_format(field(body, "response_format"), ask);
  read_own_format(body, ask);
  read_reasoning(body, ask);
  if (bool_or(body, "logprobs", false)) ask.n_top = 0;
  if (const auto top = int_field(body, "top_logprobs"); top && ask.n_top >= 0) {
    if (*top < 0 || *top > 20) throw ApiError(400, "'top_logprobs' must be between 0 and 20", "", "top_logprobs");
    ask.n_top = static_cast<int32_t>(*top);
  }
  return ask;
}

Ask read_openai_completion(const Json& body, bool& echo) {
  Ask ask;
  read_common(body, ask);
  ask.prompts = read_prompts(body, "prompt");
  if (ask.prompts.size() > 64) throw ApiError(400, "'prompt' has more than 64 entries", "", "prompt");
  echo = bool_or(body, "echo", false);
  read_own_format(body, ask);
  read_format(field(body, "response_format"), ask);
  const Json* logprobs = field(body, "logprobs");
  if (logprobs != nullptr && logprobs->is_boolean()) {
    if (*logprobs) ask.n_top = 0;
  } else if (const auto top = int_field(body, "logprobs")) {
    if (*top < 0 || *top > 20) throw ApiError(400, "'logprobs' must be between 0 and 5", "", "logprobs");
    ask.n_top = static_cast<int32_t>(*top);
  }
  if (const auto best = int_field(body, "best_of"); best && *best > ask.n) {
    throw ApiError(400, "'best_of' must not be greater than n", "", "best_of");
  }
  return ask;
}

const char* openai_finish(const AnswerEnd& end) {
  if (end.by_length()) return "length";
  return end.called_tools ? "tool_calls" : "stop";
}

Json openai_usage(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.generated_tokens},
          {"total_tokens", usage.prompt_tokens + usage.generated_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

Json timings_json(const AnswerEnd& end) {
  const int32_t n_computed = end.prompt_tokens - end.cached_tokens;
  const double prompt = end.timings.prompt_seconds, predicted = end.timings.generate_seconds;
  const auto per = [](double a, double b) { return b > 0 ? a / b : 0.0; };
  Json json = {{"cache_n", end.cached_tokens},
               {"prompt_n", n_computed},
               {"prompt_ms", prompt * 1e3},
               {"prompt_per_token_ms", per(prompt * 1e3, n_computed)},
               {"prompt_per_second", per(n_computed, prompt)},
               {"predicted_n", end.generated_tokens},
               {"predicted_ms", predicted * 1e3},
               {"predicted_per_token_ms", per(predicted * 1e3, end.generated_tokens)},
               {"predicted_per_second", per(end.generated_tokens, predicted)}};
  if (end.drafted_tokens > 0) json["draft_n"] = end.drafted_tokens, json["draft_n_accepted"] = end.accepted_tokens;
  return json;
}

Json chance_json(const TokenChance& chance, bool with_top) {
  Json bytes = Json::array(), top = Json::array();
  for (const char c : chance.piece) bytes.push_back(static_cast<unsigned char>(c));
  Json out = {{"token", chance.piece}, {"logprob", chance.logprob}, {"bytes", std::move(bytes)}};
  if (!with_top) return out;
  for (const TokenChance& other : chance.top) top.push_back(chance_json(other, false));
  out["top_logprobs"] = std::move(top);
  return out;
}

Json calls_json(const std::vector<hearth::ToolCall>& calls) {
  Json list = Json::array();
  for (const hearth::ToolCall& call : calls) {
    list.push_back({{"id", call.id},
                    {"type", "function"},
                    {"function", {{"name", call.name}, {"arguments", call.arguments_json}}}});
  }
  return list;
}

Json openai_chat_json(const Answering& answering, const std::vector<AnswerChoice>& choices) {
  Json list = Json::array();
  for (size_t i = 0; i < choices.size(); ++i) {
    const AnswerChoice& choice = choices[i];
    Json message = {{"role", "assistant"}, {"content", choice.text}};
    if (choice.text.empty() && !choice.calls.empty()) message["content"] = nullptr;
    if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
    if (!choice.calls.empty()) message["tool_calls"] = calls_json(choice.calls);
    list.push_back({{"index", i},
                    {"message", std::move(message)},
                    {"logprobs", answering.ask().n_top >= 0 ? logprobs_json(choice.chances) : Json()},
                    {"finish_reason", openai_finish(choice.end)}});
  }
  return {{"id", random_id("chatcmpl-")},
          {"object", "chat.completion"},
          {"created", unix_now()},
          {"model", answering.ask().model},
          {"system_fingerprint", "hearth"},
          {"choices", std::move(list)},
          {"usage", openai_usage(usage_of(choices, answering.ask().n))},
          {"timings", timings_json(choices.back().end)}};
}

std::unique_ptr<AnswerWriter> openai_chat_writer(std::shared_ptr<Answering> answering, bool with_usage) {
  return std::make_unique<ChatWriter>(std::move(answering), with_usage);
}

std::span<const Route> openai_routes() {
  static const Route kRoutes[] = {
      {"POST", "/v1/chat/completions", chat_completions},
      {"POST", "/chat/completions", chat_completions},
      {"POST", "/v1/chat/completions/input_tokens", count_tokens},
      {"POST", "/v1/completions", completions},
  };
  return kRoutes;
}

}  // namespace hearth_server
