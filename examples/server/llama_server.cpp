// llama-server's own routes that work with a model: completion, tokens, templates, vectors. llama_state.cpp has the
// others.
#include <algorithm>

#include "embeddings.h"
#include "fields.h"
#include "llama_server.h"
#include "openai.h"
#include "server.h"

namespace hearth_server {
namespace {

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
  const Lease lease = native_model(context, body);
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
  const Lease lease = native_model(context, body);
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
  const Lease lease = native_model(context, body);
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
          {"id_slot", end.seq},
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
  ask.model = native_name(context, body);
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
  ask.model = native_name(context, body);
  const Lease lease = context.server.models().use(ask.model, true);
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
  const Lease lease = native_model(context, body, Native::kVectors);
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
  const Lease lease = native_model(context, body, Native::kVectors);
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

}  // namespace

std::span<const Route> llama_routes() {
  static const Route kRoutes[] = {
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
