// LM Studio's own routes: /api/v0, and loading and unloading of /api/v1.
#include "embeddings.h"
#include "fields.h"
#include "hearth/version.h"
#include "openai.h"
#include "server.h"

namespace hearth_server {
namespace {

/// The state of an entry's file; nullptr when it is not loaded.
std::shared_ptr<LoadedModel> loaded_model(Context& context, const ModelEntry& entry) {
  for (const Models::State& state : context.server.models().loaded())
    if (state.entry.key() == entry.key()) return state.model;
  return nullptr;
}

Json v0_model(Context& context, const ModelEntry& entry) {
  const ModelFacts facts = context.server.store().facts(entry);
  const auto model = loaded_model(context, entry);
  Json out = {{"id", entry.short_name()},
              {"object", "model"},
              {"type", facts.is_encoder ? "embeddings" : "llm"},
              {"publisher", "local"},
              {"arch", facts.architecture},
              {"compatibility_type", "gguf"},
              {"quantization", facts.quantization},
              {"state", model ? "loaded" : "not-loaded"},
              {"max_context_length", std::max(facts.n_ctx_train, 1)}};
  if (model) out["loaded_context_length"] = model->n_ctx;
  if (facts.has_tools) out["capabilities"] = Json::array({"tool_use"});
  return out;
}

HttpReply v0_models(Context& context) {
  Json data = Json::array();
  for (const ModelEntry& entry : context.server.store().list()) data.push_back(v0_model(context, entry));
  return json_reply({{"object", "list"}, {"data", std::move(data)}});
}

HttpReply v0_one(Context& context) {
  return json_reply(v0_model(context, context.server.models().find(context.tail, false)));
}

HttpReply v0_chat(Context& context) {
  const Json body = context.body();
  Ask ask = read_openai_chat(body);
  const Json* options = field(body, "stream_options");
  const bool with_usage = options != nullptr && bool_or(*options, "include_usage", false);
  auto answering = begin(context, std::move(ask), true);
  if (answering->ask().stream)
    return stream_reply(answering, openai_chat_writer(answering, with_usage), "text/event-stream");
  const auto choices = answering->collect(context.still_there);
  if (!choices) return gone_reply();
  Json out = openai_chat_json(*answering, *choices);
  const AnswerEnd& end = choices->front().end;
  const double seconds = end.timings.generate_seconds;
  const char* reason = end.called_tools                              ? "toolCalls"
                       : end.by_length()                             ? "maxPredictedTokensReached"
                       : end.reason == hearth::StopReason::kStopText ? "stopStringFound"
                                                                     : "eosFound";
  const ModelFacts& facts = answering->lease()->facts;
  out["stats"] = {{"tokens_per_second", seconds > 0 ? end.generated_tokens / seconds : 0.0},
                  {"time_to_first_token", end.timings.first_token_seconds},
                  {"generation_time", seconds},
                  {"stop_reason", reason}};
  out["model_info"] = {{"arch", facts.architecture},
                       {"quant", facts.quantization},
                       {"format", "gguf"},
                       {"context_length", answering->lease()->n_ctx}};
  out["runtime"] = {{"name", "hearth"}, {"version", hearth::version()}, {"supported_formats", Json::array({"gguf"})}};
  return json_reply(out);
}

Json v1_model(Context& context, const ModelEntry& entry) {
  const ModelFacts facts = context.server.store().facts(entry);
  const auto model = loaded_model(context, entry);
  Json instances = Json::array();
  if (model) instances.push_back({{"id", entry.short_name()}, {"config", {{"context_length", model->n_ctx}}}});
  const double bits =
      facts.n_parameters > 0 ? 8.0 * static_cast<double>(entry.bytes) / static_cast<double>(facts.n_parameters) : 0;
  return {{"type", facts.is_encoder ? "embedding" : "llm"},
          {"publisher", "local"},
          {"key", entry.short_name()},
          {"display_name", facts.name.empty() ? entry.short_name() : facts.name},
          {"architecture", facts.architecture},
          {"quantization", {{"name", facts.quantization}, {"bits_per_weight", bits}}},
          {"size_bytes", entry.bytes},
          {"params_string", facts.parameter_size()},
          {"loaded_instances", std::move(instances)},
          {"max_context_length", std::max(facts.n_ctx_train, 1)},
          {"format", "gguf"},
          {"capabilities", {{"vision", false}, {"trained_for_tool_use", facts.has_tools}}},
          {"description", nullptr}};
}

HttpReply v1_models(Context& context) {
  Json list = Json::array();
  for (const ModelEntry& entry : context.server.store().list()) list.push_back(v1_model(context, entry));
  return json_reply({{"models", std::move(list)}});
}

HttpReply v1_load(Context& context) {
  const Json body = context.body();
  const Lease lease = context.server.models().use(text_or(body, "model"), false);
  Json out = {{"type", lease->facts.is_encoder ? "embedding" : "llm"},
              {"instance_id", lease.entry.short_name()},
              {"load_time_seconds", lease.load_seconds},
              {"status", "loaded"}};
  if (bool_or(body, "echo_load_config", false)) out["load_config"] = {{"context_length", lease->n_ctx}};
  return json_reply(out);
}

HttpReply v1_unload(Context& context) {
  const std::string name = text_or(context.body(), "instance_id");
  const ModelEntry entry = context.server.models().find(name, false);
  if (!context.server.models().unload(entry)) throw ApiError(404, "'" + name + "' is not loaded");
  return json_reply({{"instance_id", name}});
}

HttpReply no_download(Context&) {
  throw ApiError(501, "hearth fetches no models: put files in a folder of --models");
}

}  // namespace

std::span<const Route> lmstudio_routes() {
  static const Route kRoutes[] = {
      {"GET", "/api/v0/models", v0_models},
      {"GET", "/api/v0/models/", v0_one},
      {"POST", "/api/v0/chat/completions", v0_chat},
      {"GET", "/api/v1/models", v1_models},
      {"POST", "/api/v1/models/load", v1_load},
      {"POST", "/api/v1/models/unload", v1_unload},
      {"POST", "/api/v1/models/download", no_download},
  };
  return kRoutes;
}

}  // namespace hearth_server
