// What the page asks besides the protocols: the state of models and memory, loading with settings.
#include <fstream>

#include "draft_choice.h"
#include "fields.h"
#include "hearth/version.h"
#include "server.h"

namespace hearth_server {
namespace {

/// Memory of this process that is in use, its files included; 0: unknown.
uint64_t used_bytes() {
  std::ifstream in("/proc/self/status");
  std::string key, rest;
  for (uint64_t kib = 0; in >> key; std::getline(in, rest)) {
    if (key == "VmRSS:" && in >> kib) return kib * 1024;
  }
  return 0;
}

/// The name of the model with this file, as the page lists it.
std::string name_of(const std::vector<ModelEntry>& entries, const std::string& path) {
  for (const ModelEntry& entry : entries)
    if (entry.path == path) return entry.short_name();
  return path.substr(path.rfind('/') + 1);
}

Json loaded_json(const Models::State& state, const std::vector<ModelEntry>& entries) {
  const LoadedModel& model = *state.model;
  const auto stats = model.engine.stats();
  const auto& session = model.engine.options().session;
  const double pages = static_cast<double>(std::max<int64_t>(stats.cache.pages_total, 1));
  Json out = {{"context", model.n_ctx},
              {"parallel", session.n_seqs},
              {"k_type", hearth::kv_type_name(session.k_type)},
              {"v_type", hearth::kv_type_name(session.v_type)},
              {"bytes", model.bytes},
              {"cache_bytes", stats.cache.bytes_total},
              {"cache_used", static_cast<double>(stats.cache.pages_used + stats.cache.pages_kept) / pages},
              {"load_seconds", model.load_seconds},
              {"expires_in", state.expires_in},
              {"active", stats.active},
              {"waiting", stats.waiting},
              {"prompt_tokens", stats.prompt_tokens},
              {"cached_tokens", stats.cached_tokens},
              {"generated_tokens", stats.generated_tokens}};
  if (!model.draft.empty()) out["draft"] = name_of(entries, model.draft);
  return out;
}

/// Whether it fits this machine; null for what cannot be told.
Json fit_json(Server& server, const ModelEntry& entry) {
  const auto fit = server.store().fit(entry, server.models().options().session);
  if (fit.verdict == hearth_store::Fit::Verdict::kUnknown) return nullptr;
  return {{"verdict", hearth_store::verdict_name(fit.verdict)},
          {"context", fit.context},
          {"kv_type", hearth::kv_type_name(fit.kv_type)},
          {"bytes", fit.bytes},
          {"available", fit.available},
          {"tokens_per_second", fit.tokens_per_second}};
}

Json model_json(Server& server, const ModelEntry& entry, const std::vector<ModelEntry>& entries,
                const std::vector<Models::State>& loaded) {
  const ModelFacts facts = server.store().facts(entry);
  const auto progress = server.models().progress(entry);
  Json out = {{"name", entry.short_name()},
              {"title", facts.name},
              {"architecture", facts.architecture},
              {"quantization", facts.quantization},
              {"parameters", facts.parameter_size()},
              {"bytes", entry.bytes},
              {"context_train", facts.n_ctx_train},
              {"is_encoder", facts.is_encoder},
              {"has_tools", facts.has_tools},
              {"can_think", facts.can_think},
              {"system", entry.system},
              {"sampling", entry.parameters},
              {"fit", fit_json(server, entry)},
              {"drafts", drafts_for(server.store(), entries, entry)},
              {"state", progress ? "loading" : "idle"},
              {"progress", progress.value_or(0)}};
  for (const Models::State& state : loaded) {
    if (state.entry.key() != entry.key()) continue;
    out["state"] = "loaded";
    out["loaded"] = loaded_json(state, entries);
  }
  return out;
}

/// What answers take when a request says nothing, by the names of /v1/chat/completions.
Json sampling_json() {
  const hearth::SamplerOptions s;
  return {{"temperature", s.temperature},
          {"top_k", s.top_k},
          {"top_p", s.top_p},
          {"min_p", s.min_p},
          {"typical_p", s.typical_p},
          {"top_n_sigma", s.top_n_sigma},
          {"repeat_penalty", s.repeat_penalty},
          {"repeat_last_n", s.penalty_last_n},
          {"presence_penalty", s.presence_penalty},
          {"frequency_penalty", s.frequency_penalty},
          {"dry_multiplier", s.dry_multiplier},
          {"dry_base", s.dry_base},
          {"dry_allowed_length", s.dry_allowed_length},
          {"dry_penalty_last_n", s.dry_penalty_last_n},
          {"xtc_probability", s.xtc_probability},
          {"xtc_threshold", s.xtc_threshold},
          {"dynatemp_range", s.dynatemp_range},
          {"dynatemp_exponent", s.dynatemp_exponent},
          {"mirostat", s.mirostat},
          {"mirostat_tau", s.mirostat_tau},
          {"mirostat_eta", s.mirostat_eta},
          {"min_keep", s.min_keep}};
}

HttpReply state(Context& context) {
  Server& server = context.server;
  const auto loaded = server.models().loaded();
  Json models = Json::array();
  const auto entries = server.store().list();
  for (const ModelEntry& entry : entries) models.push_back(model_json(server, entry, entries, loaded));
  Json types = Json::array();
  for (const hearth::KVType type : hearth::list_kv_types()) types.push_back(hearth::kv_type_name(type));
  const auto& session = server.models().options().session;
  return json_reply({{"version", hearth::version()},
                     {"models", std::move(models)},
                     {"memory", {{"available", available_bytes()}, {"used", used_bytes()}}},
                     {"kv_types", std::move(types)},
                     {"load",
                      {{"context", session.n_ctx},
                       {"k_type", hearth::kv_type_name(session.k_type)},
                       {"v_type", hearth::kv_type_name(session.v_type)}}},
                     {"sampling", sampling_json()}});
}

/// For other programs than the page: what there is, whether it fits, what is loaded.
HttpReply models_list(Context& context) {
  Server& server = context.server;
  const auto loaded = server.models().loaded();
  Json list = Json::array();
  for (const ModelEntry& entry : server.store().list()) {
    bool is_loaded = false;
    for (const Models::State& state : loaded) is_loaded = is_loaded || state.entry.key() == entry.key();
    const auto progress = server.models().progress(entry);
    list.push_back({{"name", entry.short_name()},
                    {"path", entry.path},
                    {"size", entry.bytes},
                    {"fit", fit_json(server, entry)},
                    {"loaded", is_loaded},
                    {"progress", progress ? Json(*progress) : Json(nullptr)}});
  }
  return json_reply({{"models", std::move(list)}});
}

std::optional<hearth::KVType> read_kv_type(const Json& body, const char* name) {
  const auto text = text_field(body, name);
  if (!text || text->empty()) return std::nullopt;
  const auto type = hearth::parse_kv_type(*text);
  if (!type) throw ApiError(400, std::string("'") + name + "': " + type.error().message, "", name);
  return *type;
}

/// The file of the draft that a request asks for: empty for "none"; nothing: as the server was told.
std::optional<std::string> read_draft(const Json& body, const Models& models) {
  const std::string name = text_or(body, "draft");
  if (name.empty()) return std::nullopt;
  return name == "none" ? std::string() : models.find(name, false).path;
}

/// Loads a model, anew where its settings differ. The answer comes when it is loaded; GET /hearth/state tells how far.
HttpReply load(Context& context) {
  const Json body = context.body();
  Models& models = context.server.models();
  const ModelEntry entry = models.find(text_or(body, "model"), false);
  const int64_t most = INT32_MAX / std::max(models.options().session.n_seqs, 1);
  const int64_t n_ctx = int_field(body, "context").value_or(0);
  if (n_ctx < 0 || n_ctx > most || (n_ctx > 0 && n_ctx < 16)) {
    throw ApiError(400, "'context' must be between 16 and " + std::to_string(most) + ", or 0", "", "context");
  }
  models.configure(entry, {.n_ctx = static_cast<int32_t>(n_ctx),
                           .k_type = read_kv_type(body, "k_type"),
                           .v_type = read_kv_type(body, "v_type"),
                           .draft = read_draft(body, models)});
  const Lease lease = models.use(entry.full_name(), false, std::nullopt, true);
  return json_reply(model_json(context.server, entry, context.server.store().list(), models.loaded()));
}

HttpReply unload(Context& context) {
  Models& models = context.server.models();
  const ModelEntry entry = models.find(text_or(context.body(), "model"), false);
  if (!models.unload(entry)) throw ApiError(404, "'" + entry.short_name() + "' is not loaded");
  return json_reply({{"model", entry.short_name()}});
}

}  // namespace

std::span<const Route> page_model_routes() {
  static const Route kRoutes[] = {
      {"GET", "/hearth/models", models_list},
      {"GET", "/hearth/state", state},
      {"POST", "/hearth/load", load},
      {"POST", "/hearth/unload", unload},
  };
  return kRoutes;
}

}  // namespace hearth_server
