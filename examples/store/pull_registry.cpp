// Registries of the OCI kind: a manifest, and blobs by their digests
// (https://github.com/opencontainers/distribution-spec/blob/main/spec.md; tokens as Docker's registries give them).
#include <algorithm>
#include <set>

#include "pull.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;

namespace {

/// The value of NAME="value" in a header "Bearer realm=...,service=...,scope=...".
std::string challenge_value(const std::string& header, const std::string& name) {
  const size_t at = lower_case(header).find(name + "=\"");
  if (at == std::string::npos) return {};
  const size_t begin = at + name.size() + 2;
  return header.substr(begin, std::min(header.find('"', begin), header.size()) - begin);
}

/// Query values for an address.
std::string escape_query(const std::string& text) {
  std::string out = escape_path(text);
  for (size_t at; (at = out.find('/')) != std::string::npos;) out.replace(at, 1, "%2F");
  return out;
}

/// A token for what was refused, from the place that the refusal names.
Result<std::string> fetch_token(const std::string& challenge, bool plain, const IsStopped& is_stopped) {
  const std::string realm = challenge_value(challenge, "realm");
  const UrlParts parts = split_url(realm);
  if (parts.host.empty()) return Error{ErrorCode::kIo, "the registry wants a sign-in of a kind that is not known here"};
  HttpAsk ask{.url = realm, .allow_plain = plain && is_loopback_host(parts.host)};
  char before = realm.find('?') == std::string::npos ? '?' : '&';
  for (const char* name : {"service", "scope"}) {
    const std::string value = challenge_value(challenge, name);
    if (value.empty()) continue;
    ask.url += before + std::string(name) + "=" + escape_query(value);
    before = '&';
  }
  // A user's password goes to the place that gives tokens; a token is one already.
  const std::string own = environment_text("HEARTH_REGISTRY_TOKEN");
  if (own.find(':') != std::string::npos) ask.headers.push_back(authorization(own));
  const auto answer = http_text(ask, 1 << 20, is_stopped);
  if (!answer) return answer.error();
  const Json value = answer->told.status == 200 ? parse_json(answer->body) : Json();
  for (const char* name : {"token", "access_token"}) {
    const auto found = value.is_object() ? value.find(name) : value.end();
    if (value.is_object() && found != value.end() && found->is_string()) {
      const std::string token = found->get<std::string>();
      if (token.find_first_of("\r\n") == std::string::npos) return token;
    }
  }
  return Error{ErrorCode::kIo, "the registry gives no token (" + std::to_string(answer->told.status) +
                                   "): set HEARTH_REGISTRY_TOKEN to one, or to user:password"};
}

Error refused(const ModelName& name, const HttpText& answer) {
  const Json value = parse_json(answer.body);
  std::string words;
  if (value.is_object() && value.contains("errors") && value["errors"].is_array() && !value["errors"].empty() &&
      value["errors"][0].is_object()) {
    const auto found = value["errors"][0].find("message");
    if (found != value["errors"][0].end() && found->is_string())
      words = ": " + found->get<std::string>().substr(0, 200);
  }
  if (answer.told.status == 404) {
    return Error{ErrorCode::kNotFound, name.host + " has no model " + shown(name.text()) + words};
  }
  if (answer.told.status == 401 || answer.told.status == 403) {
    return Error{ErrorCode::kIo, name.host + " does not let us read " + shown(name.text()) + words +
                                     " (HEARTH_REGISTRY_TOKEN may hold a token, or user:password)"};
  }
  return Error{ErrorCode::kIo, name.host + " answers " + std::to_string(answer.told.status) + words};
}

}  // namespace

Result<PullPlan> plan_registry(const ModelName& name, bool plain, const IsStopped& is_stopped) {
  const std::string base = (plain ? "http://" : "https://") + name.host + "/v2/" + name.owner + "/" + name.model;
  HttpAsk ask{.url = base + "/manifests/" + name.tag, .allow_plain = plain};
  ask.headers = {std::string("Accept: ") + kManifestType + ", application/vnd.oci.image.manifest.v1+json"};
  std::string header = authorization(environment_text("HEARTH_REGISTRY_TOKEN"));
  const auto with_header = [&] {
    HttpAsk one = ask;
    if (!header.empty()) one.headers.push_back(header);
    return one;
  };
  auto answer = http_text(with_header(), kMostManifestBytes, is_stopped);
  if (!answer) return answer.error();
  if (const auto challenge = answer->told.headers.find("www-authenticate");
      answer->told.status == 401 && challenge != answer->told.headers.end() &&
      lower_case(challenge->second).starts_with("bearer")) {
    const auto token = fetch_token(challenge->second, plain, is_stopped);
    if (!token) return token.error();
    header = "Authorization: Bearer " + *token;
    answer = http_text(with_header(), kMostManifestBytes, is_stopped);
    if (!answer) return answer.error();
  }
  if (answer->told.status != 200) return refused(name, *answer);
  const auto promised = answer->told.headers.find("docker-content-digest");
  if (promised != answer->told.headers.end() && digest_hex(promised->second) != sha256_hex(answer->body)) {
    return Error{ErrorCode::kFormat, name.host + ": the manifest is not the one that its digest names"};
  }
  const auto manifest = parse_manifest(answer->body);
  if (!manifest) return Error{manifest.error().code, name.host + ": " + manifest.error().message};
  if (manifest->find("model") == nullptr) {
    return Error{ErrorCode::kFormat, name.host + ": " + shown(name.text()) + " has no weights in GGUF"};
  }
  PullPlan plan{.name = name, .manifest = answer->body};
  const auto remote = [&](const Layer& layer, const char* kind) {
    Remote one{.kind = kind, .digest = layer.digest, .size = static_cast<int64_t>(layer.size), .title = layer.title};
    one.ask = with_header();
    one.ask.headers.erase(one.ask.headers.begin());  // Accept is of manifests
    one.ask.url = base + "/blobs/sha256:" + layer.digest;
    return one;
  };
  static const std::set<std::string> kNeeded = {"model",  "adapter",  "template", "prompt",
                                                "system", "messages", "params",   "license"};
  for (const Layer& layer : manifest->layers) {
    if (!kNeeded.contains(layer.kind)) continue;
    const bool is_weights = layer.kind == "model" || layer.kind == "adapter";
    if (!is_weights && layer.size > kMostManifestBytes)
      return Error{ErrorCode::kLimit, name.host + ": the layer " + shown(layer.kind) + " is too long"};
    plan.files.push_back(remote(layer, layer.kind.c_str()));
  }
  if (!manifest->config.digest.empty()) {
    if (manifest->config.size > kMostManifestBytes)
      return Error{ErrorCode::kLimit, name.host + ": its config is too long"};
    plan.config = remote(manifest->config, "config");
  }
  return plan;
}

}  // namespace hearth_store
