// Ollama's protocol: models, and vectors.
#include <algorithm>
#include <cctype>
#include <chrono>

#include "../store/modelfile.h"
#include "../store/pull.h"
#include "embeddings.h"
#include "fields.h"
#include "hearth/version.h"
#include "ollama.h"
#include "ollama_work.h"

namespace hearth_server {
namespace {

Json details_json(const ModelEntry& entry, const ModelFacts& facts) {
  const std::string family = facts.architecture.empty() ? "unknown" : facts.architecture;
  Json details = {{"parent_model", entry.parent},
                  {"format", "gguf"},
                  {"family", family},
                  {"families", Json::array({family})},
                  {"parameter_size", facts.parameter_size()},
                  {"quantization_level", facts.quantization.empty() ? "unknown" : facts.quantization}};
  if (facts.n_ctx_train > 0) details["context_length"] = facts.n_ctx_train;
  if (facts.d_model > 0) details["embedding_length"] = facts.d_model;
  return details;
}

Json capabilities_json(const ModelStore& store, const ModelEntry& entry, const ModelFacts& facts) {
  const auto choice = store.choose_template(entry);
  Json list = choice.capabilities;
  if (facts.can_insert && !choice.can("insert")) list.push_back("insert");  // by tokens of the vocabulary
  return list;
}

Json entry_json(const ModelStore& store, const ModelEntry& entry) {
  const ModelFacts facts = store.facts(entry);
  return {{"name", entry.full_name()},
          {"model", entry.full_name()},
          {"modified_at", rfc3339(entry.modified)},
          {"size", entry.bytes},
          {"digest", entry.digest},
          {"details", details_json(entry, facts)},
          {"capabilities", capabilities_json(store, entry, facts)}};
}

HttpReply version(Context&) {
  return json_reply({{"version", hearth::version()}});
}

HttpReply tags(Context& context) {
  auto entries = context.server.store().list();
  std::stable_sort(entries.begin(), entries.end(), [](auto& a, auto& b) { return a.modified > b.modified; });
  Json list = Json::array();
  for (const ModelEntry& entry : entries) list.push_back(entry_json(context.server.store(), entry));
  return json_reply({{"models", std::move(list)}});
}

HttpReply ps(Context& context) {
  Json list = Json::array();
  for (const Models::State& state : context.server.models().loaded()) {
    Json model = entry_json(context.server.store(), state.entry);
    model.erase("modified_at");
    // "For ever" is a hundred years to clients that read a time.
    const double seconds = state.expires_in < 0 ? 100.0 * 365 * 86400 : state.expires_in;
    model["size"] = state.model->bytes;
    model["size_vram"] = 0;
    model["expires_at"] = rfc3339(unix_now() + static_cast<int64_t>(seconds));
    model["context_length"] = state.model->n_ctx;
    list.push_back(std::move(model));
  }
  return json_reply({{"models", std::move(list)}});
}

Json value_json(const hearth::GgufValue& value) {
  using hearth::GgufType;
  if (value.type() == GgufType::kString)
    return std::string(value.as_string() ? *value.as_string() : std::string_view());
  if (value.type() == GgufType::kBool) return value.as_bool() && *value.as_bool();
  if (const auto number = value.as_int()) return *number;
  if (const auto number = value.as_float()) return *number;
  return nullptr;
}

/// The metadata by key. Arrays are null unless `verbose`, as they may be long.
Json model_info_json(const hearth::GgufFile& file, bool verbose) {
  Json info = Json::object();
  for (const hearth::GgufEntry& entry : file.entries()) {
    const std::string key(entry.key);
    if (key == "tokenizer.chat_template" || key == "general.name") continue;
    if (entry.value.type() != hearth::GgufType::kArray) {
      info[key] = value_json(entry.value);
    } else if (!verbose) {
      info[key] = nullptr;
    } else if (const auto list = entry.value.as_array()) {
      Json values = Json::array();
      for (const hearth::GgufValue& value : *list) values.push_back(value_json(value));
      info[key] = std::move(values);
    }
  }
  return info;
}

Json tensors_json(const hearth::GgufFile& file) {
  Json list = Json::array();
  for (const hearth::GgufTensor& tensor : file.tensors()) {
    Json shape = Json::array();
    for (uint32_t i = 0; i < tensor.n_dims; ++i) shape.push_back(tensor.dims[i]);
    const auto* type = hearth::tensor_type_info(tensor.type);
    list.push_back({{"name", std::string(tensor.name)}, {"type", type ? type->name : "unknown"}, {"shape", shape}});
  }
  return list;
}

HttpReply show(Context& context) {
  const Json body = context.body();
  const ModelEntry entry = context.server.models().find(model_name_in(body), false);
  const ModelFacts facts = context.server.store().facts(entry);
  const auto file = hearth::GgufFile::open(entry.path, {.metadata_only = true});
  if (!file) throw ApiError(500, "the file of this model cannot be read");
  // Editors look for .Suffix to learn whether a model takes text on both sides.
  const auto choice = context.server.store().choose_template(entry);
  std::string shown = choice.shown;
  if (facts.can_insert && !choice.is_go) shown += "{# .Suffix #}";
  const std::string system = text_or(body, "system", entry.system.c_str());
  Json out = {{"modelfile", "# written by hearth; FROM " + entry.short_name() + " takes it as it is\n" +
                                hearth_store::modelfile_text(entry)},
              {"template", shown},
              {"details", details_json(entry, facts)},
              {"model_info", model_info_json(*file, bool_or(body, "verbose", false))},
              {"tensors", tensors_json(*file)},
              {"capabilities", capabilities_json(context.server.store(), entry, facts)},
              {"modified_at", rfc3339(entry.modified)}};
  out["model_info"]["general.parameter_count"] = facts.n_parameters;
  if (!entry.parameters.empty()) out["parameters"] = hearth_store::parameters_text(entry.parameters);
  if (!system.empty()) out["system"] = system;
  if (!entry.license.empty()) out["license"] = entry.license;
  if (!entry.messages.empty()) out["messages"] = entry.messages;
  return json_reply(out);
}

HttpReply copy(Context& context) {
  const Json body = context.body();
  const std::string to = text_or(body, "destination");
  if (to.empty()) throw ApiError(400, "destination is required");
  hearth_store::Modelfile same;
  const ModelEntry entry = context.server.models().find(text_or(body, "source"), false);
  const auto copied = hearth_store::create_model(context.server.store().store(), read_model_name(to), same, entry);
  if (!copied) throw store_error(copied.error());
  context.server.store().forget_listing();
  return HttpReply();
}

HttpReply remove(Context& context) {
  const std::string name = model_name_in(context.body());
  const ModelEntry entry = context.server.models().find(name, false);
  context.server.models().unload(entry);
  const auto removed = context.server.store().store().remove(name);
  context.server.store().forget_listing();
  if (!removed && removed.error().code == hearth::ErrorCode::kNotFound) {
    throw ApiError(403, "'" + name + "' is a file of its owner's, and is not deleted over HTTP");
  }
  if (!removed) throw store_error(removed.error());
  return HttpReply();
}

HttpReply pull(Context& context) {
  const Json body = parse_body(context.request.body);
  const std::string name = model_name_in(body);
  const bool stream = bool_or(body, "stream", true);
  if (context.server.store().find(name)) {
    return status_lines(stream, {{{"status", "pulling manifest"}}, {{"status", "success"}}});
  }
  // An address would let a client send this machine anywhere.
  if (name.find("://") != std::string::npos) throw ApiError(400, "over HTTP only names are pulled, no addresses");
  (void)read_model_name(name);
  const ModelStore& models = context.server.store();
  return work_reply(context, stream, [&models, name](const TellWork& tell) -> hearth::Status {
    hearth_store::PullOptions options;
    options.progress = [&](const hearth_store::PullState& state) {
      return state.status == "success" || tell(state.status, state.digest, state.done, state.total);
    };
    const auto entry = hearth_store::pull(models.store(), name, options);
    models.forget_listing();
    // Whatever the reason is, it is none of the request's.
    return entry
               ? hearth::Status()
               : hearth::Status(hearth::Error{hearth::ErrorCode::kIo, "pull model manifest: " + entry.error().message});
  });
}

HttpReply accounts(Context&) {
  throw ApiError(404, "there are no accounts here");
}

HttpReply status(Context&) {
  return json_reply({{"cloud", {{"disabled", true}, {"source", "none"}}}});
}

HttpReply embed_new(Context& context) {
  const Json body = context.body();
  const auto start = std::chrono::steady_clock::now();
  EmbedAsk ask;
  ask.truncate = bool_or(body, "truncate", true);
  ask.dimensions = static_cast<int32_t>(std::clamp<int64_t>(int_field(body, "dimensions").value_or(0), -1, INT32_MAX));
  const Json* input = field(body, "input");
  const bool is_empty = input == nullptr || *input == "" || (input->is_array() && input->empty());
  if (!is_empty) {
    for (const Json& text : input->is_array() ? *input : Json::array({*input})) {
      if (!text.is_string()) throw ApiError(400, "invalid input type");
      ask.inputs.push_back({{text.get<std::string>(), {}}});
    }
  }
  std::optional<double> keep_alive;
  if (const Json* alive = field(body, "keep_alive")) keep_alive = read_duration(*alive, "keep_alive");
  const std::string name = text_or(body, "model");
  const Lease lease = context.server.models().use(name, false, keep_alive);
  Vectors vectors;
  if (!is_empty) vectors = embed(*lease, ask);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return json_reply({{"model", name},
                     {"embeddings", vectors.values},
                     {"total_duration", static_cast<int64_t>(seconds * 1e9)},
                     {"load_duration", static_cast<int64_t>(lease.load_seconds * 1e9)},
                     {"prompt_eval_count", vectors.n_tokens}});
}

HttpReply embed_old(Context& context) {
  const Json body = context.body();
  const std::string prompt = text_or(body, "prompt");
  const Lease lease = context.server.models().use(model_name_in(body), false);
  EmbedAsk ask{.inputs = {{{prompt, {}}}}, .normalize = false, .truncate = true};
  Json vector = Json::array();
  if (!prompt.empty()) vector = embed(*lease, ask).values.front();
  return json_reply({{"embedding", std::move(vector)}});
}

}  // namespace

std::span<const Route> ollama_model_routes() {
  static const Route kRoutes[] = {
      {"GET", "/api/version", version, nullptr, true},
      {"GET", "/api/tags", tags},
      {"GET", "/api/ps", ps},
      {"GET", "/api/status", status},
      {"POST", "/api/show", show},
      {"POST", "/api/copy", copy},
      {"DELETE", "/api/delete", remove},
      {"POST", "/api/pull", pull},
      {"POST", "/api/push", accounts},
      {"POST", "/api/me", accounts},
      {"POST", "/api/signout", accounts},
      {"POST", "/api/embed", embed_new},
      {"POST", "/api/embeddings", embed_old},
  };
  return kRoutes;
}

}  // namespace hearth_server
