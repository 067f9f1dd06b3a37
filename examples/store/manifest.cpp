// Manifests read and written. What they say is not believed: files are compared with it by those who open them.
#include "manifest.h"

#include "name.h"
#include "sha256.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

namespace {

constexpr std::string_view kKindPrefix = "application/vnd.ollama.image.";
constexpr const char* kConfigType = "application/vnd.docker.container.image.v1+json";
constexpr const char* kTitleKey = "org.opencontainers.image.title";
constexpr size_t kMostLayers = 1024;

std::string text_in(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Layer> read_layer(const Json& value) {
  if (!value.is_object()) return Error{ErrorCode::kFormat, "a layer is no object"};
  Layer layer;
  const std::string type = text_in(value, "mediaType");
  layer.kind = type.starts_with(kKindPrefix) ? type.substr(kKindPrefix.size()) : type;
  const std::string digest = text_in(value, "digest");
  const auto hex = digest_hex(digest);
  if (!hex) return Error{ErrorCode::kFormat, shown(digest) + " is no digest"};
  layer.digest = *hex;
  const auto size = value.find("size");
  const bool has_size = size != value.end() && size->is_number_integer();
  if (!has_size || size->get<int64_t>() < 0 || size->get<int64_t>() > int64_t{1} << 50) {
    return Error{ErrorCode::kFormat, "the size of the layer " + digest + " is no size"};
  }
  layer.size = static_cast<uint64_t>(size->get<int64_t>());
  layer.from = text_in(value, "from");
  const auto annotations = value.find("annotations");
  if (annotations != value.end() && annotations->is_object()) layer.title = text_in(*annotations, kTitleKey);
  return layer;
}

Json layer_json(const Layer& layer, const std::string& type) {
  Json value = {{"mediaType", type}, {"digest", "sha256:" + layer.digest}, {"size", layer.size}};
  if (!layer.from.empty()) value["from"] = layer.from;
  if (!layer.title.empty()) value["annotations"] = {{kTitleKey, layer.title}};
  return value;
}

}  // namespace

uint64_t Manifest::size() const {
  uint64_t total = config.size;
  for (const Layer& layer : layers) total += layer.size;
  return total;
}

const Layer* Manifest::find(std::string_view kind) const {
  for (const Layer& layer : layers)
    if (layer.kind == kind) return &layer;
  return nullptr;
}

Json parse_json(std::string_view text) {
  bool too_deep = false;
  const auto keep = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > 64;
    return !too_deep;
  };
  Json value = Json::parse(text, keep, false);
  return too_deep ? Json(Json::value_t::discarded) : value;
}

Result<Manifest> parse_manifest(std::string_view text) {
  if (text.size() > kMostManifestBytes) return Error{ErrorCode::kLimit, "the manifest is too long"};
  const Json value = parse_json(text);
  if (!value.is_object()) return Error{ErrorCode::kFormat, "the manifest is no JSON object"};
  const auto layers = value.find("layers");
  if (layers == value.end() || !layers->is_array()) return Error{ErrorCode::kFormat, "the manifest has no layers"};
  if (layers->size() > kMostLayers) return Error{ErrorCode::kLimit, "the manifest has too many layers"};
  Manifest manifest;
  const auto config = value.find("config");
  if (config != value.end() && config->is_object() && config->contains("digest") && (*config)["digest"] != "") {
    auto layer = read_layer(*config);
    if (!layer) return Error{layer.error().code, "the manifest is damaged: " + layer.error().message};
    manifest.config = std::move(*layer);
  }
  for (const Json& one : *layers) {
    auto layer = read_layer(one);
    if (!layer) return Error{layer.error().code, "the manifest is damaged: " + layer.error().message};
    manifest.layers.push_back(std::move(*layer));
  }
  return manifest;
}

std::string manifest_text(const Manifest& manifest) {
  Json value = {{"schemaVersion", 2}, {"mediaType", kManifestType}};
  value["config"] = layer_json(manifest.config, kConfigType);
  value["layers"] = Json::array();
  for (const Layer& layer : manifest.layers) {
    const bool is_plain = layer.kind.find('/') == std::string::npos;
    value["layers"].push_back(layer_json(layer, is_plain ? std::string(kKindPrefix) + layer.kind : layer.kind));
  }
  return value.dump();
}

}  // namespace hearth_store
