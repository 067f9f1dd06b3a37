// llama-server's own routes: completion, tokens, templates, state.
#include <algorithm>

#include "embeddings.h"
#include "fields.h"
#include "hearth/version.h"
#include "openai.h"
#include "server.h"

namespace hearth_server {
namespace {

HttpReply health(Context& context) {
  if (context.server.models().is_loading()) return error_reply(Protocol::kOpenAI, ApiError(503, "Loading model"));
  return json_reply({{"status", "ok"}});
}

/// The model of a native route: the one that is named, or the first.
Lease model_of(Context& context, const Json& body) {
  const std::string name = text_or(body, "model");
  if (!name.empty()) return context.server.models().use(name, true);
  const auto loaded = context.server.models().loaded();
  if (!loaded.empty()) return context.server.models().use(loaded.front().entry.full_name(), true);
  const auto first = context.server.store().first();
  return context.server.models().use(first ? first->full_name() : "", true);
}

Json settings_json(const Ask& ask, const LoadedModel& model) {
  const hearth::SamplerOptions& s = ask.generate.sampler;
  return {{"n_ctx", model.n_ctx},
          {"n_predict", ask.generate.max_tokens},
          {"seed", s.seed},
          {"temperature", s.temperature},
          {"top_k", s.top_k},
          {"top_p", s.top_p},
          {"min_p", s.min_p},
          {"typical_p", s.typical_p},
          {"repeat_last_n", s.penalty_last_n},
          {"repeat_penalty", s.repeat_penalty},
          {"presence_penalty", s.presence_penalty},
          {"frequency_penalty", s.frequency_penalty},
          {"mirostat", s.mirostat},
          {"stop", ask.generate.stop_texts},
          {"ignore_eos", ask.generate.ignore_end},
          {"stream", ask.stream}};
}

HttpReply props(Context& context) {
  const Lease lease = model_of(context, Json::object());
  Ask ask;
  ask.generate.max_tokens = -1;
  const auto& tokenizer = lease->model.tokenizer();
  const auto written = [&](std::optional<hearth::Token> id) {
    return id ? std::string(tokenizer.raw_token(*id)) : std::string();
  };
  return json_reply({{"default_generation_settings", {{"n_ctx", lease->n_ctx}, {"params", settings_json(ask, *lease)}}},
                     {"total_slots", lease->engine.options().session.n_seqs},
                     {"model_path", lease->path},
                     {"chat_template", lease->facts.chat_template},
                     {"bos_token", written(tokenizer.bos())},
                     {"eos_token", written(tokenizer.eos())},
                     {"modalities", {{"vision", false}, {"audio", false}}},
                     {"build_info", std::string("hearth ") + hearth::version()}});
}

HttpReply slots(Context& context) {
  const Lease lease = model_of(context, Json::object());
  const auto stats = lease->engine.stats();
  Json list = Json::array();
  for (int32_t i = 0; i < lease->engine.options().session.n_seqs; ++i) {
    list.push_back({{"id", i}, {"n_ctx", lease->n_ctx}, {"is_processing", i < stats.active}});
  }
  return json_reply(list);
}

HttpReply metrics(Context& context) {
  if (!context.server.options().has_metrics) throw ApiError(501, "start the server with --metrics");
  std::string text = context.server.metrics().text();
  const auto loaded = context.server.models().loaded();
  const auto add = [&](const char* name, const char* type, auto value_of) {
    text += std::string("# TYPE ") + name + " " + type + "\n";
    for (const Models::State& state : loaded) {
      text += std::string(name) + "{model=\"" + state.entry.short_name() + "\"} " +
              std::to_string(value_of(state.model->engine.stats())) + "\n";
    }
  };
  using Stats = const hearth::EngineStats&;
  add("llamacpp:prompt_tokens_total", "counter", [](Stats s) { return s.prompt_tokens; });
  add("llamacpp:tokens_predicted_total", "counter", [](Stats s) { return s.generated_tokens; });
  add("llamacpp:requests_processing", "gauge", [](Stats s) { return s.active; });
  add("llamacpp:requests_deferred", "gauge", [](Stats s) { return s.waiting; });
  add("hearth_cached_tokens_total", "counter", [](Stats s) { return s.cached_tokens; });
  add("hearth_requests_finished_total", "counter", [](Stats s) { return s.finished; });
  add("hearth_requests_cancelled_total", "counter", [](Stats s) { return s.cancelled; });
  add("hearth_requests_failed_total", "counter", [](Stats s) { return s.failed; });
  add("hearth_steps_total", "counter", [](Stats s) { return s.steps; });
  add("hearth_busy_seconds_total", "counter", [](Stats s) { return s.busy_seconds; });
  add("hearth_cache_pages_used", "gauge", [](Stats s) { return s.cache.pages_used; });
  add("hearth_cache_pages", "gauge", [](Stats s) { return s.cache.pages_total; });
  text +=
      "# TYPE hearth_connections gauge\nhearth_connections " + std::to_string(context.server.n_connections()) + "\n";
  HttpReply reply;
  reply.type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = std::move(text);
  return reply;
}

// --- tokens ------------------------------------------------------------------------------------------------------

bool is_utf8(const std::string& text) {
  try {
    return !Json(text).dump().empty();
  } catch (const Json::exception&) {
    return false;
  }
}

HttpReply tokenize(Context& context) {
  const Json body = context.body();
  const Lease lease = model_of(context, body);
  const auto& tokenizer = lease->model.tokenizer();
  const auto ids = tokenizer.encode(text_or(body, "content"), {.add_special = bool_or(body, "add_special", false),
                                                               .parse_special = bool_or(body, "parse_special", true)});
  if (!ids) throw api_error(ids.error());
  if (!bool_or(body, "with_pieces", false)) return json_reply({{"tokens", *ids}});
  Json tokens = Json::array();
  for (const hearth::Token id : *ids) {
    const std::string piece(tokenizer.piece(id));
    Json bytes = Json::array();
    for (const char c : piece) bytes.push_back(static_cast<unsigned char>(c));
    tokens.push_back({{"id", id}, {"piece", is_utf8(piece) ? Json(piece) : bytes}});
  }
  return json_reply({{"tokens", std::move(tokens)}});
}

HttpReply detokenize(Context& context) {
  const Json body = context.body();
  const Lease lease = model_of(context, body);
  std::vector<hearth::Token> ids;
  const Json* tokens = list_field(body, "tokens");
  for (const Json& token : tokens != nullptr ? *tokens : Json::array()) {
    const int64_t id = token.is_number_integer() ? token.get<int64_t>() : -1;
    if (id < 0 || id >= lease->model.info().n_vocab) throw ApiError(400, "'tokens' holds something that is no token");
    ids.push_back(static_cast<hearth::Token>(id));
  }
  const auto text = lease->model.tokenizer().decode(ids);
  if (!text) throw api_error(text.error());
  return json_reply({{"content", *text}});
}

HttpReply apply_template(Context& context) {
  const Json body = context.body();
  const Lease lease = model_of(context, body);
  Ask ask = read_openai_chat(body);
  use_tools(*lease, ask);
  return json_reply({{"prompt", render_chat(ask).text()}});
}

// --- completion --------------------------------------------------------------------------------------------------

Json probabilities_json(const std::vector<TokenChance>& chances) {
  Json list = Json::array();
  for (const TokenChance& chance : chances) {
    Json entry = chance_json(chance);
    entry["id"] = chance.id;
    for (size_t i = 0; i < chance.top.size(); ++i) entry["top_logprobs"][i]["id"] = chance.top[i].id;
    list.push_back(std::move(entry));
  }
  return list;
}

/// What the last event of a stream and a whole answer have in common.
Json end_json(const Answering& answering, const AnswerEnd& end, int32_t index) {
  const auto& prompt = answering.prompts()[static_cast<size_t>(index / answering.ask().n)];
  const auto text = answering.lease()->model.tokenizer().decode(prompt);
  const char* type = end.reason == hearth::StopReason::kEndToken ? "eos" : end.by_length() ? "limit" : "word";
  return {{"index", index},
          {"id_slot", 0},
          {"stop", true},
          {"model", answering.ask().model},
          {"tokens_predicted", end.generated_tokens},
          {"tokens_evaluated", end.prompt_tokens},
          {"tokens_cached", end.prompt_tokens + end.generated_tokens},
          {"generation_settings", settings_json(answering.ask(), *answering.lease())},
          {"prompt", text ? *text : ""},
          {"truncated", false},
          {"stop_type", type},
          {"stopping_word", end.stop_text},
          {"timings", timings_json(end)}};
}

Json completion_json(const Answering& answering, const AnswerChoice& choice, int32_t index, bool with_tokens) {
  Json out = {{"content", choice.text}, {"tokens", with_tokens ? Json(choice.ids) : Json::array()}};
  out["has_new_line"] = choice.text.find('\n') != std::string::npos;
  if (!choice.chances.empty()) out["completion_probabilities"] = probabilities_json(choice.chances);
  out.update(end_json(answering, choice.end, index));
  return out;
}

class CompletionWriter final : public AnswerWriter {
 public:
  CompletionWriter(std::shared_ptr<Answering> answering, bool with_tokens)
      : answering_(std::move(answering)), with_tokens_(with_tokens) {}
  std::string event(const AnswerEvent& event) override {
    new_line_ = new_line_ || event.text.find('\n') != std::string::npos;
    Json out = {{"index", event.choice},
                {"content", event.text},
                {"tokens", with_tokens_ ? Json(event.ids) : Json::array()},
                {"stop", false}};
    if (!event.chances.empty()) out["completion_probabilities"] = probabilities_json(event.chances);
    if (event.kind != AnswerEvent::Kind::kEnd) return sse(out);
    out["has_new_line"] = new_line_;
    out.update(end_json(*answering_, event.end, event.choice));
    return sse(out);
  }
  std::string failure(const ApiError& error) override { return sse(error_json(Protocol::kOpenAI, error)); }

 private:
  std::shared_ptr<Answering> answering_;
  bool with_tokens_, new_line_ = false;
};

Ask read_completion(const Json& body) {
  bool echo = false;
  Json copy = body;
  if (field(body, "prompt") == nullptr) copy["prompt"] = "";
  const int64_t n_probs = int_field(body, "n_probs").value_or(0);
  copy["logprobs"] = nullptr;
  Ask ask = read_openai_completion(copy, echo);
  const int64_t n = int_field(body, "n_predict").value_or(int_field(body, "max_tokens").value_or(-1));
  ask.generate.max_tokens = static_cast<int32_t>(std::clamp<int64_t>(n, -1, INT32_MAX));
  if (n_probs > 0) ask.n_top = static_cast<int32_t>(std::min<int64_t>(n_probs, 1000));
  return ask;
}

HttpReply answer_completion(Context& context, Ask ask, const Json& body, bool one) {
  const bool with_tokens = bool_or(body, "return_tokens", false);
  auto answering = begin(context, std::move(ask), true);
  if (answering->ask().stream) {
    return stream_reply(answering, std::make_shared<CompletionWriter>(answering, with_tokens), "text/event-stream");
  }
  const auto choices = answering->collect(context.still_there);
  if (!choices) return gone_reply();
  Json list = Json::array();
  for (size_t i = 0; i < choices->size(); ++i) {
    list.push_back(completion_json(*answering, (*choices)[i], static_cast<int32_t>(i), with_tokens));
  }
  return json_reply(one ? list[0] : list);
}

HttpReply completion(Context& context) {
  const Json body = context.body();
  Ask ask = read_completion(body);
  const bool one = ask.prompts.size() == 1 && ask.n == 1;
  return answer_completion(context, std::move(ask), body, one);
}

HttpReply infill(Context& context) {
  const Json body = context.body();
  Ask ask = read_completion(body);
  std::string before;
  const Json* extra = list_field(body, "input_extra");
  for (const Json& file : extra != nullptr ? *extra : Json::array()) {
    const auto text = text_field(file, "text");
    if (!text) throw ApiError(400, "'input_extra' must be a list of {filename, text}");
    before += "# " + text_or(file, "filename", "file") + "\n" + *text + "\n";
  }
  before += text_or(body, "input_prefix");
  const Lease lease = model_of(context, body);
  ask.prompts = {infill_prompt(*lease, before, text_or(body, "input_suffix"))};
  // What the user has typed at the middle goes behind the mark of the middle.
  if (const auto typed = text_field(body, "prompt"); typed && !typed->empty()) ask.prompts[0].push_back({*typed, {}});
  return answer_completion(context, std::move(ask), body, true);
}

// --- vectors -----------------------------------------------------------------------------------------------------

HttpReply embedding(Context& context) {
  const Json body = context.body();
  EmbedAsk ask;
  ask.inputs = read_prompts(body, field(body, "content") != nullptr ? "content" : "input");
  const Lease lease = model_of(context, body);
  const Vectors vectors = embed(*lease, ask);
  Json list = Json::array();
  for (size_t i = 0; i < vectors.values.size(); ++i) {
    list.push_back({{"index", i}, {"embedding", Json::array({vectors.values[i]})}});
  }
  return json_reply(list);
}

HttpReply rerank(Context& context) {
  const Json body = context.body();
  const bool is_short = field(body, "texts") != nullptr;
  const Json* list = list_field(body, is_short ? "texts" : "documents");
  if (list == nullptr || text_or(body, "query").empty()) throw ApiError(400, "'query' and 'documents' are needed");
  std::vector<std::string> texts;
  for (const Json& entry : *list)
    texts.push_back(entry.is_string() ? entry.get<std::string>() : text_or(entry, "text"));
  const Lease lease = model_of(context, body);
  const Vectors scores = rank(*lease, text_or(body, "query"), texts);
  std::vector<size_t> order(scores.values.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores.values[a].front() > scores.values[b].front(); });
  const int64_t most = int_field(body, "top_n").value_or(static_cast<int64_t>(order.size()));
  Json results = Json::array();
  for (const size_t i : order) {
    if (static_cast<int64_t>(results.size()) >= most) break;
    results.push_back({{"index", i}, {is_short ? "score" : "relevance_score", scores.values[i].front()}});
  }
  if (is_short) return json_reply(results);
  return json_reply({{"model", lease.entry.short_name()},
                     {"object", "list"},
                     {"usage", {{"prompt_tokens", scores.n_tokens}, {"total_tokens", scores.n_tokens}}},
                     {"results", std::move(results)}});
}

HttpReply get_adapters(Context& context) {
  const Lease lease = model_of(context, Json::object());
  Json list = Json::array();
  const std::lock_guard lock(lease->adapters->mutex);
  for (const auto& entry : lease->adapters->entries) {
    list.push_back({{"id", list.size()}, {"path", entry.path}, {"scale", entry.scale}});
  }
  return json_reply(list);
}

/// What the list leaves out is switched off.
HttpReply set_adapters(Context& context) {
  // Other bodies are objects; here one is put around the list.
  const Json body = parse_body("{\"list\":" + context.request.body + "}")["list"];
  if (!body.is_array()) throw ApiError(400, "a list of {\"id\", \"scale\"} is expected");
  const Lease lease = model_of(context, Json::object());
  AdapterList& adapters = *lease->adapters;
  std::vector<float> scales(adapters.entries.size(), 0.0f);
  for (const auto& [id, scale] : read_adapter_scales(body)) {
    if (id < 0 || id >= static_cast<int64_t>(scales.size())) {
      throw ApiError(400, "there is no adapter " + std::to_string(id));
    }
    scales[static_cast<size_t>(id)] = scale;
  }
  const std::lock_guard lock(adapters.mutex);
  for (size_t i = 0; i < scales.size(); ++i) adapters.entries[i].scale = scales[i];
  return json_reply({{"success", true}});
}

HttpReply not_offered(Context& context) {
  throw ApiError(501, context.request.path + " is not offered here");
}

}  // namespace

std::span<const Route> llama_routes() {
  static const Route kRoutes[] = {
      {"GET", "/health", health},
      {"GET", "/v1/health", health},
      {"GET", "/props", props},
      {"POST", "/props", not_offered},
      {"GET", "/slots", slots},
      {"POST", "/slots/", not_offered},
      {"GET", "/metrics", metrics},
      {"GET", "/lora-adapters", get_adapters},
      {"POST", "/lora-adapters", set_adapters},
      {"POST", "/tokenize", tokenize},
      {"POST", "/detokenize", detokenize},
      {"POST", "/apply-template", apply_template},
      {"POST", "/completion", completion},
      {"POST", "/completions", completion},
      {"POST", "/infill", infill},
      {"POST", "/embedding", embedding},
      {"POST", "/embeddings", embedding},
      {"POST", "/rerank", rerank},
      {"POST", "/reranking", rerank},
      {"POST", "/v1/rerank", rerank},
      {"POST", "/v1/reranking", rerank},
  };
  return kRoutes;
}

}  // namespace hearth_server
