// A pull from its beginning to its end.
#include "pull.h"

#include <algorithm>

#include "base64.h"
#include "facts.h"
#include "hearth/gguf.h"
#include "sources.h"
#include "system.h"

namespace hearth_store {

using hearth::Error;
using hearth::ErrorCode;
using hearth::Result;
using hearth::Status;

std::string environment_text(const char* name) {
  std::string text = environment(name);
  // A token with a line break would be another header.
  text.erase(std::min(text.find_first_of("\r\n"), text.size()));
  return text;
}

namespace {

Result<PullPlan> make_plan(const std::string& source, const IsStopped& is_stopped) {
  std::string text = source;
  const UrlParts parts = split_url(source);
  const bool is_hub = parts.host == "huggingface.co" || parts.host == "hf.co";
  if (lower_case(parts.path.substr(0, parts.path.find('?'))).ends_with(".gguf")) return plan_url(source);
  if (parts.scheme == "http" || (parts.scheme == "https" && !is_hub)) text = parts.host + parts.path;
  const auto name = ModelName::parse(text);
  if (!name) return name.error();
  const size_t colon = text.rfind(':'), slash = text.rfind('/');
  const bool has_tag = colon != std::string::npos && slash != std::string::npos && colon > slash;
  if (name->host == kHubHost) return plan_hub(*name, has_tag, is_stopped);
  return plan_registry(*name, parts.scheme == "http" || is_loopback_host(name->host), is_stopped);
}

/// What was fetched as a model of its own, before it has a name: it must open.
Status check_weights_open(const Store& store, const Manifest& manifest) {
  for (const Layer& layer : manifest.layers) {
    if (layer.kind != "model" || !layer.title.empty()) continue;
    const auto file = hearth::GgufFile::open(store.blob_path(layer.digest).string(), {.metadata_only = true});
    if (!file) return Error{file.error().code, "what came is no model: " + file.error().message};
  }
  return {};
}

}  // namespace

std::string authorization(const std::string& token) {
  if (token.empty()) return {};
  const bool is_pair = token.find(':') != std::string::npos;
  return "Authorization: " + (is_pair ? "Basic " + base64(token) : "Bearer " + token);
}

Result<Entry> pull(const Store& store, const std::string& source, const PullOptions& options, const std::string& as) {
  if (!can_fetch()) return Error{ErrorCode::kUnsupported, "this build fetches nothing: it was made without libcurl"};
  PullState state;
  state.status = "pulling manifest";
  const auto tell = [&] { return !options.progress || options.progress(state); };
  const Error stopped{ErrorCode::kCancelled, "fetching was stopped"};
  if (!tell()) return stopped;
  auto plan = make_plan(source, [&] { return !tell(); });
  if (!plan) return plan.error();
  if (!as.empty()) {
    auto name = ModelName::parse(as);
    if (!name) return name.error();
    plan->name = std::move(*name);
  }
  for (const Remote& file : plan->files) state.all_total += static_cast<uint64_t>(std::max<int64_t>(file.size, 0));
  Manifest manifest;
  for (const Remote& file : plan->files) {
    auto layer = download(store, file, options, state);
    if (!layer) return Error{layer.error().code, source + ": " + layer.error().message};
    manifest.layers.push_back(std::move(*layer));
  }
  if (!plan->config.ask.url.empty()) {
    auto layer = download(store, plan->config, options, state);
    if (!layer) return Error{layer.error().code, source + ": " + layer.error().message};
    manifest.config = std::move(*layer);
  }
  if (auto status = check_weights_open(store, manifest); !status)
    return Error{status.error().code, source + ": " + status.error().message};
  if (plan->manifest.empty() && manifest.config.digest.empty()) {
    auto config =
        store.add_bytes("config", config_text(read_facts(store.blob_path(manifest.layers[0].digest).string())));
    if (!config) return config.error();
    manifest.config = std::move(*config);
  }
  state.status = "writing manifest";
  if (!tell()) return stopped;
  auto entry = store.put(plan->name, manifest, plan->manifest);
  if (!entry) return entry.error();
  state.status = "success";
  (void)tell();
  return entry;
}

Result<PullPlan> plan_url(const std::string& url) {
  PullPlan plan;
  Remote remote{.kind = "model"};
  remote.ask.url = url;
  const UrlParts parts = split_url(url);
  const std::string path = parts.path.substr(0, parts.path.find_first_of("?#"));
  const std::string file = path.substr(path.rfind('/') + 1);
  const bool is_hub = parts.host == "huggingface.co" || parts.host == "hf.co";
  if (const size_t blob = url.find("/blob/"); is_hub && blob != std::string::npos)
    remote.ask.url.replace(blob, 6, "/resolve/");  // the page about a file is not the file
  if (is_hub) {
    const std::string header = authorization(environment_text("HF_TOKEN"));
    if (!header.empty()) remote.ask.headers.push_back(header);
  }
  remote.ask.allow_plain = parts.scheme == "http";
  plan.name = name_of_file(path_of(file));
  remote.title = file;
  const std::string stem = file.substr(0, file.size() - 5);
  const size_t of = stem.rfind("-of-");
  const bool is_split = of != std::string::npos && of > 6 && stem.size() == of + 9 && stem[of - 6] == '-';
  if (!is_split) {
    plan.files.push_back(std::move(remote));
    return plan;
  }
  const long n = std::strtol(stem.c_str() + of + 4, nullptr, 10);
  if (n < 1 || n > 1000) return Error{ErrorCode::kInvalidArgument, shown(file) + " has no sensible number of parts"};
  plan.name = name_of_file(path_of(stem.substr(0, of - 6) + ".gguf"));
  for (long i = 1; i <= n; ++i) {
    char number[32];
    std::snprintf(number, sizeof number, "%05ld", i);
    Remote part = remote;
    part.title = file;
    part.title.replace(of - 5, 5, number);
    part.ask.url.replace(part.ask.url.rfind(file), file.size(), part.title);
    plan.files.push_back(std::move(part));
  }
  return plan;
}

}  // namespace hearth_store
