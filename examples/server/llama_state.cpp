// llama-server's own routes about the server itself: health, properties, figures, adapters.
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "fields.h"
#include "hearth/version.h"
#include "llama_server.h"
#include "server.h"

namespace hearth_server {
namespace {

HttpReply health(Context& context) {
  const Models& models = context.server.models();
  const auto unavailable = [](const char* why) { return error_reply(Protocol::kOpenAI, ApiError(503, why)); };
  if (context.server.is_draining()) return unavailable("the server is being stopped");
  if (models.is_loading() && models.loaded().empty()) return unavailable("Loading model");
  return json_reply({{"status", "ok"}});
}

HttpReply props(Context& context) {
  const Lease lease = native_model(context, Json::object());
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

/// Bytes of memory that the process holds, as Linux tells it; 0: unknown.
uint64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// A figure of the engine of each model.
struct EngineFigure {
  const char *name, *type, *help;
  double (*value)(const hearth::EngineStats& stats);
};

constexpr EngineFigure kEngineFigures[] = {
    {"llamacpp:prompt_tokens_total", "counter", "Tokens of prompts computed.",
     [](const auto& s) { return double(s.prompt_tokens); }},
    {"llamacpp:tokens_predicted_total", "counter", "Tokens written.",
     [](const auto& s) { return double(s.generated_tokens); }},
    {"llamacpp:requests_processing", "gauge", "Requests being computed.",
     [](const auto& s) { return double(s.active); }},
    {"llamacpp:requests_deferred", "gauge", "Requests in the queue.", [](const auto& s) { return double(s.waiting); }},
    {"hearth_cached_tokens_total", "counter", "Tokens of prompts found in the cache.",
     [](const auto& s) { return double(s.cached_tokens); }},
    {"hearth_requests_finished_total", "counter", "Requests for text that ended.",
     [](const auto& s) { return double(s.finished); }},
    {"hearth_requests_cancelled_total", "counter", "Requests for text whose client left.",
     [](const auto& s) { return double(s.cancelled); }},
    {"hearth_requests_failed_total", "counter", "Requests for text that failed.",
     [](const auto& s) { return double(s.failed); }},
    {"hearth_steps_total", "counter", "Batches computed.", [](const auto& s) { return double(s.steps); }},
    {"hearth_busy_seconds_total", "counter", "Time in batches.", [](const auto& s) { return s.busy_seconds; }},
    {"hearth_cache_pages_used", "gauge", "Pages of the cache that hold something.",
     [](const auto& s) { return double(s.cache.pages_used); }},
    {"hearth_cache_pages", "gauge", "Pages of the cache.", [](const auto& s) { return double(s.cache.pages_total); }},
};

/// A label's value: the three characters that need it are escaped.
std::string label(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '"' || c == '\\' ? std::string("\\") + c : c == '\n' ? "\\n" : std::string(1, c);
  return out;
}

std::string engine_figures(const std::vector<Models::State>& loaded) {
  std::vector<hearth::EngineStats> stats;
  for (const Models::State& state : loaded) stats.push_back(state.model->engine.stats());
  std::string text;
  const auto line = [&](const char* name, size_t i, double value) {
    text +=
        std::string(name) + "{model=\"" + label(loaded[i].entry.short_name()) + "\"} " + metric_number(value) + "\n";
  };
  for (const EngineFigure& figure : kEngineFigures) {
    text += metric_head(figure.name, figure.type, figure.help);
    for (size_t i = 0; i < loaded.size(); ++i) line(figure.name, i, figure.value(stats[i]));
  }
  text += metric_head("hearth_model_bytes", "gauge", "Memory of a loaded model, cache and work memory included.");
  for (size_t i = 0; i < loaded.size(); ++i) line("hearth_model_bytes", i, double(loaded[i].model->bytes));
  return text;
}

HttpReply metrics(Context& context) {
  if (!context.server.options().has_metrics) throw ApiError(501, "start the server with --metrics");
  const auto loaded = context.server.models().loaded();
  std::string text = context.server.metrics().text() + engine_figures(loaded);
  const auto add = [&](const char* name, const char* type, const char* help, double value) {
    text += metric_head(name, type, help) + name + " " + metric_number(value) + "\n";
  };
  add("hearth_models_loaded", "gauge", "Models in memory.", double(loaded.size()));
  add("hearth_connections", "gauge", "Open connections.", double(context.server.n_connections()));
  add("process_resident_memory_bytes", "gauge", "Memory of the process.", double(resident_bytes()));
  add("process_cpu_seconds_total", "counter", "Processor time of the process.", cpu_seconds());
  HttpReply reply;
  reply.type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = std::move(text);
  return reply;
}

HttpReply get_adapters(Context& context) {
  const Lease lease = native_model(context, Json::object());
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
  const Lease lease = native_model(context, Json::object());
  AdapterList& adapters = *lease->adapters;
  std::vector<float> scales(adapters.entries.size(), 0.0f);
  for (const auto& [id, scale] : read_adapter_scales(body)) {
    if (id < 0 || id >= static_cast<int64_t>(scales.size())) {
      throw ApiError(400, "there is no adapter " + std::to_string(id));
    }
    scales[static_cast<size_t>(id)] = scale;
  }
  {
    const std::lock_guard lock(adapters.mutex);
    for (size_t i = 0; i < scales.size(); ++i) adapters.entries[i].scale = scales[i];
  }
  if (lease->engine.options().embedder) {  // whose requests name none
    if (auto status = lease->engine.set_embedding_adapters(chosen_adapters(adapters, Ask())); !status)
      throw api_error(status.error());
  }
  return json_reply({{"success", true}});
}

HttpReply not_offered(Context& context) {
  throw ApiError(501, context.request.path + " is not offered here");
}

/// Whether a model can do what a native route wants of it.
bool can(const ModelFacts& facts, Native what) {
  return facts.is_encoder == (what == Native::kVectors);
}

}  // namespace

/// The name of the model of a native route: the one that is given; or else, of those that can do it, the one that was
/// used last, or the first.
std::string native_name(Context& context, const Json& body, Native what) {
  const std::string name = text_or(body, "model");
  if (!name.empty()) return name;
  const auto loaded = context.server.models().loaded();
  for (const Models::State& state : loaded)
    if (can(state.model->facts, what)) return state.entry.short_name();
  if (!loaded.empty() && what == Native::kVectors) return loaded.front().entry.short_name();
  const ModelStore& store = context.server.store();
  for (const ModelEntry& entry : store.list())
    if (can(store.facts(entry), what)) return entry.short_name();
  const auto first = store.first();
  return first ? first->short_name() : "";
}

Lease native_model(Context& context, const Json& body, Native what) {
  return context.server.models().use(native_name(context, body, what), true);
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

std::span<const Route> llama_state_routes() {
  static const Route kRoutes[] = {
      {"GET", "/health", health, nullptr, true},
      {"GET", "/v1/health", health, nullptr, true},
      {"GET", "/props", props},
      {"POST", "/props", not_offered},
      {"GET", "/metrics", metrics},
      {"GET", "/lora-adapters", get_adapters},
      {"POST", "/lora-adapters", set_adapters},
  };
  return kRoutes;
}

}  // namespace hearth_server
