// Fetching models: from an OCI registry as Ollama's, from the Hugging Face hub, from an address.
//
//   pull(store, "qwen3:4b");                         // registry.ollama.ai/library/qwen3:4b
//   pull(store, "hf:owner/repository:Q4_K_M");       // the hub; without a quantization Q4_K_M, or what there is
//   pull(store, "https://host/path/model.gguf");     // any address
//
// Tokens come from the environment: HF_TOKEN for the hub, HEARTH_REGISTRY_TOKEN for registries ("user:password" works,
// too). HF_ENDPOINT names another hub. Plain http is spoken with this machine alone, or where "http://" is written.
#pragma once

#include <string>

#include "download.h"

namespace hearth_store {

/// Fetches what `source` names, under its name or `as`. The name appears when everything is there and compared.
/// kNotFound: there is no such model; kFormat: what the server says or sends is not what it promised, or is no model;
/// kIo: network or disk; kCancelled; kUnsupported: this build has no libcurl.
hearth::Result<Entry> pull(const Store& store, const std::string& source, const PullOptions& options = {},
                           const std::string& as = "");

// The kinds of sources. Each finds out which layers there are; weights are split or whole.

struct PullPlan {
  ModelName name{};
  std::vector<Remote> files{};
  Remote config{};         ///< url empty: it is made from the weights
  std::string manifest{};  ///< text of a registry's; empty: it is made
};

hearth::Result<PullPlan> plan_registry(const ModelName& name, bool plain, const IsStopped& is_stopped);
hearth::Result<PullPlan> plan_hub(const ModelName& name, bool has_tag, const IsStopped& is_stopped);
hearth::Result<PullPlan> plan_url(const std::string& url);

/// The value of a variable of the environment, or "".
std::string environment_text(const char* name);
/// "Authorization: ..." from a token, or from "user:password"; empty for an empty one.
std::string authorization(const std::string& token);

}  // namespace hearth_store
