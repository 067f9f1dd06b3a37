// Ollama's protocol: models, and vectors.
#include <algorithm>
#include <cctype>
#include <chrono>

#include "embeddings.h"
#include "fields.h"
#include "hearth/version.h"
#include "ollama.h"

namespace hearth_server {
namespace {

std::string name_in(const Json& body) {
  const std::string name = text_or(body, "model", text_or(body, "name").c_str());
  if (name.empty()) throw ApiError(400, "model is required");
  return name;
}

Json details_json(const ModelFacts& facts) {
  const std::string family = facts.architecture.empty() ? "unknown" : facts.architecture;
  Json details = {{"parent_model", ""},
                  {"format", "gguf"},
                  {"family", family},
                  {"families", Json::array({family})},
                  {"parameter_size", facts.parameter_size()},
                  {"quantization_level", facts.quantization.empty() ? "unknown" : facts.quantization}};
  if (facts.n_ctx_train > 0) details["context_length"] = facts.n_ctx_train;
  if (facts.d_model > 0) details["embedding_length"] = facts.d_model;
  return details;
}

Json capabilities_json(const ModelFacts& facts) {
  if (facts.is_encoder) return Json::array({"embedding"});
  Json list = Json::array({"completion"});
  if (facts.has_tools) list.push_back("tools");
  if (facts.can_insert) list.push_back("insert");
  if (facts.can_think) list.push_back("thinking");
  return list;
}

Json entry_json(const ModelStore& store, const ModelEntry& entry) {
  const ModelFacts facts = store.facts(entry);
  return {{"name", entry.full_name()},
          {"model", entry.full_name()},
          {"modified_at", rfc3339(entry.modified)},
          {"size", entry.bytes},
          {"digest", entry.digest},
          {"details", details_json(facts)},
          {"capabilities", capabilities_json(facts)}};
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
    if (key == "tokenizer.chat_template") continue;
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

/// "name    value" a line; texts in quotes.
std::string parameters_text(const Json& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters.items()) {
    for (const Json& one : value.is_array() ? value : Json::array({value})) {
      text +=
          (text.empty() ? "" : "\n") + name + std::string(name.size() < 30 ? 31 - name.size() : 1, ' ') + to_text(one);
    }
  }
  return text;
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
  const ModelEntry entry = context.server.models().find(name_in(body), false);
  const ModelFacts facts = context.server.store().facts(entry);
  const auto file = hearth::GgufFile::open(entry.path, {.metadata_only = true});
  if (!file) throw ApiError(500, "the file of this model cannot be read");
  // Editors look for .Suffix to learn whether a model takes text on both sides.
  std::string shown = facts.chat_template.empty() ? "{{ .Prompt }}" : facts.chat_template;
  if (facts.can_insert) shown += "{# .Suffix #}";
  const std::string system = text_or(body, "system", entry.system.c_str());
  Json out = {{"modelfile", "# written by hearth\nFROM " + entry.short_name() + "\n"},
              {"template", shown},
              {"details", details_json(facts)},
              {"model_info", model_info_json(*file, bool_or(body, "verbose", false))},
              {"tensors", tensors_json(*file)},
              {"capabilities", capabilities_json(facts)},
              {"modified_at", rfc3339(entry.modified)}};
  if (!entry.parameters.empty()) out["parameters"] = parameters_text(entry.parameters);
  if (!system.empty()) out["system"] = system;
  if (!entry.license.empty()) out["license"] = entry.license;
  if (!entry.messages.empty()) out["messages"] = entry.messages;
  return json_reply(out);
}

HttpReply copy(Context& context) {
  const Json body = context.body();
  ModelEntry entry = context.server.models().find(text_or(body, "source"), false);
  const std::string name = text_or(body, "destination");
  if (name.empty()) throw ApiError(400, "destination is required");
  std::tie(entry.name, entry.tag) = split_name(name);
  context.server.store().put_made(std::move(entry));
  HttpReply reply;
  return reply;
}

HttpReply remove(Context& context) {
  const std::string name = name_in(context.body());
  const ModelEntry entry = context.server.models().find(name, false);
  if (!entry.is_made) throw ApiError(403, "'" + name + "' is a file of its owner's, and is not deleted over HTTP");
  context.server.store().remove_made(name);
  HttpReply reply;
  return reply;
}

HttpReply progress(bool stream, const std::vector<Json>& lines) {
  if (!stream) return json_reply(lines.back());
  HttpReply reply;
  reply.type = kNdjson;
  std::string text;
  for (const Json& line : lines) text += to_text(line) + "\n";
  reply.stream = [text](StreamWriter& out) { out.write(text); };
  return reply;
}

/// Variants: another model with a system text, parameters, messages. They last as long as the server runs.
HttpReply create(Context& context) {
  const Json body = context.body();
  const std::string name = name_in(body), from = text_or(body, "from");
  if (field(body, "files") != nullptr)
    throw ApiError(501, "models are not made from files over HTTP: put them in a folder of --models");
  if (from.empty()) throw ApiError(400, "neither 'from' or 'files' was specified");
  if (field(body, "adapters") != nullptr || field(body, "quantize") != nullptr) {
    throw ApiError(501, "adapters and quantizing are not offered over HTTP");
  }
  ModelEntry entry = context.server.models().find(from, false);
  std::tie(entry.name, entry.tag) = split_name(name);
  entry.system = text_or(body, "system", entry.system.c_str());
  entry.modified = unix_now();
  if (const Json* parameters = field(body, "parameters")) {
    if (!parameters->is_object()) throw ApiError(400, "'parameters' must be an object");
    for (const auto& [key, value] : parameters->items()) entry.parameters[key] = value;
  }
  if (const Json* messages = list_field(body, "messages")) {
    (void)read_messages(*messages);
    entry.messages = *messages;
  }
  context.server.store().put_made(std::move(entry));
  return progress(bool_or(body, "stream", true), {{{"status", "using existing layer"}}, {{"status", "success"}}});
}

HttpReply pull(Context& context) {
  const Json body = context.body();
  const std::string name = name_in(body);
  const bool stream = bool_or(body, "stream", true);
  if (context.server.store().find(name)) {
    return progress(stream, {{{"status", "pulling manifest"}}, {{"status", "success"}}});
  }
  const std::string why = "pull model manifest: '" + name + "' is not here, and hearth fetches no models";
  if (!stream) throw ApiError(500, why);
  return progress(true, {{{"status", "pulling manifest"}}, {{"error", why}}});
}

HttpReply blob(Context& context) {
  const std::string& digest = context.tail;
  const bool ok = digest.size() == 71 && digest.rfind("sha256:", 0) == 0 &&
                  std::all_of(digest.begin() + 7, digest.end(), [](unsigned char c) { return std::isxdigit(c); });
  if (!ok) throw ApiError(400, "invalid digest format");
  if (context.request.method == "POST")
    throw ApiError(501, "models are not uploaded over HTTP: put them in a folder of --models");
  throw ApiError(404, "blob not found");
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
  const Lease lease = context.server.models().use(name_in(body), false);
  EmbedAsk ask{.inputs = {{{prompt, {}}}}, .normalize = false, .truncate = true};
  Json vector = Json::array();
  if (!prompt.empty()) vector = embed(*lease, ask).values.front();
  return json_reply({{"embedding", std::move(vector)}});
}

}  // namespace

std::span<const Route> ollama_model_routes() {
  static const Route kRoutes[] = {
      {"GET", "/api/version", version},       {"GET", "/api/tags", tags},         {"GET", "/api/ps", ps},
      {"GET", "/api/status", status},         {"POST", "/api/show", show},        {"POST", "/api/copy", copy},
      {"DELETE", "/api/delete", remove},      {"POST", "/api/create", create},    {"POST", "/api/pull", pull},
      {"GET", "/api/blobs/", blob},           {"POST", "/api/blobs/", blob},      {"POST", "/api/push", accounts},
      {"POST", "/api/me", accounts},          {"POST", "/api/signout", accounts}, {"POST", "/api/embed", embed_new},
      {"POST", "/api/embeddings", embed_old},
  };
  return kRoutes;
}

}  // namespace hearth_server
